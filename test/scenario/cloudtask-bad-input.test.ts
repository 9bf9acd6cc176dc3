/** Wrong requests to jobs, runtimes and actions of Cloudtask, at a real center on real sockets. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';
import { aScheduleItem } from '../support/schedule-item.ts';

setDefaultTimeout(60_000);

const ID = '399d4b159c65c9b34d2a3c41';
const MB = 1024 * 1024;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  await send('POST', 'runtimes', JSON.stringify({ location: 'west' }));
  await send('POST', 'jobs', JSON.stringify({ name: 'nightly', location: 'west', jobid: ID, cmd: 'true' }));
  cluster.startAgent('w1');
  await cluster.ready('w1');
});
afterAll(() => cluster.close());

interface Answer {
  status: number;
  content: string;
  error: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  data: any;
}

/** `body`: the text as it goes over the wire. */
async function send(method: string, path: string, body?: string | Uint8Array<ArrayBuffer>): Promise<Answer> {
  const init = body === undefined ? { method } : { method, body, headers: { 'content-type': 'text/plain' } };
  const response = await fetch(`${cluster.url}/cloudtask/v2/${path}`, init);
  expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
  const { content, error = '', data } = (await response.json()) as Partial<Answer>;
  return { status: response.status, content: content ?? '', error, data };
}

const CONTENT: Record<number, string> = {
  400: 'request resolve invaild.',
  404: 'request resource not found.',
  413: 'request resolve invaild.',
};

/** Jobs, runtimes and executions as they are stored. */
async function stored(): Promise<string> {
  const executions = await cluster.all<Execution>('/v1/executions');
  return JSON.stringify([await send('GET', 'jobs?pageSize=200'), await send('GET', 'runtimes'), executions.length]);
}

/** Sends a request that must be refused with this status, in the envelope, and changes nothing. */
async function refused(status: number, method: string, path: string, body?: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const before = await stored();
  const answer = await send(method, path, body);
  expect(answer).toMatchObject({ status, content: CONTENT[status] ?? answer.error });
  expect(answer.error).toMatch(/^\S.{5,400}[.?!]$/);
  expect(answer.data).toBeUndefined();
  expect(await stored()).toBe(before);
  return answer.error;
}

/** Each route that reads a body, with a body that it takes. */
const ROUTES: [route: string, method: string, path: string, body: Record<string, unknown>][] = [
  ['POST jobs', 'POST', 'jobs', { name: 'other', location: 'west', cmd: 'true' }],
  ['PUT jobs/{jobid}', 'PUT', `jobs/${ID}`, {}],
  ['POST runtimes', 'POST', 'runtimes', { location: 'east' }],
  ['PUT runtimes/{runtime}', 'PUT', 'runtimes/west', {}],
  ['PUT jobs/action', 'PUT', 'jobs/action', { jobid: ID, action: 'start' }],
];

const deep = (levels: number): string => `${'['.repeat(levels)}${']'.repeat(levels)}`;
/** Lone surrogates are in no UTF-8: as bytes, and as an escape of JSON. */
const SURROGATE = '\\ud800';

const written = (body: Record<string, unknown>, more: string): string => {
  const text = JSON.stringify(body);
  return text === '{}' ? `{${more}}` : `${text.slice(0, -1)},${more}}`;
};

