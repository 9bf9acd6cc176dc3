/** Builds the runtime: two entrances here, sets of partitions there, messages in between. */
import type { Address, Events, Kind } from '../../actors/types.ts';
import { createBatch } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import { createMutex } from '../lib/keyed-mutex.ts';
import { createRequestMap } from '../lib/request-map.ts';
import { type ActorStore, type Ledger, PARTITIONS, type PlacedFact, RAISE_BY } from '../store/port.ts';
import { createEffects } from './effects.ts';
import type { Taken } from './envelope.ts';
import { Busy, NoSuchActor, Refused, TurnFailed, Unavailable } from './errors.ts';
import type { Fleet } from './fleet.ts';
import { createMetricsAggregator } from './metrics-aggregator.ts';
import { partitionOf } from './partition.ts';
import type { LeastEpoch, Runtime } from './runtime.ts';
import type { ActorRequest, FromPartitions, Message, ToPartitions } from './workers/messages.ts';
import { createRouter } from './workers/router.ts';
import { createTimerQueries } from './workers/timer-queries.ts';
import { inThisThread, type WorkerHosts } from './workers/worker-host.ts';
import { createPartitionWorker, type PartitionWorker } from './workers/worker-supervisor.ts';

export interface RuntimeLog {
  level: 'info' | 'warn' | 'error';
  address: string;
  text: string;
  cause?: string;
}

interface Asked extends Pick<ActorRequest, 'to' | 'event'> {
  set: PartitionWorker;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export function createRuntime({
  store,
  clock,
  ids,
  fleet,
  owner,
  log,
  homes = inThisThread({ store, clock, ids, owner }),
}: {
  store: ActorStore & Pick<Ledger, 'record'>;
  clock: Clock;
  ids: Ids;
  fleet: Fleet;
  /** Names this center in the store. */
  owner: string;
  log(line: RuntimeLog): void;
  /** Where the partitions live. Default: all of them in this thread. */
  homes?: WorkerHosts;
}): Runtime {
  const asked = createRequestMap<Asked>();
  /** What is asked within one tick crosses the boundary together. */
  const questions = createBatch<ActorRequest>({ schedule: queueMicrotask, send: cross });
  const listeners: ((facts: PlacedFact[]) => void)[] = [];
  let giveUp: (reason: Error) => void = () => {};
  const gaveUp = new Promise<Error>(resolve => {
    giveUp = resolve;
  });

  const sets = Array.from({ length: homes.count }, (_, place) => {
    const set: PartitionWorker = createPartitionWorker(homes, rangeOf(place, homes.count), {
      clock,
      receive: (message, reply) => receive(set, message, reply),
      log: (level, text) => log({ level, address: 'partitions', text }),
      lost: reason => lost(set, reason),
      back() {
        toOthers(set, { type: 'returned', ...set.partitions });
        // What the one before committed at its end it told nobody.
        tellFacts([]);
      },
      gaveUp() {
        if (sets.every(each => each.isGivenUp)) giveUp(new Error('every worker was given up'));
      },
    });
    return set;
  });
  const setOf = (address: string): PartitionWorker => {
    if (sets.length === 1) return sets[0] as PartitionWorker;
    const partition = partitionOf(address);
    return sets.find(({ partitions }) => partition <= partitions.to) as PartitionWorker;
  };
  const toAll = (message: ToPartitions) => {
    for (const set of sets) set.post(message);
  };
  const toOthers = (set: PartitionWorker, message: ToPartitions) => {
    for (const each of sets) if (each !== set) each.post(message);
  };
  const relay = createRouter();
  const measuring = createMetricsAggregator({ sets, clock });
  const armed = createTimerQueries({ setOf, clock });

  const effects = createEffects({
    ledger: store,
    fleet,
    clock,
    failed: (text, cause) => log({ level: 'warn', address: 'effects', text, cause: String(cause) }),
    again: host => toAll({ type: 'hostReady', host }),
  });
  fleet.onReady(host => toAll({ type: 'hostReady', host }));

  function receive(set: PartitionWorker, message: FromPartitions, reply: (message: ToPartitions) => void): void {
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
        for (const [to, messages] of bySet(message.messages)) {
          const sent = relay.take(messages, to, reply);
          if (!to.post({ type: 'messages', messages: sent })) relay.lost(to);
        }
        break;
      case 'delivered':
        relay.delivered(message.items);
        break;
      case 'forget':
        for (const [to, marks] of bySet(message.marks)) to.post({ type: 'forget', marks });
        break;
      case 'opened':
        toOthers(set, message);
        break;
      case 'facts':
        tellFacts(message.facts);
        break;
      case 'measured':
        measuring.measured(set, message.id, message.figures);
        break;
      case 'timersAre':
        armed.answered(message.id, message.timers);
        break;
      case 'log':
        log(message);
        break;
    }
  }

