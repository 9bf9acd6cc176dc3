import { describe, expect, test } from 'bun:test';
import type { PoolEvent } from '../../actors/pool.ts';
import { REQUEST_WEIGHT, WAITING_MAX } from '../../actors/pool-decisions.ts';
import { anActor, inWords, toldTo } from '../support/actor.ts';
import { aRequest, aRun } from '../support/builders.ts';

const ready = (host: string, cpus = 1, runs = [] as ReturnType<typeof aRun>[]): PoolEvent => ({
  type: 'pool.hostReady',
  host,
  name: host,
  cpus,
  memoryMB: 1_000,
  open: true,
  runs,
  session: 's1',
});
const reserve = (execution: string, cpus = 1, difference: Parameters<typeof aRequest>[0] = {}): PoolEvent => ({
  type: 'pool.reserve',
  request: aRequest({ execution, resources: { cpus, memoryMB: 1 }, ...difference }),
});
const releaseOf = (...executions: string[]): PoolEvent => ({ type: 'pool.release', runs: executions.map(each => aRun(each)) });

function aPool(...steps: PoolEvent[]) {
  const pool = anActor('pool/blue', { type: 'pool.create', config: { name: 'blue', timeZone: null, servers: [], description: '' } });
  for (const step of steps) pool.tell(step);
  return pool;
}
const placed = (outcome: { effects: Parameters<typeof inWords>[0][] }) =>
  outcome.effects
    .map(inWords)
    .filter(words => words.endsWith('execution.placed'))
    .map(words => words.split(' ')[1]);
const waiting = (pool: ReturnType<typeof aPool>) => pool.context.waiting.map(each => each.request.execution);
const used = (pool: ReturnType<typeof aPool>) => Object.values(pool.context.hosts).map(host => host.used.cpu / 1_000);

describe('requests that wait in a pool', () => {
  test('are served in the order in which they came', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'), reserve('e3'));
    expect(placed(pool.tell(releaseOf('e1')))).toEqual(['execution/e2']);
    expect(placed(pool.tell(releaseOf('e2')))).toEqual(['execution/e3']);
    expect(waiting(pool)).toEqual([]);
  });

  test('are as many as the ledger can hold; who comes then is sent back, and asks again', () => {
    const runs = Array.from({ length: WAITING_MAX / 2 - REQUEST_WEIGHT }, (_, item) => ({ item, attempt: 1 }));
    const pool = aPool(reserve('e1', 1, { runs }), reserve('e2', 1, { runs }));
    const [told] = toldTo(pool.tell(reserve('e3')), 'execution/e3');
    expect(told).toMatchObject({
      type: 'execution.noRoom',
      reason: expect.stringContaining('as many shards wait in pool blue as it can hold'),
    });
    expect(waiting(pool)).toEqual(['e1', 'e2']);
    pool.tell({ type: 'pool.withdraw', execution: 'e1' });
    expect(toldTo(pool.tell(reserve('e3')), 'execution/e3')).toMatchObject([{ type: 'execution.waiting' }]);
  });

  test('pass a large one that does not fit', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('large', 5), reserve('small', 0.5), reserve('tiny', 0.5));
    expect(placed(pool.tell(releaseOf('e1')))).toEqual(['execution/small', 'execution/tiny']);
    expect(waiting(pool)).toEqual(['large']);
    expect(placed(pool.tell(ready('h2', 8)))).toEqual(['execution/large']);
  });

  test('are gone once they are withdrawn, and what was placed stays', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'));
    pool.tell({ type: 'pool.withdraw', execution: 'e2' });
    pool.tell({ type: 'pool.withdraw', execution: 'e1' });
    expect([waiting(pool), used(pool)]).toEqual([[], [1]]);
  });

  test('wait with all their shards unless some may start alone', () => {
    const runs = [0, 1, 2].map(item => ({ item, attempt: 1 }));
    const whole = aPool(ready('h1'), reserve('e1', 0.5, { runs }));
    expect([waiting(whole), used(whole)]).toEqual([['e1'], [0]]);
    const partial = aPool(ready('h1'), reserve('e1', 0.5, { runs, partial: true }));
    expect(partial.context.waiting[0]?.request.runs).toEqual([{ item: 2, attempt: 1 }]);
    expect(used(partial)).toEqual([1]);
  });

  test('are asked for twice in vain', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'));
    expect([pool.tell(reserve('e1')).effects, pool.tell(reserve('e2')).effects]).toEqual([[], []]);
    expect([waiting(pool), used(pool)]).toEqual([['e2'], [1]]);
  });

  test('leave with an execution that turns out not to be there', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'));
    pool.tell({ type: 'actor.missing', to: 'execution/e2', about: 'execution.waiting' });
    pool.tell({ type: 'actor.missing', to: 'execution/e1', about: 'shard.stray' });
    expect([waiting(pool), used(pool)]).toEqual([[], [0]]);
  });

  test('that need no cpu are not kept out by a full host', () => {
    const pool = aPool(ready('h1'), reserve('e1'));
    expect(placed(pool.tell(reserve('e2', 0)))).toEqual(['execution/e2']);
    const later = aPool(reserve('e1', 0), reserve('e2', 1));
    expect(placed(later.tell(ready('h1')))).toEqual(['execution/e1', 'execution/e2']);
  });

  test('hear it when the pool is deleted', () => {
    const pool = aPool(reserve('e1'));
    expect(toldTo(pool.ask({ type: 'pool.delete' }), 'execution/e1')).toEqual([
      { type: 'execution.noRoom', reason: 'pool blue was deleted' },
    ]);
  });

  test('hear a new reason once, not at every look', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('large', 5));
    const first = pool.tell(ready('h2'));
    expect(toldTo(first, 'execution/large').map(event => event.type)).toEqual(['execution.waiting']);
    expect(toldTo(pool.tell(ready('h2')), 'execution/large')).toEqual([]);
  });
});

