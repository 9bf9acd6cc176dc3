/** A refusing host gets no new runs, is tried again, and costs no run an attempt. */
import { describe, expect, test } from 'bun:test';
import { REFUSALS_MAX } from '../../actors/execution/shard.ts';
import type { RunEnd } from '../../actors/execution/types.ts';
import { hostsOf } from '../../actors/explain/capacity.ts';
import type { ActorView } from '../../actors/explain/reason.ts';
import type { StartFault } from '../../actors/host/types.ts';
import { TRY_AGAIN_MS, TRY_AGAIN_MS_MAX } from '../../actors/pool/trials.ts';
import { REQUEST_WEIGHT, WAITING_RUNS_MAX } from '../../actors/pool/waiting.ts';
import type { ExecutionEvent, PoolEvent } from '../../actors/types.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { anActor, asText, sentTo } from '../support/actor.ts';
import { aCreate, anEnd, aPlacement, aRequest, aRun } from '../support/builders.ts';

const FAULTS: StartFault[] = ['epoch', 'journal', 'disk', 'keeper', 'spawn', 'runs'];

const refusal = (fault: StartFault, differs: Partial<RunEnd> = {}): ExecutionEvent => ({
  ...anEnd(0, 'h1', 'failed'),
  exitCode: null,
  startedAt: null,
  reason: 'the host cannot',
  hostFault: fault,
  ...differs,
});

const anExecution = (config: Parameters<typeof aCreate>[0] = {}) => {
  const execution = anActor('execution/nightly@x', aCreate(config));
  execution.tell({ type: 'execution.placed', placements: [aPlacement(0, 'h1')], reason: null });
  return execution;
};

describe('a run that its host refused', () => {
  test.each(FAULTS)(
    'a run that its host refused because of %s reserves again at once, reports to its pool first, and costs no budget',
    fault => {
      const execution = anExecution();
      const outcome = execution.tell(refusal(fault));
      expect(outcome.effects.map(asText)).toEqual(['tell pool/default pool.release', 'tell pool/default pool.reserve']);
      expect(sentTo(outcome, 'pool/default')[0]).toMatchObject({ refused: { host: 'h1', fault, reason: 'the host cannot' } });
      const [shard] = execution.context.shards;
      expect(shard).toMatchObject({ status: 'waiting', attempt: 2, failures: 0, losses: 0, reason: 'host h1 refused it: the host cannot' });
    },
  );

  test('a run that its host refused counts as failed where something of it had begun', () => {
    const execution = anExecution();
    execution.tell(refusal('spawn', { startedAt: 1 }));
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'failed']);
  });

  test('a run that its host refused is not tried elsewhere once it was cancelled', () => {
    const execution = anExecution();
    execution.ask({ type: 'execution.cancel', reason: 'asked' });
    execution.tell(refusal('disk'));
    expect([execution.state, execution.context.outcome]).toEqual(['done', 'cancelled']);
  });

  test(`a run that its host refused fails with the reason after ${REFUSALS_MAX} refusals in a row`, () => {
    const execution = anExecution();
    for (let attempt = 1; attempt <= REFUSALS_MAX; attempt++) {
      execution.tell(refusal('disk', { attempt }));
      execution.tell({ type: 'execution.placed', placements: [aPlacement(0, 'h1', attempt + 1)], reason: null });
    }
    expect(execution.state).toBe('running');
    execution.tell(refusal('disk', { attempt: REFUSALS_MAX + 1 }));
    expect([execution.state, execution.context.outcome, execution.context.reason]).toEqual(['done', 'failed', 'the host cannot']);
  });

  test('a run that starts on a refusing host reports the recovery of that host to the pool', () => {
    const execution = anActor('execution/nightly@x', aCreate());
    execution.tell({ type: 'execution.placed', placements: [{ ...aPlacement(0, 'h1'), trial: true }], reason: null });
    const began: ExecutionEvent = { type: 'shard.started', item: 0, attempt: 1, host: 'h1', startedAt: 1, pid: 1 };
    expect(sentTo(execution.tell(began), 'pool/default')).toEqual([{ type: 'pool.hostRecovered', host: 'h1' }]);
  });
});

