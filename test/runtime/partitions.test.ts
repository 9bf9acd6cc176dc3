/** Partitions: group commits, actors at rest, stop. */
import { describe, expect, test } from 'bun:test';
import { actors } from '../../actors/index.ts';
import { createActorState } from '../../src/runtime/actor-state.ts';
import { createCommitQueue } from '../../src/runtime/commit-queue.ts';
import { Unreadable } from '../../src/runtime/errors.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { partitionOf } from '../../src/runtime/partition.ts';
import { createPartitions } from '../../src/runtime/partitions.ts';
import type { FromPartitions, ToPartitions } from '../../src/runtime/workers/messages.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { aJob } from '../support/builders.ts';
import { createFaultyStore } from '../support/faulty-store.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { aRuntime, countingIds, restarted } from '../support/runtime.ts';
import { aWrite } from '../support/store-builders.ts';

const job = 'job/nightly' as const;

describe('a group commit', () => {
  test('a group commit of a hundred writes with one stale one rejects just that one', async () => {
    const store = createMemoryStore();
    const clock = createManualClock();
    await store.commit([aWrite({ address: 'job/n7' })]);
    const committer = createCommitQueue({ store, clock });
    const results = Promise.all(Array.from({ length: 100 }, (_, count) => committer.write(aWrite({ address: `job/n${count}` }))));
    await clock.settle();
    expect((await results).flatMap((result, index) => (result.committed ? [] : [index]))).toEqual([7]);
  });

  test('a group commit carries what came while the one before was under way, in one call', async () => {
    const store = createFaultyStore(createMemoryStore());
    const clock = createManualClock();
    const committer = createCommitQueue({ store, clock });
    store.plan(call => (call.nth === 1 ? 'late' : undefined));
    const results = [committer.write(aWrite({ address: 'job/a' }))];
    await clock.settle();
    for (const name of ['b', 'c', 'd']) results.push(committer.write(aWrite({ address: `job/${name}` })));
    await clock.settle();
    expect(store.calls).toHaveLength(1);
    store.answerNow();
    await Promise.all(results);
    expect(store.calls.map(call => (call.args[0] as unknown[]).length)).toEqual([1, 3]);
    await committer.drained();
  });
});

describe('actors at rest', () => {
  test('actors at rest leave memory after a while, and load again from the store', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    await world.ask(job, { type: 'job.register', config: aJob() });
    const loads = () => store.calls.filter(call => call.method === 'load' && call.args[0] === job).length;
    await world.ask(job, { type: 'job.disable', kill: false });
    expect(loads()).toBe(1);
    await world.clock.advance(LIMITS.idleActorMs + LIMITS.sweepMs);
    await expect(world.ask(job, { type: 'job.trigger' })).rejects.toThrow('is disabled');
    expect(loads()).toBe(2);
  });

  test('actors at rest leave memory a moment after their end, so that short executions do not pile up', async () => {
    const world = await aRuntime();
    await world.aHost();
    await world.ask(job, { type: 'job.register', config: aJob({ overlap: 'allow' }) });
    const inMemory = async () => (await world.runtime.measure()).level.actors;
    const lasting = await inMemory();
    for (let each = 0; each < 10; each++) {
      await world.ask(job, { type: 'job.trigger' });
      const start = world.starts().at(-1);
      if (!start) throw new Error('nothing was started');
      await world.started(start);
      await world.ended(start);
    }
    expect(await inMemory()).toBe(lasting + 10);
    await world.clock.advance(LIMITS.trimAfterMs + LIMITS.endedActorMs + LIMITS.sweepMs);
    expect(await inMemory()).toBe(lasting);
  });

  test('actors at rest stay in memory while they have pending effects', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    await world.aHost();
    world.fleet.here.delete('h1');
    await world.ask(job, { type: 'job.register', config: aJob() });
    await world.ask(job, { type: 'job.trigger' });
    await world.clock.advance(10 * LIMITS.idleActorMs);
    world.fleet.ready('h1');
    await world.settled();
    expect(world.starts()).toHaveLength(1);
  });
});

