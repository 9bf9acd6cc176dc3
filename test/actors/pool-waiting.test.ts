/** A pool with more requests than capacity: order, limits, sticky shards. */
import { describe, expect, test } from 'bun:test';
import { HOSTS_MAX } from '../../actors/pool/decide.ts';
import { PASS_TRIES_MAX, REQUEST_WEIGHT, WAITING_RUNS_MAX } from '../../actors/pool/waiting.ts';
import type { PoolEvent } from '../../actors/types.ts';
import { anActor, asText, sentTo } from '../support/actor.ts';
import { aRequest, aRun } from '../support/builders.ts';

const ready = (host: string, cpus = 1, runs = [] as ReturnType<typeof aRun>[]): PoolEvent => ({
  type: 'pool.hostReady',
  host,
  name: host,
  hostname: `${host}.example`,
  address: '10.0.0.1',
  cpus,
  memoryMB: 1_000,
  open: true,
  runs,
  session: 1,
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
const placed = (outcome: { effects: Parameters<typeof asText>[0][] }) =>
  outcome.effects
    .map(asText)
    .filter(words => words.endsWith('execution.placed'))
    .map(words => words.split(' ')[1]);
const waiting = (pool: ReturnType<typeof aPool>) => pool.context.waiting.map(each => each.request.execution);
const used = (pool: ReturnType<typeof aPool>) => Object.values(pool.context.hosts).map(host => host.used.cpu / 1_000);

describe('requests that wait in a pool', () => {
  test('requests that wait in a pool are placed in the order of their arrival', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'), reserve('e3'));
    expect(placed(pool.tell(releaseOf('e1')))).toEqual(['execution/e2']);
    expect(placed(pool.tell(releaseOf('e2')))).toEqual(['execution/e3']);
    expect(waiting(pool)).toEqual([]);
  });

  test('requests that wait in a pool are limited; a further request is rejected and sent again', () => {
    const runs = Array.from({ length: WAITING_RUNS_MAX / 2 - REQUEST_WEIGHT }, (_, item) => ({ item, attempt: 1 }));
    const pool = aPool(reserve('e1', 1, { runs }), reserve('e2', 1, { runs }));
    const [sent] = sentTo(pool.tell(reserve('e3')), 'execution/e3');
    expect(sent).toMatchObject({
      type: 'execution.noCapacity',
      reason: expect.stringContaining('pool blue is at its limit of waiting shards'),
    });
    expect(waiting(pool)).toEqual(['e1', 'e2']);
    pool.tell({ type: 'pool.withdraw', execution: 'e1' });
    expect(sentTo(pool.tell(reserve('e3')), 'execution/e3')).toMatchObject([{ type: 'execution.waiting' }]);
  });

  test('requests that wait in a pool are placed past a large one that does not fit', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('large', 5), reserve('small', 0.5), reserve('tiny', 0.5));
    expect(placed(pool.tell(releaseOf('e1')))).toEqual(['execution/small', 'execution/tiny']);
    expect(waiting(pool)).toEqual(['large']);
    expect(placed(pool.tell(ready('h2', 8)))).toEqual(['execution/large']);
  });

  test('requests that wait in a pool are reached behind any number of larger ones', () => {
    const pool = aPool(ready('h1', 0.1));
    for (let place = 0; place < 2 * PASS_TRIES_MAX + 5; place++) pool.tell(reserve(`large${place}`, 100 + place));
    pool.tell(reserve('small', 1));
    pool.tell(ready('h1', 2));
    expect(used(pool)).toEqual([0]);
    pool.pass(0);
    expect(placed(pool.pass(0))).toEqual(['execution/small']);
    expect([pool.context.pass, pool.timers]).toEqual([null, []]);
  });

  test('requests that wait in a pool get a further pass when capacity appears during a long pass', () => {
    const pool = aPool(ready('h1', 0.1));
    for (let place = 0; place < PASS_TRIES_MAX + 5; place++) pool.tell(reserve(`large${place}`, 100 + place));
    pool.tell(reserve('small', 1));
    for (let place = 0; place < PASS_TRIES_MAX + 5; place++) pool.tell(reserve(`larger${place}`, 900 + place));
    pool.tell(ready('h1', 0.2));
    pool.pass(0);
    expect(pool.context.pass?.from.startsWith('larger')).toBe(true);
    pool.tell(ready('h1', 2));
    expect(used(pool)).toEqual([0]);
    for (let turn = 0; turn < 4; turn++) pool.pass(0);
    expect([used(pool), pool.context.pass]).toEqual([[1], null]);
  });

  test('waiting requests of one size cost one try per pass, whatever their number', () => {
    const pool = aPool(ready('h1', 0.1));
    for (let place = 0; place < PASS_TRIES_MAX + 5; place++) pool.tell(reserve(`large${place}`, 100));
    pool.tell(reserve('small', 1));
    expect(placed(pool.tell(ready('h1', 2)))).toEqual(['execution/small']);
    expect(pool.timers).toEqual([]);
  });

  test('requests that wait in a pool are deleted when they are withdrawn; reservations stay', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'));
    pool.tell({ type: 'pool.withdraw', execution: 'e2' });
    pool.tell({ type: 'pool.withdraw', execution: 'e1' });
    expect([waiting(pool), used(pool)]).toEqual([[], [1]]);
  });

  test('a waiting request waits with all its shards unless some may start alone', () => {
    const runs = [0, 1, 2].map(item => ({ item, attempt: 1 }));
    const whole = aPool(ready('h1'), reserve('e1', 0.5, { runs }));
    expect([waiting(whole), used(whole)]).toEqual([['e1'], [0]]);
    const partial = aPool(ready('h1'), reserve('e1', 0.5, { runs, partial: true }));
    expect(partial.context.waiting[0]?.request.runs).toEqual([{ item: 2, attempt: 1 }]);
    expect(used(partial)).toEqual([1]);
  });

  test('requests that wait in a pool are kept once when they are sent twice', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'));
    expect([pool.tell(reserve('e1')).effects, pool.tell(reserve('e2')).effects]).toEqual([[], []]);
    expect([waiting(pool), used(pool)]).toEqual([['e2'], [1]]);
  });

  test('requests that wait in a pool are deleted when their execution does not exist', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('e2'));
    pool.tell({ type: 'actor.missing', to: 'execution/e2', eventType: 'execution.waiting' });
    pool.tell({ type: 'actor.missing', to: 'execution/e1', eventType: 'shard.unknownRun' });
    expect([waiting(pool), used(pool)]).toEqual([[], [0]]);
  });

  test('requests without cpu fit on a host without free cpu', () => {
    const pool = aPool(ready('h1'), reserve('e1'));
    expect(placed(pool.tell(reserve('e2', 0)))).toEqual(['execution/e2']);
    const later = aPool(reserve('e1', 0), reserve('e2', 1));
    expect(placed(later.tell(ready('h1')))).toEqual(['execution/e1', 'execution/e2']);
  });

  test('requests that wait in a pool are rejected when the pool is deleted', () => {
    const pool = aPool(reserve('e1'));
    expect(sentTo(pool.ask({ type: 'pool.delete' }), 'execution/e1')).toEqual([
      { type: 'execution.noCapacity', reason: 'pool blue was deleted' },
    ]);
  });

  test('requests that wait in a pool report a new reason once, not with every pass', () => {
    const pool = aPool(ready('h1'), reserve('e1'), reserve('large', 5));
    const first = pool.tell(ready('h2'));
    expect(sentTo(first, 'execution/large').map(event => event.type)).toEqual(['execution.waiting']);
    expect(sentTo(pool.tell(ready('h2')), 'execution/large')).toEqual([]);
  });
});

