/** `/v1/why` and history: reasons of jobs and executions that do not run. */
import { describe, expect, test } from 'bun:test';
import { SHOWN_MAX } from '../../actors/explain/reason.ts';
import { anApi, type TestApi } from './support.ts';

const EVERY_TEN_SECONDS = [{ type: 'cron', cron: '0/10 * * * * ?' }];
type Told = { type: string; message: string } & Record<string, unknown>;

const aJob = (api: TestApi, difference: Record<string, unknown> = {}) => api.post('/v1/jobs', { name: 'a', command: 'b', ...difference });
const trigger = async (api: TestApi, job = 'a'): Promise<string> => (await api.post(`/v1/jobs/${job}/trigger`)).body.execution;
const start = (api: TestApi, place = -1) => {
  const command = api.world.starts().at(place);
  if (!command) throw new Error('nothing was started');
  return command;
};
const why = async (api: TestApi, path = 'jobs/a') => {
  const { status, body } = await api.get(`/v1/${path}/why`);
  expect(status).toBe(200);
  const facts = body.facts as Told[];
  return {
    sentence: body.sentence as string,
    trigger: body.trigger,
    facts,
    of: (type: string) => facts.filter(fact => fact.type === type),
  };
};

describe('why a job does not run:', () => {
  test('why a job does not run: it has no schedule', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    const { sentence, trigger } = await why(api);
    expect(sentence).toBe('job a has no schedule: it runs only when it is triggered');
    expect(trigger).toEqual({ does: 'starts', hosts: ['h1'] });
  });

  test('why a job does not run: it is due later', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { schedules: EVERY_TEN_SECONDS });
    const { sentence, of } = await why(api);
    expect(sentence).toBe('job a is due next at 2026-11-22T08:00:10.000Z, in 10 s');
    expect(of('dryRun')[0]?.message).toBe('triggered now, it would start at once on host h1');
  });

  test('why a job does not run: its schedule has ended', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { schedules: [{ type: 'cron', cron: '20 0 8 22 11 ? 2026' }] });
    await api.clock.advance(20_000);
    await api.world.ended(start(api));
    const { sentence, of } = await why(api);
    expect(sentence).toBe('job a has no due time left: its schedule has ended');
    expect(of('lastDue')[0]?.message).toBe('the due time 2026-11-22T08:00:20.000Z of job a was taken by execution a@20261122T080020.000Z');
    expect(of('lastExecution')[0]).toMatchObject({ execution: 'a@20261122T080020.000Z', outcome: 'succeeded' });
  });

  test('why a job does not run: all its schedules are switched off', async () => {
    const api = await anApi();
    await api.world.aHost();
    const calendar = { type: 'calendar', turnmode: 4, interval: 1, startdate: '11/22/2026', starttime: '9:30', enabled: 0 };
    await aJob(api, { schedules: [calendar] });
    expect((await why(api)).sentence).toBe('job a has no schedule that is enabled: it runs only when it is triggered');
  });

  test('why a job does not run: it is disabled', async () => {
    const api = await anApi();
    await aJob(api, { enabled: false, schedules: EVERY_TEN_SECONDS });
    const { sentence, trigger } = await why(api);
    expect(sentence).toBe('job a is disabled');
    expect(trigger).toEqual({ does: 'refused', reason: 'is disabled' });
    expect((await api.post('/v1/jobs/a/trigger')).body.error.message).toBe(sentence);
  });

  test('why a job does not run: its app is disabled', async () => {
    const api = await anApi();
    await api.post('/v1/apps', { name: 'my_app', url: 'http://apps.example/a.tar.gz', command: 'b' });
    await aJob(api, { app: 'my_app', command: null });
    await api.post('/v1/apps/my_app/disable');
    const { sentence } = await why(api);
    expect(sentence).toBe('job a cannot run: app my_app is disabled');
    expect((await api.post('/v1/jobs/a/trigger')).body.error.message).toBe(sentence);
  });

  test('why a job does not run: its app is gone, and so it is in quarantine', async () => {
    const api = await anApi();
    await aJob(api, { schedules: EVERY_TEN_SECONDS });
    const { context } = await api.world.context('job/a');
    await api.world.ask('job/a', { type: 'job.update', config: { ...context.config, app: 'gone' } });
    const { sentence, trigger, facts } = await why(api);
    expect(sentence).toBe('job a is in quarantine since 2026-11-22T08:00:00.000Z: app gone is not published');
    expect(trigger).toEqual({ does: 'refused', reason: 'is in quarantine: app gone is not published' });
    expect(facts.map(({ type }) => type)).not.toContain('nextDue');
  });

  test('why a job does not run: it is being deregistered', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    await trigger(api);
    await api.world.started(start(api));
    await api.del('/v1/jobs/a');
    const { sentence, of } = await why(api);
    expect(sentence).toBe('job a is being deregistered; it waits for 1 open execution');
    expect(of('cancelling')[0]?.message).toEndWith('is being ended: the job was deregistered; it waits for 1 shard to end');
  });

  test('why a job does not run: it runs already, and a due time meanwhile is skipped', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { schedules: EVERY_TEN_SECONDS });
    await api.clock.advance(10_000);
    await api.world.started(start(api));
    const { sentence } = await why(api);
    expect(sentence).toBe(
      'execution a@20261122T080010.000Z runs shard 0 on host h1 since 2026-11-22T08:00:10.000Z; ' +
        'the next due time of job a, 2026-11-22T08:00:20.000Z, would be skipped: a@20261122T080010.000Z was not done',
    );
    await api.clock.advance(10_000);
    expect((await why(api)).of('lastDue')[0]).toMatchObject({
      verdict: 'skippedOverlap',
      message: 'the due time 2026-11-22T08:00:20.000Z of job a was skipped: a@20261122T080010.000Z was not done',
    });
  });

  test('why a job does not run: its last due time was skipped, and it waits for the next', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { schedules: EVERY_TEN_SECONDS });
    await api.clock.advance(20_000);
    await api.world.ended(start(api));
    expect((await why(api)).sentence).toBe(
      'job a is due next at 2026-11-22T08:00:30.000Z, in 10 s; ' +
        'the due time 2026-11-22T08:00:20.000Z of job a was skipped: a@20261122T080010.000Z was not done',
    );
  });

  test('why a job does not run: its last execution failed, and it waits for the next due time', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { schedules: EVERY_TEN_SECONDS });
    await api.clock.advance(10_000);
    await api.world.ended(start(api), 'failed');
    const { sentence, of } = await why(api);
    expect(sentence).toBe(
      'job a is due next at 2026-11-22T08:00:20.000Z, in 10 s; the last execution of job a, a@20261122T080010.000Z, failed at ' +
        '2026-11-22T08:00:10.000Z: attempt 1 of shard 0 failed on host h1: exit code 1',
    );
    expect(of('lastExecution')[0]).toMatchObject({ outcome: 'failed', reason: 'attempt 1 of shard 0 failed on host h1: exit code 1' });
  });

  test('why a job does not run: its due times passed while the center was down', async () => {
    const api = await anApi();
    await aJob(api, { schedules: [{ type: 'cron', cron: '0 0 * * * ?' }], misfire: { policy: 'skip' } });
    api.world.kill();
    await api.clock.advance(3.5 * 3_600_000);
    const again = await anApi(api.world.durable);
    expect((await why(again)).sentence).toStartWith('job a was due at 2026-11-22T09:00:00.000Z; its timer has not fired yet');
    await again.clock.advance(1_000);
    expect((await why(again)).sentence).toStartWith(
      'job a is due next at 2026-11-22T12:00:00.000Z, in 29 min 59 s; 3 due times of job a from 2026-11-22T09:00:00.000Z ' +
        'to 2026-11-22T11:00:00.000Z were missed: passed more than 60000 ms before it could be decided',
    );
  });

  test('why a job does not run: several executions wait behind each other, and each names the one before it', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { schedules: EVERY_TEN_SECONDS, overlap: 'queue', overlapLimit: 2 });
    await api.clock.advance(30_000);
    const [first, second, third] = [10, 20, 30].map(at => `a@20261122T0800${at}.000Z`);
    const path = `executions/${encodeURIComponent(third ?? '')}`;
    expect((await why(api, path)).sentence).toBe(`execution ${third} waits until ${first} and ${second} are done`);
    await api.world.ended(start(api));
    expect((await why(api, path)).sentence).toBe(`execution ${third} waits until ${second} is done`);
    expect((await why(api)).of('blocked')[0]).toMatchObject({ execution: third, behind: second });
  });

  test('why a job does not run: one trigger waits behind the running execution, and further ones join it', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    const first = await trigger(api);
    await api.world.started(start(api));
    const second = await trigger(api);
    const { of, trigger: next } = await why(api);
    expect(of('blocked')[0]).toMatchObject({
      execution: second,
      behind: first,
      message: `execution ${second} waits until ${first} is done`,
    });
    expect(next).toEqual({ does: 'joins', execution: second });
    expect((await why(api, `executions/${second}`)).sentence).toBe(`execution ${second} waits until ${first} is done`);
  });

  test('why a job does not run: as many executions are open as its limit allows', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { overlap: 'allow', overlapLimit: 2 });
    await trigger(api);
    await trigger(api);
    expect((await why(api)).trigger).toEqual({ does: 'refused', reason: 'has 2 open executions, the limit is 2' });
  });

  test('why a job does not run: its pool has no hosts', async () => {
    const api = await anApi();
    await aJob(api, { schedules: EVERY_TEN_SECONDS });
    const { sentence, trigger } = await why(api);
    expect(sentence).toBe(
      'job a is due next at 2026-11-22T08:00:10.000Z, in 10 s; triggered now, it would wait: ' +
        'needs 1 x 0.1 cpu and 64 MB; the pool has no host that is ready; pool default has no hosts',
    );
    expect(trigger).toEqual({ does: 'waits', reason: 'needs 1 x 0.1 cpu and 64 MB; the pool has no host that is ready' });
  });
});

