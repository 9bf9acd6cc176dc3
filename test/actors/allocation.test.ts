/** The hosts of a sticky job: what the job takes, what its executions hold, what never moves. */
import { describe, expect, test } from 'bun:test';
import type { JobConfig } from '../../actors/job/types.ts';
import type { ExecutionEvent, JobEvent } from '../../actors/types.ts';
import { anActor, asText, sentTo } from '../support/actor.ts';
import { aCreate, aJob, anApp, anEnd, aPlacement } from '../support/builders.ts';

const propose = (
  serial: number,
  hosts: string[] | null,
  difference: Partial<Extract<JobEvent, { type: 'job.propose' }>> = {},
): JobEvent => ({
  ...{
    type: 'job.propose',
    pool: 'default',
    serial,
    hosts,
    name: hosts?.[0] ?? null,
    closed: [],
    reason: hosts === null ? 'no host' : null,
  },
  ...difference,
});
function aStickyJob(config: Partial<JobConfig> = {}, ...steps: JobEvent[]) {
  const job = anActor('job/nightly', { type: 'job.register', config: aJob({ placement: 'sticky', ...config }) });
  for (const step of steps) job.tell(step);
  return job;
}
type Job = ReturnType<typeof aStickyJob>;

/** The execution that a trigger creates. */
function triggered(job: Job) {
  const create = job
    .ask({ type: 'job.trigger' })
    .effects.flatMap(effect => (effect.type === 'tell' && effect.params.event.type === 'execution.create' ? [effect.params.event] : []))[0];
  if (!create) throw new Error('no execution');
  return create;
}
const words = (outcome: { effects: Parameters<typeof asText>[0][] }) => outcome.effects.map(asText);
const ended = (execution: string): JobEvent => ({ type: 'execution.finished', execution, outcome: 'succeeded', finishedAt: 1 });