describe('a stop', () => {
  test('a stop lets what is under way end, and takes nothing new', async () => {
    const world = await aRuntime();
    await world.ask(job, { type: 'job.register', config: aJob() });
    const last = world.runtime.ask(job, { type: 'job.disable', kill: false });
    const stopped = world.runtime.stop(1_000);
    await world.clock.advance(100);
    await expect(last).resolves.toBeUndefined();
    expect(await stopped).toEqual([]);
    await expect(world.runtime.ask(job, { type: 'job.enable' })).rejects.toMatchObject({ code: 'unavailable' });
  });

  test('a stop names the remaining actors after its grace', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    await world.ask(job, { type: 'job.register', config: aJob() });
    store.plan(call => (call.method === 'commit' ? 'hang' : undefined));
    void world.runtime.ask(job, { type: 'job.disable', kill: false }).catch(() => {});
    const stopped = world.runtime.stop(1_000);
    await world.clock.advance(999);
    const early = await Promise.race([stopped, Promise.resolve('not yet')]);
    await world.clock.advance(10);
    expect([early, await stopped]).toEqual(['not yet', [job]]);
  });

  test('a stop leaves no caller without an answer', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    await world.ask(job, { type: 'job.register', config: aJob() });
    store.plan(call => (call.method === 'commit' ? 'hang' : undefined));
    const received = world.runtime.ask(job, { type: 'job.disable', kill: false }).catch((error: Error) => error.message);
    const stopped = world.runtime.stop(1_000);
    await world.clock.advance(1_010);
    await stopped;
    expect(await Promise.race([received, Promise.resolve('nothing')])).toBe(
      'the center is stopping; whether the command was taken is not known',
    );
  });

  test('a stop leaves nothing running', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ store });
    await world.aHost();
    await world.ask(job, { type: 'job.register', config: aJob({ schedules: [{ type: 'cron', cron: '* * * * * ?' }] }) });
    await world.clock.advance(3_000);
    const stopped = world.runtime.stop(1_000);
    await world.clock.advance(1_000);
    await stopped;
    const calls = store.calls.length;
    await world.clock.advance(60_000);
    expect(store.calls.length).toBe(calls);
  });
});

describe('the boundary of the partitions', () => {
  test('messages between workers are plain data only', async () => {
    const store = createMemoryStore();
    const clock = createManualClock();
    const crossed: (FromPartitions | ToPartitions)[] = [];
    const partitions = createPartitions({ store, clock, ids: countingIds(), owner: 'me', send: message => crossed.push(message) });
    const send = (message: ToPartitions) => {
      crossed.push(message);
      partitions.receive(structuredClone(message));
    };
    send({ type: 'start' });
    await clock.settle();
    send({ type: 'arm' });
    let id = 0;
    const say = (to: string, kind: 'ask' | 'tell', event: { type: string }) => ({ id: ++id, to, kind, event });
    const pool = { type: 'pool.create', config: { name: 'default', timeZone: null, servers: [], description: '' } };
    const ready = { type: 'pool.hostReady', host: 'h1', name: 'h1', cpus: 4, memoryMB: 4_000, open: true, runs: [], session: 's' };
    send({ type: 'questions', questions: [say('pool/default', 'ask', pool), say('pool/default', 'tell', ready)] });
    const config = aJob({ schedules: [{ type: 'cron', cron: '0/5 * * * * ?' }] });
    send({ type: 'questions', questions: [say(job, 'ask', { type: 'job.register', config } as { type: string })] });
    await clock.settle();
    send({ type: 'questions', questions: [say(job, 'ask', { type: 'job.trigger' }), say('job/none', 'ask', { type: 'job.trigger' })] });
    await clock.advance(6_000);
    send({ type: 'stop', graceMs: 10 });
    await clock.advance(100);
    for (const message of crossed) expect(structuredClone(message)).toEqual(message);
    expect([...new Set(crossed.map(message => message.type))].sort()).toEqual([
      'answers',
      'arm',
      'carry',
      'facts',
      'questions',
      'start',
      'started',
      'stop',
      'stopped',
    ]);
  });

  test('messages between workers carry facts, then answers, then commands', async () => {
    const store = createMemoryStore();
    const clock = createManualClock();
    const crossed: string[] = [];
    const partitions = createPartitions({ store, clock, ids: countingIds(), owner: 'me', send: message => crossed.push(message.type) });
    partitions.receive({ type: 'start' });
    await clock.settle();
    const enroll = { type: 'host.enroll', id: 'h1', name: 'h1', pool: 'p', publicKey: 'k', graceMs: 1 };
    partitions.receive({ type: 'questions', questions: [{ id: 1, to: 'host/h1', kind: 'ask', event: enroll }] });
    await clock.settle();
    crossed.length = 0;
    partitions.receive({ type: 'questions', questions: [{ id: 2, to: 'host/h1', kind: 'ask', event: { type: 'host.retire' } }] });
    await clock.settle();
    expect(crossed).toEqual(['facts', 'answers', 'carry']);
  });
});

