/** Several partition workers: their messages, and the outcome when one of them dies. */
import { describe, expect, test } from 'bun:test';
import { createFeed } from '../../src/feed/feed.ts';
import type { WatchFrame } from '../../src/feed/watching.ts';
import { createRuntime } from '../../src/runtime/create.ts';
import { LIMITS } from '../../src/runtime/limits.ts';
import { partitionOf } from '../../src/runtime/partition.ts';
import type { FromPartitions, ToPartitions } from '../../src/runtime/workers/messages.ts';
import type { WorkerHosts } from '../../src/runtime/workers/worker-host.ts';
import { createPartitionWorker } from '../../src/runtime/workers/worker-supervisor.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { aJob } from '../support/builders.ts';
import { createFaultyStore } from '../support/faulty-store.ts';
import { inThisThread } from '../support/in-this-thread.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { scriptedNotifier } from '../support/notifier.ts';
import { aRuntime, countingIds, type TestRuntime } from '../support/runtime.ts';

/** Names of jobs that live in another set than their pool. */
const isElsewhere = (name: string) => partitionOf(`job/${name}`) < 128 !== partitionOf('pool/default') < 128;
const elsewhere = Array.from({ length: 100 }, (_, each) => `job${each}`).filter(isElsewhere);
const [name = ''] = elsewhere;

async function reserved(world: TestRuntime): Promise<string[]> {
  const { hosts } = (await world.context('pool/default')).context;
  return Object.values(hosts).flatMap(host => Object.keys(host.reservations));
}