describe('a host of a pool', () => {
  test('a host of a pool without a session keeps its runs and gets no new ones', () => {
    const pool = aPool(ready('h1', 2), reserve('e1'), { type: 'pool.hostDisconnected', host: 'h1' }, reserve('e2'));
    expect([waiting(pool), used(pool)]).toEqual([['e2'], [1]]);
    expect(placed(pool.tell(ready('h1', 2, [aRun('e1')])))).toEqual(['execution/e2']);
  });

  test('a host of a pool releases its reservations and names its runs when it is lost', () => {
    const pool = aPool(ready('h1', 2), reserve('e1'), reserve('e2'));
    const lost = pool.tell({ type: 'pool.hostLost', host: 'h1', reason: 'gone' });
    expect(lost.effects.map(asText)).toEqual([
      'tell table/blue table.host',
      'tell execution/e1 shard.lost',
      'tell execution/e2 shard.lost',
    ]);
    expect(used(pool)).toEqual([0]);
    expect(pool.tell(releaseOf('e1')).effects).toEqual([]);
  });

  test('a pool names the unknown and the unaccounted runs of a host that returns, and no others', () => {
    const pool = aPool(ready('h1', 3), reserve('e1'), reserve('e2'), { type: 'pool.hostDisconnected', host: 'h1' });
    const back = pool.tell(ready('h1', 3, [aRun('e2'), aRun('e9'), aRun('e9', 1)]));
    expect(sentTo(back, 'execution/e9')).toEqual([{ type: 'shard.unknownRun', host: 'h1', runs: [aRun('e9'), aRun('e9', 1)] }]);
    expect(sentTo(back, 'execution/e1')).toEqual([{ type: 'shard.unaccounted', host: 'h1', runs: [aRun('e1')], session: 1 }]);
    expect(sentTo(back, 'execution/e2')).toEqual([]);
  });

  test('a host of a pool keeps its runs and gets no more when it has shrunk', () => {
    const pool = aPool(ready('h1', 4), reserve('e1', 2), ready('h1', 1, [aRun('e1')]), reserve('e2', 0.1));
    expect([waiting(pool), used(pool)]).toEqual([['e2'], [2]]);
  });

  test('a host of a pool is rejected beyond the limit of hosts', () => {
    const pool = aPool();
    for (let place = 0; place < HOSTS_MAX; place++) pool.tell(ready(`h${place}`));
    expect(sentTo(pool.tell(ready('more')), 'host/more')).toEqual([
      { type: 'host.rejectedByPool', session: 1, reason: `pool blue has ${HOSTS_MAX} hosts, which is its limit` },
    ]);
    expect(sentTo(pool.tell(ready('h1')), 'host/h1')).toEqual([]);
  });
});

