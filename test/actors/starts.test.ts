/** Executions that do not start, their verdicts, and start commands without an answer. */
import { describe, expect, test } from 'bun:test';
import { ANSWER_MS } from '../../actors/execution/deadlines.ts';
import type { ShardState } from '../../actors/execution/types.ts';
import type { ExecutionEvent } from '../../actors/types.ts';
import { artifactLimits } from '../../src/agent/artifacts/limits.ts';
import { AT, anActor, asText } from '../support/actor.ts';
import { aCreate, anEnd as anEndOf, aPlacement } from '../support/builders.ts';

const DUE = AT - 1_000;
type Birth = NonNullable<Parameters<typeof aCreate>[0]>;
const anExecution = (config: Birth['config'] = {}, create: Birth = { trigger: 'schedule', dueAt: DUE }) =>
  anActor('execution/nightly@x', aCreate({ ...create, config: config ?? {} }));
const run = (item = 0, attempt = 1) => ({ execution: 'nightly@x', item, attempt });
const placed = (...items: number[]): ExecutionEvent => ({
  type: 'execution.placed',
  placements: items.map(item => aPlacement(item, 'h1', 1)),
  reason: null,
});
const started = (item = 0): ExecutionEvent => ({ type: 'shard.started', item, attempt: 1, host: 'h1', startedAt: AT, pid: 1 });
const lost = (item = 0): ExecutionEvent => ({ type: 'shard.lost', host: 'h1', runs: [run(item)], reason: 'host h1 did not come back' });
const anEnd = ({
  item = 0,
  attempt = 1,
  outcome = 'succeeded',
  ...difference
}: Partial<Extract<ExecutionEvent, { type: 'shard.ended' }>> = {}) => ({
  ...anEndOf(item, 'h1', outcome, attempt),
  ...difference,
});
const neverBegan = { exitCode: null, startedAt: null } as const;
type Outcome = { effects: Parameters<typeof asText>[0][] };
const words = (outcome: Outcome) => outcome.effects.map(asText);
const verdicts = (outcome: Outcome) =>
  outcome.effects.flatMap(effect =>
    effect.type === 'record' ? effect.params.entries.map(({ from, verdict, execution, reason }) => [from, verdict, execution, reason]) : [],
  );
const shards = (execution: ReturnType<typeof anExecution>) => execution.context.shards as ShardState[];

describe('the verdict on the due time of an execution', () => {
  test('the verdict on the due time of an execution is "ran" with the first process, once, whatever begins later', () => {
    const execution = anExecution({ shards: { total: 2, parameters: {} } });
    expect(verdicts(execution.tell(placed(0, 1)))).toEqual([]);
    expect(verdicts(execution.tell(started(1)))).toEqual([[DUE, 'ran', 'nightly@x', null]]);
    expect(verdicts(execution.tell(started(0)))).toEqual([]);
    expect(verdicts(execution.tell(anEnd({ item: 0 })))).toEqual([]);
    expect(verdicts(execution.tell(anEnd({ item: 1 })))).toEqual([]);
  });

  test('the verdict on the due time of an execution is "ran" with an end that is the first report of its process', () => {
    const execution = anExecution();
    execution.tell(placed(0));
    expect(verdicts(execution.tell(anEnd({ startedAt: AT })))).toEqual([[DUE, 'ran', 'nightly@x', null]]);
  });

  test('the verdict on the due time of an execution is "notStarted" with the reason where a start failed, also after a retry', () => {
    const execution = anExecution({ retry: { attempts: 2, backoffMs: 1_000, maxBackoffMs: 1_000, jitter: 'equal' } });
    execution.tell(placed(0));
    expect(verdicts(execution.tell(anEnd({ outcome: 'failed', ...neverBegan, reason: 'no such program' })))).toEqual([]);
    execution.pass(1_000);
    execution.tell({ type: 'execution.placed', placements: [aPlacement(0, 'h1', 2)], reason: null });
    const over = execution.tell(anEnd({ attempt: 2, outcome: 'failed', ...neverBegan, reason: 'no such program' }));
    expect(verdicts(over)).toEqual([[DUE, 'notStarted', 'nightly@x', 'no such program']]);
  });

  test('the verdict on the due time of an execution is "notStarted" where it is cancelled before it began', () => {
    const execution = anExecution();
    expect(verdicts(execution.tell({ type: 'execution.end', reason: 'replaced by y' }))).toEqual([
      [DUE, 'notStarted', 'nightly@x', 'replaced by y'],
    ]);
  });

  test('the verdict on the due time of an execution is "unknown" when its host was lost with the start command', () => {
    const execution = anExecution();
    execution.tell(placed(0));
    expect(verdicts(execution.tell(lost()))).toEqual([[DUE, 'unknown', 'nightly@x', 'no start was reported: host h1 did not come back']]);
  });

  test('the verdict on the due time of an execution is recorded for no execution that was triggered', () => {
    const execution = anExecution({}, { trigger: 'api', dueAt: null });
    execution.tell(placed(0));
    expect(verdicts(execution.tell(started()))).toEqual([]);
    const ended = anExecution({}, { trigger: 'api', dueAt: null });
    expect(verdicts(ended.tell({ type: 'execution.end', reason: 'why' }))).toEqual([]);
  });
});

