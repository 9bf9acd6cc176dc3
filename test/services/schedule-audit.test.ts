/** The schedule audit: findings, repairs, false alarms. */
import { describe, expect, test } from 'bun:test';
import type { Address } from '../../actors/types.ts';
import { decodeState, encodeState } from '../../src/runtime/document.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { auditWarnings, createScheduleAudit, SCHEDULE_AUDIT } from '../../src/services/schedule-audit.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { type ActorDocument, type Store, StoreUnavailable } from '../../src/store/port.ts';
import { aJob } from '../support/builders.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aRuntime, restarted, type TestRuntime, type TestRuntimeParts } from '../support/runtime.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const NINE = Date.UTC(2026, 10, 22, 9);

const every = (cron: string) => [{ type: 'cron' as const, cron }];
const jobs = {
  second: aJob({ name: 'second', schedules: every('* * * * * ?') }),
  minute: aJob({ name: 'minute', schedules: every('0 * * * * ?') }),
  daily: aJob({ name: 'daily', schedules: every('0 0 9 * * ?'), misfire: { policy: 'once', limit: 1 } }),
  never: aJob({ name: 'never' }),
};

/** A runtime with the jobs above, a host, and the audit of its center. */
async function anAudited(parts: TestRuntimeParts = {}) {
  const world = await aRuntime(parts);
  await world.aHost();
  for (const config of Object.values(jobs)) await world.ask(`job/${config.name}`, { type: 'job.register', config });
  return { world, audit: auditOf(world) };
}

function auditOf(world: TestRuntime) {
  const logged: string[] = [];
  const { store, runtime, clock } = world;
  const service = createScheduleAudit({ store, runtime, clock, log: (_, text) => logged.push(text) });
  return {
    logged,
    status: service.status,
    /** A whole pass, with the time that it takes. */
    async pass() {
      const found = service.runOnce();
      let isOver = false;
      void found.then(
        () => (isOver = true),
        () => (isOver = true),
      );
      for (let waits = 0; !isOver && waits < 50; waits++) await clock.advance(500);
      return found;
    },
  };
}

/** Rewrites the stored document of an actor without its owner in memory. */
async function corrupt(store: Store, address: Address, change: (document: ActorDocument) => Partial<ActorDocument>): Promise<void> {
  const document = await store.load(address);
  if (!document) throw new Error(`there is no ${address}`);
  await store.commit([{ document: { ...document, ...change(document), rev: document.rev + 1, writeId: 'corrupt' }, facts: [] }]);
}

/** The document with other timers in it and, the same, beside it. */
const armedFor = (dueAt: number | null) => (document: ActorDocument) => {
  const state = decodeState(document);
  const timers = dueAt === null ? [] : state.timers.map(timer => ({ ...timer, dueAt }));
  return { state: encodeState(document.address, { ...state, timers }), nextDue: dueAt };
};

const unarmedFacts = ({ facts }: TestRuntime) => facts.filter(({ type }) => type === 'schedule.unarmed').map(({ data }) => data);