describe('a shard of a sticky job', () => {
  const sticky = (execution: string, host: string, attempt = 1) =>
    reserve(execution, 0.5, { placement: 'sticky', job: 'stick', runs: [{ item: 0, attempt, host }] });
  const hostOf = (outcome: { effects: Parameters<typeof asText>[0][] }) =>
    outcome.effects.flatMap(effect =>
      effect.type === 'tell' && effect.params.event.type === 'execution.placed'
        ? effect.params.event.placements.map(each => each.host)
        : [],
    );

  test('a shard of a sticky job runs on its allocated host, whatever else is free', () => {
    const pool = aPool(ready('h1', 64), ready('h2', 1));
    expect(hostOf(pool.tell(sticky('e1', 'h2')))).toEqual(['h2']);
  });

  test('a shard of a sticky job waits for its host while that is full, with the reason', () => {
    const pool = aPool(ready('h1', 1), reserve('other'), ready('h2', 64));
    const [sent] = sentTo(pool.tell(sticky('e2', 'h1')), 'execution/e2');
    expect(sent).toMatchObject({
      type: 'execution.waiting',
      reason: 'shard 0 needs 0.5 cpu and 1 MB on host h1, to which its sticky job is allocated; that host has 0 cpu and 999 MB free',
    });
    expect(hostOf(pool.tell(releaseOf('other')))).toEqual(['h1']);
  });

  test('a shard of a sticky job waits for its host while that is away, and starts there when it is back', () => {
    const pool = aPool(ready('h1'), ready('h2', 64));
    pool.tell({ type: 'pool.hostDisconnected', host: 'h1' });
    const [sent] = sentTo(pool.tell(sticky('e2', 'h1')), 'execution/e2');
    expect(sent).toMatchObject({ type: 'execution.waiting', reason: 'host h1, where shard 0 belongs, is away' });
    expect(hostOf(pool.tell(ready('h1')))).toEqual(['h1']);
  });

  test('a shard of a sticky job waits for its host while that refuses runs, and tries it then', () => {
    const pool = aPool(ready('h1', 1), sticky('e1', 'h1'), ready('h2', 1));
    const refused = { host: 'h1', fault: 'disk', reason: 'the disk is full' } as const;
    pool.tell({ type: 'pool.release', runs: [aRun('e1', 0)], refused });
    const [sent] = sentTo(pool.tell(sticky('e1', 'h1', 2)), 'execution/e1');
    expect(sent).toMatchObject({ reason: expect.stringContaining('that host refuses runs: the disk is full') });
    expect(hostOf(pool.pass(5_000))).toEqual(['h1']);
  });

  test('requests of sticky jobs for different hosts do not hold each other up', () => {
    const pool = aPool(ready('h1', 1), ready('h2', 1), reserve('a'), reserve('b'), sticky('e1', 'h1'), sticky('e2', 'h2'));
    expect(hostOf(pool.tell(releaseOf('b')))).toEqual(['h2']);
    expect(waiting(pool)).toEqual(['e1']);
  });
});
