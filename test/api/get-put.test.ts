/**
 * A document that is read and sent back changes nothing, through each API. An API leaves fields
 * alone that it cannot express.
 */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { anApi, seedApp, seedJob, type TestApi } from './support.ts';

const SEED = 20261130;

/** A surface that reads and writes a thing whole. A further dialect is one more line. */
interface Way {
  surface: string;
  /** `id`: of a job, under which a surface may find it. */
  get(name: string, id: string): string;
  put: ['PUT' | 'PATCH', (name: string, id: string) => string];
  /** Where the thing is in an answer. Default: it is the answer. */
  within?: 'job' | 'runtime';
}
const JOB_WAYS: Way[] = [
  { surface: '/v1', get: name => `/v1/jobs/${name}`, put: ['PATCH', name => `/v1/jobs/${name}`] },
  { surface: '/api', get: name => `/api/job/jobs/${name}`, put: ['PUT', () => '/api/job/update'] },
  {
    surface: '/cloudtask/v2',
    get: (_, id) => `/cloudtask/v2/jobs/${id}`,
    put: ['PUT', (_, id) => `/cloudtask/v2/jobs/${id}`],
    within: 'job',
  },
];
const APP_WAYS: Way[] = [
  { surface: '/v1', get: name => `/v1/apps/${name}`, put: ['PATCH', name => `/v1/apps/${name}`] },
  { surface: '/api', get: name => `/api/app/${name}`, put: ['PUT', () => '/api/app'] },
];
const POOL_WAYS: Way[] = [
  { surface: '/v1', get: name => `/v1/pools/${name}`, put: ['PATCH', name => `/v1/pools/${name}`] },
  {
    surface: '/cloudtask/v2',
    get: name => `/cloudtask/v2/runtimes/${name}`,
    put: ['PUT', name => `/cloudtask/v2/runtimes/${name}`],
    within: 'runtime',
  },
];

/** Each edit is counted, also one that changes nothing. */
const COUNTED = ['rev', 'version', 'updatedAt', 'editat'];
const lessCounted = (body: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(body).filter(([field]) => !COUNTED.includes(field)));

const idOf = async (api: TestApi, ways: Way[], name: string): Promise<string> => (await api.get(ways[0]?.get(name, '') ?? '')).body.id;
const thingIn = async (api: TestApi, { get, within }: Way, name: string, id: string) => {
  const { body } = await api.get(get(name, id));
  return within ? body.data[within] : body;
};

/** The document as each API shows it. */
const readings = (api: TestApi, ways: Way[], name: string, id: string) =>
  Promise.all(ways.map(async way => [way.surface, lessCounted(await thingIn(api, way, name, id))]));

async function sendsBackUnchanged(api: TestApi, ways: Way[], name: string): Promise<void> {
  const id = await idOf(api, ways, name);
  for (const way of ways) {
    const before = await readings(api, ways, name, id);
    const [method, path] = way.put;
    const { status, body } = await api.call(method, path(name, id), await thingIn(api, way, name, id));
    const { surface } = way;
    expect({ surface, status, error: status === 200 ? undefined : body.error }).toEqual({ surface, status: 200, error: undefined });
    expect(await readings(api, ways, name, id)).toEqual(before);
  }
}

