/** Jobs and triggers through the ElasticJob-Cloud dialect. */
import { describe, expect, test } from 'bun:test';
import { anApi, json, seedApp, seedJob, type TestApi } from './support.ts';

const anApiWithApp = async (): Promise<TestApi> => {
  const api = await anApi();
  await api.post('/api/app', seedApp());
  return api;
};
const configOf = async (api: TestApi) => (await api.context('job/my_job')).context.config;

describe('a job through ElasticJob-Cloud', () => {
  test('a job through ElasticJob-Cloud is registered, and answered in the original field order with its own values', async () => {
    const api = await anApiWithApp();
    expect((await api.post('/api/job/register', seedJob({ props: { a: 1, b: true } }))).text).toBe('true');
    expect((await api.get('/api/job/jobs/my_job')).text).toBe(
      '{"appName":"my_app","cpuCount":0.1,"memoryMB":64,"jobExecutionType":"TRANSIENT","jobName":"my_job","cron":"0/5 * * * * ?","shardingTotalCount":5,"shardingItemParameters":null,"jobParameter":null,"monitorExecution":false,"failover":true,"misfire":true,"maxTimeDiffSeconds":0,"reconcileIntervalMinutes":0,"jobShardingStrategyType":null,"jobExecutorServiceHandlerType":null,"jobErrorHandlerType":null,"description":null,"props":{"a":"1","b":"true"},"disabled":false,"overwrite":false}',
    );
  });

  test('a job through ElasticJob-Cloud gives back the values it was registered with', async () => {
    const api = await anApiWithApp();
    const words = {
      cron: '0 0 9 ? * MON-FRI',
      shardingItemParameters: ' 0 = Beijing , 1=Shanghai',
      jobParameter: '',
      monitorExecution: true,
      failover: false,
      misfire: false,
      maxTimeDiffSeconds: -1,
      reconcileIntervalMinutes: 10,
      jobShardingStrategyType: 'AVG_ALLOCATION',
      jobExecutorServiceHandlerType: 'SINGLE_THREAD',
      jobErrorHandlerType: 'THROW',
      description: 'a report',
      props: { timeZone: 'Europe/Berlin', 'timeout.seconds': '30', placement: 'partial', 'misfire.limit': '3', other: 'x' },
      disabled: true,
      overwrite: true,
    };
    await api.post('/api/job/register', seedJob(words));
    expect((await api.get('/api/job/jobs/my_job')).body).toEqual(seedJob(words));
    expect((await api.get('/api/job/jobs')).body).toEqual([seedJob(words)]);
  });

  test('a job through ElasticJob-Cloud follows the semantics of the dialect', async () => {
    const api = await anApiWithApp();
    const props = {
      timeZone: 'Europe/Berlin',
      'timeout.seconds': 1.5,
      placement: 'partial',
      'misfire.limit': 3,
      'script.command.line': 'bin/x -v',
    };
    await api.post('/api/job/register', seedJob({ shardingItemParameters: '0=A,4=E', jobParameter: 'p', props }));
    const config = await configOf(api);
    expect(config).toMatchObject({
      kind: 'transient',
      app: 'my_app',
      pool: 'default',
      command: 'bin/x -v',
      shell: false,
      parameter: 'p',
      shards: { total: 5, parameters: { '0': 'A', '4': 'E' } },
      schedules: [{ type: 'cron', cron: '0/5 * * * * ?', timeZone: 'Europe/Berlin' }],
      resources: { cpus: 0.1, memoryMB: 64 },
      partial: true,
      overlap: 'queue',
      overlapLimit: 3,
      misfire: { policy: 'all', limit: 3 },
      failover: true,
      failoverLimit: 3,
      timeoutMs: 1500,
      killGraceMs: 10_000,
      retry: { attempts: 1 },
      shardingContext: true,
    });
    expect(config.id).toMatch(/^[0-9a-f]{24}$/);
  });

  test('a job through ElasticJob-Cloud with the handler THROW fails over its failures, whichever API names it', async () => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob({ jobErrorHandlerType: 'THROW' }));
    const handlerType = async () => (await api.get('/api/job/jobs/my_job')).body.jobErrorHandlerType;
    expect([(await api.get('/v1/jobs/my_job')).body.failoverOnFailure, await handlerType()]).toEqual([true, 'THROW']);
    await api.patch('/v1/jobs/my_job', { failoverOnFailure: false });
    expect(await handlerType()).toBeNull();
    await api.patch('/v1/jobs/my_job', { failoverOnFailure: true });
    expect(await handlerType()).toBe('THROW');
  });

  test('a job through ElasticJob-Cloud skips missed due times with misfire false, and runs once by default', async () => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob({ misfire: false }));
    expect(await configOf(api)).toMatchObject({ overlap: 'skip', overlapLimit: 1, misfire: { policy: 'skip', limit: 10 } });
    await api.put('/api/job/update', seedJob({ misfire: true }));
    expect(await configOf(api)).toMatchObject({ overlap: 'queue', overlapLimit: 1, misfire: { policy: 'once', limit: 1 } });
  });

  test('a job through ElasticJob-Cloud without cron, or with an empty one, runs on trigger only', async () => {
    const api = await anApiWithApp();
    expect((await api.post('/api/job/register', seedJob({ cron: '' }))).text).toBe('true');
    expect((await configOf(api)).schedules).toEqual([]);
    expect((await api.get('/api/job/jobs/my_job')).body.cron).toBe('');
    expect((await api.post('/api/job/register', seedJob({ jobName: 'b', cron: null }))).text).toBe('true');
  });

  const wrong: [string, unknown, string, string?][] = [
    ['appName', undefined, 'appName is missing'],
    ['appName', 7, 'appName is 7'],
    ['appName', 'other_app', 'app not found: other_app'],
    ['jobName', undefined, 'jobName is missing'],
    ['jobName', 'a b', 'a name'],
    ['jobName', 'a@-@b', 'a name'],
    ['cpuCount', undefined, 'cpuCount is missing'],
    ['cpuCount', 0.0009, 'from 0.001'],
    ['cpuCount', '0.1', 'cpuCount is "0.1"'],
    ['memoryMB', undefined, 'memoryMB is missing'],
    ['memoryMB', 0.99, 'from 1'],
    ['jobExecutionType', undefined, 'jobExecutionType is missing'],
    ['jobExecutionType', 'transient', 'one of TRANSIENT, DAEMON'],
    ['shardingTotalCount', undefined, 'shardingTotalCount is missing'],
    ['shardingTotalCount', 0, 'a whole number from 1 to 1000'],
    ['shardingTotalCount', 1001, 'a whole number from 1 to 1000'],
    ['shardingTotalCount', 2.5, 'a whole number'],
    ['shardingTotalCount', '5', 'shardingTotalCount is "5"'],
    ['cron', '0/5 * * * *', 'cron'],
    ['cron', '99 * * * * ?', 'cron'],
    ['cron', 5, 'cron is 5'],
    ['failover', 'true', 'true or false'],
    ['misfire', 1, 'true or false'],
    ['shardingItemParameters', '0', 'int=xx,int=xx'],
    ['shardingItemParameters', '0=', 'int=xx,int=xx'],
    ['shardingItemParameters', '0=a=b', 'int=xx,int=xx'],
    ['shardingItemParameters', 'x=a', 'no whole number'],
    ['shardingItemParameters', '-1=a', 'no whole number'],
    ['shardingItemParameters', '5=a', 'below shardingTotalCount 5'],
    ['jobParameter', {}, 'a text'],
    ['jobExecutorServiceHandlerType', true, 'one of CPU, SINGLE_THREAD'],
    ['jobExecutorServiceHandlerType', 'GPU', 'one of CPU, SINGLE_THREAD'],
    ['jobErrorHandlerType', 'log', 'one of LOG, IGNORE'],
    ['props', [], 'an object'],
    ['props', 'x', 'an object'],
    ['props', { a: {} }, 'a text', 'props.a'],
    ['props', { timeZone: 'Mars/Base' }, 'IANA', 'props.timeZone'],
    ['props', { 'misfire.limit': '0' }, 'a whole number from 1', 'props.misfire.limit'],
    ['props', { 'timeout.seconds': '-1' }, 'a number of seconds', 'props.timeout.seconds'],
    ['props', { placement: 'some' }, 'partial or all', 'props.placement'],
    ['props', { 'script.command.line': ' ' }, 'not empty', 'props.script.command.line'],
  ];
  const rows = wrong.map(([field, value, sentence, where = field]) => [where, sentence, field, value] as const);
  test.each(rows)(
    'a job through ElasticJob-Cloud is refused for its %s (%s), and nothing is stored',
    async (where, sentence, field, value) => {
      const api = await anApiWithApp();
      const { status, body } = await api.post('/api/job/register', seedJob({ [field]: value }));
      expect({ status, code: body.error.code, field: body.error.field }).toEqual({ status: 400, code: 'invalid', field: where });
      expect(body.error.message).toContain(sentence);
      expect((await api.get('/api/job/jobs')).text).toBe('[]');
    },
  );

  test.each([false, null, undefined])('a job through ElasticJob-Cloud with handler types %p takes the defaults', async value => {
    const api = await anApiWithApp();
    const types = { jobExecutorServiceHandlerType: value, jobErrorHandlerType: value };
    expect((await api.post('/api/job/register', seedJob(types))).text).toBe('true');
    expect((await api.get('/api/job/jobs/my_job')).body).toMatchObject({ jobExecutorServiceHandlerType: null, jobErrorHandlerType: null });
  });

  test('a job through ElasticJob-Cloud ignores fields of other versions', async () => {
    const api = await anApiWithApp();
    expect((await api.post('/api/job/register', seedJob({ jobClass: 'x.Y', jobType: 'SIMPLE' }))).text).toBe('true');
  });

  test('a job through ElasticJob-Cloud of type DAEMON is a 409 for now', async () => {
    const api = await anApiWithApp();
    for (const cron of ['', '0/5 * * * * ?']) {
      const { status, body } = await api.post('/api/job/register', seedJob({ jobExecutionType: 'DAEMON', cron }));
      expect(status).toBe(409);
      expect(body.error.message).toContain('which this version does not support');
    }
    expect((await api.get('/api/job/jobs')).text).toBe('[]');
  });

  test.each([
    ['props.http.uri', { props: { 'http.uri': 'http://h/', 'http.method': 'GET' } }],
    ['props.http.url', { props: { 'http.url': 'http://h/' } }],
    ['jobErrorHandlerType', { jobErrorHandlerType: 'EMAIL' }],
    ['jobErrorHandlerType', { jobErrorHandlerType: 'WECHAT' }],
    ['jobErrorHandlerType', { jobErrorHandlerType: 'DINGTALK' }],
  ])(
    'a job through ElasticJob-Cloud with an unsupported %s is a 409 for now, when it is registered and when it is updated',
    async (field, words) => {
      const api = await anApiWithApp();
      const { status, body } = await api.post('/api/job/register', seedJob(words));
      expect({ status, field: body.error.field }).toEqual({ status: 409, field });
      expect(body.error.message).toContain('this version does not support');
      expect((await api.get('/api/job/jobs')).text).toBe('[]');
      await api.post('/api/job/register', seedJob());
      expect((await api.put('/api/job/update', seedJob(words))).status).toBe(409);
      expect((await api.get('/api/job/jobs/my_job')).body).toMatchObject({ props: {}, jobErrorHandlerType: null });
    },
  );

  test.each([
    ['cron', { cron: '0 0 0 1 1 ? 2020' }, 'is over'],
    ['props.script.command.line', { props: { 'script.command.line': "echo 'open" } }, 'never closed'],
  ])('a job through ElasticJob-Cloud that could never run is refused for its %s', async (field, words, sentence) => {
    const api = await anApiWithApp();
    const { status, body } = await api.post('/api/job/register', seedJob(words));
    expect({ status, field: body.error.field }).toEqual({ status: 400, field });
    expect(body.error.message).toContain(sentence);
  });

  test('a job through ElasticJob-Cloud refused for one of its props repeats no value of it', async () => {
    const api = await anApiWithApp();
    for (const value of [['hunter2'], 'hunter2\0']) {
      const { status, text } = await api.post('/api/job/register', seedJob({ props: { 'email.password': value } }));
      expect([status, text.includes('hunter2')]).toEqual([400, false]);
    }
  });

  test('a job through ElasticJob-Cloud is not registered twice', async () => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob());
    const { status, body } = await api.post('/api/job/register', seedJob({ cron: '' }));
    expect({ status, message: body.error.message }).toEqual({ status: 409, message: 'job my_job is registered already' });
    expect((await configOf(api)).schedules).toHaveLength(1);
  });

  test('a job through ElasticJob-Cloud is updated as a whole: what is absent is at its default again, what only /v1 sets stays', async () => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob({ jobParameter: 'p', props: { 'timeout.seconds': '9' }, jobErrorHandlerType: 'THROW' }));
    const before = await configOf(api);
    expect(before.failoverOnFailure).toBe(true);
    const native = {
      ...before,
      retry: { attempts: 4, backoffMs: 5, maxBackoffMs: 6, jitter: 'equal' as const },
      env: { A: 'b' },
      killGraceMs: 1,
    };
    await api.world.ask('job/my_job', { type: 'job.update', config: native });
    const { failover: _f, misfire: _m, ...rest } = seedJob({ cron: '0 0 1 * * ?', shardingTotalCount: 2 });
    expect((await api.put('/api/job/update', rest)).text).toBe('true');
    expect((await api.get('/api/job/jobs/my_job')).body).toMatchObject({
      cron: '0 0 1 * * ?',
      shardingTotalCount: 2,
      jobParameter: null,
      failover: false,
      misfire: false,
      jobErrorHandlerType: null,
      props: {},
    });
    expect(await configOf(api)).toMatchObject({
      id: before.id,
      retry: native.retry,
      env: { A: 'b' },
      killGraceMs: 1,
      timeoutMs: 0,
      failoverOnFailure: false,
    });
  });

  test('a job through ElasticJob-Cloud is not updated by half a registration, and not when it is unknown', async () => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob());
    const { shardingTotalCount: _, ...half } = seedJob();
    expect((await api.put('/api/job/update', half)).body.error.field).toBe('shardingTotalCount');
    expect((await api.put('/api/job/update', seedJob({ jobName: 'nope' }))).status).toBe(404);
    expect((await api.put('/api/job/update', seedJob({ appName: 'nope' }))).body.error.field).toBe('appName');
  });

  test('a job through ElasticJob-Cloud is not updated by an empty object, and an empty text is the default of a boolean', async () => {
    const api = await anApi();
    await api.post('/api/app', seedApp());
    await api.post('/api/job/register', seedJob({ cron: '' }));
    for (const field of ['cpuCount', 'memoryMB', 'jobExecutionType', 'cron', 'description', 'jobShardingStrategyType']) {
      const { status, body } = await api.put('/api/job/update', seedJob({ cron: '', [field]: {} }));
      expect([status, body.error?.field]).toEqual([400, field]);
    }
    const empty = { monitorExecution: '', maxTimeDiffSeconds: '', disabled: '', overwrite: '' };
    expect((await api.put('/api/job/update', seedJob({ cron: '', ...empty }))).text).toBe('true');
    const { body } = await api.get('/api/job/jobs/my_job');
    expect(body).toMatchObject({ monitorExecution: false, maxTimeDiffSeconds: 0, disabled: false, overwrite: false });
  });

  test('a job through ElasticJob-Cloud that another API changed is answered in the words of this one', async () => {
    const api = await anApiWithApp();
    const props = { 'timeout.seconds': '30', timeZone: 'UTC' };
    await api.post('/api/job/register', seedJob({ props, shardingItemParameters: '0=A', jobParameter: 'p' }));
    const config = {
      ...(await configOf(api)),
      overlap: 'skip' as const,
      timeoutMs: 1_250,
      partial: true,
      parameter: 'q',
      command: ['sh', '-c', 'echo it'],
      schedules: [{ type: 'cron' as const, cron: '0 0 2 * * ?' }],
      shards: { total: 3, parameters: { '0': 'A', '2': 'C' } },
    };
    await api.world.ask('job/my_job', { type: 'job.update', config });
    expect((await api.get('/api/job/jobs/my_job')).body).toMatchObject({
      cron: '0 0 2 * * ?',
      misfire: false,
      shardingTotalCount: 3,
      shardingItemParameters: '0=A,2=C',
      jobParameter: 'q',
      props: { 'timeout.seconds': '1.25', placement: 'partial', 'script.command.line': "sh -c 'echo it'" },
    });
    expect((await api.get('/api/job/jobs/my_job')).body.props.timeZone).toBeUndefined();
  });

  test('a job through ElasticJob-Cloud that does not exist is a 404 everywhere', async () => {
    const api = await anApiWithApp();
    const answers = [
      await api.post('/api/job/trigger', 'nope'),
      await api.del('/api/job/deregister', 'nope'),
      await api.del('/api/job/nope/deregister'),
      await api.get('/api/job/nope/disable'),
      await api.post('/api/job/nope/disable'),
      await api.post('/api/job/nope/enable'),
      await api.get('/api/job/jobs/nope'),
    ];
    expect(answers.map(answer => answer.status)).toEqual(answers.map(() => 404));
    expect(answers[0]?.body.error).toEqual({ code: 'notFound', message: 'job not found: nope' });
  });

  test('a job through ElasticJob-Cloud is disabled and enabled', async () => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob());
    expect((await api.get('/api/job/my_job/disable')).text).toBe('false');
    expect((await api.post('/api/job/my_job/disable')).text).toBe('true');
    expect((await api.post('/api/job/my_job/disable')).text).toBe('true');
    expect((await api.get('/api/job/my_job/disable')).text).toBe('true');
    const { status, body } = await api.post('/api/job/trigger', 'my_job');
    expect({ status, message: body.error.message }).toEqual({ status: 409, message: 'job my_job is disabled' });
    expect((await api.post('/api/job/my_job/enable')).text).toBe('true');
    expect((await api.get('/api/job/my_job/disable')).text).toBe('false');
  });

  test('a job through ElasticJob-Cloud has its name URL-decoded in paths', async () => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob({ jobName: 'a.b' }));
    expect((await api.get('/api/job/jobs/a%2Eb/')).body.jobName).toBe('a.b');
  });
});

