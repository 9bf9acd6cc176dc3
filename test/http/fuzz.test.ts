/**
 * Row 25: whatever comes in, nothing breaks, and what is refused leaves no trace. Every run is the
 * same: the seeds are fixed.
 */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { allRoutes } from '../../src/api/surfaces.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { anApi, seedApp, seedJob, type TestApi } from '../api/support.ts';

const SEED = 20261122;

/** An API whose store counts the documents and posted logs that it was given. */
async function aCountingApi() {
  const store = createMemoryStore();
  const { commit, keepPostedLog } = store;
  let written = 0;
  store.commit = writes => {
    written += writes.length;
    return commit(writes);
  };
  store.keepPostedLog = log => {
    written += 1;
    return keepPostedLog(log);
  };
  const api = await anApi({ store });
  await api.post('/api/app', seedApp());
  await api.post('/api/job/register', seedJob({ cron: '' }));
  await api.settled();
  return { api, written: () => written };
}

/** Sends one request and holds it to the rule; resolves with the status. */
async function held(
  { api, written }: { api: TestApi; written: () => number },
  method: string,
  path: string,
  body: unknown,
): Promise<number> {
  const before = written();
  const { status, body: answer, text } = await api.call(method, path, body);
  await api.settled();
  // A job may post a hundred times a second.
  if (path.startsWith('/cloudtask/')) await api.clock.advance(10);
  expect(api.log.lines.filter(line => line.level === 'error')).toEqual([]);
  expect(status).toBeLessThan(500);
  if (status >= 400) {
    // Segments `..` lead out of the prefix.
    const isCloudtask = new URL(path, 'http://center').pathname.startsWith('/cloudtask/v2');
    if (isCloudtask) expect(answer).toEqual({ content: expect.stringMatching(/\.$/), error: expect.stringMatching(/[.?!]$/) });
    else expect(answer.error).toMatchObject({ code: expect.any(String), message: expect.any(String) });
    expect(written()).toBe(before);
    expect(text.length).toBeLessThan(20_000);
  }
  return status;
}

/**
 * Unexpected values of a field: every type, the edges of numbers, texts that break other systems.
 */
const anything = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    true,
    false,
    0,
    -1,
    1.5,
    1e308,
    -0,
    2 ** 31,
    2 ** 53,
    '',
    ' ',
    '0',
    'NaN',
    '\0',
    '..',
    '../x',
    'toString',
    '\ud800',
    '%00',
  ),
  fc.constantFrom<unknown>([], {}, [[]], [null], { a: 1 }, { length: 1e9 }, { toJSON: 1 }, { valueOf: 'x' }, ['x'.repeat(200)]),
  fc.jsonValue({ maxDepth: 3 }),
  fc.string({ maxLength: 50, unit: 'binary' }),
);

const v1Job = {
  name: 'v1',
  pool: 'default',
  kind: 'transient',
  app: 'my_app',
  command: 'x',
  shell: false,
  env: { A: 'b' },
  parameter: 'p',
  runAs: 'www-data',
  shards: { total: 2, parameters: { '0': 'A' } },
  schedules: [
    { type: 'cron', cron: '0 0 1 1 1 ?', timeZone: 'UTC' },
    { type: 'crontab', crontab: '0 0 13 * fri', timeZone: 'UTC' },
  ],
  timeZone: 'UTC',
  resources: { cpus: 1, memoryMB: 1 },
  placement: 'pack',
  partial: true,
  overlap: 'allow',
  overlapLimit: 2,
  misfire: { policy: 'all', limit: 3 },
  misfireGraceMs: 5,
  retry: { attempts: 1, backoffMs: 1, maxBackoffMs: 1 },
  failover: true,
  failoverLimit: 1,
  disconnect: 'stop',
  disconnectMs: 1,
  timeoutMs: 1,
  killGraceMs: 1,
  shardingContext: true,
  description: 'd',
  enabled: true,
};
const fullJob = seedJob({
  jobName: 'fuzzed',
  shardingItemParameters: '0=A',
  jobParameter: 'p',
  monitorExecution: true,
  maxTimeDiffSeconds: 1,
  reconcileIntervalMinutes: 1,
  jobShardingStrategyType: 's',
  jobExecutorServiceHandlerType: 'CPU',
  jobErrorHandlerType: 'LOG',
  description: 'd',
  props: { timeZone: 'UTC', 'misfire.limit': '2', 'timeout.seconds': '1', placement: 'partial', 'script.command.line': 'x' },
  disabled: false,
  overwrite: false,
});
const calendar = {
  type: 'calendar',
  turnmode: 6,
  interval: 1,
  startdate: '1/1/2026',
  starttime: '1:00',
  selectat: '1,2',
  monthlyof: { day: 1, week: '' },
};