describe('two partition workers', () => {
  test('two partition workers carry a run from its trigger to its end, across the boundary and back', async () => {
    const world = await aRuntime({ sets: 2 });
    await world.aHost();
    await world.ask(`job/${name}`, { type: 'job.register', config: aJob({ name }) });
    const { execution } = (await world.ask(`job/${name}`, { type: 'job.trigger' })) as { execution: string };
    await world.settled();
    const [start] = world.starts();
    if (!start) throw new Error('nothing was started');
    expect(start.run.execution).toBe(execution);
    await world.started(start);
    await world.ended(start);
    await world.settled();
    expect((await world.context(`execution/${execution}`)).context).toMatchObject({ outcome: 'succeeded' });
    expect(await reserved(world)).toEqual([]);
  });

  test('row 2: two partition workers lose nothing when one of them dies between any two steps', async () => {
    const world = await aRuntime({ sets: 2 });
    await world.aHost('h1', { cpus: 100, memoryMB: 100_000 });
    for (const job of elsewhere.slice(0, 10)) await world.ask(`job/${job}`, { type: 'job.register', config: aJob({ name: job }) });
    for (const [place, job] of elsewhere.slice(0, 10).entries()) {
      await world.ask(`job/${job}`, { type: 'job.trigger' });
      // Either side of the conversation, in turn.
      world.killWorkerOf(place % 2 === 0 ? 'pool/default' : `job/${job}`);
      await world.settled();
      await world.clock.advance(LIMITS.replaceAfterMs * 2 ** LIMITS.replacements);
      await world.clock.advance(LIMITS.replacementWindowMs);
    }
    await world.settled();
    const begun = new Set(world.starts().map(({ run }) => run.execution));
    expect(begun.size).toBe(10);
    for (const command of world.starts()) {
      await world.started(command);
      await world.ended(command);
    }
    await world.settled();
    for (const execution of begun) {
      expect((await world.context(`execution/${execution}`)).context).toMatchObject({ outcome: 'succeeded' });
    }
    expect(await reserved(world)).toEqual([]);
  });

  test('two partition workers lose nothing where one learns late that the other died, and has sent more by then', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ sets: 2, store });
    await world.aHost();
    await world.ask(`job/${name}`, { type: 'job.register', config: aJob({ name, shards: { total: 2, parameters: {} } }) });
    await world.ask(`job/${name}`, { type: 'job.trigger' });
    await world.settled();
    const [first, second] = world.starts();
    if (!first || !second) throw new Error('two were to start');
    expect(await reserved(world)).toHaveLength(2);
    world.killWorkerOf('pool/default');
    store.plan(call => (call.method === 'commit' ? 'late' : undefined));
    const ended = ({ run: { execution, item, attempt } }: typeof first) => {
      const end = { outcome: 'succeeded', exitCode: 0, signal: null, startedAt: 1, finishedAt: 2, reason: null, output: null } as const;
      return world.runtime.tell(`execution/${execution}`, { type: 'shard.ended', host: 'h1', item, attempt, ...end });
    };
    const ends = [ended(first)];
    await world.settled();
    ends.push(ended(second));
    await world.settled();
    const resume = world.pauseWorkerOf(`job/${name}`);
    // The first execution releases its reservation: no worker takes the message, and the loss is
    // not reported yet.
    store.answerNow();
    await world.clock.advance(LIMITS.replaceAfterMs);
    expect(world.runtime.down()).toEqual([]);
    // The second reaches the one that came after.
    store.heal();
    store.answerNow();
    await world.settled();
    resume();
    await world.clock.advance(1_000);
    await Promise.all(ends);
    expect(await reserved(world)).toEqual([]);
  });

  test('two partition workers publish what a dead one had committed and not published', async () => {
    const store = createFaultyStore(createMemoryStore());
    const world = await aRuntime({ sets: 2, store });
    await world.ask(`job/${name}`, { type: 'job.register', config: aJob({ name }) });
    const feed = createFeed({ store: world.durable.store, clock: world.clock });
    world.runtime.onFacts(facts => (facts.length > 0 ? feed.publish(facts) : feed.look()));
    const seen: string[] = [];
    const take = (frame: WatchFrame) => seen.push(frame.type) > 0;
    const following = feed.follow({}, { take, hasRoom: () => true, cut: () => {} });
    await world.settled();
    await following;
    store.plan(call => (call.method === 'commit' ? 'late' : undefined));
    const waiting = world.runtime.ask(`job/${name}`, { type: 'job.disable', kill: false });
    waiting.catch(() => {});
    await world.settled();
    world.killWorkerOf(`job/${name}`);
    store.heal();
    await expect(waiting).rejects.toMatchObject({ code: 'unavailable' });
    await world.clock.advance(LIMITS.replaceAfterMs);
    expect(seen).toEqual(['job.disabled']);
    feed.stop();
  });

  test('two partition workers go on without the one that is down, whose commands are answered with the reason', async () => {
    const world = await aRuntime({ sets: 2 });
    await world.ask(`job/${name}`, { type: 'job.register', config: aJob({ name }) });
    world.killWorkerOf(`job/${name}`);
    await expect(world.ask(`job/${name}`, { type: 'job.trigger' })).rejects.toThrow(
      /partitions \d+ to \d+ are being taken over by a new worker, because it was killed/,
    );
    expect(world.runtime.down()).toHaveLength(1);
    await world.ask('pool/default', { type: 'pool.modify', changes: { description: 'served all the while' } });
    await world.clock.advance(LIMITS.replaceAfterMs);
    expect(world.runtime.down()).toEqual([]);
    await world.ask(`job/${name}`, { type: 'job.trigger' });
  });

  test('two partition workers start with an epoch of their own, and a replacement with the next', async () => {
    const world = await aRuntime({ sets: 2 });
    const partition = partitionOf(`job/${name}`);
    await world.aHost();
    await world.ask(`job/${name}`, { type: 'job.register', config: aJob({ name }) });
    world.killWorkerOf(`job/${name}`);
    await world.clock.advance(LIMITS.replaceAfterMs);
    await world.ask(`job/${name}`, { type: 'job.trigger' });
    await world.settled();
    expect(world.starts()[0]?.fence).toMatchObject({ partition, epoch: 2 });
  });
});