  function tellFacts(facts: PlacedFact[]): void {
    for (const listener of listeners) listener(facts);
  }

  function bySet<T extends Pick<Message, 'to'>>(items: T[]): Map<PartitionWorker, T[]> {
    return Map.groupBy(items, ({ to }) => setOf(to));
  }

  function lost(set: PartitionWorker, reason: string): void {
    relay.lost(set);
    measuring.lost(set);
    abandon(reason, waiting => waiting.set === set);
  }

  /** Nobody will answer these any more. */
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
      const id = asked.add({ to, event, set: setOf(to), resolve, reject });
      questions.add({ id, to, kind, event });
    });
  }

  function cross(questions: ActorRequest[]): void {
    for (const [set, mine] of bySet(questions)) {
      if (set.post({ type: 'questions', questions: mine })) continue;
      for (const { id } of mine) answer(id, { result: 'unavailable', reason: set.down ?? 'the center is stopping' });
    }
  }

  const raising = createMutex();
  let raisedAt = Number.NEGATIVE_INFINITY;

  async function raiseOnce(least: readonly LeastEpoch[]): Promise<number> {
    const epochs = sets.flatMap(set => [...set.epochs]);
    if (epochs.length < PARTITIONS) throw new Unavailable('the partitions are being taken over');
    const behind = Math.max(0, ...least.map(([partition, epoch]) => epoch - (epochs[partition] ?? 0)));
    if (behind === 0) return 0;
    if (behind > RAISE_MAX)
      throw new Unavailable(`an agent reports an epoch that is ${behind} above those of this center, which no restore explains`);
    if (clock.monotonic() - raisedAt < RAISES_APART_MS) throw new Unavailable('the epochs were raised a moment ago');
    const by = RAISE_BY * Math.ceil(behind / RAISE_BY);
    try {
      await Promise.all(sets.map(set => set.raise(by)));
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
        await Promise.all(sets.map(set => set.start()));
      } catch (error) {
        throw new Unavailable(`the partitions could not be taken over: ${(error as Error).message}`);
      }
    },
    arm() {
      for (const set of sets) set.arm();
    },
    async stop(graceMs) {
      // What was asked before comes before.
      questions.flush();
      const left = await Promise.all(sets.map(set => set.stop(graceMs)));
      effects.stop();
      abandon('the center is stopping', () => true);
      return left.flat();
    },
    // One after the other: a later call finds the raise done.
    raiseEpochs: least => raising(() => raiseOnce(least)),
    epoch: () => Math.max(0, ...sets.flatMap(({ epochs }) => epochs)),
    measure: () => measuring.measure(),
    timersOf: armed.timersOf,
    down: () => sets.map(set => set.down).filter(reason => reason !== undefined),
    gaveUp,
  };
}

/**
 * Epochs rise by at most so much at once, a thousand restores: an agent of bad will must not use up
 * the numbers that there are.
 */
const RAISE_MAX = 1_000 * RAISE_BY;

/**
 * Between two raises at least, ms: each is a write of every partition, and an agent of bad will
 * could ask for one after the other.
 */
const RAISES_APART_MS = 10_000;

/** Slices of equal size, the last ones a little larger where they cannot be. */
function rangeOf(place: number, count: number): { from: number; to: number } {
  const edge = (each: number) => Math.floor((PARTITIONS * each) / count);
  return { from: edge(place), to: edge(place + 1) - 1 };
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