const host = { msgid: 'm', jobid: '399d4b159c65c9b34d2a3c41', location: 'default', key: 'k', ipaddr: '192.168.2.80' };
const run = { execerr: '', execat: '2018-05-22T15:04:05.999999999+08:00', nextat: '0001-01-01T00:00:00Z', timestamp: 1 };
const postedLog = {
  ...{
    jobid: host.jobid,
    msgid: 'm',
    event: '',
    group: '',
    stat: 0,
    location: 'default',
    command: './run.sh',
    workdir: '.',
    ipaddr: '::1',
  },
  ...{ stdout: 'x', errout: '', execerr: '', execat: run.execat, exectimes: 0.5, createat: 1_526_972_645_999 },
};

const bodies: [string, string, Record<string, unknown>][] = [
  ['POST', '/api/app', seedApp({ appName: 'fuzzed', sha256: 'a'.repeat(64) })],
  ['PUT', '/api/app', seedApp()],
  ['POST', '/api/job/register', fullJob],
  ['PUT', '/api/job/update', seedJob()],
  ['POST', '/v1/jobs', v1Job],
  ['PATCH', '/v1/jobs/my_job', { ...v1Job, name: 'my_job' }],
  [
    'POST',
    '/v1/apps',
    {
      name: 'v1',
      url: 'http://h/x',
      sha256: null,
      command: ['x'],
      resources: { cpus: 1, memoryMB: 1 },
      cache: true,
      traceEvery: 0,
      description: '',
      enabled: true,
    },
  ],
  ['PATCH', '/v1/apps/my_app', { url: 'http://h/y', resources: { cpus: 2 }, enabled: true }],
  ['POST', '/v1/pools', { name: 'p', timeZone: 'UTC', servers: ['h'], description: '' }],
  ['PATCH', '/v1/pools/default', { timeZone: 'UTC', servers: ['h'], description: '' }],
  ['POST', '/v1/schedules/preview', { schedule: calendar, count: 3, from: '2026-01-01T00:00:00Z' }],
  ['POST', '/v1/join-tokens', { pool: 'default', uses: 1, expiresInMs: 1 }],
  ['POST', '/cloudtask/v2/logs', postedLog],
  ['POST', '/cloudtask/v2/messages', { ...host, ...run, msgname: 'JobExecute', state: 200 }],
  ['POST', '/cloudtask/v2/messages', { ...host, msgname: 'JobSelect', nextat: run.nextat, timestamp: 2 }],
  [
    'POST',
    '/cloudtask/v2/messages',
    { msgname: 'SystemEvent', msgid: '', event: 'change_job', runtime: 'default', jobids: ['x'], groupids: ['g'] },
  ],
  ['POST', '/v1/login', { username: 'root', password: 'x' }],
];

/** Paths to every value inside: `['shards', 'total']`. */
function pathsIn(value: unknown, path: string[] = []): string[][] {
  if (typeof value !== 'object' || value === null) return [path];
  return [...(path.length > 0 ? [path] : []), ...Object.entries(value).flatMap(([key, inner]) => pathsIn(inner, [...path, key]))];
}
function withValue(body: unknown, path: readonly string[], value: unknown): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return value;
  const copy = structuredClone(body) as Record<string, unknown>;
  copy[first] = withValue(copy[first], rest, value);
  return copy;
}

describe('row 25: a wrong value in any one field', () => {
  test.each(bodies)(
    'a wrong value in any one field of %s %s breaks nothing and leaves no trace where it is refused',
    async (method, path, body) => {
      const counting = await aCountingApi();
      let refused = 0;
      for (const field of pathsIn(body)) {
        for (const value of fc.sample(anything, { seed: SEED + field.join().length, numRuns: 20 })) {
          if ((await held(counting, method, path, withValue(body, field, value))) >= 400) refused += 1;
        }
      }
      if (path !== '/v1/login') expect(refused).toBeGreaterThan(0);
    },
  );
});