describe('the schedule audit finds and repairs', () => {
  test('the schedule audit finds and repairs a document whose due time is gone', async () => {
    const { world, audit } = await anAudited();
    await corrupt(world.store, 'job/daily', armedFor(null));
    const found = await audit.pass();
    expect(found).toMatchObject([{ job: 'daily', found: 'unarmed', dueAt: NINE, armedAt: null }]);
    expect(unarmedFacts(world)).toMatchObject([{ job: 'daily', dueAt: '2026-11-22T09:00:00.000Z', armedAt: null }]);
    expect((await world.store.load('job/daily'))?.nextDue).toBe(NINE);
    await world.clock.advance(LIMITS.idleActorMs + LIMITS.sweepMs);
    expect(await audit.pass()).toEqual([]);
    await world.ask('job/second', { type: 'job.disable', kill: false });
    await world.clock.advance(HOUR);
    expect(world.facts.filter(({ type, data }) => type === 'job.fired' && data.job === 'daily')).toHaveLength(1);
  });

  test('the schedule audit finds and repairs a document that is armed for a later time than its definition says', async () => {
    const { world, audit } = await anAudited();
    const late = Date.UTC(2027, 0, 1);
    await corrupt(world.store, 'job/daily', armedFor(late));
    expect(await audit.pass()).toMatchObject([{ job: 'daily', dueAt: NINE, armedAt: late }]);
    expect((await world.store.load('job/daily'))?.nextDue).toBe(NINE);
  });

  test('the schedule audit finds and repairs an index of due times that has lost a job, over a restart of the center', async () => {
    const { world } = await anAudited();
    // The state is whole, so that an actor in memory would be armed; only no timer would ever wake
    // it.
    await corrupt(world.store, 'job/minute', () => ({ nextDue: null }));
    const after = await restarted(world);
    const audit = auditOf(after);
    await after.clock.advance(2 * MINUTE);
    const fired = () => after.facts.filter(({ type, data }) => /^job\.(fired|skipped)$/.test(type) && data.job === 'minute').length;
    expect(fired()).toBe(0);
    expect(await audit.pass()).toMatchObject([{ job: 'minute' }]);
    const mended = fired();
    expect(mended).toBeGreaterThan(0);
    await after.clock.advance(MINUTE);
    expect(fired()).toBeGreaterThan(mended);
  });

  test('the schedule audit finds and repairs a timer that is gone from memory, in whichever worker', async () => {
    const lost = new Set<string>();
    const inner = createMemoryStore();
    // What is looked up of due times lacks the job, as if its timer had been dropped from memory
    // again each time.
    const store: Store = { ...inner, due: async query => (await inner.due(query)).filter(({ address }) => !lost.has(address)) };
    const { world } = await anAudited({ store, sets: 3 });
    lost.add('job/minute');
    const after = await restarted(world, { sets: 3 });
    await after.clock.advance(5_000);
    const audit = auditOf(after);
    expect(await audit.pass()).toMatchObject([{ job: 'minute', armedAt: null, reason: 'no timer will wake it in time' }]);
    expect(await audit.pass()).toEqual([]);
    await after.clock.advance(MINUTE);
    expect(after.facts.filter(({ type, data }) => type === 'job.fired' && data.job === 'minute')).not.toBeEmpty();
  });

  test('the schedule audit finds and repairs a wake-up that was dropped', async () => {
    const time = createManualClock();
    let isDropping = false;
    const clock = { ...time, after: (ms: number, fn: () => void) => time.after(ms, () => (isDropping ? undefined : fn())) };
    const { world } = await anAudited({ clock });
    // Everything that waits for an instant is lost for a moment; no timer of the partitions fires
    // any more by itself.
    isDropping = true;
    await time.advance(LIMITS.sweepMs + LIMITS.napMs);
    isDropping = false;
    await time.advance(3 * MINUTE);
    const audit = auditOf(world);
    const found = await audit.pass();
    expect(found.map(({ job }) => job).sort()).toEqual(['minute', 'second']);
    expect(found[0]?.reason).toBe('it is overdue, and its timer does not fire');
    await time.advance(MINUTE);
    expect(await audit.pass()).toEqual([]);
    for (const job of ['second', 'minute'] as const)
      expect((await world.context(`job/${job}`)).context.watermark).toBeGreaterThan(time.now() - MINUTE - 5_000);
  });

  test('the schedule audit finds and repairs due times without a verdict below the watermark', async () => {
    const inner = createMemoryStore();
    let drops = 0;
    const store: Store = {
      ...inner,
      async record(entries) {
        const kept = entries.filter(({ job }) => job !== 'minute' || drops-- <= 0);
        return inner.record(kept);
      },
    };
    const { world, audit } = await anAudited({ store });
    await world.clock.advance(MINUTE + 5_000);
    drops = 2;
    await world.clock.advance(5 * MINUTE);
    const found = await audit.pass();
    expect(found).toMatchObject([
      { job: 'minute', found: 'noVerdict', dueAt: world.clock.now() - (world.clock.now() % MINUTE) - 4 * MINUTE },
    ]);
    const entries = await inner.occurrences({ job: 'minute', limit: 100 });
    expect(entries.map(({ from }) => from)).toEqual(entries.map((_, place) => (entries[0]?.from ?? 0) + place * MINUTE));
    // Their executions exist, so the entries say `ran`.
    for (const { verdict, execution } of entries) if (verdict === 'ran') expect(await inner.load(`execution/${execution}`)).toBeDefined();
    expect(entries).toHaveLength(6);
    expect(await audit.pass()).toEqual([]);
  });

  test('the schedule audit finds and repairs a due time without a verdict whose execution has started no process, as waiting', async () => {
    const inner = createMemoryStore();
    let drops = 1;
    const store: Store = {
      ...inner,
      record: async entries => inner.record(entries.filter(({ verdict }) => verdict !== 'waiting' || drops-- <= 0)),
    };
    const world = await aRuntime({ store });
    await world.aHost();
    const config = aJob({ name: 'large', schedules: every('0 * * * * ?'), resources: { cpus: 1_000, memoryMB: 64 } });
    await world.ask('job/large', { type: 'job.register', config });
    await world.clock.advance(3 * MINUTE + 5_000);
    expect(await auditOf(world).pass()).toMatchObject([{ job: 'large', found: 'noVerdict' }]);
    const [first, ...others] = await inner.occurrences({ job: 'large', limit: 100 });
    expect([first?.verdict, others.every(({ verdict }) => verdict === 'skippedOverlap')]).toEqual(['waiting', true]);
    await world.ask(`execution/${first?.execution}`, { type: 'execution.cancel', reason: 'enough' });
    await world.clock.advance(1_000);
    expect((await inner.occurrences({ job: 'large', limit: 1 }))[0]?.verdict).toBe('notStarted');
  });

  test('the schedule audit reports repairs in its status, its log, and for a while in the answer of /v1/ready', async () => {
    const { world, audit } = await anAudited();
    expect(await audit.pass()).toEqual([]);
    expect(audit.status()).toMatchObject({ unarmed: 0, unarmedTotal: 0, found: null, checked: 4 });
    await corrupt(world.store, 'job/daily', armedFor(null));
    await audit.pass();
    expect(audit.status()).toMatchObject({ unarmed: 1, unarmedTotal: 1, found: { count: 1, jobs: ['daily'] } });
    expect(audit.logged).toEqual(['schedule audit: a job was not armed and is armed again']);
    expect(auditWarnings(audit.status(), world.clock.now())[0]).toContain('the schedule of 1 job was not armed, and armed again: daily');
    await world.ask('job/second', { type: 'job.disable', kill: false });
    await world.clock.advance(HOUR);
    await audit.pass();
    expect(audit.status()).toMatchObject({ unarmed: 0, unarmedTotal: 1 });
    expect(auditWarnings(audit.status(), world.clock.now())).toEqual([]);
  });
});