/** A worker whose host records the messages to it, and sends the messages of the test. */
function aSet() {
  const clock = createManualClock(0);
  const hosts: { received: ToPartitions[]; say(message: FromPartitions): void; died(reason: string): void; isEnded: boolean }[] = [];
  const noted: string[] = [];
  const scripted: WorkerHosts = {
    count: 1,
    mayDie: true,
    open({ receive, died }) {
      const host = { received: [] as ToPartitions[], say: receive, died, isEnded: false };
      hosts.push(host);
      return {
        post: message => host.received.push(message),
        end: async () => {
          host.isEnded = true;
        },
      };
    },
  };
  const set = createPartitionWorker(
    scripted,
    { from: 0, to: 255 },
    {
      clock,
      receive: () => {},
      log: (_, text) => noted.push(text),
      lost: () => noted.push('lost'),
      back: () => noted.push('back'),
      gaveUp: () => noted.push('gave up'),
    },
  );
  const last = () => hosts.at(-1) as (typeof hosts)[number];
  const serving = async () => {
    const started = set.start();
    last().say({ type: 'started', epochs: [] });
    await started;
  };
  return { set, clock, hosts, last, noted, serving };
}

describe('a partition worker', () => {
  test('row 2: a partition worker is replaced when five heartbeats were not answered, and not before', async () => {
    const { clock, hosts, last, serving } = aSet();
    await serving();
    for (let beat = 1; beat <= 20; beat++) {
      await clock.advance(LIMITS.heartbeatMs);
      last().say({ type: 'pong', id: beat });
    }
    await clock.advance(LIMITS.heartbeatMs * LIMITS.heartbeatsMissed);
    expect(hosts).toHaveLength(1);
    await clock.advance(LIMITS.heartbeatMs + LIMITS.replaceAfterMs);
    expect(hosts).toHaveLength(2);
    expect(hosts[0]?.isEnded).toBe(true);
  });

  test('a partition worker that the store did not let begin is asked again, in the same worker, and once however often', async () => {
    const { set, hosts, last } = aSet();
    const first = set.start();
    last().say({ type: 'startFailed', reason: 'no primary' });
    await expect(first).rejects.toThrow('no primary');
    const again = Promise.all([set.start(), set.start()]);
    expect(last().received.filter(({ type }) => type === 'start')).toHaveLength(2);
    last().say({ type: 'started', epochs: [] });
    await again;
    await set.start();
    expect(last().received.filter(({ type }) => type === 'start')).toHaveLength(2);
    expect(hosts).toHaveLength(1);
  });

  test('a partition worker is armed again after its replacement, if it was', async () => {
    const { set, clock, last, serving } = aSet();
    await serving();
    set.arm();
    last().died('a reason');
    await clock.advance(LIMITS.replaceAfterMs);
    expect(last().received.map(({ type }) => type)).toEqual(['start']);
    last().say({ type: 'started', epochs: [] });
    expect(last().received.map(({ type }) => type)).toEqual(['start', 'arm']);
  });

  test('a partition worker is given up after too many replacements, with an error', async () => {
    const { set, clock, hosts, last, noted, serving } = aSet();
    await serving();
    for (let each = 0; each <= LIMITS.replacements; each++) {
      last().died('of a bad heart');
      await clock.advance(LIMITS.replaceAfterMs * 2 ** each);
      if (each < LIMITS.replacements) last().say({ type: 'started', epochs: [] });
    }
    expect(hosts).toHaveLength(1 + LIMITS.replacements);
    expect(set.isGivenUp).toBe(true);
    expect(set.down).toContain('were given up after 5 replacements');
    expect(noted.at(-1)).toBe('gave up');
    expect(set.post({ type: 'questions', questions: [] })).toBe(false);
  });

  test('a partition worker may die as often over a longer time', async () => {
    const { set, clock, last, serving } = aSet();
    await serving();
    for (let each = 0; each < LIMITS.replacements * 3; each++) {
      last().died('now and then');
      await clock.advance(LIMITS.replaceAfterMs);
      last().say({ type: 'started', epochs: [] });
      for (let beat = 0; beat * LIMITS.heartbeatMs < LIMITS.replacementWindowMs; beat++) {
        await clock.advance(LIMITS.heartbeatMs);
        last().say({ type: 'pong', id: beat });
      }
    }
    expect(set.isGivenUp).toBe(false);
    expect(set.down).toBeUndefined();
  });

  test('a partition worker does not start when the store is away at the first start', async () => {
    const { set, last } = aSet();
    const started = set.start();
    last().say({ type: 'startFailed', reason: 'the database is full' });
    await expect(started).rejects.toThrow('the database is full');
  });

  test('a partition worker waits for the store when it is away during a replacement', async () => {
    const { set, clock, last, serving } = aSet();
    await serving();
    last().died('a reason');
    await clock.advance(LIMITS.replaceAfterMs);
    last().say({ type: 'startFailed', reason: 'the database is full' });
    await clock.advance(LIMITS.storeRetryMs);
    expect(last().received.filter(({ type }) => type === 'start')).toHaveLength(2);
    last().say({ type: 'started', epochs: [] });
    expect(set.down).toBeUndefined();
  });

  test('a partition worker takes no turn before it has its epoch', () => {
    const { set, last } = aSet();
    void set.start();
    expect(set.post({ type: 'questions', questions: [] })).toBe(false);
    expect(set.post({ type: 'opened', addresses: ['job/a'] })).toBe(true);
    expect(last().received.map(({ type }) => type)).toEqual(['start', 'opened']);
  });

  test('a partition worker that does not report what it leaves behind is ended at the timeout', async () => {
    const { set, clock, hosts, serving } = aSet();
    await serving();
    const stopped = set.stop(1_000);
    await clock.advance(1_000 + LIMITS.heartbeatMs);
    expect(await stopped).toEqual(['partitions 0 to 255']);
    expect(hosts[0]?.isEnded).toBe(true);
  });
});

