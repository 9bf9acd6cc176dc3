/** Jobs and triggers in `/v1`. */
import { describe, expect, test } from 'bun:test';
import { withoutQuotes } from '../../src/http/body.ts';
import { anApi } from './support.ts';

const calendar = { type: 'calendar', turnmode: 4, interval: 1, startdate: '11/22/2026', starttime: '09:30' };

describe('a job in /v1', () => {
  test('a job in /v1 needs a name and a command, and has the defaults of everything else', async () => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/jobs', { name: 'nightly', command: 'echo it' });
    expect(status).toBe(201);
    expect(body).toEqual({
      group: null,
      servers: [],
      name: 'nightly',
      id: expect.stringMatching(/^[0-9a-f]{24}$/),
      pool: 'default',
      kind: 'transient',
      app: null,
      file: null,
      files: [],
      keepDirectory: false,
      command: 'echo it',
      shell: false,
      env: {},
      parameter: '',
      shards: { total: 1, parameters: {} },
      schedules: [],
      timeZone: 'UTC',
      resources: { cpus: 0.1, memoryMB: 64 },
      placement: 'pack',
      partial: false,
      runAs: null,
      overlap: 'skip',
      overlapLimit: 1,
      misfire: { policy: 'once', limit: 10 },
      misfireGraceMs: 60_000,
      retry: { attempts: 1, backoffMs: 1_000, maxBackoffMs: 300_000, jitter: 'equal' },
      failover: false,
      failoverLimit: 3,
      failoverOnFailure: false,
      disconnect: 'continue',
      disconnectMs: 0,
      timeoutMs: 0,
      startWithinMs: 0,
      killGraceMs: 10_000,
      shardingContext: false,
      description: '',
      enabled: true,
      status: 'idle',
      nextAt: null,
      lastOutcome: null,
      lastExecution: null,
      lastFinishedAt: null,
      quarantine: null,
      rev: 1,
      version: 1,
      createdAt: '2026-11-22T08:00:00.000Z',
      updatedAt: '2026-11-22T08:00:00.000Z',
      warnings: [],
      scheduleText: [],
      nextDue: [],
      notify: { succeed: null, failed: null },
    });
    const { warnings: _, scheduleText: _words, nextDue: _due, ...job } = body;
    expect((await api.get('/v1/jobs/nightly')).body).toEqual(job);
  });

  const wrong: [object, string, string][] = [
    [{ name: undefined }, 'name', 'name is missing'],
    [{ command: undefined }, 'command', 'command'],
    [{ command: '' }, 'command', 'a command'],
    [{ command: [] }, 'command', 'a command'],
    [{ command: ['a\0'] }, 'command[0]', 'a command'],
    [{ app: 'nope' }, 'app', 'app not found: nope'],
    [{ pool: 'nope' }, 'pool', 'pool not found: nope'],
    [{ overlpa: 'skip' }, 'overlpa', 'did you mean "overlap"?'],
    [{ overlap: 'never' }, 'overlap', 'one of skip, queue, allow, replace'],
    [{ retry: { attempts: 0 } }, 'retry.attempts', 'a whole number from 1'],
    [{ retry: { atempts: 2 } }, 'retry.atempts', 'did you mean "attempts"?'],
    [{ retry: { backoffMs: 10, maxBackoffMs: 9 } }, 'retry.maxBackoffMs', 'at least'],
    [{ shards: { total: 1001 } }, 'shards.total', 'from 1 to 1000'],
    [{ shards: { total: 2, parameters: { '2': 'x' } } }, 'shards.parameters', 'from 0 to 1'],
    [{ shards: { total: 2, parameters: { '00': 'x' } } }, 'shards.parameters', 'has a shard "00"'],
    [{ shards: { total: 2, parameters: { '1.0': 'x' } } }, 'shards.parameters', 'has a shard "1.0"'],
    [{ resources: { cpus: '1' } }, 'resources.cpus', 'resources.cpus is "1"'],
    [{ resources: { memoryMB: 0 } }, 'resources.memoryMB', 'from 1'],
    [{ env: { 'A B': 'x' } }, 'env.A B', 'env.A B cannot be the name of a variable'],
    [{ env: { [`a-${'b'.repeat(300)}`]: 'x' } }, `env.a-${'b'.repeat(58)}…`, 'at most 200'],
    [{ env: { A: 1 } }, 'env.A', 'a text'],
    [{ notify: { failed: { to: [] } } }, 'notify.failed.to', 'a list of at least one address'],
    [
      { notify: { failed: { to: ['ops'] } } },
      'notify.failed.to[0]',
      'notify.failed.to[0] is "ops", but must be a mail address or an http(s) URL',
    ],
    [{ notify: { failed: { to: ['a@x.org\r\nBcc: b@x.org'] } } }, 'notify.failed.to[0]', 'a mail address or'],
    [{ notify: { succeed: { to: Array(51).fill('a@x.org') } } }, 'notify.succeed.to', 'at most 50'],
    [{ notify: { succeed: { to: ['a@x.org'], subject: 'a\nb' } } }, 'notify.succeed.subject', 'one line of at most 1000 characters'],
    [{ notify: { success: null } }, 'notify.success', 'did you mean "succeed"?'],
    [{ timeZone: 'Mars/Base' }, 'timeZone', 'IANA'],
    [{ timeoutMs: -1 }, 'timeoutMs', 'a whole number from 0'],
    [{ shell: true, command: ['a'] }, 'shell', 'false for a command that is a list'],
    [{ schedules: [{ type: 'cron', cron: '* * *' }] }, 'schedules[0].cron', 'cron'],
    [{ schedules: [{ type: 'cron', cron: '0 0 9 * * ?', timeZone: 'X' }] }, 'schedules[0].timeZone', 'IANA'],
    [{ schedules: [{ ...calendar }, { ...calendar, startdate: '2026-11-22' }] }, 'schedules[1].startdate', 'startdate'],
    [{ schedules: [{ ...calendar, turnmode: 9 }] }, 'schedules[0].turnmode', 'from 1 to 6'],
    [{ schedules: Array(101).fill({ type: 'cron', cron: '0 0 9 * * ?' }) }, 'schedules', 'is a list of 101, but'],
    [{ schedules: [{ type: 'hourly' }] }, 'schedules[0].type', '"cron", "crontab" or "calendar"'],
    [
      { schedules: [{ type: 'cron', cron: '0 2 * * *' }] },
      'schedules[0].cron',
      'write "0 0 2 * * ?", or give it as it is to /v1 with type "crontab"',
    ],
    [{ schedules: [{ type: 'cron', cron: '0 0 2 * * *' }] }, 'schedules[0].cron', 'must be "?"; write "0 0 2 * * ?".'],
    [{ schedules: [{ type: 'crontab', crontab: '@reboot' }] }, 'schedules[0].crontab', 'belongs to no machine that boots'],
    [{ schedules: [{ type: 'crontab', crontab: '0 0 2 * * ?' }] }, 'schedules[0].crontab', 'type "cron" (--cron)'],
    [{ command: "echo 'open" }, 'command', 'cannot be split into words: the command has a single quote that is never closed'],
    [{ command: 'echo "open' }, 'command', 'a double quote that is never closed'],
    [{ command: 'echo \\' }, 'command', 'a backslash that escapes nothing'],
    [{ command: "'' x" }, 'command', 'its first word is empty'],
    [
      { schedules: [{ type: 'cron', cron: '0 0 0 1 1 ? 2020' }] },
      'schedules[0].cron',
      'is over: its last due time was 2020-01-01T00:00:00.000Z',
    ],
    [{ schedules: [{ ...calendar, startdate: '01/01/2020', enddate: '01/02/2020' }] }, 'schedules[0].enddate', '2020-01-02T09:30:00.000Z'],
    [{ schedules: 'daily' }, 'schedules', 'a list'],
    [{ description: 'x'.repeat(10_001) }, 'description', 'at most 10000'],
    [{ parameter: 'x'.repeat(65_537) }, 'parameter', 'at most 65536'],
  ];
  const rows = wrong.map(([difference, field, sentence]) => [field, sentence, difference] as const);
  test.each(rows)('a job in /v1 is refused for its %s (%s), and nothing is stored', async (field, sentence, difference) => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/jobs', { name: 'nightly', command: 'echo it', ...difference });
    expect({ status, code: body.error.code, field: body.error.field }).toEqual({ status: 400, code: 'invalid', field });
    expect(body.error.message).toContain(sentence);
    expect((await api.get('/v1/jobs')).body).toEqual({ items: [], next: null });
  });

  test.each<[string, unknown]>([
    ['a bad name in env', { env: { 'bad-name': 'hunter2' } }],
    ['a value of env that is a list', { env: { S: ['hunter2'] } }],
    ['a value of env that is an object', { env: { S: { a: 'hunter2' } } }],
    ['a value of env with NUL', { env: { S: 'hunter2\0' } }],
    ['an env that is a text', { env: 'hunter2' }],
    ['an env that is a list', { env: [{ S: 'hunter2' }] }],
    ['too many variables', { env: Object.fromEntries(Array.from({ length: 501 }, (_, place) => [`A${place}`, 'hunter2'])) }],
    ['a body that is a list', [{ env: { S: 'hunter2' } }]],
    ['a body that is no JSON', '{"name":"a","command":"b","env":{"S":hunter2}}'],
    ['a body that breaks off', '{"name":"a","command":"b","env":{"S":"hunter2'],
    ['a command that is an object', { command: { run: 'hunter2' } }],
  ])(
    'a job in /v1 refused for %s names the field and repeats no value, when it is created and when it is changed',
    async (_what, different) => {
      const api = await anApi();
      await api.post('/v1/jobs', { name: 'a', command: 'b' });
      const isWhole = typeof different === 'string' || Array.isArray(different);
      const created = await api.post('/v1/jobs', isWhole ? different : { name: 'x', command: 'b', ...(different as object) });
      expect([created.status, created.text.includes('hunter2')]).toEqual([400, false]);
      const patched = await api.patch('/v1/jobs/a', different);
      expect([patched.status, patched.text.includes('hunter2')]).toEqual([400, false]);
      if (isWhole) return;
      const [field] = Object.keys(different as object);
      expect(created.body.error.field).toStartWith(field ?? '');
      expect(patched.body.error.field).toBe(created.body.error.field);
    },
  );

  test.each([
    [`Unexpected token 'h', ..."{"S":hunter2}}" is not valid JSON`, 'Unexpected token … is not valid JSON'],
    [`"{"S":"hunter2"... is not valid JSON`, '… is not valid JSON'],
    ['JSON Parse error: Unexpected identifier "hunter2"', 'JSON Parse error: Unexpected identifier …'],
    ['Unterminated string in JSON at position 9', 'Unterminated string in JSON at position 9'],
  ])('the message %p of an engine about a body that is no JSON loses its quotation', (message, shown) => {
    expect(withoutQuotes(message)).toBe(shown);
  });

  test('a job in /v1 that is disabled may have a schedule that is over, and keeps it in later changes', async () => {
    const api = await anApi();
    const over = { type: 'cron', cron: '0 0 0 1 1 ? 2020' };
    const { status, body } = await api.post('/v1/jobs', { name: 'a', command: 'b', enabled: false, schedules: [over] });
    expect([status, body.warnings]).toEqual([
      201,
      [{ field: 'schedules[0].cron', message: 'this schedule is over: its last due time was 2020-01-01T00:00:00.000Z. Set a new one.' }],
    ]);
    expect((await api.patch('/v1/jobs/a', { enabled: true, description: 'x' })).status).toBe(200);
    const another = { type: 'cron', cron: '0 0 0 2 1 ? 2020' };
    expect((await api.patch('/v1/jobs/a', { schedules: [over, another] })).body.error.field).toBe('schedules[1].cron');
    const switchedOff = { ...calendar, startdate: '01/01/2020', enddate: '01/02/2020', enabled: 0 };
    expect((await api.patch('/v1/jobs/a', { schedules: [over, switchedOff] })).status).toBe(200);
  });

  const heeded: [string, object, string | undefined][] = [
    ['a pipe', { command: 'echo a | wc -c' }, 'no shell interprets "|":'],
    ['operators without spaces', { command: 'cd /tmp&&ls>out; true' }, 'no shell interprets "&&", ">", ";":'],
    ['an operator as a word of a list', { command: ['echo', 'a', '>', 'b'] }, 'no shell interprets ">":'],
    ['a list of one word with spaces', { command: ['echo a | wc -c'] }, 'the program name "echo a | wc -c" contains spaces'],
    ['spaces in an argument', { command: ['echo', 'a b'] }, undefined],
    ['a pipe for a shell', { command: 'echo a | wc -c', shell: true }, undefined],
    ['a quoted pipe', { command: `sh -c 'a | b; c' "x > y" \\;` }, undefined],
    ['a word of a list with a pipe in it', { command: ['sh', '-c', 'echo a | wc -c'] }, undefined],
    ['a semicolon in an address', { command: 'curl http://h/a;b=c' }, undefined],
  ];
  test.each(heeded)('a job in /v1 with %s is created, with a warning where no shell interprets it', async (_what, command, sentence) => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/jobs', { name: 'a', ...command });
    expect(status).toBe(201);
    if (sentence === undefined) expect(body.warnings).toEqual([]);
    else expect(body.warnings).toEqual([{ field: 'command', message: expect.stringContaining(sentence) }]);
  });

  test('a job in /v1 with an operator of a shell in the command of its app is warned about the app', async () => {
    const api = await anApi();
    await api.post('/v1/apps', { name: 'my_app', url: 'http://h/a.tgz', command: 'bin/x | tee log' });
    const { body } = await api.post('/v1/jobs', { name: 'a', app: 'my_app' });
    expect(body.warnings).toEqual([{ field: 'app', message: expect.stringContaining('"|" in the command of app my_app') }]);
  });

  test('a job in /v1 with a step that is longer than its field in a crontab is warned about it', async () => {
    const api = await anApi();
    const { body } = await api.post('/v1/jobs', { name: 'a', command: 'b', schedules: [{ type: 'crontab', crontab: '*/90 * * * *' }] });
    expect(body.warnings).toEqual([{ field: 'schedules[0].crontab', message: expect.stringContaining('"*/90" is minute 0 alone') }]);
  });

  test('a job in /v1 with a numeric day of the week in Quartz is warned about the days it names, in a crontab it is not', async () => {
    const api = await anApi();
    const schedules = [
      { type: 'crontab', crontab: '0 9 * * 1-5' },
      { type: 'cron', cron: '0 0 9 ? * 1-5' },
    ];
    const { body } = await api.post('/v1/jobs', { name: 'a', command: 'b', schedules });
    expect(body.warnings).toEqual([{ field: 'schedules[1].cron', message: expect.stringContaining('"1-5" is Sunday to Thursday') }]);
    expect(body.scheduleText).toEqual(['at 09:00, Monday to Friday (UTC)', 'at 09:00, Sunday to Thursday (UTC)']);
  });

  test('a job in /v1 with a number out of range is refused with the number as it was sent', async () => {
    const api = await anApi();
    for (const [written, read] of [
      ['1e999', 'Infinity'],
      ['-1e999', '-Infinity'],
    ]) {
      const { status, body } = await api.post('/v1/jobs', `{"name":"nightly","command":"a","timeoutMs":${written}}`);
      expect([status, body.error.message]).toEqual([400, `timeoutMs is ${read}, but must be a whole number from 0 to 31622400000.`]);
    }
    expect((await api.get('/v1/jobs')).body.items).toEqual([]);
  });

  test('a job in /v1 that is too large as a whole is refused', async () => {
    const api = await anApi();
    const env = Object.fromEntries(Array.from({ length: 10 }, (_, place) => [`A${place}`, 'x'.repeat(30_000)]));
    expect((await api.post('/v1/jobs', { name: 'nightly', command: 'a', env })).body.error.message).toContain('at most 262144');
  });

  test('a resident job in /v1 is refused for now', async () => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/jobs', { name: 'a', command: 'b', kind: 'resident' });
    expect(status).toBe(409);
    expect(body.error.message).toContain('which this version does not support');
  });

  test('a job in /v1 takes the zone of its pool, and shows when it is due next', async () => {
    const api = await anApi();
    await api.post('/v1/pools', { name: 'berlin', timeZone: 'Europe/Berlin' });
    const { body } = await api.post('/v1/jobs', {
      name: 'a',
      command: ['b'],
      pool: 'berlin',
      schedules: [{ type: 'cron', cron: '0 0 10 * * ?' }],
    });
    expect(body).toMatchObject({ timeZone: 'Europe/Berlin', nextAt: '2026-11-22T09:00:00.000Z' });
  });

  test('a job in /v1 is answered with its schedules in words and the next three due times when it is created or changed', async () => {
    const api = await anApi();
    const schedules = [{ type: 'cron', cron: '0 0 10 ? * MON-FRI', timeZone: 'Europe/Berlin' }, calendar];
    const { body } = await api.post('/v1/jobs', { name: 'a', command: 'b', schedules });
    expect(body).toMatchObject({
      warnings: [],
      scheduleText: ['at 10:00, Monday to Friday (Europe/Berlin)', 'at 09:30, every day, from 11/22/2026 (UTC)'],
      nextDue: ['2026-11-22T09:30:00.000Z', '2026-11-23T09:00:00.000Z', '2026-11-23T09:30:00.000Z'],
    });
    expect((await api.patch('/v1/jobs/a', { enabled: false })).body).toMatchObject({ scheduleText: body.scheduleText, nextDue: [] });
    // The answer to a read has no due times.
    expect((await api.get('/v1/jobs/a')).body).not.toHaveProperty('nextDue');
  });

  test('a job in /v1 is changed field by field, and null brings a default back', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b', env: { A: '1' }, retry: { attempts: 3 }, timeoutMs: 5, overlap: 'queue' });
    const before = (await api.get('/v1/jobs/a')).body;
    const { status, body } = await api.patch('/v1/jobs/a', {
      retry: { backoffMs: 7 },
      env: { B: '2' },
      timeoutMs: null,
      overlap: 'allow',
    });
    expect(status).toBe(200);
    expect(body).toEqual({
      ...before,
      retry: { attempts: 3, backoffMs: 7, maxBackoffMs: 300_000, jitter: 'equal' },
      env: { A: '1', B: '2' },
      timeoutMs: 0,
      overlap: 'allow',
      overlapLimit: 10,
      rev: 2,
      version: 2,
      warnings: [],
      scheduleText: [],
      nextDue: [],
    });
    expect((await api.patch('/v1/jobs/a', before)).body).toMatchObject({
      env: { A: '1', B: '2' },
      overlap: 'queue',
      overlapLimit: 1,
      rev: 3,
    });
  });

  test('a job in /v1 is patched as RFC 7396 has it: null takes a variable or a shard parameter away, objects merge, lists are replaced', async () => {
    const api = await anApi();
    const schedules = [calendar, { type: 'cron', cron: '0 0 9 * * ?' }];
    const shards = { total: 3, parameters: { '0': 'A', '2': 'C' } };
    await api.post('/v1/jobs', { name: 'a', command: 'b', env: { A: '1', B: '2' }, shards, schedules });
    const patch = { env: { A: null, C: '3' }, shards: { parameters: { '2': null } }, schedules: schedules.slice(1) };
    expect((await api.patch('/v1/jobs/a', patch)).body).toMatchObject({
      env: { B: '2', C: '3' },
      shards: { total: 3, parameters: { '0': 'A' } },
      schedules: schedules.slice(1),
    });
    const { body } = await api.patch('/v1/jobs/a', { env: null, shards: null, schedules: null, timeZone: null });
    expect([body.env, body.shards, body.schedules]).toEqual([{}, { total: 1, parameters: {} }, []]);
  });

  test('a job in /v1 takes a patch by its own media type, and nothing else by that', async () => {
    const api = await anApi();
    const headers = { 'Content-Type': 'application/merge-patch+json; charset=utf-8' };
    expect((await api.post('/v1/jobs', { name: 'a', command: 'b' }, headers)).status).toBe(415);
    await api.post('/v1/jobs', { name: 'a', command: 'b', env: { A: '1' } });
    expect((await api.patch('/v1/jobs/a', { env: { A: null, B: '2' } }, headers)).body.env).toEqual({ B: '2' });
    expect((await api.patch('/v1/jobs/a', '{}', { 'Content-Type': 'text/plain' })).status).toBe(415);
  });

  const unwritable: [string, unknown, string][] = [
    ['status', 'disabled', 'status is "disabled", but cannot be written; set enabled to true or false.'],
    ['nextAt', '2026-11-23T08:00:00.000Z', 'nextAt is "2026-11-23T08:00:00.000Z", but cannot be written; set schedules.'],
    ['rev', 1, 'rev is 1, but cannot be written; leave it out.'],
    ['quarantine', {}, 'quarantine cannot be written; POST /v1/jobs/{name}/release ends it.'],
  ];
  test.each(unwritable)(
    'a job in /v1 names its %s as read-only, and what can be written, at its change and its creation',
    async (field, value, message) => {
      const api = await anApi();
      await api.post('/v1/jobs', { name: 'a', command: 'b' });
      await api.patch('/v1/jobs/a', { description: 'x' });
      expect((await api.patch('/v1/jobs/a', { [field]: value })).body.error).toEqual({ code: 'invalid', field, message });
      expect((await api.post('/v1/jobs', { name: 'b', command: 'b', [field]: value })).body.error).toEqual({
        code: 'invalid',
        field,
        message,
      });
    },
  );

  test('a job in /v1 has the id that its request names, in lower case, and keeps it', async () => {
    const api = await anApi();
    const id = 'ABCDEF0123456789abcdef01';
    const made = await api.post('/v1/jobs', { name: 'a', command: 'b', id });
    expect([made.status, made.body.id]).toEqual([201, id.toLowerCase()]);
    expect((await api.get(`/cloudtask/v2/jobs/${id}`)).body.data.job.name).toBe('a');
    const taken = await api.post('/v1/jobs', { name: 'b', command: 'b', id: id.toLowerCase() });
    expect([taken.status, taken.body.error.field, taken.body.error.message]).toEqual([
      409,
      'id',
      `id is "${id.toLowerCase()}", which job a has; give another one, or none to have one drawn`,
    ]);
    expect((await api.get('/v1/jobs/b')).status).toBe(404);
    const changed = await api.patch('/v1/jobs/a', { id: '0'.repeat(24) });
    expect(changed.body.error).toEqual({
      code: 'invalid',
      field: 'id',
      message: `id is "${'0'.repeat(24)}", but cannot be written; leave it out.`,
    });
    expect((await api.patch('/v1/jobs/a', { ...(await api.get('/v1/jobs/a')).body, description: 'x' })).body.id).toBe(id.toLowerCase());
    await api.del('/v1/jobs/a');
    expect((await api.post('/v1/jobs', { name: 'b', command: 'b', id })).status).toBe(201);
  });

  test.each([[''], ['abc'], ['g'.repeat(24)], ['0'.repeat(25)], [7], [null], [{}]])(
    'a job in /v1 with the id %j is refused, and nothing is stored',
    async id => {
      const api = await anApi();
      const { status, body } = await api.post('/v1/jobs', { name: 'a', command: 'b', id });
      expect([status, body.error.field, body.error.message]).toEqual([400, 'id', expect.stringContaining('must be 24 hex digits')]);
      expect((await api.get('/v1/jobs/a')).status).toBe(404);
    },
  );

  test('of two jobs in /v1 that come at once with one id, one is created', async () => {
    const api = await anApi();
    const id = '1'.repeat(24);
    const answers = await Promise.all(['a', 'b', 'c'].map(name => api.post('/v1/jobs', { name, command: 'x', id })));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
  });

  test('a job in /v1 may be sent back as it was read, also when it was edited and has run since; a status that it never had may not', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const read = (await api.get('/v1/jobs/a')).body;
    expect((await api.patch('/v1/jobs/a', { status: 'idle', description: 'x' })).status).toBe(200);
    await api.post('/v1/jobs/a/trigger');
    expect((await api.patch('/v1/jobs/a', { ...read, description: 'y' })).body).toMatchObject({ description: 'y', status: 'running' });
    const { body } = await api.patch('/v1/jobs/a', { ...read, status: 'disabled' });
    expect(body.error.field).toBe('status');
    // A job under another name is a copy, and the answer of the edit may be sent back too.
    expect((await api.post('/v1/jobs', { ...read, name: 'copy' })).status).toBe(201);
    const answered = (await api.patch('/v1/jobs/copy', { description: 'z' })).body;
    expect((await api.patch('/v1/jobs/copy', answered)).status).toBe(200);
  });

  test('a job in /v1 that is to stop without its center does so after a minute by default', async () => {
    const api = await anApi();
    const msOf = async (answer: ReturnType<typeof api.post>) => (await answer).body.disconnectMs;
    expect(await msOf(api.post('/v1/jobs', { name: 'a', command: 'b', disconnect: 'stop' }))).toBe(60_000);
    expect(await msOf(api.post('/v1/jobs', { name: 'c', command: 'b', disconnect: 'stop', disconnectMs: 0 }))).toBe(0);
    expect(await msOf(api.patch('/v1/jobs/a', { disconnect: 'continue' }))).toBe(0);
    expect(await msOf(api.patch('/v1/jobs/a', { disconnect: 'stop', disconnectMs: 5 }))).toBe(5);
    expect(await msOf(api.patch('/v1/jobs/a', { description: 'same' }))).toBe(5);
  });

  test('a job in /v1 is not renamed, and a bad change changes nothing', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    for (const patch of [{ name: 'c' }, { command: null }, { retry: 5 }, [], 'x', { shards: { total: 0 } }]) {
      expect((await api.patch('/v1/jobs/a', patch)).status).toBe(400);
    }
    expect((await api.get('/v1/jobs/a')).body.rev).toBe(1);
    expect((await api.patch('/v1/jobs/nope', {})).status).toBe(404);
  });

  test('a job in /v1 keeps each of several changes that come at once', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const changes = [{ timeoutMs: 5 }, { parameter: 'p' }, { command: null }, { failover: true }, { retry: { attempts: 2 } }];
    const answers = await Promise.all(changes.map(change => api.patch('/v1/jobs/a', change)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 400, 200, 200]);
    expect((await api.get('/v1/jobs/a')).body).toMatchObject({
      timeoutMs: 5,
      parameter: 'p',
      failover: true,
      retry: { attempts: 2 },
      rev: 5,
    });
  });

  test('a job in /v1 is created disabled, or changed and switched, in one turn', async () => {
    const { post, patch, get } = await anApi();
    const every = { name: 'off', command: 'b', schedules: [{ type: 'cron', cron: '* * * * * ?' }] };
    expect((await post('/v1/jobs', { ...every, enabled: false })).body).toMatchObject({
      enabled: false,
      status: 'disabled',
      nextAt: null,
      rev: 1,
    });
    expect((await patch('/v1/jobs/off', { enabled: true, description: 'on' })).body).toMatchObject({
      status: 'idle',
      description: 'on',
      rev: 2,
    });
    expect((await patch('/v1/jobs/off', { enabled: false, description: 'off' })).body).toMatchObject({ status: 'disabled', rev: 3 });
    const recorded = (await get('/v1/history/job/off')).body.items.map(({ type, rev }: { type: string; rev: number }) => `${type} ${rev}`);
    expect(recorded).toEqual(['job.registered 1', 'job.disabled 1', 'job.updated 2', 'job.enabled 2', 'job.updated 3', 'job.disabled 3']);
    const app = { name: 'off', url: 'http://apps.example/a.tar.gz', command: 'b' };
    expect((await post('/v1/apps', { ...app, enabled: false })).body).toMatchObject({ status: 'disabled', rev: 1 });
    expect((await patch('/v1/apps/off', { enabled: true })).body).toMatchObject({ status: 'enabled', rev: 2 });
    expect((await patch('/v1/apps/off', { description: 'same' })).body).toMatchObject({ status: 'enabled', rev: 3 });
    expect((await patch('/v1/apps/off', { enabled: false })).body).toMatchObject({ status: 'disabled', rev: 4 });
  });

  test('a job in /v1 is disabled, enabled, and deleted', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b', enabled: false, schedules: [{ type: 'cron', cron: '0/5 * * * * ?' }] });
    expect((await api.get('/v1/jobs/a')).body).toMatchObject({ enabled: false, status: 'disabled', nextAt: null });
    expect((await api.post('/v1/jobs/a/trigger')).status).toBe(409);
    expect((await api.patch('/v1/jobs/a', { enabled: true })).body).toMatchObject({ enabled: true, nextAt: '2026-11-22T08:00:05.000Z' });
    expect((await api.post('/v1/jobs/a/disable')).body).toMatchObject({ status: 'disabled' });
    expect((await api.post('/v1/jobs/a/enable')).body).toMatchObject({ status: 'idle' });
    const { status, text } = await api.del('/v1/jobs/a');
    expect([status, text]).toEqual([204, '']);
    expect((await api.get('/v1/jobs/a')).body.error.code).toBe('notFound');
    expect((await api.del('/v1/jobs/a')).status).toBe(404);
  });

  test('a job in /v1 is started once by two starts at the same instant that ask for an idle job', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b', overlap: 'allow' });
    const start = () => api.post('/v1/jobs/a/trigger?onlyIdle=true');
    const [one, two] = (await Promise.all([start(), start()])).sort((x, y) => x.status - y.status);
    expect([one?.status, two?.status, two?.body.error.message]).toEqual([202, 409, 'job a is running']);
    // Without it the overlap decides.
    expect((await api.post('/v1/jobs/a/trigger')).status).toBe(202);
  });

  test('a job in /v1 that is stopped ends every open execution, also one that waits, and may run again', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b', overlap: 'queue' });
    const trigger = async () => (await api.post('/v1/jobs/a/trigger')).body.execution;
    // No host is there: the first one waits for capacity, the second one for its turn.
    const ids = [await trigger(), await trigger()];
    expect(new Set(ids).size).toBe(2);
    expect((await api.get('/v1/jobs/a')).body.status).toBe('running');
    expect((await api.post('/v1/jobs/a/stop')).body).toMatchObject({ name: 'a', enabled: true });
    for (const id of ids) {
      const { body } = await api.get(`/v1/executions/${id}`);
      expect(body).toMatchObject({ status: 'done', outcome: 'cancelled', reason: expect.stringMatching(/^stopped by /) });
    }
    expect((await api.get('/v1/jobs/a')).body).toMatchObject({ status: 'idle', lastOutcome: 'cancelled' });
    expect((await api.post('/v1/jobs/a/stop')).body.status).toBe('idle');
    expect((await api.post('/v1/jobs/none/stop')).status).toBe(404);
    expect((await api.post('/v1/jobs/a/trigger?onlyIdle=true')).status).toBe(202);
  });

  test('a job in /v1 whose app is refused is quarantined, shows it, and is released', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b', schedules: [{ type: 'cron', cron: '0/5 * * * * ?' }] });
    const { config } = (await api.context('job/a')).context;
    // Past the api's own look: the app goes away between look and registration.
    await api.world.ask('job/a', { type: 'job.update', config: { ...config, app: 'gone' } });
    await api.settled();
    expect((await api.get('/v1/jobs/a')).body).toMatchObject({
      status: 'quarantined',
      nextAt: null,
      quarantine: { reason: 'app gone is not published' },
    });
    const listed = async (status: string) =>
      (await api.get(`/v1/jobs?status=${status}`)).body.items.map((job: { name: string }) => job.name);
    expect([await listed('quarantined'), await listed('idle'), await listed('idle,quarantined')]).toEqual([['a'], [], ['a']]);
    const refused = await api.post('/v1/jobs/a/trigger');
    expect({ status: refused.status, code: refused.body.error.code }).toEqual({ status: 409, code: 'quarantined' });
    await api.post('/v1/apps', { name: 'gone', url: 'http://h/x.zip', command: 'run' });
    expect((await api.post('/v1/jobs/a/release')).body.status).toBe('idle');
    expect((await api.post('/v1/jobs/a/release')).status).toBe(409);
  });

  test('a job in /v1 is listed page by page, by name, state and app', async () => {
    const api = await anApi();
    await api.post('/v1/apps', { name: 'my_app', url: 'http://h/x.zip', command: 'run' });
    for (const name of ['e', 'c', 'a', 'd', 'b'])
      await api.post('/v1/jobs', { name, ...(name < 'c' ? { app: 'my_app' } : { command: 'x' }) });
    await api.post('/v1/jobs/c/disable');
    const names: string[] = [];
    let next = '';
    do {
      const { body } = await api.get(`/v1/jobs?limit=2${next && `&cursor=${next}`}`);
      names.push(...body.items.map((job: { name: string }) => job.name));
      next = body.next;
    } while (next);
    expect(names).toEqual(['a', 'b', 'c', 'd', 'e']);
    const named = async (query: string) => (await api.get(`/v1/jobs?${query}`)).body.items.map((job: { name: string }) => job.name);
    expect(await named('app=my_app')).toEqual(['a', 'b']);
    expect(await named('status=disabled')).toEqual(['c']);
    await api.post('/v1/pools', { name: 'other' });
    await api.post('/v1/jobs', { name: 'db.dump', command: 'x', pool: 'other' });
    expect(await named('pool=other')).toEqual(['db.dump']);
    expect(await named('pool=default&prefix=d')).toEqual(['d']);
    expect(await named('prefix=d&limit=1')).toEqual(['d']);
    expect(await named('prefix=d')).toEqual(['d', 'db.dump']);
    await api.post('/v1/jobs', { name: 'Report_1', command: 'x', group: 'billing' });
    await api.post('/v1/jobs', { name: 'my.report', command: 'x', group: 'billing' });
    await api.post('/v1/jobs', { name: 'report', command: 'x', group: 'Billing' });
    expect(await named('group=billing')).toEqual(['Report_1', 'my.report']);
    expect(await named('text=REPORT')).toEqual(['Report_1', 'my.report', 'report']);
    expect(await named('text=report&group=billing&limit=1')).toEqual(['Report_1']);
    expect(await named('text=t_1')).toEqual(['Report_1']);
    expect(await named('text=%25')).toEqual([]);
    for (const query of ['limit=0', 'limit=201', 'limit=x', 'cursor=zzz', 'status=bad', 'text=', 'text=a%00', 'group=']) {
      const { status, body } = await api.get(`/v1/jobs?${query}`);
      expect([status, body.error.field]).toEqual([400, query.split('=')[0]]);
    }
  });
});

