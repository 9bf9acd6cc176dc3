/** Shards of an execution: limits of their number, budgets, reasons. */
import { describe, expect, test } from 'bun:test';
import { RESERVE_AGAIN_MS } from '../../actors/execution/deadlines.ts';
import { cutReason, executionOutcome, PAST_MAX } from '../../actors/execution/shard.ts';
import type { ShardOutcome, ShardState } from '../../actors/execution/types.ts';
import type { ExecutionEvent } from '../../actors/types.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { AT, anActor, asText } from '../support/actor.ts';
import { aCreate, anApp, anEnd, aPlacement } from '../support/builders.ts';

type Config = NonNullable<Parameters<typeof aCreate>[0]>['config'];

const anExecution = (config: Config = {}, create: Parameters<typeof aCreate>[0] = {}) =>
  anActor('execution/nightly@x', aCreate({ ...create, config: config ?? {} }));
const placed = (attempt = 1, host = 'h1', item = 0): ExecutionEvent => ({
  type: 'execution.placed',
  placements: [aPlacement(item, host, attempt)],
  reason: null,
});
const started = (attempt = 1, host = 'h1'): ExecutionEvent => ({ type: 'shard.started', item: 0, attempt, host, startedAt: AT, pid: 1 });
const lost = (attempt = 1, host = 'h1'): ExecutionEvent => ({
  type: 'shard.lost',
  host,
  runs: [{ execution: 'nightly@x', item: 0, attempt }],
  reason: 'gone',
});
const retry = (attempts: number) => ({ attempts, backoffMs: 1_000, maxBackoffMs: 8_000, jitter: 'equal' as const });
const words = (outcome: { effects: Parameters<typeof asText>[0][] }) => outcome.effects.map(asText);
const shardOf = (execution: ReturnType<typeof anExecution>) => execution.context.shards[0] as ShardState;

describe('an execution of a thousand shards', () => {
  test('an execution of a thousand shards keeps a reason of each attempt of each shard, however long', () => {
    const total = 1_000;
    const execution = anExecution({ shards: { total, parameters: {} }, failover: true, failoverLimit: 100 });
    const items = Array.from({ length: total }, (_, item) => item);
    const name = 'h'.repeat(100);
    for (let attempt = 1; attempt <= PAST_MAX + 2; attempt++) {
      execution.tell({
        type: 'execution.placed',
        placements: items.map(item => ({ ...aPlacement(item, 'h1', attempt), hostName: name })),
        reason: null,
      });
      const runs = items.map(item => ({ execution: 'nightly@x', item, attempt }));
      execution.tell({ type: 'shard.lost', host: 'h1', runs, reason: `why ${'\u0001'.repeat(1_000)}${'x'.repeat(1_000)}` });
    }
    expect(JSON.stringify(execution.context).length).toBeLessThan(LIMITS.stateBytes * 0.75);
    expect(shardOf(execution).past.at(-1)?.reason).toMatch(/^why /);
  });

  test('an execution of a thousand shards keeps short reasons whole, and cuts no character in two', () => {
    expect(cutReason('x'.repeat(2_000), 90)).toBe('x'.repeat(2_000));
    expect(cutReason('x'.repeat(2_001), 1)).toBe(`${'x'.repeat(1_999)}…`);
    expect(cutReason('x'.repeat(2_000), 1_000)).toHaveLength(190);
    expect(cutReason('😀'.repeat(1_001), 1)?.isWellFormed()).toBe(true);
    expect(cutReason(null, 1_000)).toBeNull();
  });
});