describe('the schedule audit does not report', () => {
  /** Passes at all instants of some seconds, and over minutes. */
  async function quiet({ world, audit }: { world: TestRuntime; audit: ReturnType<typeof auditOf> }): Promise<void> {
    for (let each = 0; each < 40; each++) {
      expect(await audit.pass()).toEqual([]);
      await world.clock.advance(each < 20 ? 97 : 7_919);
    }
    expect(unarmedFacts(world)).toEqual([]);
  }

  test('the schedule audit does not report jobs that fire as they should, on one worker and on several', async () => {
    await quiet(await anAudited());
    await quiet(await anAudited({ sets: 3 }));
  });

  test('the schedule audit does not report a job that is disabled, without a schedule, whose schedule has ended, or in quarantine', async () => {
    const audited = await anAudited();
    const { world } = audited;
    await world.ask('job/minute', { type: 'job.disable', kill: false });
    await world.ask('job/over', {
      type: 'job.register',
      config: aJob({ name: 'over', schedules: every('10 0 8 22 11 ? 2026') }),
    });
    await world.tell('job/daily', { type: 'app.refused', app: 'x', reason: 'x' });
    await corrupt(world.store, 'job/daily', document => ({
      quarantined: true,
      nextDue: null,
      index: { ...document.index, status: 'quarantined' },
    }));
    await quiet(audited);
  });

  test('the schedule audit does not report what is edited, enabled and deregistered meanwhile', async () => {
    const audited = await anAudited();
    const { world, audit } = audited;
    for (let each = 0; each < 30; each++) {
      const passing = audit.pass();
      const config = aJob({ name: 'minute', schedules: every(each % 2 === 0 ? '*/7 * * * * ?' : '30 * * * * ?') });
      await world.runtime.tell('job/minute', { type: 'job.update', config });
      await world.runtime.tell('job/second', { type: each % 3 === 0 ? 'job.disable' : 'job.enable', kill: false } as never);
      expect(await passing).toEqual([]);
      await world.clock.advance(1_000 + each * 313);
    }
    expect(unarmedFacts(world)).toEqual([]);
  });

  test('the schedule audit does not report a clock that was set, ahead or back', async () => {
    const time = createManualClock();
    let setBy = 0;
    const clock = { ...time, now: () => time.now() + setBy };
    const audited = await anAudited({ clock });
    await quiet(audited);
    for (const jump of [2 * HOUR, -HOUR, 3 * HOUR, -7 * HOUR]) {
      setBy += jump;
      await quiet(audited);
    }
  });

  test('the schedule audit does not report what was missed while the center was down and is being caught up on', async () => {
    const { world } = await anAudited();
    await world.clock.advance(5_000);
    world.kill();
    await world.clock.advance(8 * HOUR);
    const after = await restarted(world);
    await quiet({ world: after, audit: auditOf(after) });
  });

  test('the schedule audit does not report anything while the store is away: the pass ends early, and the next one is whole', async () => {
    const inner = createMemoryStore();
    let isAway = false;
    const store = new Proxy(inner, {
      get(target, name) {
        const real: unknown = Reflect.get(target, name);
        if (typeof real !== 'function') return real;
        return async (...args: unknown[]) => {
          if (isAway) throw new StoreUnavailable('the store is away');
          return Reflect.apply(real, target, args);
        };
      },
    });
    const { world, audit } = await anAudited({ store });
    isAway = true;
    await world.clock.advance(5 * MINUTE);
    await expect(audit.pass()).rejects.toThrow('the store is away');
    isAway = false;
    for (let each = 0; each < 10; each++) {
      expect(await audit.pass()).toEqual([]);
      await world.clock.advance(997);
    }
    expect(unarmedFacts(world)).toEqual([]);
  });

  test('the schedule audit does not report a worker that was killed, is begun anew, or does not answer', async () => {
    const audited = await anAudited({ sets: 3 });
    const { world } = audited;
    for (const job of ['second', 'minute', 'daily'] as const) world.killWorkerOf(`job/${job}`);
    await quiet(audited);
    const resume = world.pauseWorkerOf('job/minute');
    await world.clock.advance(3 * MINUTE);
    expect(await audited.audit.pass()).toEqual([]);
    resume();
    await quiet(audited);
  });
});