describe('a sticky job', () => {
  test('a sticky job takes a proposed host at once while it is idle, and reports it', () => {
    const job = aStickyJob();
    const taken = job.tell(propose(1, ['h1']));
    expect(sentTo(taken, 'table/default')).toEqual([{ type: 'table.moved', job: 'nightly', hosts: ['h1'] }]);
    expect(taken.facts).toMatchObject([{ type: 'job.allocated', data: { host: 'h1' } }]);
    expect(triggered(job).allocatedHosts).toEqual(['h1']);
  });

  test('an execution of a sticky job without a host begins without one, with the reason', () => {
    const job = aStickyJob();
    expect(triggered(job)).toMatchObject({ allocatedHosts: null, unallocated: 'waits for the allocation table of pool default to answer' });
    const told = job.tell(propose(1, ['h1']));
    expect(words(told)).toEqual(['tell execution/nightly@20261122T080000.000Z~abc123 execution.move', 'tell table/default table.moved']);
  });

  test('a sticky job keeps its host until each open execution has let go of it', () => {
    const job = aStickyJob({ overlap: 'allow', overlapLimit: 5 }, propose(1, ['h1']));
    const { id } = triggered(job);
    expect(words(job.tell(propose(2, ['h2'])))).toEqual([`tell execution/${id} execution.move`]);
    expect(words(job.tell({ type: 'job.held', execution: id, serial: 2, held: [0] }))).toEqual([]);
    expect(job.context.allocatedHosts).toEqual(['h1']);
    expect(words(job.tell({ type: 'job.held', execution: id, serial: 2, held: [] }))).toEqual(['tell table/default table.moved']);
    expect(job.context).toMatchObject({ allocatedHosts: ['h2'], proposal: null });
  });

  test('an execution that ends lets go of the host of its job', () => {
    const job = aStickyJob({}, propose(1, ['h1']));
    const { id } = triggered(job);
    job.tell(propose(2, ['h2']));
    expect(words(job.tell(ended(id)))).toEqual(['tell table/default table.moved']);
    expect(job.context.allocatedHosts).toEqual(['h2']);
  });

  test('the latest proposal wins: an answer to an earlier one changes nothing', () => {
    const job = aStickyJob({}, propose(1, ['h1']));
    const { id } = triggered(job);
    job.tell(propose(2, ['h2']));
    job.tell(propose(3, ['h3']));
    job.tell({ type: 'job.held', execution: id, serial: 2, held: [] });
    expect(job.context.allocatedHosts).toEqual(['h1']);
    job.tell({ type: 'job.held', execution: id, serial: 3, held: [] });
    expect(job.context.allocatedHosts).toEqual(['h3']);
  });

  test('a proposal back to the host of a sticky job ends the one before', () => {
    const job = aStickyJob({}, propose(1, ['h1']));
    const { id } = triggered(job);
    job.tell(propose(2, ['h2']));
    expect(words(job.tell(propose(3, ['h1'])))).toEqual([`tell execution/${id} execution.move`]);
    expect(job.context).toMatchObject({ allocatedHosts: ['h1'], proposal: null });
  });

  test('a sticky job of several shards moves those that nothing runs', () => {
    const job = aStickyJob({ shards: { total: 3, parameters: {} } }, propose(1, ['h1', 'h1', 'h1']));
    const { id } = triggered(job);
    job.tell(propose(2, ['h2', 'h1', 'h2']));
    job.tell({ type: 'job.held', execution: id, serial: 2, held: [2] });
    expect(job.context.allocatedHosts).toEqual(['h2', 'h1', 'h1']);
    job.tell(ended(id));
    expect(job.context.allocatedHosts).toEqual(['h2', 'h1', 'h2']);
  });

  test('an execution that is created meanwhile begins at the old host while that takes work, else at the new one', () => {
    const busy = (closed: string[]) => {
      const job = aStickyJob({ overlap: 'allow', overlapLimit: 5 }, propose(1, ['h1']));
      triggered(job);
      job.tell(propose(2, ['h2'], { closed }));
      return job;
    };
    const open = busy([]);
    const early = triggered(open);
    expect(early.allocatedHosts).toEqual(['h1']);
    expect(open.context.proposal?.holders[early.id]).toEqual([0]);
    expect(triggered(busy(['h1'])).allocatedHosts).toEqual(['h2']);
  });

  test('a sticky job without a candidate keeps its executions, which wait with the reason', () => {
    const job = aStickyJob({}, propose(1, ['h1']));
    const { id } = triggered(job);
    expect(sentTo(job.tell(propose(2, null)), `execution/${id}`)).toEqual([
      { type: 'execution.move', serial: 2, hosts: null, reason: 'no host' },
    ]);
    expect(job.context).toMatchObject({ allocatedHosts: null, unallocated: 'no host' });
  });

  test('a proposal of another pool, to a job that is not sticky or to a disabled one changes nothing', () => {
    expect(aStickyJob({}, propose(1, ['h1'], { pool: 'blue' })).context.allocatedHosts).toBeNull();
    expect(aStickyJob({ placement: 'pack' }, propose(1, ['h1'])).context.allocatedHosts).toBeNull();
    const disabled = aStickyJob();
    disabled.ask({ type: 'job.disable', kill: false });
    expect(words(disabled.tell(propose(1, ['h1'])))).toEqual([]);
    expect(disabled.context.allocatedHosts).toBeNull();
  });

  test('a sticky job that is disabled gives up its place and ends what has not begun', () => {
    const job = aStickyJob({}, propose(1, ['h1']));
    const { id } = triggered(job);
    expect(words(job.ask({ type: 'job.disable', kill: false }))).toEqual([
      'tell table/default table.release',
      `tell execution/${id} execution.deallocated`,
    ]);
    expect(job.context.allocatedHosts).toBeNull();
  });

  test('a sticky job claims again when its table is not there yet', () => {
    const job = aStickyJob();
    job.tell({ type: 'actor.missing', to: 'table/default', eventType: 'table.claim' });
    expect(job.context.unallocated).toBe('pool default has no allocation table');
    expect(words(job.pass(5_000))).toEqual(['tell table/default table.claim']);
  });

  test('a sticky job claims again when the resources of its app change', () => {
    const app = (cpus: number) => ({ config: anApp({ resources: { cpus, memoryMB: 1 } }), version: cpus, enabled: true });
    const job = aStickyJob({ app: 'my_app', resources: { cpus: 1, memoryMB: 1 } });
    const [claim] = sentTo(job.tell({ type: 'app.attached', app: app(2) }), 'table/default');
    expect(claim).toMatchObject({ claim: { need: { cpu: 3_000, memory: 2_000 } } });
    expect(words(job.tell({ type: 'app.changed', app: { ...app(2), version: 5 } }))).toEqual([]);
  });

  test('a sticky job that gets more shards waits for hosts for all of them; one that gets fewer keeps its own', () => {
    const job = aStickyJob({ shards: { total: 2, parameters: {} } }, propose(1, ['h1', 'h2']));
    job.ask({ type: 'job.update', config: aJob({ placement: 'sticky', shards: { total: 1, parameters: {} } }) });
    expect(job.context.allocatedHosts).toEqual(['h1']);
    job.ask({ type: 'job.update', config: aJob({ placement: 'sticky', shards: { total: 3, parameters: {} } }) });
    expect(job.context.allocatedHosts).toBeNull();
  });
});