const ready = (host: string, cpus = 4): PoolEvent => ({
  ...{
    type: 'pool.hostReady',
    host,
    name: host,
    hostname: host,
    address: '10.0.0.1',
    cpus,
    memoryMB: 1_000,
    open: true,
    runs: [],
    session: 1,
  },
});
const reserve = (execution: string, attempt = 1): PoolEvent => ({
  type: 'pool.reserve',
  request: aRequest({ execution, runs: [{ item: 0, attempt }] }),
});
const refused = (execution: string, host: string, attempt = 1): PoolEvent => ({
  type: 'pool.release',
  runs: [aRun(execution, 0, attempt)],
  refused: { host, fault: 'disk', reason: 'the disk is full' },
});

function aPool(...steps: PoolEvent[]) {
  const pool = anActor('pool/blue', { type: 'pool.create', config: { name: 'blue', timeZone: null, servers: [], description: '' } });
  for (const step of steps) pool.tell(step);
  return pool;
}
const hostOf = (pool: ReturnType<typeof aPool>, execution: string): string | undefined =>
  Object.values(pool.context.hosts).find(host => Object.values(host.reservations).some(({ run }) => run.execution === execution))?.id;

describe('a pool', () => {
  test('a pool places no new run on a host that refused one, and gives the reason', () => {
    const pool = aPool(ready('h1'), ready('h2'), reserve('e1'), refused('e1', 'h1'), reserve('e1', 2), reserve('e2'));
    expect([hostOf(pool, 'e1'), hostOf(pool, 'e2')]).toEqual(['h2', 'h2']);
    expect(pool.context.hosts.h1?.refusing).toMatchObject({ fault: 'disk', reason: 'the disk is full', tries: 1 });
  });

  test('a pool keeps a request waiting that only a refusing host could take, with the reason', () => {
    const pool = aPool(ready('h1'), reserve('e1'), refused('e1', 'h1'));
    const [sent] = sentTo(pool.tell(reserve('e2')), 'execution/e2');
    expect(sent).toMatchObject({ type: 'execution.waiting', reason: expect.stringContaining('host h1 refuses runs: the disk is full') });
  });

  test('a pool lists a refusing host as refusing, not as ready or absent', () => {
    const pool = aPool(ready('h1'), reserve('e1'), refused('e1', 'h1'));
    const seen: ActorView<'pool'> = { address: 'pool/default', context: pool.context, value: pool.state, timers: [], quarantine: null };
    const host = { value: 'ready' } as unknown as ActorView<'host'>;
    const counted: ReturnType<typeof hostsOf> = [{ type: 'hosts', pool: 'blue', ready: 0, notReady: { refusing: 1 } }];
    expect(hostsOf(seen, [])).toEqual(counted);
    expect(hostsOf(seen, [host])).toEqual(counted);
  });

  test('a pool tries the host again after a while with one execution, and waits twice as long after each further refusal', () => {
    const pool = aPool(ready('h1'), reserve('e1'), refused('e1', 'h1'), reserve('e2'), reserve('e3'));
    for (let tries = 1; tries <= 8; tries++) {
      const waitMs = Math.min(TRY_AGAIN_MS_MAX, TRY_AGAIN_MS * 2 ** (tries - 1));
      expect(pool.timers).toMatchObject([{ id: 'trial', inMs: waitMs }]);
      pool.pass(waitMs - 1);
      expect(hostOf(pool, 'e2')).toBeUndefined();
      pool.pass(1);
      expect([hostOf(pool, 'e2'), hostOf(pool, 'e3')]).toEqual(['h1', undefined]);
      pool.tell(refused('e2', 'h1'));
      pool.tell({ type: 'pool.withdraw', execution: 'e3' });
      pool.tell(reserve('e2'));
      pool.tell(reserve('e3'));
    }
  });

  test('a pool counts the refusals of runs that were placed together once', () => {
    const pool = aPool(
      ready('h1'),
      reserve('e1'),
      reserve('e2'),
      reserve('e3'),
      refused('e1', 'h1'),
      refused('e2', 'h1'),
      refused('e3', 'h1'),
    );
    expect(pool.context.hosts.h1?.refusing).toMatchObject({ tries: 1 });
  });

  test('a pool places runs on a refusing host again once a run has started there', () => {
    const pool = aPool(ready('h1'), reserve('e1'), refused('e1', 'h1'), reserve('e2'), reserve('e3'));
    pool.pass(TRY_AGAIN_MS);
    const proved = pool.tell({ type: 'pool.hostRecovered', host: 'h1' });
    expect(proved.facts.map(({ type }) => type)).toEqual(['pool.hostRecovered', 'pool.placed']);
    expect([hostOf(pool, 'e2'), hostOf(pool, 'e3')]).toEqual(['h1', 'h1']);
    expect(pool.context.hosts.h1?.refusing).toBeUndefined();
  });

  test('a pool tries a refusing host with another execution when the first one left without a start', () => {
    const pool = aPool(ready('h1'), reserve('e1'), refused('e1', 'h1'), reserve('e2'), reserve('e3'));
    pool.pass(TRY_AGAIN_MS);
    pool.tell({ type: 'pool.release', runs: [aRun('e2')] });
    expect(hostOf(pool, 'e3')).toBe('h1');
    expect(pool.context.hosts.h1?.refusing).toMatchObject({ tries: 1, trial: 'e3' });
  });

  test('a pool tries a refusing host with a first attempt rather than with a later one', () => {
    const pool = aPool(ready('h1'), ready('h2'), reserve('e1'), refused('e1', 'h1'));
    pool.pass(TRY_AGAIN_MS);
    pool.tell(reserve('e2', 2));
    pool.tell(reserve('e3', 1));
    expect([hostOf(pool, 'e2'), hostOf(pool, 'e3')]).toEqual(['h2', 'h1']);
  });

  test('a pool tries a refusing host at once when its agent is back', () => {
    const pool = aPool(ready('h1'), reserve('e1'), refused('e1', 'h1'), reserve('e2'), ready('h1'));
    expect(hostOf(pool, 'e2')).toBe('h1');
  });

  test('a pool drops the refusals of a host that was lost', () => {
    const pool = aPool(ready('h1'), reserve('e1'), refused('e1', 'h1'), { type: 'pool.hostLost', host: 'h1', reason: 'gone' });
    expect(pool.context.hosts.h1?.refusing).toBeUndefined();
  });
});