describe('startWithinMs', () => {
  const within = (startWithinMs: number, more: Birth['config'] = {}) => anExecution({ ...more, startWithinMs });

  test('startWithinMs fails an execution that did not fit in time, with the reason, and withdraws its request', () => {
    const execution = within(300_000);
    execution.tell({ type: 'execution.waiting', reason: 'needs 1 x 3 cpu; the pool has 2 cpu' });
    expect(execution.pass(299_999).effects).toEqual([]);
    const over = execution.pass(1);
    const reason = 'not started within 5m: needs 1 x 3 cpu; the pool has 2 cpu';
    expect(words(over)).toEqual(['tell pool/default pool.withdraw', 'record notStarted', 'tell job/nightly execution.finished']);
    expect(verdicts(over)).toEqual([[DUE, 'notStarted', 'nightly@x', reason]]);
    expect(execution.context).toMatchObject({ outcome: 'failed', reason });
    expect(over.facts.map(({ type }) => type)).toEqual(['execution.notStarted', 'execution.finished']);
    expect(execution.timers).toEqual([]);
  });

  test('startWithinMs fails a blocked execution, and one that waits for its next attempt', () => {
    const held = anExecution({ startWithinMs: 90_000 }, { trigger: 'schedule', dueAt: DUE, blockedReason: 'waits until a is done' });
    expect(words(held.pass(90_000))).toEqual(['record notStarted', 'tell job/nightly execution.finished']);
    expect(held.context.reason).toBe('not started within 90s: waits until a is done');
    const backingOff = within(2_000, { retry: { attempts: 9, backoffMs: 60_000, maxBackoffMs: 60_000, jitter: 'equal' } });
    backingOff.tell(placed(0));
    backingOff.tell(anEnd({ outcome: 'failed', ...neverBegan, reason: 'no such program' }));
    backingOff.pass(2_000);
    expect(backingOff.context).toMatchObject({ outcome: 'failed', reason: 'not started within 2s: attempt 1 failed: no such program' });
    expect(backingOff.timers).toEqual([]);
  });

  test('startWithinMs does not touch an execution that has begun, however long it runs and waits afterwards', () => {
    const execution = within(1_000, { retry: { attempts: 2, backoffMs: 60_000, maxBackoffMs: 60_000, jitter: 'equal' } });
    execution.tell(placed(0));
    execution.tell(started());
    expect(execution.pass(10_000).effects).toEqual([]);
    execution.tell(anEnd({ outcome: 'failed', exitCode: 1 }));
    execution.pass(10_000);
    expect(shards(execution)[0]?.status).toBe('waiting');
  });

  test('startWithinMs withdraws start commands: a withdrawn one has failed, without another attempt', () => {
    const execution = within(1_000, { retry: { attempts: 5, backoffMs: 1, maxBackoffMs: 1, jitter: 'equal' } });
    execution.tell(placed(0));
    expect(words(execution.pass(1_000))).toEqual(['stop h1 0:1 withdrawn']);
    const over = execution.tell(anEnd({ outcome: 'cancelled', ...neverBegan, reason: 'given back before it began' }));
    expect(execution.context).toMatchObject({ outcome: 'failed' });
    expect(execution.context.reason).toStartWith('not started within 1s: host h1');
    expect(verdicts(over).map(([, verdict]) => verdict)).toEqual(['notStarted']);
  });

  test('startWithinMs lets a run go on that had begun at the withdrawal', () => {
    const execution = within(1_000);
    execution.tell(placed(0));
    execution.pass(1_000);
    expect(verdicts(execution.tell(started())).map(([, verdict]) => verdict)).toEqual(['ran']);
    execution.tell(anEnd());
    expect(execution.context.outcome).toBe('succeeded');
  });
});