describe('why an execution does not run:', () => {
  test('why an execution does not run: it waits for cpu, and the answer shows how much is free where and who has the rest', async () => {
    const api = await anApi();
    await api.world.aHost('h1', { cpus: 0.4 });
    await aJob(api, { name: 'other', resources: { cpus: 0.2 } });
    const other = await trigger(api, 'other');
    await aJob(api, { resources: { cpus: 0.3 } });
    const execution = await trigger(api);
    const { sentence, of } = await why(api, `executions/${execution}`);
    expect(sentence).toBe(
      `execution ${execution} waits for capacity in pool default since 2026-11-22T08:00:00.000Z: needs 1 x 0.3 cpu and 64 MB; ` +
        'the pool has 0.2 cpu and 4032 MB free on its one host',
    );
    expect(of('free')).toEqual([
      {
        type: 'free',
        message: 'host h1 has 0.2 of 0.4 cpu and 4032 of 4096 MB free; a shard takes 0.3 cpu and 64 MB there: too little cpu',
        pool: 'default',
        host: 'h1',
        open: true,
        free: { cpus: 0.2, memoryMB: 4032 },
        total: { cpus: 0.4, memoryMB: 4096 },
        price: { cpus: 0.3, memoryMB: 64 },
        lacks: ['cpu'],
      },
    ]);
    expect(of('holder')).toMatchObject([{ execution: other, shards: 1, takes: { cpus: 0.2, memoryMB: 64 } }]);
    expect(of('tooLarge')).toEqual([]);
    expect((await why(api)).sentence).toBe(sentence);
  });

  test('why an execution does not run: no host would be large enough even when empty', async () => {
    const api = await anApi();
    await api.world.aHost('h1', { memoryMB: 512 });
    await aJob(api, { resources: { memoryMB: 600 } });
    const { of } = await why(api, `executions/${await trigger(api)}`);
    expect(of('tooLarge')[0]?.message).toBe('the request would not fit on the ready hosts of pool default even if they ran nothing else');
    expect(of('free')[0]).toMatchObject({ lacks: ['memory'] });
  });

  test('why an execution does not run: it stands behind others in the queue', async () => {
    const api = await anApi();
    await aJob(api);
    await aJob(api, { name: 'c' });
    await trigger(api);
    const { sentence } = await why(api, `executions/${await trigger(api, 'c')}`);
    expect(sentence).toContain(', behind 1 other execution: needs 1 x 0.1 cpu');
  });

  test('why an execution does not run: all hosts are draining', async () => {
    const api = await anApi();
    for (const host of ['h1', 'h2']) {
      await api.world.aHost(host);
      await api.post(`/v1/hosts/${host}/drain`);
    }
    await aJob(api);
    const { sentence, of } = await why(api, `executions/${await trigger(api)}`);
    expect(sentence).toEndWith('the pool has no host that is ready; hosts of pool default: 2 draining');
    expect(of('host').map(({ message }) => message)).toEqual(['host h1 is draining', 'host h2 is draining']);
  });

  test('why an execution does not run: the host went away after the pool had looked', async () => {
    const api = await anApi();
    await api.world.aHost('h1', { cpus: 0.1 });
    await aJob(api, { resources: { cpus: 0.2 } });
    const execution = await trigger(api);
    await api.world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'its socket closed' });
    const { sentence, of } = await why(api, `executions/${execution}`);
    expect(sentence).toEndWith('needs 1 x 0.2 cpu and 64 MB; the pool has no host that is ready; hosts of pool default: 1 suspect');
    expect(of('host')[0]).toMatchObject({ status: 'suspect', lostAt: '2026-11-22T08:01:00.000Z' });
  });

  test('why an execution does not run: its host is suspect, and the answer shows when it counts as lost', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    const execution = await trigger(api);
    await api.world.started(start(api));
    await api.clock.advance(5_000);
    await api.world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'its socket closed' });
    expect((await why(api, `executions/${execution}`)).sentence).toBe(
      `execution ${execution} runs shard 0 on host h1 since 2026-11-22T08:00:00.000Z; ` +
        'host h1 is suspect, last seen at 2026-11-22T08:00:05.000Z, and counts as lost at 2026-11-22T08:01:05.000Z',
    );
  });

  test('why an execution does not run: its host was lost', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    const execution = await trigger(api);
    await api.world.started(start(api));
    await api.world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'its socket closed' });
    await api.clock.advance(60_000);
    const { sentence, of } = await why(api, `executions/${execution}`);
    expect(sentence).toStartWith(`execution ${execution} was lost at 2026-11-22T08:01:00.000Z: host h1 did not come back within 60000 ms`);
    expect(of('shardEnded')).toMatchObject([{ item: 0, attempt: 1, host: 'h1', outcome: 'lost' }]);
  });

  test('why an execution does not run: it waits until its next attempt', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { retry: { attempts: 2, backoffMs: 5_000 } });
    const execution = await trigger(api);
    await api.world.ended(start(api), 'failed');
    const { sentence, of } = await why(api);
    // The middle between half of the step and the whole, by the random numbers of this runtime.
    expect(sentence).toBe(`execution ${execution} starts attempt 2 of shard 0 at 2026-11-22T08:00:03.750Z: attempt 1 failed`);
    expect(of('shardEnded')[0]?.message).toBe('attempt 1 of shard 0 failed on host h1: exit code 1');
  });

  test('why an execution does not run: its host was sent the start command and has not answered', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { shards: { total: 2 } });
    const execution = await trigger(api);
    expect((await why(api)).sentence).toBe(
      `execution ${execution} starts shards 0 and 1 on host h1, which has not reported their start yet`,
    );
  });

  test('why an execution does not run: its host drains, and its unstarted shard is withdrawn', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    const execution = await trigger(api);
    await api.post('/v1/hosts/h1/drain');
    expect((await why(api)).sentence).toBe(`execution ${execution} withdraws shard 0 from host h1: host h1 drains; host h1 is draining`);
  });

  test('why an execution does not run: its sticky job keeps it on a host that is away', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { placement: 'sticky' });
    await trigger(api);
    await api.world.ended(start(api));
    await api.world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'its socket closed' });
    const execution = await trigger(api);
    expect((await why(api, `executions/${execution}`)).sentence).toBe(
      `execution ${execution} waits for capacity in pool default since 2026-11-22T08:00:00.000Z: ` +
        'host h1, where shard 0 belongs, is away; hosts of pool default: 1 suspect',
    );
  });

  test('why an execution does not run: its pool is gone', async () => {
    const api = await anApi();
    await api.post('/v1/pools', { name: 'west' });
    await aJob(api, { pool: 'west' });
    await api.world.ask('pool/west', { type: 'pool.delete' });
    const { sentence } = await why(api, `executions/${await trigger(api)}`);
    expect(sentence).toMatch(/^pool west does not exist; execution \S+ requests capacity of pool west again at 2026-11-22T08:00:30.000Z$/);
  });

  test('why an execution does not run: it is being ended', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    const execution = await trigger(api);
    await api.world.started(start(api));
    await api.post(`/v1/executions/${execution}/cancel`);
    expect((await why(api, `executions/${execution}`)).sentence).toBe(
      `execution ${execution} is being ended: cancelled by root; it waits for 1 shard to end; ` +
        `execution ${execution} ends shard 0 on host h1, which has not reported its end yet`,
    );
  });

  test('why an execution does not run: it is done', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api);
    const execution = await trigger(api);
    await api.world.ended(start(api), 'failed');
    expect((await why(api, `executions/${execution}`)).sentence).toBe(
      `execution ${execution} failed at 2026-11-22T08:00:00.000Z; attempt 1 of shard 0 failed on host h1: exit code 1`,
    );
  });
});

