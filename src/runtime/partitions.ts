/**
 * A range of partitions: many actors with their timers, their outbox and their group commit.
 * Reached by messages only (see `workers/messages.ts`), as are the actors of other workers.
 */
import { SPAN_TIMERS } from '../../actors/index.ts';
import { createGrowingDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import { createPendingRequests } from '../lib/request-map.ts';
import { createSingleFlight } from '../lib/single-flight.ts';
import { type ActorStore, ALL_PARTITIONS, type PartitionRange } from '../store/port.ts';
import { type Actor, type ActorDependencies, createActor } from './actor.ts';
import { createCommitQueue } from './commit-queue.ts';
import { type Carried, dedupeMarkOf, type Envelope, type Origin } from './envelope.ts';
import { LIMITS, STORE_RETRY } from './limits.ts';
import { addSpan, emptyCounters, type RuntimeMetrics } from './metrics.ts';
import { createOutbox, type Delivery, isAddress, type Outbox } from './outbox.ts';
import { partitionOf } from './partition.ts';
import { createTimers, type Timers } from './timers.ts';
import { createTrimmer } from './trimmer.ts';
import type { ActorRequest, ArmedTimer, CarryOrder, FromPartitions, Message, ToPartitions } from './workers/messages.ts';
import { createOutboundBatch } from './workers/outbound-batch.ts';

export interface Partitions {
  receive(message: ToPartitions): void;
}

export function createPartitions({
  store,
  clock,
  ids,
  owner,
  partitions = ALL_PARTITIONS,
  send,
}: {
  store: ActorStore;
  clock: Clock;
  ids: Ids;
  /** Names this center in the store. */
  owner: string;
  /** The partitions of this worker. Default: all. */
  partitions?: PartitionRange;
  send(message: FromPartitions): void;
}): Partitions {
  const loadedActors = new Map<string, Actor>();
  const counted = emptyCounters();
  const committer = createCommitQueue({ store, clock, counted });
  const outbound = createOutboundBatch({ send });
  const carrying = createPendingRequests<Delivery>();
  const lookUps = createSingleFlight<boolean>();
  /** How often each host became ready. */
  const readyCounts = new Map<string, number>();
  /**
   * Lanes of hosts that became ready while a command for them was on its way back: no second signal
   * follows.
   */
  const missed = new Set<string>();
  let epochs: number[] = [];
  let stopping = false;
  let disarmSweep = () => {};
  let disarmLook = () => {};

  const log: ActorDependencies['log'] = ({ level, address, text, cause }) =>
    send({ type: 'log', level, address, text, ...(cause === undefined ? {} : { cause: causeText(cause) }) });

  const outbox: Outbox = createOutbox({
    clock,
    carry,
    notifyMissing: async effect => {
      if (effect.effect.type !== 'tell') return;
      const { to, event } = effect.effect.params;
      // A sender that is full or in quarantine gets it later: the message stays pending until then.
      const retry = createGrowingDelay(STORE_RETRY);
      while (!(await postMissing(effect.address, to, event))) await pause(retry.next());
    },
    stillAway: lane => {
      if (missed.delete(lane)) return false;
      if (stopping || !isAddress(lane)) return true;
      // Its own worker sends `opened` when it takes messages again.
      if (!isMine(lane)) return true;
      const actor = loadedActors.get(lane);
      return !actor || actor.isFull || (actor.resting?.quarantine ?? null) !== null || !actor.resting;
    },
    acknowledged: address => trimmer.note(address),
  });

  const trimmer = createTrimmer({
    store,
    clock,
    outbox,
    stateOf: address => loadedActors.get(address)?.resting ?? null,
    trimmed: deleteMarks,
    failed: logFailure,
  });

  const timers: Timers = createTimers({
    store,
    clock,
    fire: address =>
      new Promise(resolve => {
        if (!isMine(address)) return resolve();
        const event = { type: 'timers' };
        const posted = actorOf(address).post({ kind: 'timers', event, origin: null, failures: 0, answer: () => resolve() });
        // Its mailbox is full: the next look at the store finds it still due.
        if (!posted) resolve();
      }),
    fired: lateMs => addSpan(counted.lateMs, lateMs),
    jumped,
    failed: logFailure,
  });

  const around: ActorDependencies = {
    clock,
    ids,
    store,
    committer,
    log,
    woke(address, pendingEffects, nextDue) {
      outbox.adopt(address, pendingEffects);
      timers.set(address, nextDue);
    },
    committed(address, { facts, pendingEffects, nextDue }) {
      counted.turns += 1;
      if (facts) outbound.facts(facts);
      else send({ type: 'facts', facts: [] });
      outbox.adopt(address, pendingEffects);
      timers.set(address, nextDue);
    },
    acknowledgedOf: outbox.acknowledgedOf,
    trimmed: deleteMarks,
    // Later, so that messages that were just rejected wait in the lane by then.
    opened(address) {
      clock.soon(() => {
        outbox.open(address);
        // Not earlier: facts may leave before the answer of this turn does, and the sender must
        // have that before the lane opens.
        if (!areAllMine) outbound.opened(address);
      });
    },
  };

  /**
   * The clock of this machine was set; where back, every running span timer moves along. Rethrows
   * errors of the store, before any timer moved.
   */
  async function jumped(byMs: number): Promise<void> {
    if (partitions.from === ALL_PARTITIONS.from) {
      const way = byMs > 0 ? 'jumped ahead' : 'was set back';
      const text = `the wall clock ${way} by ${Math.round(Math.abs(byMs) / 1_000)} s: due times follow it, graces and back-offs do not`;
      log({ level: 'warn', address: 'partitions', text });
    }
    if (byMs > 0) return;
    const spanActors: string[] = [];
    let after: { nextDue: number; address: string } | undefined;
    for (;;) {
      const page = await store.due({ until: Number.MAX_SAFE_INTEGER, limit: 1_000, ...(after ? { after } : {}) });
      spanActors.push(...page.map(({ address }) => address).filter(address => isMine(address) && SPAN_KINDS.has(kindOf(address))));
      after = page.at(-1);
      if (page.length < 1_000) break;
    }
    const event = { type: 'timers', setBackMs: -byMs };
    await Promise.all(
      spanActors.map(
        address =>
          new Promise<void>(resolve => {
            const posted = actorOf(address).post({ kind: 'timers', event, origin: null, failures: 0, answer: () => resolve() });
            if (!posted) resolve();
          }),
      ),
    );
  }

  const areAllMine = partitions.from === ALL_PARTITIONS.from && partitions.to === ALL_PARTITIONS.to;
  function isMine(address: string): boolean {
    if (areAllMine) return true;
    const partition = partitionOf(address);
    return partition >= partitions.from && partition <= partitions.to;
  }

  /**
   * The sender can never send these again: their receivers need no dedupe mark for them any more.
   */
  function deleteMarks(address: string, keys: string[]): void {
    for (const { effect, rev, index } of outbox.trimmed(address, keys)) {
      if (effect.type !== 'tell') continue;
      const { to } = effect.params;
      const dedupeMark = dedupeMarkOf({ rev, index });
      if (isMine(to)) loadedActors.get(to)?.deleteMark(address, dedupeMark);
      else outbound.deleteMark({ to, from: address, dedupeMark });
    }
  }

  function logFailure(cause: unknown): void {
    counted.storeErrors += 1;
    log({ level: 'warn', address: 'partitions', text: 'the store did not answer; trying again', cause });
  }

  function actorOf(address: string): Actor {
    let actor = loadedActors.get(address);
    if (!actor) {
      actor = createActor(address, around);
      loadedActors.set(address, actor);
    }
    return actor;
  }

  function carry(carried: Carried, behind: string | undefined): Promise<Delivery> {
    const { address, rev, index, effect } = carried;
    if (effect.type !== 'tell') return order(carried);
    if (stopping) return Promise.resolve('away');
    const { to, event } = effect.params;
    const origin: Origin = { from: address, rev, index, ...(behind === undefined ? {} : { behind }) };
    if (isMine(to)) return deliver(to, event, origin);
    return carrying.request(id => outbound.message({ id, to, event, origin }));
  }

  /** A message of another actor goes into the mailbox like every other. */
  function deliver(to: string, event: { type: string }, origin: Origin): Promise<Delivery> {
    return new Promise(resolve => {
      const posted = actorOf(to).post({
        kind: 'tell',
        event,
        origin,
        failures: 0,
        answer: taken => {
          if (taken.result === 'noSuchActor') resolve('missing');
          else resolve(taken.result === 'unavailable' || (taken.result === 'refused' && taken.code === 'quarantined') ? 'away' : 'done');
        },
      });
      if (!posted) resolve('away');
    });
  }

  /** Never resolves after a stop: pending effects then belong to the next owner. */
  const pauses = new Set<() => void>();
  function pause(ms: number): Promise<void> {
    return new Promise(resolve => {
      if (stopping) return;
      const disarm = clock.after(ms, () => {
        pauses.delete(disarm);
        resolve();
      });
      pauses.add(disarm);
    });
  }

  /** False: its sender cannot take it now. */
  function postMissing(sender: string, to: string, event: { type: string }): Promise<boolean> {
    return new Promise(resolve => {
      const posted = actorOf(sender).post({
        kind: 'tell',
        event: { type: 'actor.missing', to, eventType: event.type, event: event } as { type: string },
        origin: null,
        failures: 0,
        answer: taken => resolve(taken.result === 'done' || taken.result === 'noSuchActor' || taken.result === 'failed'),
      });
      if (!posted) resolve(false);
    });
  }

  async function order({ address, key, partition, rev, effect }: Carried): Promise<Delivery> {
    const host = effect.type === 'start' || effect.type === 'stop' ? effect.params.host : undefined;
    const readyCount = host === undefined ? undefined : readyCounts.get(host);
    const epoch = epochs[partition - partitions.from] ?? 0;
    const delivery = await carrying.request(id =>
      outbound.order({ id, from: address, key, partition, epoch, rev, effect: effect as CarryOrder['effect'] }),
    );
    if (delivery !== 'away' || host === undefined) return delivery;
    if (await isRetired(host)) return 'done';
    if (readyCounts.get(host) !== readyCount) missed.add(`agent:${host}`);
    return 'away';
  }

  /** No agent takes commands of a retired host; its document says whether it was retired. */
  function isRetired(host: string): Promise<boolean> {
    return lookUps.join(host, () =>
      store.load(`host/${host}`).then(
        document => document !== undefined && (document.life === 'tombstone' || document.index.status === 'retired'),
        () => {
          // Nothing else opens the lane of a host that never returns.
          clock.after(LIMITS.storeRetryMaxMs, () => outbox.open(`agent:${host}`));
          return false;
        },
      ),
    );
  }

  async function taken({ id, to, event, origin }: Message): Promise<void> {
    outbound.delivered(id, stopping ? 'away' : await deliver(to, event, origin));
  }

  /** The actors of these partitions are served again. */
  function openLanes({ from, to }: PartitionRange): void {
    for (const lane of outbox.closed()) {
      if (!isAddress(lane)) continue;
      const partition = partitionOf(lane);
      if (partition >= from && partition <= to) outbox.open(lane);
    }
  }

  function ask({ id, to, kind, event }: ActorRequest): void {
    const envelope: Envelope = { kind, event, origin: null, failures: 0, answer: taken => outbound.answer(id, taken) };
    if (stopping) envelope.answer({ result: 'unavailable', reason: 'the center is stopping' });
    else if (!actorOf(to).post(envelope)) envelope.answer({ result: 'busy' });
  }

  /**
   * Effects that were pending when the last owner stopped are still pending: loading an actor
   * resumes them.
   */
  async function start(): Promise<void> {
    epochs = await store.claim(owner, partitions);
    await wakePending();
    sweep();
    scheduleWakePending();
  }

  async function raise(by: number): Promise<void> {
    epochs = await store.claim(owner, partitions, by);
    // Commands that leave later have the new epochs: no older one follows the answer.
    outbound.flush();
  }

  async function wakePending(): Promise<void> {
    let after: string | undefined;
    for (;;) {
      const page = await store.pending({ limit: 500, ...(after === undefined ? {} : { after }) });
      await Promise.all(page.filter(address => isMine(address) && outbox.isClear(address)).map(address => wake(address)));
      after = page.at(-1);
      if (page.length < 500 || stopping) break;
    }
  }

  /**
   * Repeats the query: a write of a previous owner may have reached the store after the last one.
   */
  function scheduleWakePending(): void {
    disarmLook = clock.after(LIMITS.pendingLookMs, () => {
      void wakePending()
        .catch(logFailure)
        .then(() => {
          if (!stopping) scheduleWakePending();
        });
    });
  }

  const wake = (address: string): Promise<void> =>
    new Promise(resolve => {
      const posted = actorOf(address).post({
        kind: 'wake',
        event: { type: 'wake' },
        origin: null,
        failures: 0,
        answer: () => resolve(),
      });
      if (!posted) resolve();
    });

  /**
   * Drops idle actors without pending effects: those that ended or were idle long, and as many more
   * as the limit demands.
   */
  function sweep(): void {
    const now = clock.monotonic();
    let over = loadedActors.size - LIMITS.loadedActors;
    const byAge = over > 0 ? [...loadedActors].sort(([, a], [, b]) => a.touchedAt - b.touchedAt) : loadedActors;
    for (const [address, actor] of byAge) {
      const idleMs = now - actor.touchedAt;
      if (idleMs < LIMITS.endedActorMs) continue;
      if (idleMs < LIMITS.idleActorMs && over <= 0 && actor.resting?.hasEnded !== true) continue;
      if (!actor.isIdle || !outbox.isClear(address)) continue;
      loadedActors.delete(address);
      over -= 1;
    }
    disarmSweep = clock.after(LIMITS.sweepMs, sweep);
  }

  function metrics(): RuntimeMetrics {
    let mailbox = 0;
    for (const actor of loadedActors.values()) mailbox += actor.waiting;
    return { counted, level: { actors: loadedActors.size, mailbox, outbox: outbox.size, armed: timers.size } };
  }

  function timerOf(address: string): ArmedTimer {
    const actor = loadedActors.get(address);
    const resting = actor?.isIdle === false ? null : (actor?.resting ?? null);
    return {
      timer: timers.of(address),
      ...(resting ? { loaded: resting.quarantine ? null : resting.nextDue } : {}),
      isBusy: actor?.isIdle === false || timers.isCatchingUp,
      until: timers.horizon,
    };
  }

  async function stop(graceMs: number): Promise<void> {
    stopping = true;
    timers.stop();
    disarmSweep();
    disarmLook();
    for (const disarm of pauses) disarm();
    const until = clock.monotonic() + graceMs;
    const busy = () => [...loadedActors.values()].filter(actor => !actor.isIdle).map(actor => actor.address);
    while (busy().length > 0 && clock.monotonic() < until) await new Promise<void>(resolve => clock.after(5, resolve));
    const left = busy();
    for (const actor of loadedActors.values()) actor.stop();
    await trimmer.flush();
    trimmer.stop();
    outbound.flush();
    send({ type: 'stopped', left });
  }

  return {
    receive(message) {
      switch (message.type) {
        case 'start':
          start().then(
            () => send({ type: 'started', epochs }),
            error => send({ type: 'startFailed', reason: causeText(error) }),
          );
          break;
        case 'arm':
          timers.start();
          break;
        case 'raise':
          raise(message.by).then(
            () => send({ type: 'raised', epochs }),
            error => send({ type: 'raiseFailed', reason: error instanceof Error ? error.message : String(error) }),
          );
          break;
        case 'questions':
          for (const question of message.questions) ask(question);
          break;
        case 'carried':
          for (const { id, delivery } of message.items) carrying.resolve(id, delivery);
          break;
        case 'messages':
          for (const each of message.messages) void taken(each);
          break;
        case 'opened':
          // As above: messages that were just rejected wait in the lane by then.
          clock.soon(() => message.addresses.forEach(address => void outbox.open(address)));
          break;
        case 'returned':
          clock.soon(() => openLanes(message));
          break;
        case 'deleteMarks':
          for (const { to, from, dedupeMark } of message.dedupeMarks) loadedActors.get(to)?.deleteMark(from, dedupeMark);
          break;
        case 'measure':
          send({ type: 'measured', id: message.id, metrics: metrics() });
          break;
        case 'timersOf':
          send({ type: 'timersAre', id: message.id, timers: message.addresses.map(timerOf) });
          break;
        case 'ping':
          send({ type: 'pong', id: message.id });
          break;
        case 'hostReady':
          readyCounts.set(message.host, (readyCounts.get(message.host) ?? 0) + 1);
          outbox.open(`agent:${message.host}`);
          break;
        case 'stop':
          void stop(message.graceMs);
          break;
      }
    },
  };
}

const kindOf = (address: string): string => address.slice(0, address.indexOf('/'));
/** Kinds with a timer that measures a span. */
const SPAN_KINDS: ReadonlySet<string> = new Set([...SPAN_TIMERS].map(type => type.slice(0, type.indexOf('.'))));

const causeText = (cause: unknown): string => (cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