const words = fc.stringMatching(/^[ -~]{0,12}$/);
const word = fc.stringMatching(/^[!-~]{1,8}$/);
const quotable = word.filter(text => !/['"\\]/.test(text));
const zones = fc.constantFrom('Europe/Berlin', 'America/New_York', 'Asia/Kolkata', 'UTC');
const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const cron = fc.record({
  type: fc.constant('cron'),
  cron: fc.constantFrom('0 0 9 * * ?', '0/5 * * * * ?', '0 0 9 ? * MON-FRI', '0 0 0 L * ?'),
  timeZone: optional(zones),
});
const calendar = fc.record({
  type: fc.constant('calendar'),
  enabled: optional(fc.constantFrom(0, 1)),
  turnmode: fc.constantFrom(1, 2, 3, 4),
  interval: fc.integer({ min: 1, max: 50 }),
  startdate: fc.constant('11/22/2026'),
  starttime: fc.constantFrom('09:30', '23:59'),
  timeZone: optional(zones),
});
const crontab = fc.record({
  type: fc.constant('crontab'),
  crontab: fc.constantFrom('0 9 * * 1-5', '@daily', '*/5 * 13 * fri'),
  timeZone: optional(zones),
});
const schedule = fc.oneof(cron, crontab, calendar);

const addresses = fc.constantFrom('a@x.org', 'b@x.org; https://h/x?y=z', ' a@x.org ;a@x.org');
const notice = fc.oneof(
  fc.record({ subject: words, to: fc.oneof(addresses, fc.constant('')), content: words }, { requiredKeys: [] }),
  fc.record({ enabled: fc.constant(true), to: addresses, subject: words }),
);
const nativeNotice = fc.option(
  fc.record({
    enabled: fc.boolean(),
    to: fc.array(fc.constantFrom('a@x.org', 'https://h/x'), { minLength: 1, maxLength: 3 }),
    subject: words,
    content: words,
  }),
);
const nativeJob = fc
  .record({
    app: fc.constantFrom(null, 'my_app'),
    command: fc.oneof(
      quotable,
      fc.array(words, { minLength: 1, maxLength: 3 }).filter(([first]) => first !== ''),
    ),
    env: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,6}$/), words, { maxKeys: 3 }),
    parameter: words,
    total: fc.integer({ min: 1, max: 5 }),
    parameters: fc.dictionary(fc.constantFrom('0', '1', '2'), words, { maxKeys: 3 }),
    schedules: fc.array(schedule, { maxLength: 4 }),
    timeZone: optional(zones),
    resources: fc.record({ cpus: fc.constantFrom(0.001, 0.5, 3), memoryMB: fc.constantFrom(1, 64.5, 4096) }),
    placement: fc.constantFrom('pack', 'sticky', 'spread'),
    partial: fc.boolean(),
    overlap: fc.constantFrom('skip', 'queue', 'allow', 'replace'),
    overlapLimit: optional(fc.integer({ min: 1, max: 1_000 })),
    misfire: fc.record({ policy: fc.constantFrom('skip', 'once', 'all'), limit: fc.integer({ min: 1, max: 1_000 }) }),
    misfireGraceMs: fc.integer({ min: 0, max: 100_000 }),
    retry: fc.record({
      attempts: fc.integer({ min: 1, max: 9 }),
      backoffMs: fc.integer({ min: 0, max: 9_000 }),
      jitter: fc.constantFrom('none', 'equal', 'full'),
    }),
    startWithinMs: fc.integer({ min: 0, max: 90_000 }),
    runAs: fc.constantFrom(null, 'www-data'),
    failover: fc.boolean(),
    failoverLimit: fc.integer({ min: 0, max: 9 }),
    failoverOnFailure: fc.boolean(),
    disconnect: fc.constantFrom('continue', 'stop'),
    disconnectMs: optional(fc.integer({ min: 0, max: 9_000 })),
    timeoutMs: fc.integer({ min: 0, max: 100_000 }),
    killGraceMs: fc.integer({ min: 0, max: 100_000 }),
    shardingContext: fc.boolean(),
    notify: fc.record({ succeed: nativeNotice, failed: nativeNotice }),
    description: words,
    enabled: fc.boolean(),
  })
  .map(({ total, parameters, ...job }) => ({
    ...job,
    shell: typeof job.command === 'string' && job.parameter.length % 2 === 1,
    shards: { total, parameters: Object.fromEntries(Object.entries(parameters).filter(([item]) => Number(item) < total)) },
  }));

