/** A standby: when it takes the lease of a database, and when it does not. */
import { describe, expect, test } from 'bun:test';
import { createCenterLease } from '../../src/cluster/center-lease.ts';
import { type Clock, pause } from '../../src/lib/clock.ts';
import type { CenterLease, CenterLeaseRecord, LeaseRecords } from '../../src/store/cluster-port.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { createManualClock } from '../support/manual-clock.ts';

/** The records of one database, and centers over them on one clock. */
function aDatabase() {
  const clock = createManualClock();
  let record: CenterLeaseRecord | null = null;
  let isAway = false;
  /** Takes the record just before another center does. */
  let rival: string | undefined;
  const asked = () => {
    if (isAway) throw new StoreUnavailable('away');
  };
  const records: LeaseRecords = {
    async read() {
      asked();
      return record && { ...record };
    },
    async take(from, owner, process) {
      asked();
      if (rival !== undefined) record = { owner: rival, beat: 1, host: rival, pid: 1, machine: rival };
      rival = undefined;
      const isFree =
        record === null ? from === null : record.owner === owner || (record.owner === from?.owner && record.beat === from.beat);
      if (isFree) record = { owner, beat: (record?.beat ?? 0) + 1, ...process };
      return isFree;
    },
    async renew(owner) {
      asked();
      if (record?.owner !== owner) return false;
      record.beat += 1;
      return true;
    },
    async release(owner) {
      asked();
      if (record?.owner === owner) record = null;
    },
  };
  return {
    clock,
    owner: () => record?.owner,
    rival(owner: string) {
      rival = owner;
    },
    away(now: boolean) {
      isAway = now;
    },
    /** A center on a machine of its own. It dies without a clean stop when its signal aborts. */
    center(owner: string, isStandby = true) {
      const dead = new AbortController();
      let stalledMs = 0;
      const line = aLine(records, clock);
      const monotonic = () => clock.monotonic() + stalledMs;
      const life = { ...clock, monotonic, after: (ms: number, run: () => void) => clock.after(ms, () => !dead.signal.aborted && run()) };
      const seen: { lost: string[]; waitsFor: string[]; failed: unknown[]; has: boolean } = {
        lost: [],
        waitsFor: [],
        failed: [],
        has: false,
      };
      const stop = new AbortController();
      const lease: CenterLease = createCenterLease({
        records: line.records,
        clock: life,
        owner,
        process: { host: owner, pid: 1, machine: owner },
        isAlive: () => true,
        shown: 'mongodb://h/troupe',
        lost: ({ message }) => void seen.lost.push(message),
        standby: isStandby ? { waitsFor: ({ host }) => void seen.waitsFor.push(host), signal: stop.signal } : undefined,
      });
      lease.begin().then(
        () => {
          seen.has = true;
        },
        (error: unknown) => seen.failed.push(error),
      );
      return {
        seen,
        lease,
        die: () => dead.abort(),
        stop: () => stop.abort(),
        /** Whether it may serve. */
        serves() {
          try {
            lease.check();
            return seen.has;
          } catch (error) {
            if (!(error instanceof StoreUnavailable)) throw error;
            return false;
          }
        },
        cutOff: line.cutOff,
        /** Its process stands still for so long, as its own clock sees it. */
        stall(ms: number) {
          stalledMs += ms;
        },
      };
    },
  };
}

/** The way of one center to the records. */
function aLine(records: LeaseRecords, clock: Clock) {
  let isCutOff = false;
  const renew: LeaseRecords['renew'] = async (owner, timeoutMs) => {
    if (!isCutOff) return records.renew(owner, timeoutMs);
    await pause(clock, timeoutMs);
    throw new StoreUnavailable('no answer');
  };
  return {
    records: { ...records, renew },
    /** Whether renewals get no answer. */
    cutOff(now: boolean) {
      isCutOff = now;
    },
  };
}