describe('a command that its host could not take', () => {
  test.each(['behind the news that it is ready', 'before that news'])(
    'a command that its host could not take is sent again where both reports arrive in one batch, %s',
    async order => {
      const store = createMemoryStore();
      const clock = createManualClock();
      const crossed: FromPartitions[] = [];
      const partitions = createPartitions({ store, clock, ids: countingIds(), owner: 'me', send: message => crossed.push(message) });
      const orders = () => crossed.flatMap(message => (message.type === 'carry' ? message.orders : []));
      let id = 0;
      const ask = async (to: string, event: { type: string }) => {
        partitions.receive({ type: 'questions', questions: [{ id: ++id, to, kind: 'ask', event }] });
        await clock.settle();
      };
      partitions.receive({ type: 'start' });
      await clock.settle();
      await ask('pool/default', { type: 'pool.create', config: { name: 'default', timeZone: null, servers: [], description: '' } } as {
        type: string;
      });
      const ready = { type: 'pool.hostReady', host: 'h1', name: 'h1', cpus: 4, memoryMB: 4_000, open: true, runs: [], session: 1 };
      await ask('pool/default', ready);
      await ask(job, { type: 'job.register', config: aJob() } as { type: string });
      await ask(job, { type: 'job.trigger' });
      const [first] = orders();
      if (!first) throw new Error('nothing was started');
      const received: ToPartitions[] = [
        { type: 'hostReady', host: 'h1' },
        { type: 'carried', items: [{ id: first.id, delivery: 'away' }] },
      ];
      for (const message of order.startsWith('behind') ? received : received.toReversed()) partitions.receive(message);
      await clock.settle();
      expect(orders().map(({ key }) => key)).toEqual([first.key, first.key]);
    },
  );
});

describe('a stored snapshot', () => {
  test('a stored snapshot of an older version goes through every upgrade in order', async () => {
    const world = await aRuntime();
    await world.ask(job, { type: 'job.register', config: aJob() });
    const stored = await world.store.load(job);
    if (!stored) throw new Error('it is not there');
    const saved = { ...actors.job.upgrades };
    const seen: number[] = [];
    try {
      for (const from of [-1, 0]) {
        actors.job.upgrades[from] = snapshot => {
          seen.push(from);
          return snapshot;
        };
      }
      createActorState(job, { ...stored, version: -1 });
      expect(seen).toEqual([-1, 0]);
    } finally {
      for (const from of [-1, 0]) delete actors.job.upgrades[from];
      Object.assign(actors.job.upgrades, saved);
    }
    expect(() => createActorState(job, { ...stored, version: 0 })).toThrow(Unreadable);
  });
});

describe('an address that was given up', () => {
  test('an address that was given up goes on with its rev when it is created again, so that no effect key repeats', async () => {
    const world = await aRuntime();
    await world.ask(job, { type: 'job.register', config: aJob() });
    await world.ask(job, { type: 'job.deregister' });
    const tombstone = await world.store.load(job);
    expect(tombstone).toMatchObject({ life: 'tombstone', incarnation: 1 });
    const next = await restarted(world);
    await next.ask(job, { type: 'job.register', config: aJob() });
    expect(await next.store.load(job)).toMatchObject({ life: 'live', incarnation: 2, rev: (tombstone?.rev ?? 0) + 1 });
  });
});

describe('a message that is sent away because an earlier one comes first', () => {
  test('a message that is sent away because an earlier one comes first returns before its lane opens, also where the turn commits', async () => {
    const clock = createManualClock();
    const sent: FromPartitions[] = [];
    const half = partitionOf(job) < 128 ? { from: 0, to: 127 } : { from: 128, to: 255 };
    const set = createPartitions({
      ...{ store: createMemoryStore(), clock, ids: countingIds(), owner: 'here', partitions: half },
      send: message => void sent.push(message),
    });
    set.receive({ type: 'start' });
    await clock.settle();
    set.receive({
      type: 'questions',
      questions: [{ id: 1, to: job, kind: 'ask', event: { type: 'job.register', config: aJob() } as never }],
    });
    await clock.settle();
    sent.length = 0;
    const event = { type: 'app.refused', app: 'other', reason: 'it is gone' };
    // The sender has acknowledged the earlier message meanwhile, and sends that in the same batch.
    set.receive({
      type: 'messages',
      messages: [{ id: 2, to: job, event, origin: { from: 'app/other', rev: 2, index: 0, behind: '1:0' } }],
    });
    set.receive({ type: 'questions', questions: [{ id: 3, to: job, kind: 'ask', event: { type: 'job.disable', kill: false } as never }] });
    await clock.settle();
    expect(sent.find(({ type }) => type === 'delivered')).toEqual({ type: 'delivered', items: [{ id: 2, delivery: 'away' }] });
    const order = sent.map(({ type }) => type).filter(type => type === 'delivered' || type === 'opened');
    expect(order).toEqual(['delivered', 'opened']);
  });
});
