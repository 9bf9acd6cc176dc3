/** Timers of actors and the alarms that fire them. */
import { describe, expect, test } from 'bun:test';
import type { Clock } from '../../src/lib/clock.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { createTimers, type Timers } from '../../src/runtime/timers.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { aJob } from '../support/builders.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aRuntime, restarted, START } from '../support/runtime.ts';
import { aWrite } from '../support/store-builders.ts';

/** A wall clock that can be set, over a monotonic one that cannot. */
function aWallClock() {
  const clock = createManualClock(START);
  let offset = 0;
  const wall: Clock = { now: () => clock.now() + offset, monotonic: clock.monotonic, after: clock.after, soon: clock.soon };
  return {
    clock: wall,
    /** The same for a runtime whose time moves by itself. */
    manual: { ...clock, now: wall.now },
    advance: clock.advance,
    settle: clock.settle,
    set: (ms: number) => {
      offset += ms;
    },
  };
}

function someAlarms(parts: { clock?: ReturnType<typeof aWallClock>; store?: ReturnType<typeof createMemoryStore> } = {}) {
  const { clock = aWallClock(), store = createMemoryStore() } = parts;
  const fired: string[] = [];
  const failed: unknown[] = [];
  const report = { jumps: [] as number[], answer: Promise.resolve() };
  const timers: Timers = createTimers({
    store,
    clock: clock.clock,
    fire: async address => void fired.push(address),
    jumped: async byMs => {
      report.jumps.push(byMs);
      await report.answer;
    },
    failed: error => failed.push(error),
  });
  return { timers, clock, store, fired, failed, report };
}

describe('timers', () => {
  test('timers fire in the order of their instants, each at its own', async () => {
    const { timers, clock, fired } = someAlarms();
    timers.start();
    for (const [address, ms] of [
      ['c', 3_000],
      ['a', 1_000],
      ['b', 2_000],
    ] as const)
      timers.set(address, START + ms);
    await clock.advance(999);
    expect(fired).toEqual([]);
    await clock.advance(1);
    expect(fired).toEqual(['a']);
    await clock.advance(2_000);
    expect(fired).toEqual(['a', 'b', 'c']);
  });

  test('timers follow the last setting', async () => {
    const { timers, clock, fired } = someAlarms();
    timers.start();
    timers.set('a', START + 1_000);
    timers.set('a', START + 5_000);
    timers.set('b', START + 1_000);
    timers.set('b', null);
    await clock.advance(4_000);
    expect(fired).toEqual([]);
    await clock.advance(1_000);
    expect(fired).toEqual(['a']);
  });

  test('timers all fire where ten thousand are due at one instant', async () => {
    const { timers, clock, fired } = someAlarms();
    timers.start();
    for (let count = 0; count < 10_000; count++) timers.set(`a${count}`, START + 1_000);
    await clock.advance(1_000);
    expect(new Set(fired).size).toBe(10_000);
    expect(timers.size).toBe(0);
  });

  test('timers beyond the horizon are looked up when they come near, however far they are', async () => {
    const { timers, clock, store, fired } = someAlarms();
    const far = 40 * 86_400_000;
    await store.commit([aWrite({ address: 'job/far', nextDue: START + far })]);
    timers.start();
    timers.set('job/far', START + far);
    expect(timers.size).toBe(0);
    clock.set(far - 45_000);
    await clock.advance(44_000);
    expect(fired).toEqual([]);
    await clock.advance(2_000);
    expect(fired).toEqual(['job/far']);
  });

  test('timers that passed while the wall clock jumped on fire within one poll', async () => {
    const { timers, clock, store, fired } = someAlarms();
    for (let count = 0; count < 1_500; count++) {
      await store.commit([aWrite({ address: `job/n${count}`, nextDue: START + 3_600_000 + count })]);
    }
    timers.start();
    await clock.settle();
    clock.set(7_200_000);
    await clock.advance(2_000);
    expect(new Set(fired).size).toBe(1_500);
  });

  test('timers wait for the wall clock where it was set back, and for nothing else', async () => {
    const { timers, clock, fired } = someAlarms();
    timers.start();
    timers.set('a', START + 10_000);
    clock.set(-3_600_000);
    await clock.advance(20_000);
    expect(fired).toEqual([]);
    timers.set('b', clock.clock.now() + 1_000);
    await clock.advance(1_000);
    expect(fired).toEqual(['b']);
    clock.set(3_600_000);
    await clock.advance(1_000);
    expect(fired).toEqual(['b', 'a']);
  });

  test('rows 9, 10: timers report how far the wall clock was set, and fire nothing until the report is taken', async () => {
    const { timers, clock, fired, report } = someAlarms();
    let acknowledge = () => {};
    report.answer = new Promise(resolve => {
      acknowledge = resolve;
    });
    timers.start();
    timers.set('a', START + 10_000);
    await clock.advance(5_000);
    expect(report.jumps).toEqual([]);
    clock.set(3_600_000);
    await clock.advance(3_000);
    expect({ jumps: report.jumps, fired }).toEqual({ jumps: [3_600_000], fired: [] });
    acknowledge();
    await clock.advance(1);
    expect(fired).toEqual(['a']);
    clock.set(-7_200_000);
    await clock.advance(3_000);
    expect(report.jumps).toEqual([3_600_000, -7_200_000]);
  });

  test('timers are looked up again where the store did not answer', async () => {
    const { timers, clock, store, fired, failed } = someAlarms();
    await store.commit([aWrite({ address: 'job/a', nextDue: START + 3_000 })]);
    const { due } = store;
    store.due = () => Promise.reject(new Error('away'));
    timers.start();
    await clock.advance(1_500);
    expect(failed.length).toBeGreaterThan(0);
    store.due = due;
    await clock.advance(2_000);
    expect(fired).toEqual(['job/a']);
  });

  test('timers long overdue fire a few at a time, and what is due now does not wait for them', async () => {
    const { clock, store } = { clock: aWallClock(), store: createMemoryStore() };
    const fired: string[] = [];
    const dealt: (() => void)[] = [];
    const fire = (address: string) => {
      fired.push(address);
      return new Promise<void>(resolve => dealt.push(resolve));
    };
    const timers = createTimers({ store, clock: clock.clock, fire, jumped: async () => {}, failed: () => {} });
    for (let count = 0; count < 200; count++) timers.set(`late${count}`, START - 3_600_000 + count);
    timers.set('now', START + 1_000);
    timers.start();
    await clock.settle();
    expect(fired).toEqual(Array.from({ length: LIMITS.overdueAtOnce }, (_, count) => `late${count}`));
    await clock.advance(1_000);
    expect(fired.slice(LIMITS.overdueAtOnce)).toEqual(['now']);
    for (; dealt.length > 0; await clock.settle()) dealt.shift()?.();
    expect(new Set(fired).size).toBe(201);
    expect(timers.size).toBe(0);
  });

  test('timers fire nothing once they are stopped', async () => {
    const { timers, clock, fired } = someAlarms();
    timers.start();
    timers.set('a', START + 1_000);
    timers.stop();
    await clock.advance(5_000);
    expect(fired).toEqual([]);
  });
});