describe('a shard', () => {
  test('a shard goes from waiting over starting and running to done', () => {
    const execution = anExecution();
    const seen = [shardOf(execution).status];
    for (const event of [placed(), started(), anEnd(0, 'h1', 'succeeded')]) {
      execution.tell(event);
      seen.push(shardOf(execution).status);
    }
    expect(seen).toEqual(['waiting', 'starting', 'running', 'done']);
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'succeeded']);
  });

  test('a shard may end without a reported start', () => {
    const execution = anExecution();
    execution.tell(placed());
    execution.tell(anEnd(0, 'h1', 'failed'));
    expect(execution.context).toMatchObject({ outcome: 'failed', startedAt: AT });
  });

  test('a shard is retried after a failure as often as its retry policy allows, each time after the delay', () => {
    const execution = anExecution({ retry: retry(3) });
    for (const attempt of [1, 2]) {
      execution.tell(placed(attempt));
      const ended = execution.tell(anEnd(0, 'h1', 'failed', attempt), 0.999);
      expect(words(ended)).toEqual(['tell pool/default pool.release']);
      expect(shardOf(execution)).toMatchObject({ status: 'waiting', attempt: attempt + 1, failures: attempt });
      const waitMs = attempt === 1 ? 1_000 : 1_999;
      expect(execution.timers).toEqual([{ id: 'retry', inMs: waitMs }]);
      expect(words(execution.pass(waitMs))).toEqual(['tell pool/default pool.reserve']);
    }
    execution.tell(placed(3));
    execution.tell(anEnd(0, 'h1', 'failed', 3));
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'failed']);
    expect(shardOf(execution).past.map(past => [past.attempt, past.outcome])).toEqual([
      [1, 'failed'],
      [2, 'failed'],
    ]);
  });

  test('a shard moves to another host after a loss as often as failover allows, beside its budget of retries', () => {
    const execution = anExecution({ failover: true, failoverLimit: 2, retry: retry(2) });
    for (const attempt of [1, 2]) {
      execution.tell(placed(attempt));
      execution.tell(lost(attempt), 0);
    }
    execution.tell(placed(3));
    execution.tell(anEnd(0, 'h1', 'failed', 3), 0);
    expect(shardOf(execution)).toMatchObject({ attempt: 4, failures: 1, losses: 2, status: 'waiting' });
    execution.tell(placed(4));
    execution.tell(lost(4), 0);
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'lost']);
  });

  test('a shard fails over after its last retry with failoverOnFailure, within the budget of failover', () => {
    const execution = anExecution({ failover: true, failoverOnFailure: true, failoverLimit: 2, retry: retry(2) });
    const budgets: unknown[] = [];
    for (const [attempt, outcome] of ['failed', 'timedOut', 'failed', 'failed'].entries()) {
      execution.tell(placed(attempt + 1));
      execution.tell(anEnd(0, 'h1', outcome as ShardOutcome, attempt + 1), 0);
      budgets.push([shardOf(execution).failures, shardOf(execution).losses]);
    }
    expect(budgets).toEqual([
      [1, 0],
      [2, 1],
      [3, 2],
      [4, 3],
    ]);
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'failed']);
    for (const config of [{ failover: false, failoverOnFailure: true }, { failover: true }]) {
      const once = anExecution(config);
      once.tell(placed());
      once.tell(anEnd(0, 'h1', 'failed'), 0);
      expect([once.state, shardOf(once).losses]).toEqual(['done', 0]);
    }
  });

  test('a shard ends as lost without failover, and its host is sent a stop', () => {
    const execution = anExecution({ retry: retry(5) });
    execution.tell(placed());
    const over = execution.tell(lost());
    expect(words(over)).toEqual(['stop h1 0:1 superseded', 'tell job/nightly execution.finished']);
    expect(execution.context.outcome).toBe('lost');
  });

  test('a shard is not retried after a cancellation, however it ends', () => {
    for (const last of [anEnd(0, 'h1', 'failed'), anEnd(0, 'h1', 'timedOut'), lost()]) {
      const execution = anExecution({ retry: retry(9), failover: true });
      execution.tell(placed());
      execution.ask({ type: 'execution.cancel', reason: 'enough' });
      execution.tell(last);
      expect([execution.state, execution.context.outcome, execution.timers]).toEqual(['done', 'cancelled', []]);
    }
  });

  test('a shard ends at once when it is cancelled during the delay of a retry, and so does its timer', () => {
    const execution = anExecution({ retry: retry(2) });
    execution.tell(placed());
    execution.tell(anEnd(0, 'h1', 'failed'), 0.9);
    execution.ask({ type: 'execution.cancel', reason: 'enough' });
    expect([execution.state, execution.timers]).toEqual(['done', []]);
    expect(execution.pass(60_000).effects).toEqual([]);
  });

  const leave: ExecutionEvent = {
    type: 'shard.withdraw',
    host: 'h1',
    runs: [{ execution: 'nightly@x', item: 0, attempt: 1 }],
    reason: 'host h1 drains',
  };
  const gaveBack: ExecutionEvent = { ...anEnd(0, 'h1', 'cancelled'), startedAt: null, exitCode: null };

  test('a shard is withdrawn from a draining host before it begins, and moves without cost', () => {
    const execution = anExecution();
    execution.tell(placed());
    expect(words(execution.tell(leave))).toEqual(['stop h1 0:1 withdrawn']);
    expect(words(execution.tell(leave))).toEqual([]);
    expect(words(execution.tell(gaveBack))).toEqual(['tell pool/default pool.release', 'tell pool/default pool.reserve']);
    expect(shardOf(execution)).toMatchObject({ status: 'waiting', attempt: 2, failures: 0, losses: 0, reason: 'moved: host h1 drains' });
    execution.tell(placed(2, 'h2'));
    execution.tell(anEnd(0, 'h2', 'succeeded', 2));
    expect(execution.context.outcome).toBe('succeeded');
  });

  test('a shard finishes on a draining host when it has begun', () => {
    const execution = anExecution();
    execution.tell(placed());
    execution.tell(leave);
    execution.tell(started());
    expect(words(execution.tell(leave))).toEqual([]);
    execution.tell(anEnd(0, 'h1', 'succeeded'));
    expect([execution.context.outcome, shardOf(execution).attempt]).toEqual(['succeeded', 1]);
  });

  test('a shard does not move when it is cancelled after a withdrawal', () => {
    const execution = anExecution();
    execution.tell(placed());
    execution.tell(leave);
    execution.ask({ type: 'execution.cancel', reason: 'enough' });
    execution.tell(gaveBack);
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'cancelled']);
  });

  test('a shard is not started again after a withdrawal when its host does not know it', () => {
    const execution = anExecution();
    execution.tell(placed());
    execution.tell(leave);
    expect(words(execution.tell({ ...leave, type: 'shard.unaccounted', session: 2 } as ExecutionEvent))).toEqual(['stop h1 0:1 withdrawn']);
  });

  test('a shard is not retried after it ended its agent twice, whatever its policy', () => {
    const execution = anExecution({ retry: retry(9), failover: true });
    execution.tell(placed());
    execution.tell({ ...anEnd(0, 'h1', 'failed'), reason: 'parked: the agent died 2 times', parked: true } as ExecutionEvent);
    expect(execution.context).toMatchObject({ outcome: 'failed', reason: 'parked: the agent died 2 times' });
  });

  test('a shard is not lost by a report of an older session than that of its start', () => {
    const execution = anExecution();
    execution.tell(placed());
    execution.tell({ ...started(), session: 3 } as ExecutionEvent);
    const unaccounted = (session: number) => ({ ...leave, type: 'shard.unaccounted', session }) as ExecutionEvent;
    for (const session of [2, 3]) execution.tell(unaccounted(session));
    expect(shardOf(execution).status).toBe('running');
    execution.tell(unaccounted(4));
    expect(execution.context.outcome).toBe('lost');
  });

  test('a shard is lost, not cancelled, when it had begun and its agent does not know it at the cancellation', () => {
    const execution = anExecution();
    execution.tell(placed());
    execution.tell({ ...started(), session: 1 } as ExecutionEvent);
    execution.ask({ type: 'execution.cancel', reason: 'enough' });
    const unknown = execution.tell({ ...leave, type: 'shard.unaccounted', session: 2 } as ExecutionEvent);
    expect(words(unknown)).toEqual(['tell pool/default pool.release', 'tell job/nightly execution.finished']);
    expect(shardOf(execution)).toMatchObject({ outcome: 'lost', reason: 'the agent of host h1 does not know of it' });
    expect(execution.context.outcome).toBe('cancelled');
  });

  test('a shard ignores reports of earlier attempts', () => {
    const execution = anExecution({ retry: retry(2) });
    execution.tell(placed());
    execution.tell(anEnd(0, 'h1', 'failed'), 0);
    const before = execution.rev;
    execution.tell(anEnd(0, 'h1', 'succeeded'));
    execution.tell(lost());
    expect(execution.rev).toBe(before);
    expect(words(execution.tell(started()))).toEqual(['stop h1 0:1 superseded']);
  });

  test('a shard keeps its last attempts only', () => {
    const execution = anExecution({ retry: retry(30) });
    for (let attempt = 1; attempt <= 15; attempt++) {
      execution.tell(placed(attempt));
      execution.tell(anEnd(0, 'h1', 'failed', attempt), 0);
    }
    expect(shardOf(execution).past.map(past => past.attempt)).toEqual(Array.from({ length: PAST_MAX }, (_, place) => place + 6));
  });
});