describe.each(ROUTES)('a wrong body of %s', (route, method, path, body) => {
  const bodies: [what: string, text: string, said: string][] = [
    ['is empty', '', 'body is missing, but must be a JSON object.'],
    ['is white space', ' \n', 'body is missing, but must be a JSON object.'],
    ['is a list', '[]', 'a JSON object'],
    ['is a list of such bodies', JSON.stringify([body]), 'a JSON object'],
    ['is a number', '7', 'a JSON object'],
    ['is a text', '"start"', 'a JSON object'],
    ['is true', 'true', 'a JSON object'],
    ['ends too early', '{"name":', 'the body is not JSON'],
    ['has no quotes', '{name:1}', 'the body is not JSON'],
    ['has an undefined value', written(body, '"x":undefined'), 'the body is not JSON'],
    ['is 40 levels deep', deep(40), 'deeper than 32 levels'],
    ['has an unknown field 40 levels deep', written(body, `"x":${deep(40)}`), 'deeper than 32 levels'],
    ['has __proto__', written(body, '"__proto__":{"a":1}'), '__proto__ is a reserved name'],
    ['has __proto__ in an unknown field', written(body, '"x":{"__proto__":1}'), '__proto__ is a reserved name'],
    ['has constructor', written(body, '"constructor":1'), 'constructor is a reserved name'],
    ['has 20,001 items', written(body, `"x":[${'0,'.repeat(20_001)}0]`), 'more than 20000 keys and items'],
  ];
  test.each(bodies)(`a wrong body of ${route} that %s is 400 with a sentence, and nothing is stored`, async (_, text, said) => {
    expect(await refused(400, method, path, text)).toContain(said);
  });

  test(`a wrong body of ${route} of one megabyte and a byte is 413, and one of a megabyte is read`, async () => {
    const filled = (bytes: number) => {
      const text = written({ ...body, action: 'never', location: '-', jobid: '-' }, '"x":""');
      return `${text.slice(0, -2)}${'x'.repeat(bytes - text.length)}"}`;
    };
    expect(await refused(413, method, path, filled(MB + 1))).toContain(`larger than ${MB} bytes`);
    expect(await refused(400, method, path, filled(MB))).toMatch(/ is "?/);
  });
});

/** What a field takes; every other value is refused. */
type Takes = 'text' | 'texts' | 'number' | 'bit' | 'flag' | 'objects' | 'object';
const VALUES: [written: string, takenBy: Takes[]][] = [
  ['5', ['number']],
  ['2', ['number']],
  ['-0.5', []],
  ['"x"', ['text']],
  ['true', ['flag']],
  ['[]', ['texts', 'objects']],
  ['{}', ['object']],
  ['[5]', []],
  ['[[]]', []],
  ['[true]', []],
  ['{"a":1}', ['object']],
  ['["\\u0000"]', []],
];
const JOB_FIELDS: Record<string, Takes> = {
  jobid: 'text',
  name: 'text',
  location: 'text',
  groupid: 'text',
  servers: 'texts',
  filename: 'text',
  cmd: 'text',
  env: 'texts',
  description: 'text',
  timeout: 'number',
  enabled: 'bit',
  schedule: 'objects',
  notifysetting: 'object',
  timezone: 'text',
  misfire: 'text',
  failover: 'flag',
  cpus: 'number',
  memorymb: 'number',
};
const RUNTIME_FIELDS: Record<string, Takes> = {
  location: 'text',
  description: 'text',
  owners: 'texts',
  group: 'objects',
  servers: 'texts',
  server: 'objects',
  timezone: 'text',
};
const FIELDS = [
  ...Object.entries(JOB_FIELDS).map(([field, takes]) => ['jobs', field, takes] as const),
  ...Object.entries(RUNTIME_FIELDS).map(([field, takes]) => ['runtimes', field, takes] as const),
];
const BARE = { jobs: { name: 'other', location: 'west', cmd: 'true' }, runtimes: { location: 'east' } };
const ONE = { jobs: `jobs/${ID}`, runtimes: 'runtimes/west' };

describe('a field of a wrong type', () => {
  test.each(FIELDS)(
    'a field of a wrong type in %s, %s, is 400 with field, value and rule, at its creation and its change',
    async (list, field, takes) => {
      for (const [value, takenBy] of VALUES) {
        if (takenBy.includes(takes)) continue;
        const made = await refused(400, 'POST', list, written({ ...BARE[list], [field]: undefined }, `"${field}":${value}`));
        const changed = await refused(400, 'PUT', ONE[list], `{"${field.toUpperCase()}":${value}}`);
        for (const said of [made, changed]) expect([value, said]).toEqual([value, expect.stringMatching(sentenceOf(field))]);
      }
    },
  );

  const sentenceOf = (field: string): RegExp => new RegExp(`^${field}[\\w.[\\]]* is .+, but must (be|stay) .+[.]$`);

  test.each(['5', 'true', '[]', '{}'])('a field of a wrong type in an action, %s, is 400 with field, value and rule', async value => {
    for (const field of ['jobid', 'action', 'runtime']) {
      const text = written({ jobid: ID, action: 'start', [field]: undefined }, `"${field}":${value}`);
      expect(await refused(400, 'PUT', 'jobs/action', text)).toMatch(sentenceOf(field));
    }
  });

  const texts: [what: string, path: string, text: string][] = [
    ['a name with NUL', 'jobs', '{"name":"a\\u0000b","location":"west","cmd":"true"}'],
    ['a name with a lone surrogate', 'jobs', `{"name":"a${SURROGATE}","location":"west","cmd":"true"}`],
    ['a runtime with a lone surrogate', 'jobs', `{"name":"a","location":"${SURROGATE}","cmd":"true"}`],
    ['a name of white space', 'jobs', '{"name":"  ","location":"west","cmd":"true"}'],
    ['a name with white space around it', 'jobs', '{"name":" a ","location":"west","cmd":"true"}'],
    ['a command with NUL', 'jobs', '{"name":"a","location":"west","cmd":"\\u0000"}'],
    ['a variable with NUL', 'jobs', '{"name":"a","location":"west","cmd":"x","env":["A=\\u0000"]}'],
    ['a runtime with NUL', 'runtimes', '{"location":"a\\u0000"}'],
    ['a runtime with a lone surrogate', 'runtimes', `{"location":"${SURROGATE}"}`],
    ['a server with NUL', 'runtimes', '{"location":"a","servers":["\\u0000"]}'],
  ];
  test.each(texts)('%s is 400 with a sentence, and nothing is stored', async (_, path, text) => {
    expect(await refused(400, 'POST', path, text)).toMatch(/ must be |without NUL/);
  });

  test('bytes that are no UTF-8 are refused where a name stands, as the original read them', async () => {
    const text = Buffer.concat([Buffer.from('{"location":"a'), Buffer.from([0xed, 0xa0, 0x80, 0xff]), Buffer.from('"}')]);
    expect(await refused(400, 'POST', 'runtimes', new Uint8Array(text))).toContain('location is ');
  });
});

describe('a path of Cloudtask with a wrong name', () => {
  const names: [what: string, written: string, status: number][] = [
    ['unknown', 'nobody', 404],
    ['blank', '%20', 400],
    ['blank, of tabs', '%09%20', 400],
    ['NUL', '%00', 404],
    ['a reserved name', '__proto__', 404],
    ['a lone surrogate', '%ED%A0%80', 404],
    ['a broken escape', '%', 404],
    ['400 letters', 'x'.repeat(400), 404],
    ['in another case', 'WEST', 404],
    ['of a file', '..%2F..%2Fetc', 404],
  ];
  const routes: [method: string, path: (name: string) => string, body?: string][] = [
    ['GET', name => `jobs/${name}`],
    ['GET', name => `jobs/${name}/base`],
    ['PUT', name => `jobs/${name}`, '{}'],
    ['DELETE', name => `jobs/${name}`],
    ['GET', name => `runtimes/${name}`],
    ['PUT', name => `runtimes/${name}`, '{}'],
    ['DELETE', name => `runtimes/${name}`],
    ['GET', name => `runtimes/${name}/servers`],
    ['GET', name => `runtimes/${name}/jobsalloc`],
    ['GET', name => `runtimes/${name}/w1/jobsalloc`],
    ['GET', name => `runtimes/west/${name}/jobsalloc`],
  ];
  test.each(names)('a path of Cloudtask with a wrong name, %s, is refused in the envelope on every route', async (_, name, status) => {
    for (const [method, path, body] of routes) await refused(status, method, path(name), body);
  });

  test('a job is found by its jobid in upper case, and by white space around it', async () => {
    expect((await send('GET', `jobs/%20${ID.toUpperCase()}%09`)).data.job.name).toBe('nightly');
  });

  test.each(['pageIndex=0', 'pageIndex=x', 'pageIndex=1.5', 'pageSize=0', 'pageSize=201', 'pageSize=-1', 'stat=7', 'stat=x', 'pageIndex='])(
    'a page that is no number, or too large, is 400: %s',
    async query => {
      expect(await refused(400, 'GET', `jobs?${query}`)).toStartWith(`${query.split('=')[0]} is `);
    },
  );
});

describe('names in other cases', () => {
  test('of two names that differ in case only the last counts, at every level, and null of them is none', async () => {
    const schedule = '"schedule":[{"ID":"a","id":"b","TurnMode":9,"turnmode":2,"Interval":7,"startDate":"03/19/2018","Enabled":1}]';
    const made = await send('POST', 'jobs', `{"Name":"one","NAME":"two","name":null,"LOCATION":"west","cmd":"a","CMD":"b",${schedule}}`);
    expect(made).toMatchObject({ status: 201, content: 'request successed.' });
    const { job } = made.data;
    expect([job.name, job.cmd]).toEqual(['two', 'b']);
    expect(job.schedule[0]).toMatchObject({ id: 'b', turnmode: 2, interval: 7, enabled: 1 });
    expect((await send('DELETE', `jobs/${job.jobid}`)).status).toBe(200);
  });

  test('a lone surrogate in a text is U+FFFD, as the original read it', async () => {
    const { data } = await send('PUT', `jobs/${ID}`, `{"description":"a${SURROGATE}b"}`);
    expect(data.job.description).toBe('a\ufffdb');
    await send('PUT', `jobs/${ID}`, '{"description":""}');
  });
});

describe('a document of sys_jobs', () => {
  const DOCUMENT = {
    _id: '5ab4b2d0c6a3f8001d2f6a11',
    jobid: '72ec7bb9decf1e8ea92ad3da',
    name: 'MKPL-File-Update',
    location: 'west',
    groupid: '5ab4b2',
    servers: [],
    filename: '',
    files: [],
    cmd: 'ps aux',
    env: [],
    description: 'updates files',
    timeout: 0,
    enabled: 0,
    schedule: [aScheduleItem()],
    notifysetting: {
      succeed: { enabled: false, subject: 'Job Succeed', to: '', content: '' },
      failed: { enabled: false, subject: 'Job Failed', to: '', content: 'Cloudtask Job failed, please check' },
    },
    stat: 202,
    execerr: '',
    execat: '0001-01-01T00:00:00.000Z',
    nextat: '2018-03-19T10:12:13.123456789+08:00',
    createuser: 'admin',
    createat: '2018-03-19T10:12:13+08:00',
    edituser: 'admin',
    editat: 'yesterday',
  };

  test('a document of sys_jobs is taken as it was stored, and what the center alone knows is passed over, whatever it holds', async () => {
    const made = await send('POST', 'jobs', JSON.stringify(DOCUMENT));
    expect(made.status).toBe(201);
    const { job } = made.data;
    const { _id, stat, execerr, execat, nextat, createuser, createat, edituser, editat, ...own } = DOCUMENT;
    expect(job).toMatchObject(own);
    expect([job.stat, job.createuser, job.nextat]).toEqual([0, 'root', '0001-01-01T00:00:00Z']);
    const again = await refused(409, 'POST', 'jobs', JSON.stringify({ ...DOCUMENT, name: 'again', jobid: own.jobid.toUpperCase() }));
    expect(again).toContain(`jobid is "${own.jobid}", which job MKPL-File-Update has`);
    await refused(409, 'POST', 'jobs', JSON.stringify({ ...DOCUMENT, jobid: ID.replace('3', '4') }));
    await send('DELETE', `jobs/${own.jobid}`);
  });
});

describe('commands at the same time', () => {
  /** A job that runs until it is stopped, on the host. */
  const aRunner = async (name: string, cmd = 'echo one; exec sleep 600') => {
    const { data } = await send('POST', 'jobs', JSON.stringify({ name, location: 'default', cmd }));
    const act = (action: string) => send('PUT', 'jobs/action', JSON.stringify({ jobid: data.job.jobid, action }));
    const executions = () => cluster.all<Execution>(`/v1/executions?job=${name}`);
    const runs = () =>
      until(`${name} runs`, async () => (await executions()).some(({ shards }) => shards.some(({ status }) => status === 'running')));
    return { id: data.job.jobid as string, act, executions, runs };
  };

  test('of two starts at once one is accepted, and the other is 409 and says that the job runs', async () => {
    const { act, executions, id } = await aRunner('twice');
    const answers = await Promise.all([act('start'), act('start')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([202, 409]);
    expect(answers.find(({ status }) => status === 409)?.content).toBe('job twice is running.');
    // The execution follows the answer of its job.
    await until('the execution is listed', async () => (await executions()).length > 0);
    expect((await executions()).length).toBe(1);
    expect((await send('DELETE', `jobs/${id}`)).status).toBe(200);
  });

  test('a start and a stop at once are both answered, and leave nothing that runs unless the start came last', async () => {
    const { act, executions, id } = await aRunner('both');
    for (let round = 0; round < 5; round += 1) {
      const [started, stopped] = await Promise.all([act('start'), act('stop')]);
      expect([started.status, stopped.status]).toEqual([202, 202]);
      expect((await act('stop')).status).toBe(202);
      await until('the execution of the round is done', async () => {
        const all = await executions();
        return all.length > round && all.every(({ status }) => status === 'done');
      });
    }
    expect((await executions()).map(({ outcome }) => outcome)).toEqual(Array(5).fill('cancelled'));
    await send('DELETE', `jobs/${id}`);
  });

  test('a job that is deleted while it runs is gone, and its process is ended', async () => {
    const { act, executions, id, runs } = await aRunner('gone');
    await act('start');
    await runs();
    expect((await send('DELETE', `jobs/${id}`)).status).toBe(200);
    await until('its run has ended', async () => (await executions()).every(({ outcome }) => outcome === 'cancelled'));
    await until('it is gone', async () => (await send('GET', `jobs/${id}`)).status === 404);
    expect((await act('start')).status).toBe(404);
  });

  test('a job that is edited while it runs goes on as it began, and its next run is as edited', async () => {
    const { act, executions, id, runs } = await aRunner('edited', 'trap "exit 3" TERM; sleep 600 & wait');
    await act('start');
    await runs();
    const edited = await send('PUT', `jobs/${id}`, JSON.stringify({ cmd: 'exit 0', timeout: 1 }));
    expect([edited.status, edited.data.job.stat, edited.data.job.version]).toEqual([200, 200, 2]);
    const [run] = await executions();
    expect(run?.shards[0]?.status).toBe('running');
    await act('stop');
    await until('it has ended', async () => (await executions()).every(({ status }) => status === 'done'));
    expect((await executions())[0]).toMatchObject({ outcome: 'cancelled', shards: [{ exitCode: 3 }] });
    expect((await act('start')).status).toBe(202);
    await until('its next run is done', async () => (await executions()).some(({ outcome }) => outcome === 'succeeded'));
    await send('DELETE', `jobs/${id}`);
  });

  test('a runtime with jobs is not deleted, and says what is to be done', async () => {
    expect(await refused(409, 'DELETE', 'runtimes/west')).toMatch(/west/);
  });
});