describe('an order to start without a reported start or end', () => {
  test('a start command without a reported start or end is withdrawn after an hour, and lost without an answer to that', () => {
    const execution = anExecution();
    execution.tell(placed(0));
    expect(execution.pass(ANSWER_MS.most - 1).effects).toEqual([]);
    expect(words(execution.pass(1))).toEqual(['stop h1 0:1 withdrawn']);
    expect(words(execution.pass(ANSWER_MS.givenBack))).toEqual([
      'tell pool/default pool.release',
      'stop h1 0:1 superseded',
      'record unknown',
      'tell job/nightly execution.finished',
    ]);
    expect(execution.context).toMatchObject({ outcome: 'lost' });
    expect(execution.timers).toEqual([]);
  });

  test('a start command without a reported start or end is withdrawn after its timeout where that is shorter, but not while its app may be downloaded', () => {
    expect(ANSWER_MS.least).toBeGreaterThan(artifactLimits.downloadMs);
    for (const [timeoutMs, limit] of [
      [1_000, ANSWER_MS.least],
      [1_200_000, 1_200_000],
      [86_400_000, ANSWER_MS.most],
    ] as const) {
      const execution = anExecution({ timeoutMs });
      execution.tell(placed(0));
      expect(execution.pass(limit - 1).effects).toEqual([]);
      expect(words(execution.pass(1))).toEqual(['stop h1 0:1 withdrawn']);
    }
  });

  test('a start command without a reported start or end fails and is retried when it is withdrawn, and goes on when it has begun', () => {
    const execution = anExecution({
      retry: { attempts: 2, backoffMs: 10, maxBackoffMs: 10, jitter: 'equal' },
      shards: { total: 2, parameters: {} },
    });
    execution.tell(placed(0, 1));
    execution.pass(ANSWER_MS.most);
    execution.tell(anEnd({ item: 0, outcome: 'cancelled', ...neverBegan, reason: 'given back' }));
    execution.tell(started(1));
    expect(shards(execution).map(({ status, attempt }) => [status, attempt])).toEqual([
      ['waiting', 2],
      ['running', 1],
    ]);
    expect(shards(execution)[0]?.past[0]).toMatchObject({ outcome: 'failed' });
    expect(execution.pass(ANSWER_MS.givenBack).effects.filter(({ type }) => type === 'stop')).toEqual([]);
  });

  test('a start command without a reported start or end counts the second span from the withdrawal, however long the center was down', () => {
    const execution = anExecution();
    execution.tell(placed(0));
    execution.pass(10 * ANSWER_MS.most);
    expect(shards(execution)[0]).toMatchObject({ status: 'starting', isOverdue: true });
    execution.pass(ANSWER_MS.givenBack - 1);
    expect(shards(execution)[0]?.status).toBe('starting');
  });

  test('a start command that is never acknowledged goes on when its run has begun', () => {
    const execution = anExecution();
    execution.tell(placed(0));
    execution.tell(started());
    expect(execution.tell({ type: 'shard.unanswered', host: 'h1', runs: [run()], reason: 'not acknowledged' }).effects).toEqual([]);
    expect(shards(execution)[0]?.status).toBe('running');
  });

  test('a start command that is never acknowledged is lost: its reservation is released, a late process is ended', () => {
    const execution = anExecution();
    execution.tell(placed(0));
    const over = execution.tell({ type: 'shard.unanswered', host: 'h1', runs: [run()], reason: 'not acknowledged' });
    expect(words(over)).toEqual([
      'tell pool/default pool.release',
      'stop h1 0:1 superseded',
      'record unknown',
      'tell job/nightly execution.finished',
    ]);
  });
});