const cloudJob = fc
  .record({
    cron: fc.constantFrom(null, '', '0/5 * * * * ?', ' 0 0 9 ? * MON-FRI '),
    shardingItemParameters: fc.constantFrom(null, '', '0=A', ' 0 = A , 00=B'),
    jobParameter: fc.option(words),
    monitorExecution: fc.boolean(),
    failover: fc.boolean(),
    misfire: fc.boolean(),
    maxTimeDiffSeconds: fc.integer({ min: -1, max: 5 }),
    jobShardingStrategyType: fc.option(words),
    jobExecutorServiceHandlerType: fc.constantFrom(null, false, 'CPU', 'SINGLE_THREAD'),
    jobErrorHandlerType: fc.constantFrom(null, false, 'LOG', 'IGNORE', 'THROW'),
    description: fc.option(words),
    disabled: fc.boolean(),
    props: fc.record(
      {
        timeZone: zones,
        'misfire.limit': fc.constantFrom('1', '3', '04'),
        'timeout.seconds': fc.constantFrom('0', '1.50', 30),
        placement: fc.constantFrom('partial', 'all'),
        'script.command.line': quotable,
        other: words,
      },
      { requiredKeys: [] },
    ),
  })
  .map(job => seedJob(job));

const item = fc.record(
  {
    id: fc.constantFrom('', '1623e5f1a23'),
    enabled: fc.constantFrom(0, 1),
    turnmode: fc.constantFrom(1, 2, 3, 4, 6),
    interval: fc.integer({ min: 1, max: 50 }),
    startdate: fc.constant('11/22/2026'),
    enddate: fc.constantFrom('', '12/31/2030'),
    starttime: fc.constantFrom('09:30', '9:05'),
    endtime: fc.constantFrom('', '23:59', '08:00'),
    selectat: fc.constantFrom('1,2', '12, 3'),
    monthlyof: fc.constantFrom({ day: 1, week: '' }, { day: -1, week: 'unread' }, { day: 0, week: '0:5' }),
  },
  { requiredKeys: ['turnmode', 'interval', 'startdate', 'starttime', 'selectat', 'monthlyof'] },
);
const taskJob = fc.record(
  {
    cmd: fc.oneof(quotable, fc.constant('ps aux | grep "x" &&\n\texit 3')),
    groupid: words,
    servers: fc.array(fc.constantFrom('w1', 'W1', '10.0.0.1'), { maxLength: 3 }),
    env: fc.array(fc.constantFrom('A=', 'A=1', 'B=x=y', '_c=$A'), { maxLength: 4 }),
    description: words,
    timeout: fc.integer({ min: 0, max: 90_000 }),
    enabled: fc.constantFrom(0, 1),
    schedule: fc.array(item, { maxLength: 3 }),
    notifysetting: fc.record({ succeed: notice, failed: notice }, { requiredKeys: [] }),
    timezone: fc.oneof(zones, fc.constant('')),
    misfire: fc.oneof(
      fc.constantFrom('skip', 'once', 'all'),
      fc.record({ policy: fc.constantFrom('skip', 'once', 'all'), limit: fc.constantFrom(1, 10, 1_000) }),
    ),
    failover: fc.boolean(),
    cpus: fc.constantFrom(0.001, 0.5),
    memorymb: fc.constantFrom(1, 64.5),
  },
  { requiredKeys: ['cmd'] },
);

/** A job that one surface made and the other has changed since: words of both. */
const mixedJob = fc.tuple(cloudJob, nativeJob);

const nativeApp = fc.record({
  url: fc.constantFrom('http://h/a.tar.gz', 'https://h/b?c=d'),
  sha256: fc.constantFrom(null, 'a'.repeat(64)),
  command: fc.oneof(
    quotable,
    fc.array(words, { minLength: 1, maxLength: 3 }).filter(([first]) => first !== ''),
  ),
  resources: fc.record({ cpus: fc.constantFrom(0.001, 2), memoryMB: fc.constantFrom(1, 64.5) }),
  cache: fc.boolean(),
  traceEvery: fc.integer({ min: 0, max: 9 }),
  description: words,
  enabled: fc.boolean(),
});