describe('row 25: an answer of the ElasticJob dialect', () => {
  // A field at its default has no text in the answer: also there nothing but a text is taken.
  const nothing = { cron: '', description: '', jobParameter: '', shardingItemParameters: '', jobShardingStrategyType: null };
  const changes: typeof bodies = [
    ['PUT', '/api/app', seedApp({ sha256: 'a'.repeat(64) })],
    ['PUT', '/api/job/update', { ...fullJob, jobName: 'my_job' }],
    ['PUT', '/api/job/update', seedJob({ ...nothing, props: {} })],
    ['PATCH', '/v1/jobs/my_job', { ...v1Job, name: 'my_job' }],
    ['PATCH', '/v1/apps/my_app', { url: 'http://h/y', command: 'x', resources: { cpus: 2 }, cache: false, traceEvery: 3, description: '' }],
  ];
  const paths = [
    '/api/app/list',
    '/api/app/my_app',
    '/api/app/my_app/disable',
    '/api/job/jobs',
    '/api/job/jobs/my_job',
    '/api/job/my_job/disable',
  ];

  test.each(changes)(
    'an answer of the ElasticJob dialect is as the reference says after any change by %s %s',
    async (method, path, body) => {
      const { api } = await aCountingApi();
      let taken = 0;
      for (const field of pathsIn(body)) {
        for (const value of fc.sample(anything, { seed: SEED + field.join().length, numRuns: 20 })) {
          if ((await api.call(method, path, withValue(body, field, value))).status >= 400) continue;
          taken += 1;
          // Each answer is compared with the reference as it comes.
          for (const read of paths) expect([read, (await api.get(read)).status]).toEqual([read, 200]);
        }
      }
      expect(taken).toBeGreaterThan(3);
    },
  );
});

describe('row 25: any JSON', () => {
  test('any JSON sent to any route breaks nothing and leaves no trace where it is refused', async () => {
    const counting = await aCountingApi();
    const routes = (await allRoutes(counting.api.center)).map(({ method, path }) => ({ method, path }));
    const name = fc.oneof(
      fc.constantFrom('my_job', 'my_app', 'default', 'a', '%2e%2e', '%ff', '%00', 'toString', '__proto__', '~', '@'),
      fc.webSegment(),
    );
    const request = fc.record({ route: fc.constantFrom(...routes), body: anything, name, query: fc.webQueryParameters() });
    await fc.assert(
      fc.asyncProperty(request, async ({ route, body, name: segment, query }) => {
        const path = route.path.replaceAll(/:\w+/g, () => segment || 'x');
        await held(counting, route.method, `${path}?${query}`, route.method === 'GET' ? undefined : body);
      }),
      { seed: SEED, numRuns: 1_500 },
    );
  });

  test('any JSON as a raw name breaks nothing', async () => {
    const counting = await aCountingApi();
    await fc.assert(
      fc.asyncProperty(
        fc.string({ maxLength: 60, unit: 'binary' }),
        fc.constantFrom('POST trigger', 'DELETE deregister'),
        async (body, what) => {
          const [method = '', path = ''] = what.split(' ');
          expect([400, 404]).toContain(await held(counting, method, `/api/job/${path}`, body));
        },
      ),
      { seed: SEED, numRuns: 300 },
    );
  });
});

describe('row 25: any query', () => {
  test('any query of any list breaks nothing', async () => {
    const { api } = await aCountingApi();
    const key = fc.constantFrom(
      'limit',
      'cursor',
      'status',
      'outcome',
      'host',
      'from',
      'to',
      'verdict',
      'summary',
      'after',
      'count',
      'job',
      'app',
      'pool',
      'kill',
    );
    const lists = ['jobs', 'apps', 'hosts', 'pools', 'executions', 'jobs/my_job/occurrences', 'jobs/my_job/next', 'history/job/my_job'];
    const value = fc.oneof(
      fc.constantFrom('', '0', '1', '200', '-1', '1e3', 'true', 'W10', 'WzFd', '2026-11-22T08:00:00Z', 'NaN'),
      fc.string({ maxLength: 20 }),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...lists), fc.array(fc.tuple(key, value), { maxLength: 4 }), async (list, pairs) => {
        const { status, body } = await api.get(`/v1/${list}?${new URLSearchParams(pairs)}`);
        expect(status).toBeLessThan(500);
        expect(status < 400 ? body : body.error).toBeDefined();
      }),
      { seed: SEED, numRuns: 1_500 },
    );
    expect(api.log.lines.filter(line => line.level === 'error')).toEqual([]);
  });
});