describe('a timer of an actor', () => {
  test('a timer of an actor has ten seconds left after a restart when twenty of its thirty are spent', async () => {
    const world = await aRuntime();
    await world.aHost('h1', { graceMs: 30_000 });
    await world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'cut' });
    await world.clock.advance(20_000);
    const next = await restarted(world);
    await next.clock.advance(9_999);
    expect((await next.context('host/h1')).value).toBe('suspect');
    await next.clock.advance(1);
    expect((await next.context('host/h1')).value).toBe('lost');
  });

  test('row 10: a timer of an actor that measures a span keeps its length when the clock is set back', async () => {
    const wall = aWallClock();
    const world = await aRuntime({ clock: wall.manual });
    await world.aHost('h1', { graceMs: 30_000 });
    await world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'cut' });
    await world.clock.advance(10_000);
    wall.set(-3_600_000);
    await world.clock.advance(18_000);
    expect((await world.context('host/h1')).value).toBe('suspect');
    // One that is cut off only now measures by the new clock.
    await world.aHost('h2', { graceMs: 30_000 });
    await world.tell('host/h2', { type: 'host.disconnected', session: 'h2-1', reason: 'cut' });
    await world.clock.advance(4_000);
    expect([(await world.context('host/h1')).value, (await world.context('host/h2')).value]).toEqual(['lost', 'suspect']);
    await world.clock.advance(27_000);
    expect((await world.context('host/h2')).value).toBe('lost');
  });

  test('row 9: a timer of an actor loses no host when the clock is set ahead: its grace begins anew', async () => {
    const wall = aWallClock();
    const world = await aRuntime({ clock: wall.manual });
    await world.aHost('h1', { graceMs: 30_000 });
    await world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'cut' });
    await world.clock.advance(10_000);
    wall.set(3_600_000);
    await world.clock.advance(29_000);
    expect((await world.context('host/h1')).value).toBe('suspect');
    await world.clock.advance(3_000);
    expect((await world.context('host/h1')).value).toBe('lost');
  });

  test('a timer of an actor does not fire before the timers are armed, even of an actor with pending effects', async () => {
    const world = await aRuntime();
    await world.aHost('h1', { graceMs: 30_000 });
    // Its message to the pool never arrives, so the next center has to wake it.
    await world.ask('pool/default', { type: 'pool.modify', changes: {} });
    const { commit } = world.durable.store;
    world.durable.store.commit = writes => (writes.some(write => write.document.kind === 'pool') ? new Promise(() => {}) : commit(writes));
    await world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'cut' });
    expect(await world.store.pending({ limit: 10 })).toEqual(['host/h1']);
    world.durable.store.commit = commit;
    world.kill();
    await world.clock.advance(3_600_000);
    const next = await restarted(world, { arm: false });
    await next.tell('host/h1', { type: 'host.restartGrace' });
    next.runtime.arm();
    await next.clock.advance(29_999);
    expect((await next.context('host/h1')).value).toBe('suspect');
    await next.clock.advance(1);
    expect((await next.context('host/h1')).value).toBe('lost');
  });

  test('a timer of an actor that was due while no center served fires once one does', async () => {
    const world = await aRuntime();
    await world.ask('job/nightly', {
      type: 'job.register',
      config: aJob({ schedules: [{ type: 'cron', cron: '0 0 9 * * ?' }], misfire: { policy: 'once', limit: 1 } }),
    });
    world.kill();
    await world.clock.advance(2 * 3_600_000);
    const next = await restarted(world);
    await next.clock.advance(1_000);
    const entries = await next.store.occurrences({ job: 'nightly', limit: 10 });
    expect(entries.map(entry => [entry.verdict, entry.execution])).toEqual([['waiting', 'nightly@20261122T090000.000Z']]);
  });
});
