/** `POST logs` and `GET jobs/{jobid}/logs`: what is kept, merged, cut and refused. */
import { describe, expect, test } from 'bun:test';
import { aChunk } from '../support/store-builders.ts';
import { anApi, json, type TestApi } from './support.ts';

const LOGS = '/cloudtask/v2/logs';
const JOBID = '399d4b159c65c9b34d2a3c41';
const ACCEPTED = { content: 'request accepted.' };
const MB = 2 ** 20;

/** As an agent of the original sends it. */
const aLog = (difference: Record<string, unknown> = {}) => ({
  jobid: JOBID,
  msgid: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
  event: '',
  group: '',
  stat: 0,
  location: 'myCluster',
  command: './run.sh',
  workdir: './cache/399d4b159c65c9b34d2a3c41/d41d8cd98f00b204e9800998ecf8427e',
  ipaddr: '192.168.2.80',
  stdout: 'done\n',
  errout: '',
  execerr: '',
  execat: '2026-11-22T15:59:58.123456789+08:00',
  exectimes: 1.5034,
  createat: 1_795_334_399_627,
  ...difference,
});

async function aJob(api: TestApi, more: Record<string, unknown> = {}) {
  const { status, body } = await api.post('/cloudtask/v2/jobs', {
    name: 'nightly',
    location: 'default',
    cmd: 'ps aux',
    jobid: JOBID,
    ...more,
  });
  expect([status, body.error]).toEqual([201, undefined]);
}
const logs = async (api: TestApi, query = '') => {
  const { status, body } = await api.get(`/cloudtask/v2/jobs/${JOBID}/logs${query}`);
  expect([status, body.error]).toEqual([200, undefined]);
  return body.data as { logs: Record<string, unknown>[]; total: number; pageIndex: number; pageSize: number };
};
const idsOf = async (api: TestApi, query = '') => (await logs(api, query)).logs.map(({ msgid }) => msgid);

/** Runs the job to its end, which is `ms` after its start. */
async function aRun(api: TestApi, outcome: 'succeeded' | 'failed', ms = 1_000, stdoutBytes = 0): Promise<string> {
  const before = api.starts().length;
  expect((await api.put('/cloudtask/v2/jobs/action', { jobid: JOBID, action: 'start' })).status).toBe(202);
  const command = api.starts()[before];
  if (!command) throw new Error('nothing was started');
  await api.started(command);
  const { execution, item, attempt } = command.run;
  const startedAt = api.clock.now();
  await api.clock.advance(ms);
  const exitCode = outcome === 'succeeded' ? 0 : 3;
  const end = { item, attempt, host: 'h1', outcome, exitCode, startedAt, finishedAt: api.clock.now() };
  await api.tell(`execution/${execution}`, {
    type: 'shard.ended',
    ...end,
    signal: null,
    reason: null,
    output: { stdoutBytes, stderrBytes: 0 },
  });
  return execution;
}

