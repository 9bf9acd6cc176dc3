/** Each safety property with the parts we ship, and red with a part that breaks it. */
import { describe, expect, test } from 'bun:test';
import { openJournal } from '../../src/agent/journal.ts';
import { agentLimits } from '../../src/agent/limits.ts';
import type { Disk } from '../../src/agent/ports.ts';
import type { Dialer } from '../../src/lib/dialer.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import type { Store } from '../../src/store/port.ts';
import {
  answersBeforeCommit,
  dropsEntries,
  forgetsJournal,
  forgetsMarks,
  ignoresRev,
  liftsFences,
  recordsTwice,
} from '../support/broken.ts';
import { aJob } from '../support/builders.ts';
import { aRuntime, restarted, scriptedFleet, type TestRuntime } from '../support/runtime.ts';

const job = 'job/nightly' as const;
const everySecond = { type: 'cron', cron: '* * * * * ?' } as const;

/** Commands that reached a host although the store lacks the commit with their effect. */
async function leaks(wrap: (store: Store) => Store): Promise<string[]> {
  const truth = createMemoryStore();
  const fleet = scriptedFleet();
  const { send } = fleet;
  const found: string[] = [];
  fleet.send = async (host, command) => {
    const stored = await truth.load(`execution/${command.run.execution}`);
    if ((stored?.rev ?? 0) < command.fence.rev) found.push(command.key);
    return send(host, command);
  };
  const world = await aRuntime({ store: wrap(truth), fleet });
  await world.aHost();
  await world.ask(job, { type: 'job.register', config: aJob() });
  await world.ask(job, { type: 'job.trigger' });
  await world.clock.advance(1_000);
  return found;
}

/**
 * Times that an actor took a message of another a second time, over restarts that send everything
 * again.
 */
async function repeats(wrap: (store: Store) => Store): Promise<number> {
  const store = createMemoryStore();
  const acknowledge = store.acknowledge;
  store.acknowledge = async () => {};
  let world: TestRuntime = await aRuntime({ store: wrap(store) });
  await world.ask(job, { type: 'job.register', config: aJob() });
  await world.ask(job, { type: 'job.trigger' });
  const rev = async () => (await world.store.load('pool/default'))?.rev ?? 0;
  const before = await rev();
  // Each round commits twice by itself, so that a repeat finds the pool changed since the first
  // time.
  const rounds = 2;
  for (let round = 0; round < rounds; round++) {
    const { execution } = (await world.context(job)).context.open.map(open => ({ execution: open.id }))[0] ?? { execution: '' };
    await world.ask('pool/default', { type: 'pool.modify', changes: {} });
    await world.tell('pool/default', { type: 'pool.withdraw', execution });
    world = await restarted(world);
    await world.settled();
  }
  store.acknowledge = acknowledge;
  return (await rev()) - before - 2 * rounds;
}

/**
 * Due times of ten seconds, over a restart that writes its entries again, that have no entry or
 * more than one.
 */
async function unaccounted(wrap: (store: Store) => Store): Promise<number[]> {
  const base = createMemoryStore();
  base.acknowledge = async () => {};
  const world = await aRuntime({ store: wrap(base) });
  await world.ask(job, { type: 'job.register', config: aJob({ schedules: [everySecond] }) });
  await world.clock.advance(10_000);
  const next = await restarted(world);
  await next.settled();
  const entries = await next.store.occurrences({ job: 'nightly', limit: 100 });
  const dues = Array.from({ length: 10 }, (_, place) => world.clock.now() - (9 - place) * 1_000);
  return dues.filter(due => entries.filter(entry => entry.from <= due && entry.to >= due).length !== 1);
}

/** Executions that two centers made where one was allowed. */
async function doubled(wrap: (store: Store) => Store): Promise<number> {
  const store = wrap(createMemoryStore());
  const one = await aRuntime({ store });
  await one.ask(job, { type: 'job.register', config: aJob({ overlap: 'allow', overlapLimit: 1 }) });
  const two = await aRuntime({ store, clock: one.clock, ids: one.ids, pool: false });
  await two.tell(job, { type: 'app.refused', app: 'none', reason: '' });
  const trigger = () => ({ type: 'job.trigger' }) as const;
  await Promise.all([one.runtime.ask(job, trigger()).catch(() => {}), two.runtime.ask(job, trigger()).catch(() => {}), one.settled()]);
  return (await store.list({ kind: 'execution', limit: 10 })).items.length - 1;
}

const asShipped = (store: Store): Store => store;

describe('the commit gate', () => {
  test('the commit gate lets no command out before its commit', async () => {
    expect(await leaks(asShipped)).toEqual([]);
  });
  test('a broken commit gate is detected', async () => {
    expect(await leaks(answersBeforeCommit)).not.toEqual([]);
  });
});

describe('dedupe marks', () => {
  test('dedupe marks let nothing be taken twice', async () => {
    expect(await repeats(asShipped)).toBe(0);
  });
  test('lost dedupe marks are detected', async () => {
    expect(await repeats(forgetsMarks)).toBeGreaterThan(0);
  });
});

describe('the occurrence ledger', () => {
  test('the occurrence ledger has one entry for each due time', async () => {
    expect(await unaccounted(asShipped)).toEqual([]);
  });
  test.each([
    ['writes twice', recordsTwice],
    ['drops', dropsEntries],
  ] as const)('an occurrence ledger is detected as broken where it %s', async (_, wrap) => {
    expect(await unaccounted(store => wrap(store))).not.toEqual([]);
  });
});

describe('the rev of a document', () => {
  test('row 8: the rev of a document lets one of two writers win', async () => {
    expect(await doubled(asShipped)).toBe(0);
  });
  test('an unchecked rev of a document is detected', async () => {
    expect(await doubled(ignoresRev)).toBeGreaterThan(0);
  });
});

describe('journal and fences of an agent', () => {
  const fence = { partition: 1, epoch: 5, rev: 3 };
  const run = { execution: 'e', item: 0, attempt: 1 };

  /** Does an agent that starts again on this disk still know the run it began? */
  async function remembers(wrap: (disk: Disk) => Disk): Promise<boolean> {
    const files = new Map<string, string>();
    const disk = wrap({
      read: async path => files.get(path),
      append: async (path, text) => void files.set(path, (files.get(path) ?? '') + text),
      replace: async (path, text) => void files.set(path, text),
      remove: async path => void files.delete(path),
    });
    const parts = { disk, limits: agentLimits, log: { info() {}, warn() {}, error() {}, debug() {} }, now: 0 };
    const journal = await openJournal(parts);
    await journal.write([{ run: 'e:0:1', set: { run, fence, bootId: 'b', at: 0 } }]);
    return (await openJournal(parts)).records.has('e:0:1');
  }

  test('an agent journal that forgets is detected by a check', async () => {
    expect([await remembers(disk => disk), await remembers(forgetsJournal)]).toEqual([true, false]);
  });

  test('fences that are lifted let a late command look new', () => {
    const received: (typeof fence)[] = [];
    const frame = JSON.stringify({ type: 'start', key: 'k', fence, run });
    const dialer: Dialer = {
      dial(_, on) {
        on.frame(frame);
        on.frame(frame);
      },
    };
    const listen = (through: Dialer) => through.dial('', { open() {}, frame: text => received.push(JSON.parse(text).fence), closed() {} });
    listen(dialer);
    listen(liftsFences(dialer));
    expect(received.map(each => each.epoch > fence.epoch)).toEqual([false, false, true, true]);
    expect(received[3]?.rev).toBeGreaterThan(received[2]?.rev ?? 0);
  });
});