describe('a trigger in /v1', () => {
  test('a trigger in /v1 answers 202 with the execution', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const { status, body } = await api.post('/v1/jobs/a/trigger');
    expect(status).toBe(202);
    expect(body).toEqual({ execution: expect.stringMatching(/^a@20261122T080000\.000Z~/) });
    expect((await api.get(`/v1/executions/${body.execution}`)).body.trigger).toBe('api');
    expect((await api.post('/v1/jobs/nope/trigger')).status).toBe(404);
  });

  test('a trigger in /v1 of a deleted job suggests a name, also where it was triggered before', async () => {
    const api = await anApi();
    for (const name of ['nightly', 'nightly2']) await api.post('/v1/jobs', { name, command: 'b', overlap: 'allow' });
    await api.post('/v1/jobs/nightly/trigger');
    await api.del('/v1/jobs/nightly');
    await api.world.settled();
    const { status, body } = await api.post('/v1/jobs/nightly/trigger');
    expect([status, body.error.message]).toEqual([404, 'job not found: nightly; did you mean "nightly2"?']);
  });

  test('a trigger in /v1 with the same key gives the same answer', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b', overlap: 'allow' });
    const first = await api.post('/v1/jobs/a/trigger', undefined, { 'Idempotency-Key': 'k1' });
    const again = await api.post('/v1/jobs/a/trigger', undefined, { 'Idempotency-Key': 'k1' });
    const other = await api.post('/v1/jobs/a/trigger', undefined, { 'Idempotency-Key': 'k2' });
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(other.text).not.toBe(first.text);
    expect((await api.post('/v1/jobs/a/trigger', undefined, { 'Idempotency-Key': 'k'.repeat(201) })).body.error.field).toBe(
      'Idempotency-Key',
    );
  });
});