describe('the epochs of a runtime', () => {
  const begun = async () => {
    const [store, clock] = [createMemoryStore(), createManualClock()];
    const fleet = { send: async () => {}, onReady: () => {}, closeSession: () => {} };
    const ids = countingIds();
    const workerHosts = inThisThread({ store, clock, ids, owner: 'test' });
    const runtime = createRuntime({ store, clock, ids, fleet, notifier: scriptedNotifier(), owner: 'test', log: () => {}, workerHosts });
    await settledBy(clock, runtime.start());
    return { runtime, store, clock };
  };
  const settledBy = async <T>(clock: ReturnType<typeof createManualClock>, work: Promise<T>): Promise<T> => {
    await clock.settle();
    return work;
  };

  test('the epochs of a runtime rise above what an agent has served, durably, and at most once in a while', async () => {
    const { runtime, store, clock } = await begun();
    expect(runtime.epoch()).toBe(1);
    expect(await runtime.raiseEpochs([[3, 1]])).toBe(0);
    expect(await settledBy(clock, runtime.raiseEpochs([[3, 2]]))).toBe(1_000_000);
    expect(runtime.epoch()).toBe(1_000_001);
    expect((await store.claim('next'))[3]).toBe(1_000_002);
    const soon = await runtime.raiseEpochs([[3, 3_000_000]]).catch((error: Error) => error.message);
    expect(String(soon)).toContain('a moment ago');
  });

  test('the epochs of a runtime do not follow an agent beyond the largest number', async () => {
    const { runtime } = await begun();
    expect(String(await runtime.raiseEpochs([[3, 2 ** 50]]).catch((error: Error) => error.message))).toContain('no restore explains');
  });

  test('the epochs of a runtime are not raised by a center that was replaced', async () => {
    const { runtime, store, clock } = await begun();
    await store.claim('another center');
    const problem = await settledBy(
      clock,
      runtime.raiseEpochs([[3, 9]]).catch((error: Error) => error.message),
    );
    expect(String(problem)).toContain('owned by "another center"');
    expect(runtime.epoch()).toBe(1);
  });
});