describe('an explanation', () => {
  test('an explanation names what cannot be read, and shows the rest', async () => {
    const api = await anApi();
    await aJob(api);
    const execution = await trigger(api);
    const pool = await api.store.load('pool/default');
    if (!pool) throw new Error('there is no pool');
    await api.store.commit([{ document: { ...pool, rev: pool.rev + 1, state: pool.state.replace('waiting', 'w_iting') }, facts: [] }]);
    expect((await why(api, `executions/${execution}`)).sentence).toBe(
      'pool default cannot be read: what is stored of it is damaged (its checksum does not fit)',
    );
    const { sentence, trigger: next } = await why(api);
    expect(sentence).toStartWith('pool default cannot be read');
    expect(next.does).toBe('waits');
  });

  test('an explanation of an unknown actor suggests a name', async () => {
    const api = await anApi();
    await aJob(api, { name: 'nightly' });
    expect(await api.get('/v1/jobs/nihgtly/why')).toMatchObject({
      status: 404,
      body: { error: { code: 'notFound', message: 'job not found: nihgtly; did you mean "nightly"?' } },
    });
    expect((await api.get('/v1/jobs/x/why')).body.error.message).toBe('job not found: x');
    const execution = await trigger(api, 'nightly');
    expect((await api.get(`/v1/executions/${execution}0/why`)).body.error.message).toEndWith(`did you mean "${execution}"?`);
    expect((await api.get('/v1/executions/nobody@1/why')).status).toBe(404);
    expect((await api.get(`/v1/jobs/${'x'.repeat(2_000)}/why`)).status).toBe(404);
  });

  test('an explanation stays short however much there is to show', async () => {
    const api = await anApi();
    for (let host = 0; host < SHOWN_MAX + 5; host++) await api.world.aHost(`h${host}`, { cpus: 0.1 });
    await aJob(api, { name: 'other', shards: { total: SHOWN_MAX + 5 } });
    await trigger(api, 'other');
    await aJob(api);
    const { of } = await why(api, `executions/${await trigger(api)}`);
    expect(of('free')).toHaveLength(SHOWN_MAX);
    expect(of('andMore').map(({ message }) => message)).toEqual(['and 5 more hosts']);
    const running = await why(api, 'jobs/other');
    expect(running.of('shards')).toHaveLength(SHOWN_MAX);
    expect(running.sentence.length).toBeLessThan(400);
  });

  test('an explanation changes nothing', async () => {
    const api = await anApi();
    await api.world.aHost();
    await aJob(api, { schedules: EVERY_TEN_SECONDS });
    await trigger(api);
    const [facts, sent] = [api.facts.length, api.fleet.sent.length];
    const before = await Promise.all((['job/a', 'pool/default'] as const).map(address => api.store.load(address)));
    await why(api);
    await api.world.settled();
    expect(await Promise.all((['job/a', 'pool/default'] as const).map(address => api.store.load(address)))).toEqual(before);
    expect([api.facts.length, api.fleet.sent.length]).toEqual([facts, sent]);
  });
});

describe('history', () => {
  test('the history of an unknown actor is not found, and that of a deleted one is kept', async () => {
    const api = await anApi();
    await aJob(api, { name: 'nightly' });
    await api.del('/v1/jobs/nightly');
    expect((await api.get('/v1/history/job/nightly')).body.items.at(-1).type).toBe('job.deregistered');
    await aJob(api, { name: 'nightly2' });
    expect(await api.get('/v1/history/job/nihgtly2')).toMatchObject({
      status: 404,
      body: { error: { message: 'job not found: nihgtly2; did you mean "nightly2"?' } },
    });
    expect((await api.get('/v1/history/jobs/nightly2')).body.error.message).toBe('unknown kind "jobs"; did you mean "job"?');
    expect((await api.get('/v1/history/job/nightly2?limit=0')).body.error.field).toBe('limit');
    expect((await api.get('/v1/history/job/nightly2?after=x')).body.error.field).toBe('after');
  });
});