describe('a standby', () => {
  test('a standby waits while the active center lives, and takes over within six seconds of its death', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(60_000);
    expect([database.owner(), two.seen.waitsFor, two.seen.has]).toEqual(['one', ['one'], false]);
    one.die();
    await database.clock.advance(4_000);
    expect(database.owner()).toBe('one');
    await database.clock.advance(2_000);
    expect([database.owner(), two.seen.has]).toEqual(['two', true]);
  });

  test('a standby takes over within a second of a clean stop', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(10_000);
    await one.lease.end();
    await database.clock.advance(1_000);
    expect([database.owner(), two.seen.has, one.seen.lost]).toEqual(['two', true, []]);
  });

  test('of two standbys one takes over, and the other waits for it', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    const others = [database.center('two'), database.center('three')];
    await database.clock.advance(5_000);
    one.die();
    await database.clock.advance(60_000);
    expect(others.map(({ seen }) => seen.has).toSorted()).toEqual([false, true]);
    expect(others.find(({ seen }) => !seen.has)?.seen.waitsFor).toEqual(['one', String(database.owner())]);
    expect(others.flatMap(({ seen }) => seen.failed)).toEqual([]);
  });

  test('a standby waits for the center that took over first', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(1_000);
    database.rival('three');
    one.die();
    await database.clock.advance(6_500);
    expect([database.owner(), two.seen.has, two.seen.waitsFor]).toEqual(['three', false, ['one', 'three']]);
    await database.clock.advance(6_500);
    expect([database.owner(), two.seen.has]).toEqual(['two', true]);
  });

  test('a standby counts anew after a time without its database: an outage makes no center look dead', async () => {
    const database = aDatabase();
    database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    // Behind a beat of the active one, which stands still as well and goes on a little later.
    await database.clock.advance(3_100);
    two.stall(10_000);
    await database.clock.advance(500);
    expect([database.owner(), two.seen.has]).toEqual(['one', false]);
  });

  test('a standby that looked late watches a little longer, not all over again', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(10_000);
    one.die();
    // By its own clock the silence lasts 2.1 s longer than by that of the test.
    two.stall(2_100);
    await database.clock.advance(2_400);
    expect(database.owner()).toBe('one');
    await database.clock.advance(600);
    expect([database.owner(), two.seen.has]).toEqual(['two', true]);
  });

  test('a standby ends with an error when its database is away, to be restarted', async () => {
    const database = aDatabase();
    database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(1_000);
    database.away(true);
    await database.clock.advance(1_000);
    expect(two.seen.failed).toEqual([expect.any(StoreUnavailable)]);
  });

  test('a standby can be stopped while it waits', async () => {
    const database = aDatabase();
    database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(1_000);
    two.stop();
    await database.clock.advance(10_000);
    expect(String(two.seen.failed[0])).toContain('stopped while it waited');
    expect(database.owner()).toBe('one');
  });
});

describe('a center that cannot renew its lease', () => {
  test('a center that cannot renew its lease stops serving before a standby takes over, and ends once it sees that', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(10_300);
    one.cutOff(true);
    const served: string[] = [];
    for (let nth = 0; nth < 120; nth++) {
      await database.clock.advance(50);
      served.push([one, two].map(center => (center.serves() ? 'x' : '-')).join(''));
    }
    expect([...new Set(served)]).toEqual(['x-', '--', '-x']);
    expect(database.owner()).toBe('two');
    one.cutOff(false);
    await database.clock.advance(2_000);
    expect(one.seen.lost).toEqual([expect.stringContaining('another center (process 1 on two) has taken over')]);
  });

  test('a center keeps its lease where a single renewal gets no answer', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    const two = database.center('two');
    await database.clock.advance(10_300);
    one.cutOff(true);
    await database.clock.advance(1_500);
    one.cutOff(false);
    for (let nth = 0; nth < 600; nth++) {
      await database.clock.advance(100);
      expect(one.serves()).toBe(true);
    }
    expect([database.owner(), two.seen.has]).toEqual(['one', false]);
  });

  test('a center serves again once it has renewed its lease, where nobody took over', async () => {
    const database = aDatabase();
    const one = database.center('one');
    await database.clock.settle();
    await database.clock.advance(1_000);
    database.away(true);
    await database.clock.advance(60_000);
    expect(one.serves()).toBe(false);
    expect(() => one.lease.check()).toThrow(
      /could not renew its lease of mongodb:\/\/h\/troupe for \d+ ms and serves nothing until it has/,
    );
    database.away(false);
    await database.clock.advance(250);
    expect([one.serves(), one.seen.lost]).toEqual([true, []]);
  });
});