describe('the answer of the timers', () => {
  const DUE = NINE;
  const fine = { timer: DUE, loaded: DUE, isBusy: false, until: DUE };
  const late = DUE + 1_000;

  /**
   * A pass over one job that is due at nine, with timers that answer so, and documents of these
   * revs at the first and the second look.
   */
  async function passWith(answer: (typeof fine & { loaded?: number | null; timer?: number | null }) | undefined, revs = [1, 1]) {
    const { world } = await anAudited();
    const document = await world.store.load('job/daily');
    if (!document) throw new Error('there is no job');
    const looks = [...revs];
    const load = async () => ({ ...document, rev: looks.shift() ?? 0 });
    const sent: string[] = [];
    const service = createScheduleAudit({
      store: { ...world.store, list: async () => ({ items: [await load()], next: null }), load },
      runtime: { timersOf: async () => [answer], tell: async to => void sent.push(to), arm: () => {} },
      clock: world.clock,
      log: () => {},
    });
    const found = service.runOnce();
    await world.clock.advance(SCHEDULE_AUDIT.confirmMs);
    expect(sent).toHaveLength((await found).length);
    return (await found).map(({ armedAt }) => armedAt);
  }

  const cases: [string, Parameters<typeof passWith>[0], (number | null)[]][] = [
    ['is as it should be', fine, []],
    ['is early: it will look and find nothing', { ...fine, timer: DUE - 5_000, loaded: DUE - 5_000 }, []],
    ['lacks the job', { ...fine, timer: null } as never, [null]],
    ['is late', { ...fine, timer: late }, [late]],
    ['shows an actor in memory that is armed for nothing', { ...fine, loaded: null } as never, [null]],
    ['shows an actor in memory that is armed too late', { ...fine, loaded: late }, [late]],
    ['lacks the job while a turn is under way', { ...fine, timer: null, isBusy: true } as never, []],
    ['lacks the job, which is due only after what the timers have looked up', { ...fine, timer: null, until: DUE - 1 } as never, []],
    ['does not come', undefined, []],
  ];
  test.each(cases)('the answer of the timers: %s', async (_, answer, found) => {
    expect(await passWith(answer)).toEqual(found);
  });

  test('the answer of the timers lacks the job at both looks, between which a turn of it was committed', async () => {
    expect(await passWith({ ...fine, timer: null } as never, [1, 2])).toEqual([]);
  });
});