describe('a posted log', () => {
  test('a posted log is shown as it came, in the order and the units of the original', async () => {
    const api = await anApi();
    await aJob(api);
    const { status, body } = await api.post(LOGS, aLog());
    expect([status, body]).toEqual([202, ACCEPTED]);
    const page = await logs(api);
    expect(page).toEqual({
      logs: [{ ...aLog(), execat: '2026-11-22T07:59:58.123Z', exectimes: 1_503, truncated: false }],
      total: 1,
      pageIndex: 1,
      pageSize: 20,
    });
    expect(Object.keys(page.logs[0] ?? {})).toEqual([...Object.keys(aLog()), 'truncated']);
  });

  test('a posted log that comes twice is kept once, and two without msgid are two unless they say the same', async () => {
    const api = await anApi();
    await aJob(api);
    for (let count = 0; count < 3; count++) await api.post(LOGS, aLog());
    await api.post(LOGS, aLog({ stdout: 'again' }));
    expect((await logs(api)).logs).toMatchObject([{ stdout: 'done\n' }]);
    for (const stdout of ['a', 'a', 'b']) await api.post(LOGS, aLog({ msgid: '', stdout }));
    expect((await logs(api)).total).toBe(3);
  });

  test('a posted log of an unknown job is kept, and shown once that job exists, also after it was deleted and made again', async () => {
    const api = await anApi();
    expect((await api.post(LOGS, aLog({ jobid: JOBID.toUpperCase() }))).status).toBe(202);
    expect((await api.get(`/cloudtask/v2/jobs/${JOBID}/logs`)).status).toBe(404);
    await aJob(api);
    expect((await logs(api)).total).toBe(1);
    await api.del(`/cloudtask/v2/jobs/${JOBID}`);
    await aJob(api);
    expect((await logs(api)).total).toBe(1);
  });

  test('a posted log is read as Go read it: names in any case, any media type, null and absent fields as zero', async () => {
    const api = await anApi();
    await aJob(api);
    const text = `{"JOBID":"${JOBID}","Stat":-1,"STDOUT":"x","errout":null,"more":{"a":[1]},"execat":null} trailing`;
    expect((await api.post(LOGS, text, { 'Content-Type': 'text/plain' })).status).toBe(202);
    expect((await logs(api)).logs).toEqual([
      {
        ...{
          jobid: JOBID,
          msgid: '',
          event: '',
          group: '',
          stat: -1,
          location: '',
          command: '',
          workdir: '',
          ipaddr: '',
          stdout: 'x',
          errout: '',
        },
        ...{ execerr: '', execat: '0001-01-01T00:00:00Z', exectimes: 0, createat: api.clock.now(), truncated: false },
      },
    ]);
  });

  test.each([
    ['2026-11-22T07:59:58Z', '2026-11-22T07:59:58.000Z'],
    ['2026-11-22T07:59:58.9Z', '2026-11-22T07:59:58.900Z'],
    ['2026-11-22T07:59:58.999999999-08:30', '2026-11-22T16:29:58.999Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
    ['0001-01-01T08:05:43+08:05', '0001-01-01T00:00:00Z'],
    ['0000-12-31T19:00:00-05:00', '0001-01-01T00:00:00Z'],
    ['1969-12-31T23:59:59.5Z', '1969-12-31T23:59:59.500Z'],
  ])('a posted log of the time %s shows %s', async (execat, shown) => {
    const api = await anApi();
    await aJob(api);
    await api.post(LOGS, aLog({ execat }));
    expect((await logs(api)).logs).toMatchObject([{ execat: shown }]);
  });

  test.each<[unknown, string]>([
    [null, 'jobid is missing, but must be the id of a job, 1 to 100 characters.'],
    ['', 'body is missing, but must be a JSON object.'],
    ['[]', 'body is a list of 0, but must be a JSON object.'],
    ['{"jobid":"x"', 'the body is not JSON: unexpected end (at character 13).'],
    [aLog({ jobid: ' ' }), 'jobid is " ", but must be the id of a job, 1 to 100 characters.'],
    [aLog({ jobid: 5 }), 'jobid is 5, but must be the id of a job, 1 to 100 characters.'],
    [aLog({ stat: '0' }), 'stat is "0", but must be 0 or -1.'],
    [aLog({ stat: 1 }), 'stat is 1, but must be 0 or -1.'],
    [aLog({ stdout: ['a'] }), 'stdout is a list of 1, but must be a text.'],
    [aLog({ exectimes: '1' }), 'exectimes is "1", but must be seconds, a number from 0 to 31622400.'],
    [aLog({ exectimes: -1 }), 'exectimes is -1, but must be seconds, a number from 0 to 31622400.'],
    [aLog({ createat: 1.5 }), 'createat is 1.5, but must be epoch ms, a whole number.'],
    ['{"jobid":"x","createat":9223372036854775807}', 'createat is 9223372036854775807, but must be epoch ms, a whole number.'],
    [aLog({ execat: '' }), 'execat is "", but must be a time such as 2018-05-22T15:04:05.999999999+08:00; none: 0001-01-01T00:00:00Z.'],
    ...[
      '2026-02-30T00:00:00Z',
      '2026-11-22 08:00:00Z',
      '2026-11-22T08:00:00',
      '2026-11-22T24:00:00Z',
      '2026-11-22T08:00:00.1234567890Z',
      'soon',
    ].map((execat): [unknown, string] => [
      aLog({ execat }),
      `execat is ${JSON.stringify(execat)}, but must be a time such as 2018-05-22T15:04:05.999999999+08:00; none: 0001-01-01T00:00:00Z.`,
    ]),
    [aLog({ msgid: 'x'.repeat(201) }), `msgid is "${'x'.repeat(56)}..., but must be a text of at most 200 characters.`],
    [`{"jobid":"x","a":${'['.repeat(40)}${']'.repeat(40)}}`, 'the body nests deeper than 32 levels.'],
    ['{"jobid":"x","__proto__":{}}', '__proto__ is a reserved name; rename it. Reserved: __proto__, constructor, prototype.'],
  ])('a posted log %j is refused with 400, and nothing is kept', async (body, error) => {
    const api = await anApi();
    await aJob(api);
    const answer = await api.post(LOGS, body === null ? 'null' : body);
    expect([answer.status, answer.body]).toEqual([400, { content: 'request resolve invaild.', error }]);
    expect(await api.store.countPostedLogs({ job: JOBID })).toBe(0);
    expect(await api.store.countPostedLogs({ job: 'x' })).toBe(0);
  });

  test('a posted log with more than 1 MB of output loses the middle of it, and says how much', async () => {
    const api = await anApi();
    await aJob(api);
    const stdout = `first\n${'x'.repeat(3 * MB)}\nlast`;
    const errout = 'é'.repeat(MB / 2);
    expect((await api.post(LOGS, aLog({ stdout, errout }))).status).toBe(202);
    const kept = await api.store.postedLog(JOBID, aLog().msgid);
    expect(kept?.stderr).toBe(errout);
    const [, head = '', leftOut = '', tail = ''] =
      /^(first\n[x]+)\n\[(\d+) bytes are left out here\]\n(x+\nlast)$/.exec(kept?.stdout ?? '') ?? [];
    expect(head.length + tail.length + Number(leftOut)).toBe(stdout.length);
    expect(head.length + tail.length).toBeLessThanOrEqual(MB + 8_192);
    expect(Math.min(head.length, tail.length)).toBeGreaterThan(MB / 2 - 8_192);
    const [shown] = (await logs(api)).logs;
    expect([shown?.truncated, String(shown?.stdout).length, Buffer.byteLength(String(shown?.errout))]).toEqual([
      true,
      64 * 1024,
      64 * 1024,
    ]);
    expect(String(shown?.stdout).endsWith('x\nlast')).toBe(true);
  });

  test('a posted log of 16 MB is taken, and one of a byte more is refused with 413', async () => {
    const api = await anApi();
    const padded = (size: number) => {
      const text = JSON.stringify(aLog({ stdout: '' }));
      return text.replace('"stdout":""', `"stdout":"${'y'.repeat(size - text.length)}"`);
    };
    const whole = padded(16 * MB);
    expect(Buffer.byteLength(whole)).toBe(16 * MB);
    expect((await api.post(LOGS, whole)).status).toBe(202);
    const { status, body } = await api.post(LOGS, padded(16 * MB + 1));
    expect([status, body]).toEqual([413, { content: 'request resolve invaild.', error: 'the body is larger than 16777216 bytes.' }]);
    expect((await api.post('/cloudtask/v2/messages', padded(2 * MB))).status).toBe(413);
  });

  test('a job may have 100 logs and messages within a second, and the next is 429 until the second is over', async () => {
    const api = await anApi();
    await aJob(api);
    const post = async (count: number, more: Record<string, unknown> = {}) =>
      (await api.post(LOGS, aLog({ msgid: `m${count}`, ...more }))).status;
    const message = { msgname: 'JobSelect', jobid: JOBID };
    for (let count = 0; count < 60; count++) expect(await post(count)).toBe(202);
    for (let count = 0; count < 40; count++) expect((await api.post('/cloudtask/v2/messages', message)).status).toBe(202);
    const refused = await api.post(LOGS, aLog({ msgid: 'm100' }));
    expect([refused.status, refused.headers.get('retry-after'), refused.body.content]).toEqual([429, '1', 'request server exception.']);
    expect((await api.post('/cloudtask/v2/messages', message)).status).toBe(429);
    expect(await post(0, { jobid: 'another' })).toBe(202);
    await api.clock.advance(999);
    expect(await post(101)).toBe(429);
    await api.clock.advance(1);
    expect(await post(102)).toBe(202);
    expect((await logs(api)).total).toBe(61);
  });
});

describe('the logs of a job', () => {
  test('the logs of a job are its ended executions and posted ones, newest end first', async () => {
    const api = await anApi();
    await aJob(api, { groupid: 'g', cmd: 'ps aux' });
    await api.aHost('h1');
    const fine = await aRun(api, 'succeeded', 2_500);
    await api.post(LOGS, aLog({ msgid: 'posted', createat: api.clock.now() + 500 }));
    await api.clock.advance(1_000);
    const failed = await aRun(api, 'failed');
    const { logs: found, total } = await logs(api);
    expect([found.map(({ msgid }) => msgid), total]).toEqual([[failed, 'posted', fine], 3]);
    const of = (msgid: string) => found.find(log => log.msgid === msgid);
    expect(of(fine)).toMatchObject({
      ...{ jobid: JOBID, event: '', group: 'g', stat: 0, location: 'default', command: 'ps aux', ipaddr: '127.0.0.1' },
      ...{ stdout: '', errout: '', execerr: '', exectimes: 2_500, truncated: false },
    });
    const execerr = 'job execute exception:exit status 3';
    expect(of(failed)).toMatchObject({ event: execerr, stat: -1, execerr, createat: api.clock.now(), exectimes: 1_000 });
  });

  test('a stopped run is a log that went well, with who stopped it', async () => {
    const api = await anApi();
    await aJob(api);
    await api.put('/cloudtask/v2/jobs/action', { jobid: JOBID, action: 'start' });
    await api.put('/cloudtask/v2/jobs/action', { jobid: JOBID, action: 'stop' });
    const [log] = (await logs(api)).logs;
    expect(log).toMatchObject({ stat: 0, execerr: '', execat: '0001-01-01T00:00:00Z', exectimes: 0, ipaddr: '' });
    expect(log?.event).toMatch(/^cancelled: .+/);
    expect((await logs(api, '?stat=-1')).total).toBe(0);
  });

  test('the logs of a job leave out an execution that is open', async () => {
    const api = await anApi();
    await aJob(api);
    await api.put('/cloudtask/v2/jobs/action', { jobid: JOBID, action: 'start' });
    expect(await logs(api)).toMatchObject({ logs: [], total: 0 });
  });

  test('a log of an execution has the last 64 KB of each output, of all attempts in their order', async () => {
    const api = await anApi();
    await aJob(api);
    await api.aHost('h1');
    const execution = await aRun(api, 'succeeded');
    await api.store.keepOutput([
      aChunk({ execution, seq: 1, text: 'a'.repeat(70_000) }),
      aChunk({ execution, seq: 2, text: 'e\n', stream: 'stderr' }),
      aChunk({ execution, seq: 3, text: '漢'.repeat(20_000) }),
      aChunk({ execution, attempt: 2, seq: 1, text: 'end' }),
    ]);
    const [log] = (await logs(api)).logs;
    expect(log).toMatchObject({ errout: 'e\n', truncated: true });
    expect(log?.stdout).toBe(`${'a'.repeat(64 * 1024 - 60_003)}${'漢'.repeat(20_000)}end`);
  });

  test('a log of an execution says that output is missing where the host left some out, or it has expired', async () => {
    const api = await anApi();
    await aJob(api);
    await api.aHost('h1');
    const [cut, whole, expired] = [await aRun(api, 'succeeded'), await aRun(api, 'succeeded', 9, 2), await aRun(api, 'succeeded', 9, 2)];
    await api.store.keepOutput([
      aChunk({ execution: cut, seq: 1, text: 'a' }),
      aChunk({ execution: cut, seq: 2, text: 'b', leftOut: 7 }),
      aChunk({ execution: whole, seq: 1, text: 'ab' }),
    ]);
    const shown = async () =>
      Object.fromEntries((await logs(api)).logs.map(({ msgid, stdout, truncated }) => [msgid, [stdout, truncated]]));
    expect(await shown()).toEqual({
      [cut]: ['a\n[7 bytes of stdout are left out here]\nb', true],
      [whole]: ['ab', false],
      [expired]: ['', true],
    });
  });

  test('the logs of a job have bounds that include both ends, a filter of stat, and pages with a total', async () => {
    const api = await anApi();
    await aJob(api);
    const at = (second: number) => Date.UTC(2026, 10, 22, 9, 0, second);
    for (let second = 0; second < 25; second++) {
      await api.post(LOGS, aLog({ msgid: `m${second}`, createat: at(second), stat: second % 5 === 0 ? -1 : 0 }));
    }
    expect(await logs(api)).toMatchObject({ total: 25, pageIndex: 1, pageSize: 20 });
    expect(await idsOf(api, '?pageIndex=2')).toEqual(['m4', 'm3', 'm2', 'm1', 'm0']);
    expect(await logs(api, '?pageIndex=3&pageSize=12')).toMatchObject({ logs: [{ msgid: 'm0' }], total: 25, pageIndex: 3, pageSize: 12 });
    expect(await logs(api, '?pageIndex=9')).toMatchObject({ logs: [], total: 25 });
    expect(await idsOf(api, `?from=${at(3)}&to=${at(5)}`)).toEqual(['m5', 'm4', 'm3']);
    expect(await idsOf(api, '?from=2026-11-22T09:00:03Z&to=2026-11-22T10:00:05%2B01:00')).toEqual(['m5', 'm4', 'm3']);
    expect(await idsOf(api, `?stat=-1&to=${at(12)}`)).toEqual(['m10', 'm5', 'm0']);
    expect((await logs(api, '?stat=0')).total).toBe(20);
    expect((await logs(api, '?unknown=1')).total).toBe(25);
  });

  test.each([
    'from=yesterday',
    'to=2026-13-01T00:00:00Z',
    'stat=2',
    'stat=x',
    'pageIndex=x',
    'pageIndex=0',
    'pageSize=201',
    'pageSize=1.5',
  ])('the logs of a job are refused with 400 for ?%s', async query => {
    const api = await anApi();
    await aJob(api);
    const { status, body } = await api.get(`/cloudtask/v2/jobs/${JOBID}/logs?${query}`);
    expect([status, body.content]).toEqual([400, 'request resolve invaild.']);
    expect(body.error).toStartWith(`${query.split('=')[0]} is `);
  });

  test('pages of executions and posted logs together have each log once, in order, whatever lies between', async () => {
    const api = await anApi();
    await aJob(api);
    await api.aHost('h1');
    const posted = (count: number, at: number) => api.post(LOGS, aLog({ msgid: `p${count}`, createat: at }));
    for (let count = 0; count < 12; count++) {
      await aRun(api, count % 3 === 0 ? 'failed' : 'succeeded', 100);
      // Some fall together with an end, some between, a few in a row.
      for (let more = 0; more < count % 4; more++) await posted(count * 10 + more, api.clock.now() + more * 30);
    }
    const all = await logs(api, '?pageSize=200');
    expect(all.total).toBe(12 + 18);
    const ends = all.logs.map(({ createat }) => Number(createat));
    expect(ends).toEqual(ends.toSorted((a, b) => b - a));
    for (const pageSize of [1, 3, 7, 29, 30]) {
      const pages: unknown[] = [];
      for (let page = 1; pages.length < all.total; page++) pages.push(...(await idsOf(api, `?pageSize=${pageSize}&pageIndex=${page}`)));
      expect(pages).toEqual(all.logs.map(({ msgid }) => msgid));
    }
  });

  test('the logs of a job are not those of an earlier job of the same name', async () => {
    const api = await anApi();
    await aJob(api);
    await api.aHost('h1');
    await aRun(api, 'succeeded');
    await api.del(`/cloudtask/v2/jobs/${JOBID}`);
    await api.clock.advance(1);
    await aJob(api, { jobid: 'a'.repeat(24) });
    const { body } = await api.get(`/cloudtask/v2/jobs/${'a'.repeat(24)}/logs`);
    expect(body.data).toMatchObject({ logs: [], total: 0 });
  });

  test('logs are closed without a token, in the envelope of the dialect', async () => {
    const api = await anApi({ env: { TROUPE_AUTH: 'on' } });
    for (const [method, path] of [
      ['POST', LOGS],
      ['POST', '/cloudtask/v2/messages'],
      ['GET', `/cloudtask/v2/jobs/${JOBID}/logs`],
    ] as const) {
      const { status, body } = await api.call(method, path, method === 'POST' ? aLog() : undefined, json);
      expect([method, path, status, body.content]).toEqual([method, path, 401, 'request unauthorized.']);
    }
    expect(await api.store.countPostedLogs({ job: JOBID })).toBe(0);
  });
});