describe('a host of a pool', () => {
  test('that is away keeps what runs there and gets nothing new', () => {
    const pool = aPool(ready('h1', 2), reserve('e1'), { type: 'pool.hostAway', host: 'h1' }, reserve('e2'));
    expect([waiting(pool), used(pool)]).toEqual([['e2'], [1]]);
    expect(placed(pool.tell(ready('h1', 2, [aRun('e1')])))).toEqual(['execution/e2']);
  });

  test('that is lost gives everything back and names its runs', () => {
    const pool = aPool(ready('h1', 2), reserve('e1'), reserve('e2'));
    const lost = pool.tell({ type: 'pool.hostLost', host: 'h1', reason: 'gone' });
    expect(lost.effects.map(inWords)).toEqual(['tell execution/e1 shard.lost', 'tell execution/e2 shard.lost']);
    expect(used(pool)).toEqual([0]);
    expect(pool.tell(releaseOf('e1')).effects).toEqual([]);
  });

  test('that returns has its strays and its unaccounted runs named, and no others', () => {
    const pool = aPool(ready('h1', 3), reserve('e1'), reserve('e2'), { type: 'pool.hostAway', host: 'h1' });
    const back = pool.tell(ready('h1', 3, [aRun('e2'), aRun('e9'), aRun('e9', 1)]));
    expect(toldTo(back, 'execution/e9')).toEqual([{ type: 'shard.stray', host: 'h1', runs: [aRun('e9'), aRun('e9', 1)] }]);
    expect(toldTo(back, 'execution/e1')).toEqual([{ type: 'shard.unaccounted', host: 'h1', runs: [aRun('e1')], session: 's1' }]);
    expect(toldTo(back, 'execution/e2')).toEqual([]);
  });

  test('that shrank keeps what it has and takes no more', () => {
    const pool = aPool(ready('h1', 4), reserve('e1', 2), ready('h1', 1, [aRun('e1')]), reserve('e2', 0.1));
    expect([waiting(pool), used(pool)]).toEqual([['e2'], [2]]);
  });
});
