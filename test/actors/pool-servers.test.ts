/** The servers of a pool: which of its hosts take runs. */
import { describe, expect, test } from 'bun:test';
import { capacityOf, hostsOf } from '../../actors/explain/capacity.ts';
import { messageOf } from '../../actors/explain/messages.ts';
import type { ActorView } from '../../actors/explain/reason.ts';
import { namedBy } from '../../actors/pool/admission.ts';
import type { PoolConfig } from '../../actors/pool/types.ts';
import type { PoolEvent } from '../../actors/types.ts';
import { anActor, asText, sentTo } from '../support/actor.ts';
import { aRequest, aRun } from '../support/builders.ts';

const ready = (
  host: string,
  { address = '10.0.0.1', open = true, session = 1, runs = [] as ReturnType<typeof aRun>[] } = {},
): PoolEvent => ({
  ...{ type: 'pool.hostReady', host, name: host, hostname: `${host}.example`, address },
  ...{ cpus: 1, memoryMB: 1_000, open, runs, session },
});
const reserve = (execution: string, difference: Parameters<typeof aRequest>[0] = {}): PoolEvent => ({
  type: 'pool.reserve',
  request: aRequest({ execution, ...difference }),
});
const servers = (...names: string[]): PoolEvent => ({ type: 'pool.modify', changes: { servers: names } });

function aPool(config: Partial<PoolConfig>, ...steps: PoolEvent[]) {
  const pool = anActor('pool/blue', {
    type: 'pool.create',
    config: { name: 'blue', timeZone: null, servers: [], description: '', ...config },
  });
  for (const step of steps) pool.tell(step);
  return pool;
}
type Pool = ReturnType<typeof aPool>;
const factsOf = (outcome: ReturnType<Pool['tell']>) => outcome.facts.map(({ type }) => type);
const hostOf = (pool: Pool, execution: string): string | undefined =>
  Object.values(pool.context.hosts).find(host => Object.values(host.reservations).some(({ run }) => run.execution === execution))?.id;
const viewOf = (pool: Pool): ActorView<'pool'> => ({
  ...{ address: 'pool/blue', context: pool.context, value: pool.state, timers: [], quarantine: null },
});

describe('a list of servers', () => {
  const host = { name: 'Web-1', hostname: 'web-1.example.org', address: '10.0.0.7' };
  test.each([
    [[], true],
    [['web-1'], true],
    [['WEB-1.Example.ORG'], true],
    [['10.0.0.7'], true],
    [['db-1', 'WEB-1'], true],
    [['web'], false],
    [['web-1.example'], false],
    [['10.0.0.70'], false],
    [['10.0.0'], false],
    [['db-1'], false],
  ] as [string[], boolean][])('the list of servers %j names host Web-1 at 10.0.0.7: %p', (list, named) => {
    expect(namedBy(list)(host)).toBe(named);
  });

  test('a list of servers does not name a host that says neither its machine nor its address', () => {
    expect(namedBy(['web-1'])({ name: 'other', hostname: '', address: '' })).toBe(false);
  });
});