async function anApiWithApp(): Promise<TestApi> {
  const api = await anApi();
  await api.post('/api/app', seedApp());
  return api;
}

const runs = { seed: SEED, numRuns: 60 };

describe('a document that is read and sent back', () => {
  test('a job that /v1 made is unchanged when it is read and sent back', async () => {
    const api = await anApiWithApp();
    let made = 0;
    await fc.assert(
      fc.asyncProperty(nativeJob, async job => {
        const name = `native${made++}`;
        expect((await api.post('/v1/jobs', { name, ...job })).status).toBe(201);
        await sendsBackUnchanged(api, JOB_WAYS, name);
      }),
      runs,
    );
  }, 30_000);

  test('a job that /api registered is unchanged when it is read and sent back', async () => {
    const api = await anApiWithApp();
    let made = 0;
    await fc.assert(
      fc.asyncProperty(cloudJob, async job => {
        const name = `cloud${made++}`;
        expect((await api.post('/api/job/register', { ...job, jobName: name })).text).toBe('true');
        await sendsBackUnchanged(api, JOB_WAYS, name);
      }),
      runs,
    );
  }, 30_000);

  test('a job that /api registered and /v1 changed is unchanged when it is read and sent back', async () => {
    const api = await anApiWithApp();
    let made = 0;
    await fc.assert(
      fc.asyncProperty(mixedJob, async ([cloud, native]) => {
        const name = `mixed${made++}`;
        expect((await api.post('/api/job/register', { ...cloud, jobName: name })).text).toBe('true');
        const { shards: _, ...change } = native;
        expect((await api.patch(`/v1/jobs/${name}`, change)).status).toBe(200);
        await sendsBackUnchanged(api, JOB_WAYS, name);
      }),
      runs,
    );
  }, 30_000);

  test('a job that /cloudtask/v2 made is unchanged when it is read and sent back', async () => {
    const api = await anApiWithApp();
    let made = 0;
    await fc.assert(
      fc.asyncProperty(taskJob, async job => {
        const name = `task${made++}`;
        const { status, body } = await api.post('/cloudtask/v2/jobs', { ...job, name, location: 'default' });
        expect([status, body.error]).toEqual([201, undefined]);
        await sendsBackUnchanged(api, JOB_WAYS, name);
      }),
      runs,
    );
  }, 30_000);

  test('a job that /cloudtask/v2 made and /v1 changed, and one that /api registered and /cloudtask/v2 changed, are unchanged when they are read and sent back', async () => {
    const api = await anApiWithApp();
    let made = 0;
    await fc.assert(
      fc.asyncProperty(taskJob, nativeJob, cloudJob, async (task, native, cloud) => {
        const [first, second] = [`first${made}`, `second${made++}`];
        await api.post('/cloudtask/v2/jobs', { ...task, name: first, location: 'default' });
        expect((await api.patch(`/v1/jobs/${first}`, native)).status).toBe(200);
        await sendsBackUnchanged(api, JOB_WAYS, first);
        await api.post('/api/job/register', { ...cloud, jobName: second });
        const id = await idOf(api, JOB_WAYS, second);
        expect((await api.put(`/cloudtask/v2/jobs/${id}`, task)).status).toBe(200);
        await sendsBackUnchanged(api, JOB_WAYS, second);
      }),
      runs,
    );
  }, 60_000);

  test('an app is unchanged when it is read and sent back, whichever API published it', async () => {
    const api = await anApi();
    let made = 0;
    await fc.assert(
      fc.asyncProperty(nativeApp, async app => {
        const name = `app${made++}`;
        expect((await api.post('/v1/apps', { name, ...app })).status).toBe(201);
        await sendsBackUnchanged(api, APP_WAYS, name);
      }),
      runs,
    );
    await api.post('/api/app', seedApp());
    await sendsBackUnchanged(api, APP_WAYS, 'my_app');
  }, 30_000);

  test('a pool is unchanged when it is read and sent back', async () => {
    const api = await anApi();
    await api.post('/v1/pools', { name: 'west', timeZone: 'Europe/Berlin', servers: ['a', 'b'], description: 'd' });
    await sendsBackUnchanged(api, POOL_WAYS, 'west');
    const group = [{ id: 'g', name: 'web', owners: ['root'] }];
    await api.post('/cloudtask/v2/runtimes', { location: 'east', group, owners: ['a@example.org'], servers: ['w1', '10.0.0.1'] });
    await sendsBackUnchanged(api, POOL_WAYS, 'east');
  });
});

