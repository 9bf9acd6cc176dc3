/**
 * Builds the runtime: the caller's interface here, partition workers there, messages in between.
 */
import type { Address, Events, Kind } from '../../actors/types.ts';
import { createBatch } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import { createMutex } from '../lib/keyed-mutex.ts';
import { createRequestMap } from '../lib/request-map.ts';
import { type ActorStore, type Ledger, PARTITIONS, type PublishedFact, RAISE_BY } from '../store/port.ts';
import { isAwaited } from './awaited-rounds.ts';
import { createEffects } from './effects.ts';
import type { Taken } from './envelope.ts';
import { Busy, NoSuchActor, Refused, TurnFailed, Unavailable } from './errors.ts';
import type { Fleet } from './fleet.ts';
import { createMetricsAggregator } from './metrics-aggregator.ts';
import type { Notifier } from './notifier.ts';
import { partitionOf } from './partition.ts';
import type { LeastEpoch, Runtime } from './runtime.ts';
import type { ActorRequest, FromPartitions, Message, ToPartitions } from './workers/messages.ts';
import { createRouter } from './workers/router.ts';
import { createTimerQueries } from './workers/timer-queries.ts';
import type { WorkerHosts } from './workers/worker-host.ts';
import { createPartitionWorker, type PartitionWorker } from './workers/worker-supervisor.ts';

export interface RuntimeLog {
  level: 'info' | 'warn' | 'error';
  address: string;
  text: string;
  cause?: string;
}