describe('the name of a job as raw body', () => {
  const forms: [string, string, Record<string, string>][] = [
    ['bare as application/json', 'my_job', json],
    ['quoted as application/json', '"my_job"', json],
    ['with a charset', 'my_job', { 'Content-Type': 'application/json; charset=UTF-8' }],
    ['as text/plain', 'my_job\n', { 'Content-Type': 'text/plain' }],
    ['without a type', 'my_job', { 'Content-Type': '' }],
  ];
  test.each(forms)('the name of a job as raw body is taken %s', async (_, body, headers) => {
    const api = await anApiWithApp();
    await api.post('/api/job/register', seedJob());
    expect((await api.post('/api/job/trigger', body, headers)).text).toBe('true');
    expect((await api.views.list('execution', { limit: 10 })).items).toHaveLength(1);
    expect((await api.del('/api/job/deregister', body, headers)).text).toBe('true');
  });

  test('the name of a job as raw body is refused as a form, when absent, and when it is something else', async () => {
    const api = await anApiWithApp();
    expect((await api.post('/api/job/trigger', 'my_job', { 'Content-Type': 'application/x-www-form-urlencoded' })).status).toBe(415);
    for (const body of ['', 'null', '{"jobName":"my_job"}', '["my_job"]', '"my_job', 'a b']) {
      const answer = await api.post('/api/job/trigger', body);
      expect([body, answer.status, answer.body.error.code]).toEqual([body, 400, 'invalid']);
    }
  });
});