describe('a pass of the schedule audit', () => {
  test('a pass of the schedule audit goes through all jobs, page by page', async () => {
    const world = await aRuntime();
    const count = 2 * SCHEDULE_AUDIT.page + 7;
    for (let each = 0; each < count; each++) {
      const config = aJob({ name: `job${each}`, schedules: every(`${each % 60} 0 3 * * ?`) });
      await world.ask(`job/job${each}`, { type: 'job.register', config });
    }
    await corrupt(world.store, `job/job${count - 1}`, armedFor(null));
    await corrupt(world.store, 'job/job0', armedFor(null));
    const audit = auditOf(world);
    const found = await audit.pass();
    expect(found.map(({ job }) => job).sort()).toEqual(['job0', `job${count - 1}`].sort());
    expect(audit.status().checked).toBe(count);
  });

  test('a pass of the schedule audit leaves a job alone that has moved on since it was looked at', async () => {
    const { world } = await anAudited();
    const { context } = await world.context('job/minute');
    await world.clock.advance(2 * MINUTE);
    await world.tell('job/minute', {
      ...{ type: 'job.unarmed', found: 'unarmed', armedAt: null, reason: 'late news' },
      ...{ dueAt: context.nextAt ?? 0, watermark: context.watermark },
    });
    expect(unarmedFacts(world)).toEqual([]);
  });
});

describe('a job that a pass of the schedule audit found armed', () => {
  const armed = { timer: NINE, loaded: NINE, isBusy: false, until: NINE };

  /** Two passes; the second sees these changes of document and timers. */
  async function secondPass(change: Partial<ActorDocument>, timers: Partial<typeof armed | { timer: null }> = {}) {
    const { world } = await anAudited();
    const stored = await world.store.load('job/daily');
    if (!stored) throw new Error('there is no job');
    let document = stored;
    let answer: object = armed;
    const service = createScheduleAudit({
      store: { ...world.store, list: async () => ({ items: [document], next: null }), load: async () => document },
      runtime: { timersOf: async () => [answer as never], tell: async () => undefined, arm: () => {} },
      clock: world.clock,
      log: () => {},
    });
    // Verdicts of the minute before a pass may still be pending: a job is cached after it.
    await world.clock.advance(SCHEDULE_AUDIT.lateMs);
    expect(await service.runOnce()).toEqual([]);
    document = Object.defineProperties({ ...stored }, Object.getOwnPropertyDescriptors(change));
    answer = { ...armed, ...timers };
    const found = service.runOnce();
    await world.clock.advance(SCHEDULE_AUDIT.confirmMs);
    return (await found).map(({ armedAt }) => armedAt);
  }

  test('a job that a pass of the schedule audit found armed is not read again while its document is the same', async () => {
    let reads = 0;
    const state = () => `${++reads}`;
    const change = Object.defineProperty({}, 'state', { get: state, enumerable: true });
    expect(await secondPass(change)).toEqual([]);
    expect(reads).toBe(0);
  });

  test('a job that a pass of the schedule audit found armed is found again when its timer is lost', async () => {
    expect(await secondPass({}, { timer: null })).toEqual([null]);
  });

  test('a job that a pass of the schedule audit found armed is found again when its actor in memory is armed too late', async () => {
    expect(await secondPass({}, { loaded: NINE + 1_000 })).toEqual([NINE + 1_000]);
  });

  test('a job that a pass of the schedule audit found armed is found again when its document is armed for another instant', async () => {
    expect(await secondPass({ nextDue: NINE + 1_000 })).toEqual([NINE + 1_000]);
  });
});