/** A field of a surface, another value of it, and the settings in `/v1` that it may change. */
type Edit = [field: string, value: unknown, settings: string[]];
const CLOUD_EDITS: Edit[] = [
  ['cpuCount', 0.75, ['resources']],
  ['memoryMB', 77, ['resources']],
  ['shardingTotalCount', 6, ['shards']],
  ['shardingItemParameters', '0=Z', ['shards']],
  ['jobParameter', 'another', ['parameter']],
  ['description', 'another', ['description']],
  ['cron', '0 0 12 * * ?', ['schedules', 'nextAt']],
  ['monitorExecution', true, []],
  ['jobErrorHandlerType', 'THROW', ['failoverOnFailure']],
  ['failover', true, ['failover']],
  ['props.timeout.seconds', '7', ['timeoutMs']],
  ['props.placement', 'partial', ['partial']],
  ['props.script.command.line', 'another command', ['command']],
  ['props.other2', 'x', []],
];
const NATIVE_EDITS: Edit[] = [
  ['resources', { cpus: 0.75, memoryMB: 77 }, ['resources']],
  ['parameter', 'another', ['parameter']],
  ['command', 'another command', ['command']],
  ['description', 'another', ['description']],
  ['failoverLimit', 8, ['failoverLimit']],
  ['timeoutMs', 7_001, ['timeoutMs']],
  ['env', { ANOTHER: 'x' }, ['env']],
  ['schedules', [{ type: 'cron', cron: '0 0 12 * * ?' }], ['schedules', 'nextAt']],
];

const TASK_EDITS: Edit[] = [
  ['groupid', 'another', ['group']],
  ['servers', ['w9'], ['servers']],
  ['cmd', 'a | b', ['command', 'shell']],
  ['env', ['ANOTHER=x'], ['env']],
  ['description', 'another', ['description']],
  ['timeout', 7_777, ['timeoutMs']],
  ['enabled', 0, ['enabled', 'status', 'nextAt']],
  ['schedule', [], ['schedules', 'nextAt']],
  ['notifysetting', { failed: { enabled: true, subject: 'another', to: 'c@x.org' } }, ['notify']],
  ['timezone', 'Asia/Kathmandu', ['timeZone', 'nextAt']],
  ['misfire', { policy: 'once', limit: 999 }, ['misfire']],
  ['failover', true, ['failover']],
  ['cpus', 0.75, ['resources']],
  ['memorymb', 77, ['resources']],
];

/** The answer of GET with another value of one field. */
function edited(answer: Record<string, unknown>, [field, value]: Edit): Record<string, unknown> {
  if (!field.startsWith('props.')) return { ...answer, [field]: value };
  return { ...answer, props: { ...(answer.props as object), [field.slice('props.'.length)]: value } };
}