describe('the reason of a host that refuses', () => {
  test('the reason of a refusing host is cut, so that a pool at its limit of requests stays one document', () => {
    const pool = anActor('pool/blue', { type: 'pool.create', config: { name: 'blue', timeZone: null, servers: [], description: '' } });
    pool.tell({
      type: 'pool.hostReady',
      host: 'h1',
      name: 'h1',
      hostname: 'h1',
      address: '',
      cpus: 1,
      memoryMB: 1_000,
      open: true,
      runs: [],
      session: 1,
    });
    pool.tell({ type: 'pool.reserve', request: aRequest({ execution: 'first' }) } as PoolEvent);
    const refused = { host: 'h1', fault: 'disk', reason: `${'long '.repeat(399)}\u{1f4be}` } as const;
    pool.tell({ type: 'pool.release', runs: [aRun('first')], refused } as PoolEvent);
    // The whole limit would take too long here; every request is of the same size.
    const before = JSON.stringify(pool.context).length;
    pool.tell({ type: 'pool.reserve', request: aRequest({ execution: 'second' }) } as PoolEvent);
    const each = JSON.stringify(pool.context).length - before;
    expect(each * (WAITING_RUNS_MAX / (REQUEST_WEIGHT + 1))).toBeLessThan(LIMITS.stateBytes / 2);
    expect(pool.context.hosts.h1?.refusing?.reason).toEndWith('long…');
  });
});