describe('the servers of a pool', () => {
  test('a host that the servers do not name any more finishes what it runs and gets nothing new', () => {
    const pool = aPool({}, ready('h1'), reserve('e1'));
    const changed = pool.tell(servers('h2'));
    expect(factsOf(changed)).toEqual(['pool.modified', 'pool.hostExcluded']);
    // An execution ignores it for a run that has begun.
    expect(sentTo(changed, 'execution/e1')).toEqual([
      { type: 'shard.withdraw', host: 'h1', runs: [aRun('e1')], reason: 'host h1 is not among the servers of its pool' },
    ]);
    expect([hostOf(pool, 'e1'), pool.context.hosts.h1?.excluded]).toEqual(['h1', true]);
    expect(sentTo(pool.tell(reserve('e2')), 'execution/e2')).toMatchObject([
      {
        type: 'execution.waiting',
        reason: expect.stringContaining('the pool has no host that is ready; host h1 is not among the servers of the pool'),
      },
    ]);
  });

  test('a request that waits goes to the host that the servers name again, and only then', () => {
    const pool = aPool({}, ready('h1'), servers('h2'), reserve('e1'));
    expect(hostOf(pool, 'e1')).toBeUndefined();
    const changed = pool.tell(servers('h2', 'H1'));
    expect(factsOf(changed)).toEqual(['pool.modified', 'pool.hostAdmitted', 'pool.placed']);
    expect([hostOf(pool, 'e1'), pool.context.hosts.h1?.excluded]).toEqual(['h1', undefined]);
  });

  test('a request goes to another host at once when the servers leave out the one it waits on', () => {
    const pool = aPool({}, ready('h1'), ready('h2'), servers('h2'), reserve('e1'));
    expect(hostOf(pool, 'e1')).toBe('h2');
  });

  test('a change that leaves the servers alone judges nobody', () => {
    const pool = aPool({}, ready('h1'), servers('h2'));
    expect(factsOf(pool.tell({ type: 'pool.modify', changes: { description: 'x' } }))).toEqual(['pool.modified']);
    expect(factsOf(pool.tell(servers('h3')))).toEqual(['pool.modified']);
    expect(pool.context.hosts.h1?.excluded).toBe(true);
  });

  test('each hello is judged: a host that comes from another address is excluded, and admitted when it is back', () => {
    const pool = aPool({ servers: ['10.0.0.1'] }, ready('h1'));
    expect(factsOf(pool.tell(ready('h1', { address: '10.0.0.2', session: 2 })))).toEqual(['pool.hostExcluded']);
    pool.tell(reserve('e1'));
    expect(factsOf(pool.tell(ready('h1', { address: '10.0.0.2', session: 3 })))).toEqual([]);
    expect(hostOf(pool, 'e1')).toBeUndefined();
    expect(factsOf(pool.tell(ready('h1', { session: 4 })))).toEqual(['pool.hostAdmitted', 'pool.placed']);
    expect(hostOf(pool, 'e1')).toBe('h1');
  });

  test('an excluded host that says hello accounts for its runs, and has withdrawn those that have not begun', () => {
    const pool = aPool({}, ready('h1'), reserve('e1'), servers('h2'), { type: 'pool.hostDisconnected', host: 'h1' });
    const back = pool.tell(ready('h1', { session: 2 }));
    expect(back.effects.map(asText)).toEqual([
      'tell table/blue table.host',
      'tell execution/e1 shard.unaccounted',
      'tell execution/e1 shard.withdraw',
    ]);
    expect(factsOf(back)).toEqual([]);
  });

  test('an excluded host stays so when it is drained and resumed, away, and lost', () => {
    const pool = aPool({}, ready('h1'), servers('h2'), reserve('e1'));
    for (const event of [
      { type: 'pool.hostOpen', host: 'h1', open: false },
      { type: 'pool.hostOpen', host: 'h1', open: true },
      { type: 'pool.hostDisconnected', host: 'h1' },
      { type: 'pool.hostLost', host: 'h1', reason: 'gone' },
      ready('h1', { session: 2 }),
    ] as PoolEvent[]) {
      pool.tell(event);
      expect([event.type, pool.context.hosts.h1?.excluded, hostOf(pool, 'e1')]).toEqual([event.type, true, undefined]);
    }
  });

  test('a change while a host is away counts from its return', () => {
    const pool = aPool({}, ready('h1'), { type: 'pool.hostDisconnected', host: 'h1' }, servers('h2'), reserve('e1'));
    pool.tell(ready('h1', { session: 2 }));
    expect(hostOf(pool, 'e1')).toBeUndefined();
    pool.tell(servers());
    expect(hostOf(pool, 'e1')).toBe('h1');
  });

  test('the allocation table has an excluded host as closed, and as ready once it is admitted again', () => {
    const pool = aPool({}, ready('h1'), ready('h2'));
    const states = (outcome: ReturnType<typeof pool.tell>) =>
      sentTo(outcome, 'table/blue').map(event => (event.type === 'table.host' ? [event.host.id, event.host.state] : event.type));
    expect(states(pool.tell(servers('h2')))).toEqual([['h1', 'closed']]);
    expect(states(pool.tell(ready('h1', { session: 2 })))).toEqual([['h1', 'closed']]);
    expect(states(pool.tell(servers()))).toEqual([['h1', 'ready']]);
  });

  test('the reasons of why tell an excluded host from one that is away or refuses', () => {
    const pool = aPool({}, ready('h1'), ready('h2'), servers('h2'));
    expect(hostsOf(viewOf(pool), [])).toEqual([{ type: 'hosts', pool: 'blue', ready: 1, notReady: { excluded: 1 } }]);
    const free = capacityOf(viewOf(pool), [], aRequest()).filter(({ type }) => type === 'free');
    expect(free.map(messageOf)).toEqual([
      'host h2 has 1 of 1 cpu and 1000 of 1000 MB free; a shard takes 0.5 cpu and 10 MB there',
      'host h1 has 1 of 1 cpu and 1000 of 1000 MB free; a shard takes 0.5 cpu and 10 MB there; it accepts no new runs now, because it is not among the servers of pool blue',
    ]);
  });
});