describe('an update of one field', () => {
  const withoutDefaults = ({ shell: _, ...job }: Record<string, unknown>) => ({ ...job, shell: false });
  test.each([
    ['/api', CLOUD_EDITS],
    ['/v1', NATIVE_EDITS],
    ['/cloudtask/v2', TASK_EDITS],
  ] as const)(
    'an update of one field through %s leaves every other setting of the job as it is',
    async (surface, edits) => {
      const api = await anApiWithApp();
      const way = JOB_WAYS.find(each => each.surface === surface) as Way;
      let made = 0;
      await fc.assert(
        fc.asyncProperty(mixedJob, fc.constantFrom(...edits), fc.boolean(), async ([cloud, native], edit, isMixed) => {
          const name = `edited${made++}`;
          const { shards: _, ...change } = withoutDefaults(native) as typeof native;
          if (isMixed) await api.post('/api/job/register', { ...cloud, jobName: name });
          expect((await (isMixed ? api.patch(`/v1/jobs/${name}`, change) : api.post('/v1/jobs', { name, ...change }))).status).toBeLessThan(
            300,
          );
          const before = lessCounted((await api.get(`/v1/jobs/${name}`)).body);
          const [method, path] = way.put;
          const id = await idOf(api, JOB_WAYS, name);
          const { status, body } = await api.call(method, path(name, id), edited(await thingIn(api, way, name, id), edit));
          expect([edit[0], status, body.error]).toEqual([edit[0], 200, undefined]);
          const after = lessCounted((await api.get(`/v1/jobs/${name}`)).body);
          const moved = Object.keys(after).filter(field => JSON.stringify(after[field]) !== JSON.stringify(before[field]));
          expect(moved.filter(field => !edit[2].includes(field))).toEqual([]);
        }),
        runs,
      );
    },
    30_000,
  );
});

describe('values hidden from a read token', () => {
  test('hidden values stay when a caller who may write sends back the reading of a read token', async () => {
    const password = 'correct horse battery';
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: password } });
    const json = { 'Content-Type': 'application/json' };
    const { token } = (await api.post('/v1/login', { username: 'root', password })).body;
    const me = { ...json, Authorization: `Bearer ${token}` };
    const read = (await api.post('/v1/tokens', { name: 'r', scope: 'read', expiresInMs: 86_400_000 }, me)).body;
    const reader = { Authorization: `Bearer ${read.token}` };
    const url = 'http://user:hunter2@host/app.tgz?sig=hunter2';
    await api.post('/v1/apps', { name: 'a', url, command: 'x' }, me);
    const notify = {
      succeed: null,
      failed: { enabled: true, subject: '', to: ['a@x.org', 'https://u:hunter2@h/hunter2?hunter2'], content: '' },
    };
    await api.post('/v1/jobs', { name: 'j', app: 'a', env: { A: 'hunter2', B: 'hunter2' }, notify }, me);
    await api.patch('/v1/pools/default', { owners: notify.failed.to }, me);
    const taskPath = `/cloudtask/v2/jobs/${(await api.get('/v1/jobs/j', me)).body.id}`;
    const [job, app, cloudApp, pool, task] = await Promise.all(
      ['/v1/jobs/j', '/v1/apps/a', '/api/app/a', '/v1/pools/default', taskPath].map(async path => (await api.get(path, reader)).body),
    );
    expect(JSON.stringify([job, app, cloudApp, pool, task])).not.toContain('hunter2');
    expect((await api.patch('/v1/jobs/j', { ...job, description: 'x' }, me)).body.env).toEqual({ A: 'hunter2', B: 'hunter2' });
    expect((await api.put(taskPath, { ...task.data.job, description: 'y' }, me)).status).toBe(200);
    expect((await api.patch('/v1/pools/default', { ...pool, description: 'x' }, me)).body.owners).toEqual(notify.failed.to);
    expect((await api.get('/v1/jobs/j', me)).body).toMatchObject({ description: 'y', notify });
    expect((await api.patch('/v1/apps/a', { ...app, description: 'x' }, me)).body.url).toBe(url);
    expect((await api.put('/api/app', { ...cloudApp, memoryMB: 5 }, me)).text).toBe('true');
    expect((await api.get('/v1/apps/a', me)).body).toMatchObject({ url, description: 'x', resources: { memoryMB: 5 } });
    // Written by hand, null takes away.
    expect((await api.patch('/v1/jobs/j', { env: { A: null, B: null } }, me)).body.env).toEqual({});
  });
});