describe('a trigger through ElasticJob-Cloud', () => {
  test('a trigger through ElasticJob-Cloud during a run waits, and further ones join it', async () => {
    const api = await anApiWithApp();
    await api.world.aHost();
    await api.post('/api/job/register', seedJob({ cron: '', shardingTotalCount: 1 }));
    for (let times = 0; times < 4; times += 1) expect((await api.post('/api/job/trigger', 'my_job')).text).toBe('true');
    expect((await api.views.list('execution', { limit: 10 })).items).toHaveLength(2);
    expect((await api.get('/api/job/tasks/ready')).text).toBe('[{"jobName":"my_job","times":"1"}]');
    const [start] = api.starts();
    const execution = start?.run.execution;
    expect((await api.get('/api/job/tasks/running')).body).toEqual([
      {
        id: `my_job@-@0@-@READY@-@h1@-@${execution}:1`,
        metaInfo: { jobName: 'my_job', shardingItems: [0] },
        type: 'READY',
        slaveId: 'h1',
        idle: false,
      },
    ]);
    if (start) await api.ended(start);
    expect(api.starts()).toHaveLength(2);
    expect((await api.get('/api/job/tasks/ready')).text).toBe('[]');
  });

  test('a trigger through ElasticJob-Cloud whose host is lost shows the shard among the failover tasks', async () => {
    const api = await anApiWithApp();
    await api.world.aHost();
    await api.post('/api/job/register', seedJob({ cron: '', shardingTotalCount: 1, failover: true }));
    await api.post('/api/job/trigger', 'my_job');
    const [start] = api.starts();
    if (start) await api.started(start);
    expect((await api.get('/api/job/tasks/failover')).text).toBe('[]');
    await api.world.ask('host/h1', { type: 'host.retire' });
    await api.settled();
    expect((await api.get('/api/job/tasks/failover')).body).toEqual([
      {
        taskInfo: { jobName: 'my_job', shardingItems: [0] },
        originalTaskId: `my_job@-@0@-@READY@-@h1@-@${start?.run.execution}:1`,
      },
    ]);
  });

  test('a trigger through ElasticJob-Cloud gives the program its sharding context', async () => {
    const api = await anApiWithApp();
    await api.world.aHost();
    await api.post('/api/job/register', seedJob({ cron: '', shardingTotalCount: 1, shardingItemParameters: '0=A', jobParameter: 'p' }));
    await api.post('/api/job/trigger', 'my_job');
    const [start] = api.starts();
    expect(start?.spec).toMatchObject({ command: 'bin/start.sh', shell: false, artifact: { app: 'my_app', cache: true } });
    expect(JSON.parse(start?.spec.lastArgument ?? '')).toMatchObject({
      jobName: 'my_job',
      shardingTotalCount: 1,
      jobParameter: 'p',
      shardingItem: 0,
      shardingParameter: 'A',
    });
  });
});