describe('an execution of a sticky job', () => {
  const move = (serial: number, hosts: string[] | null): ExecutionEvent => ({
    type: 'execution.move',
    serial,
    hosts,
    reason: hosts ? null : 'no host',
  });
  function anExecution(difference: Parameters<typeof aCreate>[0] = {}, ...steps: ExecutionEvent[]) {
    const create = aCreate({ allocatedHosts: ['h1'], ...difference, config: { placement: 'sticky', ...difference.config } });
    const execution = anActor('execution/nightly@x', create);
    for (const step of steps) execution.tell(step);
    return execution;
  }
  const placed = (host: string, attempt = 1): ExecutionEvent => ({
    type: 'execution.placed',
    placements: [aPlacement(0, host, attempt)],
    reason: null,
  });
  const started = (host: string): ExecutionEvent => ({ type: 'shard.started', item: 0, attempt: 1, host, startedAt: 1, pid: 1 });
  const held = (outcome: Parameters<typeof sentTo>[0]) =>
    sentTo(outcome, 'job/nightly').flatMap(event => ('held' in event ? [event.held] : []));
  const asked = (outcome: Parameters<typeof sentTo>[0]) =>
    sentTo(outcome, 'pool/default').map(event => (event.type === 'pool.reserve' ? event.request.runs : event.type));

  test('an execution of a sticky job asks for room on its host alone', () => {
    expect(asked(anExecution().created)).toEqual([[{ item: 0, attempt: 1, host: 'h1' }]]);
  });

  test('an execution of a sticky job without a host waits with the reason, and takes the first that comes', () => {
    const execution = anExecution({ allocatedHosts: null, unallocated: 'no host is large enough' });
    expect([asked(execution.created), execution.context.reason]).toEqual([[], 'no host is large enough']);
    expect(asked(execution.tell(move(1, ['h2'])))).toEqual([[{ item: 0, attempt: 1, host: 'h2' }]]);
    expect(execution.context.reason).toBeNull();
  });

  test('a shard that waits goes along with its job at once', () => {
    const execution = anExecution();
    const moved = execution.tell(move(2, ['h2']));
    expect(asked(moved)).toEqual(['pool.withdraw', [{ item: 0, attempt: 1, host: 'h2' }]]);
    expect(held(moved)).toEqual([[]]);
  });

  test.each<[string, ExecutionEvent[]]>([
    ['starts', [placed('h1')]],
    ['runs', [placed('h1'), started('h1')]],
    [
      'is being withdrawn',
      [placed('h1'), { type: 'shard.withdraw', host: 'h1', runs: [{ execution: 'nightly@x', item: 0, attempt: 1 }], reason: 'r' }],
    ],
  ])('a shard that %s never moves, and lets go when its attempt ends', (_, steps) => {
    const execution = anExecution({}, ...steps);
    const moved = execution.tell(move(2, ['h2']));
    expect([asked(moved), held(moved)]).toEqual([[], [[0]]]);
    expect(execution.context.shards[0]).toMatchObject({ host: 'h1' });
    expect(held(execution.tell(anEnd(0, 'h1', 'succeeded')))).toEqual([[]]);
  });

  test('a shard that is retried starts again on the host that its job has by then', () => {
    const execution = anExecution(
      { config: { retry: { attempts: 2, backoffMs: 1_000, maxBackoffMs: 1_000, jitter: 'none' } } },
      ...[placed('h1'), started('h1'), move(2, ['h2'])],
    );
    expect(held(execution.tell(anEnd(0, 'h1', 'failed')))).toEqual([[]]);
    expect(asked(execution.pass(1_000))).toEqual([[{ item: 0, attempt: 2, host: 'h2' }]]);
  });

  test('a shard that fails over asks for room on the new host, whichever of loss and proposal comes first', () => {
    const retry = { attempts: 1, backoffMs: 1_000, maxBackoffMs: 1_000, jitter: 'none' } as const;
    const lost: ExecutionEvent = {
      type: 'shard.lost',
      host: 'h1',
      runs: [{ execution: 'nightly@x', item: 0, attempt: 1 }],
      reason: 'gone',
    };
    for (const order of [
      [lost, move(2, ['h2'])],
      [move(2, ['h2']), lost],
    ]) {
      const execution = anExecution({ config: { failover: true, retry } }, placed('h1'), started('h1'), ...order);
      expect(asked(execution.pass(1_000))).toEqual([[{ item: 0, attempt: 2, host: 'h2' }]]);
    }
  });

  test('a placement on the host that its job has left is given back and asked for anew', () => {
    const execution = anExecution({}, move(2, ['h2']));
    const late = execution.tell(placed('h1'));
    expect(asked(late)).toEqual(['pool.release', [{ item: 0, attempt: 1, host: 'h2' }]]);
    expect(words(execution.tell(placed('h2')))).toEqual(['start h2 0:1']);
  });

  test('an execution whose job has no candidate any more ends nothing and takes no new host', () => {
    const running = anExecution({}, placed('h1'), started('h1'));
    expect(words(running.tell(move(2, null)))).toEqual([]);
    expect(running.context.shards[0]).toMatchObject({ status: 'running' });
    const waits = anExecution();
    expect(words(waits.tell(move(2, null)))).toEqual(['tell pool/default pool.withdraw']);
    expect([waits.state, waits.context.reason]).toEqual(['pending', 'no host']);
    expect(words(waits.tell(placed('h1')))).toEqual(['tell pool/default pool.release']);
  });

  test('an execution whose job gave up its place ends what has not begun, and no run', () => {
    const gaveUp: ExecutionEvent = { type: 'execution.deallocated', reason: 'the job was disabled' };
    const waits = anExecution({}, gaveUp);
    expect([waits.state, waits.context.outcome, waits.context.reason]).toEqual(['done', 'cancelled', 'the job was disabled']);
    const two = anExecution(
      { allocatedHosts: ['h1', 'h1'], config: { shards: { total: 2, parameters: {} }, partial: true } },
      placed('h1'),
      started('h1'),
      gaveUp,
    );
    expect(two.context.shards.map(({ status }) => status)).toEqual(['running', 'done']);
    two.tell(anEnd(0, 'h1', 'failed'));
    expect(two.state).toBe('done');
  });

  test('an execution whose job gave up its place does not move a run that its host gives back', () => {
    const execution = anExecution({}, placed('h1'));
    expect(words(execution.tell({ type: 'execution.deallocated', reason: 'its job went over to pool blue' }))).toEqual([
      'stop h1 0:1 withdrawn',
    ]);
    execution.tell({ ...anEnd(0, 'h1', 'cancelled'), startedAt: null });
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'cancelled']);
  });
});