describe('fields without a word in an API', () => {
  const schedules = [
    { type: 'calendar', turnmode: 4, interval: 1, startdate: '11/22/2026', starttime: '09:30' },
    { type: 'cron', cron: '0 0 9 * * ?' },
    { type: 'cron', cron: '0 0 10 * * ?' },
  ];

  test('a change through one API keeps fields that it has no word for: further schedules, calendars, overlap, the sharding context', async () => {
    const api = await anApiWithApp();
    await api.post('/v1/jobs', { name: 'x', app: 'my_app', overlap: 'allow', overlapLimit: 7, schedules });
    const answer = (await api.get('/api/job/jobs/x')).body;
    expect(answer).toMatchObject({ cron: '0 0 9 * * ?', misfire: false });
    expect((await api.put('/api/job/update', { ...answer, cron: '0 30 9 * * ?', props: { timeZone: 'Asia/Tokyo' } })).text).toBe('true');
    expect((await api.get('/v1/jobs/x')).body).toMatchObject({
      schedules: [schedules[0], { type: 'cron', cron: '0 30 9 * * ?', timeZone: 'Asia/Tokyo' }, schedules[2]],
      overlap: 'allow',
      overlapLimit: 7,
      shardingContext: false,
    });
    expect((await api.put('/api/job/update', { ...answer, cron: '' })).text).toBe('true');
    expect((await api.get('/v1/jobs/x')).body.schedules).toEqual([schedules[0], schedules[2]]);
  });

  test('fields without a word in an API stay when a job gets its first cron', async () => {
    const api = await anApiWithApp();
    await api.post('/v1/jobs', { name: 'x', app: 'my_app', schedules: schedules.slice(0, 1) });
    const answer = (await api.get('/api/job/jobs/x')).body;
    expect(answer.cron).toBeNull();
    await api.put('/api/job/update', { ...answer, cron: '0 0 9 * * ?' });
    expect((await api.get('/v1/jobs/x')).body).toMatchObject({ schedules: schedules.slice(0, 2), nextAt: '2026-11-22T09:00:00.000Z' });
  });

  test('fields without a word in an API stay, and the change is judged: a wrong word is refused, a read-only word beside it is not', async () => {
    const api = await anApiWithApp();
    // Values that no field of this dialect expresses: a comma in a parameter, and no app.
    await api.post('/v1/jobs', { name: 'x', command: ['a b', ''], shards: { total: 2, parameters: { '1': 'a,b=c' } } });
    const answer = (await api.get('/api/job/jobs/x')).body;
    expect(answer).toMatchObject({ appName: null, shardingItemParameters: '1=a,b=c' });
    const { body } = await api.put('/api/job/update', { ...answer, cpuCount: 0 });
    expect(body.error.field).toBe('cpuCount');
    expect((await api.put('/api/job/update', { ...answer, shardingTotalCount: 1 })).body.error.field).toBe('shardingItemParameters');
    expect((await api.put('/api/job/update', { ...answer, props: {} })).body.error.field).toBe('props.script.command.line');
    expect((await api.put('/api/job/update', { ...answer, memoryMB: 7 })).text).toBe('true');
    expect((await api.get('/v1/jobs/x')).body).toMatchObject({
      app: null,
      command: ['a b', ''],
      shards: { total: 2, parameters: { '1': 'a,b=c' } },
      resources: { memoryMB: 7 },
    });
  });

  test('an update without a cron keeps calendar and crontab schedules, and removes the cron', async () => {
    const api = await anApiWithApp();
    const crontab = { type: 'crontab', crontab: '0 9 * * 1-5', timeZone: 'Asia/Tokyo' };
    await api.post('/v1/jobs', { name: 'x', app: 'my_app', schedules: [schedules[0], crontab, schedules[1]] });
    const { cron: _, ...answer } = (await api.get('/api/job/jobs/x')).body;
    expect((await api.put('/api/job/update', answer)).text).toBe('true');
    expect((await api.get('/v1/jobs/x')).body.schedules).toEqual([schedules[0], crontab]);
    expect((await api.put('/api/job/update', { ...answer, memoryMB: 9 })).text).toBe('true');
    expect((await api.get('/v1/jobs/x')).body.schedules).toEqual([schedules[0], crontab]);
  });

  test('a cron that comes back as read keeps its zone beside a field that changes', async () => {
    const api = await anApiWithApp();
    const cron = { type: 'cron', cron: '0 0 9 * * ?', timeZone: 'Asia/Tokyo' };
    await api.post('/v1/jobs', { name: 'x', app: 'my_app', timeZone: 'Europe/Berlin', schedules: [schedules[0], cron] });
    const answer = (await api.get('/api/job/jobs/x')).body;
    expect((await api.put('/api/job/update', { ...answer, memoryMB: 9 })).text).toBe('true');
    expect((await api.get('/v1/jobs/x')).body).toMatchObject({
      schedules: [schedules[0], cron],
      timeZone: 'Europe/Berlin',
      resources: { memoryMB: 9 },
    });
  });

  test('an update may name no app for a job that has none, and not for one that has an app', async () => {
    const api = await anApiWithApp();
    await api.post('/v1/jobs', { name: 'x', command: 'a', shell: true });
    await api.post('/v1/jobs', { name: 'y', app: 'my_app' });
    const of = async (job: string) => (await api.get(`/api/job/jobs/${job}`)).body;
    const script = { 'script.command.line': 'b; c' };
    expect((await api.put('/api/job/update', { ...(await of('x')), appName: null, props: script })).text).toBe('true');
    // Whether a shell reads it is no word of this dialect.
    expect((await api.get('/v1/jobs/x')).body).toMatchObject({ app: null, command: 'b; c', shell: true });
    const refused = await api.put('/api/job/update', { ...(await of('y')), appName: null });
    expect([refused.status, refused.body.error.field]).toEqual([400, 'appName']);
    const { appName: _, ...missing } = await of('x');
    expect((await api.put('/api/job/update', missing)).body.error.field).toBe('appName');
    expect((await api.put('/api/job/update', { ...(await of('x')), appName: 'my_app' })).text).toBe('true');
    expect((await api.get('/v1/jobs/x')).body.app).toBe('my_app');
  });

  test.each([
    ['no property', {}],
    ['another property', { note: 'x' }],
  ])('an empty property counts as absent in an update of a job with %s', async (_, props) => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob({ props }));
    const answer = (await api.get('/api/job/jobs/my_job')).body;
    expect(answer.props).toEqual(props);
    const sent = { ...answer, props: { ...props, timeZone: '', 'timeout.seconds': null } };
    expect((await api.put('/api/job/update', sent)).text).toBe('true');
    const other = { ...answer, props: { ...props, timeZone: 'Nowhere' } };
    expect((await api.put('/api/job/update', other)).body.error.field).toBe('props.timeZone');
  });

  test('a command of an app as a list stays a list when its address changes', async () => {
    const api = await anApi();
    await api.post('/v1/apps', { name: 'a', url: 'http://h/1', command: ['a b', 'c'] });
    const answer = (await api.get('/api/app/a')).body;
    await api.put('/api/app', { ...answer, appURL: 'http://h/2' });
    expect((await api.get('/v1/apps/a')).body).toMatchObject({ url: 'http://h/2', command: ['a b', 'c'] });
    await api.put('/api/app', { appName: 'a', bootstrapScript: 'x' });
    expect((await api.get('/v1/apps/a')).body).toMatchObject({ url: 'http://h/2', command: 'x' });
  });
});