describe('an execution', () => {
  test('an execution reserves when it is unblocked, with the app of that moment', () => {
    const execution = anExecution({ app: 'my_app' }, { blockedReason: 'waits' });
    expect(words(execution.created)).toEqual([]);
    expect(words(execution.tell({ type: 'execution.reserveAgain' }))).toEqual([]);
    expect(words(execution.tell({ type: 'execution.unblock', app: { config: anApp(), version: 4, enabled: true } }))).toEqual([
      'tell pool/default pool.reserve',
    ]);
    expect(execution.context).toMatchObject({ blockedReason: null, reason: null, app: { version: 4 } });
    expect(words(execution.tell({ type: 'execution.unblock', app: null }))).toEqual([]);
  });

  test('an execution keeps its own app when its job has another one, or none, at the unblocking', () => {
    const app = { config: anApp(), version: 1, enabled: true };
    const other = { ...app, config: anApp({ name: 'other' }), version: 9 };
    for (const present of [other, null]) {
      const execution = anExecution({ app: 'my_app', command: null }, { app, blockedReason: 'waits' });
      execution.tell({ type: 'execution.unblock', app: present });
      const [start] = execution.tell(placed()).effects;
      expect(start).toMatchObject({
        type: 'start',
        params: { spec: { command: 'bin/start.sh', artifact: { app: 'my_app', version: 1 } } },
      });
    }
    const plain = anExecution({ command: ['true'] }, { blockedReason: 'waits' });
    plain.tell({ type: 'execution.unblock', app: other });
    expect(plain.context.app).toBeNull();
  });

  test('an execution ends when its job changes to another app before the first one answered', () => {
    const execution = anExecution({ app: 'my_app', command: null }, { blockedReason: 'waits' });
    const gone = execution.tell({ type: 'execution.unblock', app: { config: anApp({ name: 'other' }), version: 1, enabled: true } });
    expect(words(gone)).toEqual(['tell job/nightly execution.finished']);
    expect(execution.context).toMatchObject({
      outcome: 'cancelled',
      reason: 'its job went over to another app before app my_app answered',
    });
  });

  test('an execution sends nothing when it is cancelled while it is blocked', () => {
    const execution = anExecution({}, { blockedReason: 'waits' });
    expect(words(execution.ask({ type: 'execution.cancel', reason: 'enough' }))).toEqual(['tell job/nightly execution.finished']);
    expect(words(execution.tell({ type: 'execution.unblock', app: null }))).toEqual([]);
  });

  test('an execution has no reason when all its shards succeeded before the cancellation reached them', () => {
    const execution = anExecution();
    execution.tell(placed());
    execution.tell({ type: 'execution.end', reason: 'the job was deregistered' });
    const ended = execution.tell(anEnd(0, 'h1', 'succeeded'));
    expect(ended.facts.at(-1)).toMatchObject({ type: 'execution.finished', data: { outcome: 'succeeded' } });
    expect(execution.context).toMatchObject({ outcome: 'succeeded', reason: null });
  });

  test('an execution releases a placement that arrives after its cancellation, and keeps its reason', () => {
    const execution = anExecution();
    execution.ask({ type: 'execution.cancel', reason: 'enough' });
    expect(words(execution.tell(placed()))).toEqual(['tell pool/default pool.release']);
    expect(execution.context.reason).toBe('enough');
  });

  test('an execution keeps the reservations of a placement that arrives twice', () => {
    const execution = anExecution();
    execution.tell(placed());
    expect(words(execution.tell(placed()))).toEqual([]);
  });

  test('an execution reserves again after a delay when its pool does not exist, as long as it waits', () => {
    const execution = anExecution();
    execution.tell({ type: 'actor.missing', to: 'pool/default', eventType: 'pool.reserve' });
    expect(execution.context.reason).toBe('pool default does not exist');
    for (let count = 0; count < 2; count++) {
      expect(words(execution.pass(RESERVE_AGAIN_MS))).toEqual(['tell pool/default pool.reserve']);
      execution.tell({ type: 'actor.missing', to: 'pool/default', eventType: 'pool.reserve' });
    }
    execution.tell(placed());
    expect(words(execution.pass(RESERVE_AGAIN_MS))).toEqual([]);
  });

  test('an execution reports its end again when it is created again', () => {
    const execution = anExecution();
    execution.ask({ type: 'execution.cancel', reason: 'enough' });
    const again = execution.tell(aCreate());
    expect(again.effects).toMatchObject([
      { params: { event: { type: 'execution.finished', execution: 'nightly@x', outcome: 'cancelled' } } },
    ]);
  });

  const outcomes: [ShardOutcome[], boolean, ShardOutcome][] = [
    [['succeeded', 'succeeded'], false, 'succeeded'],
    [['succeeded', 'failed'], false, 'failed'],
    [['timedOut', 'succeeded'], false, 'timedOut'],
    [['failed', 'lost'], false, 'lost'],
    [['succeeded', 'cancelled'], true, 'cancelled'],
    [['failed', 'succeeded'], true, 'cancelled'],
    [['succeeded', 'succeeded'], true, 'succeeded'],
  ];
  test.each(outcomes)('an execution with shards ended %j (cancelled: %p) is %s', (ends, cancelled, outcome) => {
    const shards = ends.map(end => ({ outcome: end }) as ShardState);
    expect(executionOutcome(shards, cancelled)).toBe(outcome);
  });
});