interface Asked extends Pick<ActorRequest, 'to' | 'event'> {
  worker: PartitionWorker;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export function createRuntime({
  store,
  clock,
  fleet,
  notifier,
  log,
  workerHosts,
}: {
  store: ActorStore & Pick<Ledger, 'record'>;
  clock: Clock;
  ids: Ids;
  fleet: Fleet;
  notifier: Notifier;
  /** Names this center in the store. */
  owner: string;
  log(line: RuntimeLog): void;
  /** Where the partitions live. */
  workerHosts: WorkerHosts;
}): Runtime {
  const asked = createRequestMap<Asked>();
  /** Requests of one tick go to a worker together. */
  const questions = createBatch<ActorRequest>({ schedule: queueMicrotask, send: cross });
  const listeners: ((facts: PublishedFact[]) => void)[] = [];
  let giveUp: (reason: Error) => void = () => {};
  const gaveUp = new Promise<Error>(resolve => {
    giveUp = resolve;
  });

  const workers = Array.from({ length: workerHosts.count }, (_, index) => {
    const worker: PartitionWorker = createPartitionWorker(workerHosts, rangeOf(index, workerHosts.count), {
      clock,
      receive: (message, reply) => receive(worker, message, reply),
      log: (level, text) => log({ level, address: 'partitions', text }),
      lost: reason => lost(worker, reason),
      back() {
        toOthers(worker, { type: 'returned', ...worker.partitions });
        // The worker before it may have committed facts that it did not publish.
        publishFacts([]);
      },
      gaveUp() {
        if (workers.every(each => each.isGivenUp)) giveUp(new Error('every worker was given up'));
      },
    });
    return worker;
  });
  const workerOf = (address: string): PartitionWorker => {
    if (workers.length === 1) return workers[0] as PartitionWorker;
    const partition = partitionOf(address);
    return workers.find(({ partitions }) => partition <= partitions.to) as PartitionWorker;
  };
  const toAll = (message: ToPartitions) => {
    for (const worker of workers) worker.post(message);
  };
  const toOthers = (worker: PartitionWorker, message: ToPartitions) => {
    for (const each of workers) if (each !== worker) each.post(message);
  };
  const router = createRouter();
  const metricsAggregator = createMetricsAggregator({ workers, clock });
  const armed = createTimerQueries({ workerOf, clock });

  const effects = createEffects({
    ledger: store,
    fleet,
    notifier,
    isAwaited: order => isAwaited(store, order),
    tell: (to, event) => question('tell', to, event),
    clock,
    failed: (text, cause) => log({ level: 'warn', address: 'effects', text, cause: String(cause) }),
    again: host => toAll({ type: 'hostReady', host }),
  });
  fleet.onReady(host => toAll({ type: 'hostReady', host }));

  function receive(worker: PartitionWorker, message: FromPartitions, reply: (message: ToPartitions) => void): void {
    switch (message.type) {
      case 'answers':
        for (const { id, taken } of message.answers) answer(id, taken);
        break;
      case 'carry':
        for (const order of message.orders) {
          void effects.carry(order).then(delivery => reply({ type: 'carried', items: [{ id: order.id, delivery }] }));
        }
        break;
      case 'messages':
        for (const [to, messages] of byWorker(message.messages)) {
          const sent = router.take(messages, to, reply);
          if (!to.post({ type: 'messages', messages: sent })) router.lost(to);
        }
        break;
      case 'delivered':
        router.delivered(message.items);
        break;
      case 'deleteMarks':
        for (const [to, dedupeMarks] of byWorker(message.dedupeMarks)) to.post({ type: 'deleteMarks', dedupeMarks });
        break;
      case 'opened':
        toOthers(worker, message);
        break;
      case 'facts':
        publishFacts(message.facts);
        break;
      case 'measured':
        metricsAggregator.measured(worker, message.id, message.metrics);
        break;
      case 'timersAre':
        armed.answered(message.id, message.timers);
        break;
      case 'log':
        log(message);
        break;
    }
  }

  function publishFacts(facts: PublishedFact[]): void {
    for (const listener of listeners) listener(facts);
  }

  function byWorker<T extends Pick<Message, 'to'>>(items: T[]): Map<PartitionWorker, T[]> {
    return Map.groupBy(items, ({ to }) => workerOf(to));
  }

  function lost(worker: PartitionWorker, reason: string): void {
    router.lost(worker);
    metricsAggregator.lost(worker);
    abandon(reason, waiting => waiting.worker === worker);
  }

  /** Rejects requests that can get no answer any more. */
  function abandon(reason: string, isMeant: (waiting: Asked) => boolean): void {
    for (const waiting of asked.takeAll(isMeant)) {
      waiting.reject(new Unavailable(`${reason}; whether the command was taken is not known`));
    }
  }

  function answer(id: number, taken: Taken): void {
    const waiting = asked.take(id);
    if (!waiting) return;
    if (taken.result === 'done') waiting.resolve(taken.value);
    else waiting.reject(errorOf(waiting, taken));
  }

  function question(kind: ActorRequest['kind'], to: string, event: { type: string }): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = asked.add({ to, event, worker: workerOf(to), resolve, reject });
      questions.add({ id, to, kind, event });
    });
  }

  function cross(questions: ActorRequest[]): void {
    for (const [worker, own] of byWorker(questions)) {
      if (worker.post({ type: 'questions', questions: own })) continue;
      for (const { id } of own) answer(id, { result: 'unavailable', reason: worker.down ?? 'the center is stopping' });
    }
  }

  const raising = createMutex();
  let raisedAt = Number.NEGATIVE_INFINITY;

  async function raiseOnce(least: readonly LeastEpoch[]): Promise<number> {
    const epochs = workers.flatMap(worker => [...worker.epochs]);
    if (epochs.length < PARTITIONS) throw new Unavailable('the partitions are being taken over');
    const behind = Math.max(0, ...least.map(([partition, epoch]) => epoch - (epochs[partition] ?? 0)));
    if (behind === 0) return 0;
    if (behind > RAISE_MAX)
      throw new Unavailable(`an agent reports an epoch that is ${behind} above those of this center, which no restore explains`);
    if (clock.monotonic() - raisedAt < RAISES_APART_MS) throw new Unavailable('the epochs were raised a moment ago');
    const by = RAISE_BY * Math.ceil(behind / RAISE_BY);
    try {
      await Promise.all(workers.map(worker => worker.raise(by)));
    } catch (error) {
      throw new Unavailable(`the epochs cannot be raised: ${(error as Error).message}`);
    }
    raisedAt = clock.monotonic();
    return by;
  }

  return {
    ask: <K extends Kind>(to: Address<K>, event: Events[K]) => question('ask', to, event),
    tell: <K extends Kind>(to: Address<K>, event: Events[K]) => question('tell', to, event),
    release: async address => void (await question('release', address, { type: 'actor.release' })),
    onFacts(listener) {
      listeners.push(listener);
    },
    async start() {
      try {
        await Promise.all(workers.map(worker => worker.start()));
      } catch (error) {
        throw new Unavailable(`the partitions could not be taken over: ${(error as Error).message}`);
      }
    },
    arm() {
      for (const worker of workers) worker.arm();
    },
    async stop(graceMs) {
      // Earlier requests go first.
      questions.flush();
      const left = await Promise.all(workers.map(worker => worker.stop(graceMs)));
      effects.stop();
      abandon('the center is stopping', () => true);
      return left.flat();
    },
    // Serialised: a later call finds the raise done.
    raiseEpochs: least => raising(() => raiseOnce(least)),
    epoch: () => Math.max(0, ...workers.flatMap(({ epochs }) => epochs)),
    measure: () => metricsAggregator.measure(),
    timersOf: armed.timersOf,
    down: () => workers.map(worker => worker.down).filter(reason => reason !== undefined),
    gaveUp,
  };
}

/**
 * Epochs rise by at most so much at once, a thousand restores: a malicious agent must not use up
 * the numbers.
 */
const RAISE_MAX = 1_000 * RAISE_BY;

/**
 * Between two raises at least, ms: each writes every partition, and a malicious agent could demand
 * one after the other.
 */
const RAISES_APART_MS = 10_000;

/** Slices of equal size, the last ones a little larger where they cannot be. */
function rangeOf(index: number, count: number): { from: number; to: number } {
  const edge = (each: number) => Math.floor((PARTITIONS * each) / count);
  return { from: edge(index), to: edge(index + 1) - 1 };
}

function errorOf(asked: Pick<ActorRequest, 'to' | 'event'>, taken: Exclude<Taken, { result: 'done' }>): Error {
  switch (taken.result) {
    case 'refused':
      return new Refused(asked.to, asked.event.type, taken.reason, taken.code);
    case 'noSuchActor':
      return new NoSuchActor(asked.to);
    case 'busy':
      return new Busy(`${asked.to} has too many messages waiting; try again later`);
    case 'unavailable':
      return new Unavailable(`nothing can be committed now: ${taken.reason}`);
    case 'failed':
      return new TurnFailed(taken.reason);
  }
}
