/**
 * A set of partitions: many cells with their timers, their outbox and their group commit. Spoken to
 * by messages only (see `boundary.ts`); actors of other sets are reached the same way.
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
import { type Carried, type Envelope, markOf, type Origin } from './envelope.ts';
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
  /** The ones of this set. Default: all. */
  partitions?: PartitionRange;
  send(message: FromPartitions): void;
}): Partitions {
  const cells = new Map<string, Actor>();
  const counted = emptyCounters();
  const committer = createCommitQueue({ store, clock, counted });
  const posting = createOutboundBatch({ send });
  const carrying = createPendingRequests<Delivery>();
  const lookUps = createSingleFlight<boolean>();
  /** How often each host became ready. */
  const arrivals = new Map<string, number>();
  /**
   * Lanes of hosts that became ready while a command for them was on its way back: nobody would say
   * so again.
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
    tellMissing: async effect => {
      if (effect.effect.type !== 'tell') return;
      const { to, event } = effect.effect.params;
      // A sender that is full or in quarantine hears it later: the message stays owed until then.
      const retry = createGrowingDelay(STORE_RETRY);
      while (!(await heardMissing(effect.address, to, event))) await pause(retry.next());
    },
    stillAway: lane => {
      if (missed.delete(lane)) return false;
      if (stopping || !isAddress(lane)) return true;
      // Whoever serves it says when it takes messages again.
      if (!isMine(lane)) return true;
      const cell = cells.get(lane);
      return !cell || cell.isFull || (cell.resting?.quarantine ?? null) !== null || !cell.resting;
    },
    settled: address => trimmer.note(address),
  });

  const trimmer = createTrimmer({
    store,
    clock,
    outbox,
    lifeOf: address => cells.get(address)?.resting ?? null,
    trimmed: forget,
    failed: logFailure,
  });

  const alarms: Timers = createTimers({
    store,
    clock,
    fire: address =>
      new Promise(resolve => {
        if (!isMine(address)) return resolve();
        const event = { type: 'timers' };
        const posted = cellOf(address).post({ kind: 'timers', event, origin: null, failures: 0, answer: () => resolve() });
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
    woke(address, owed, nextDue) {
      outbox.adopt(address, owed);
      alarms.set(address, nextDue);
    },
    committed(address, { facts, owed, nextDue }) {
      counted.turns += 1;
      if (facts) posting.facts(facts);
      else send({ type: 'facts', facts: [] });
      outbox.adopt(address, owed);
      alarms.set(address, nextDue);
    },
    settledOf: outbox.settledOf,
    trimmed: forget,
    // Later, so that whoever was just sent away stands in the lane by then.
    opened(address) {
      clock.soon(() => {
        outbox.open(address);
        // Not earlier: facts may leave before the answer of this turn does, and the sender must
        // have that before it hears that the lane is open.
        if (!areAllMine) posting.opened(address);
      });
    },
  };

  /**
   * The clock of this machine was set; where back, every span that is being measured moves along.
   * Throws what the store throws, before anything moved.
   */
  async function jumped(byMs: number): Promise<void> {
    if (partitions.from === ALL_PARTITIONS.from) {
      const way = byMs > 0 ? 'jumped ahead' : 'was set back';
      const text = `the wall clock ${way} by ${Math.round(Math.abs(byMs) / 1_000)} s: due times follow it, graces and back-offs do not`;
      log({ level: 'warn', address: 'partitions', text });
    }
    if (byMs > 0) return;
    const measuring: string[] = [];
    let after: { nextDue: number; address: string } | undefined;
    for (;;) {
      const page = await store.due({ until: Number.MAX_SAFE_INTEGER, limit: 1_000, ...(after ? { after } : {}) });
      measuring.push(...page.map(({ address }) => address).filter(address => isMine(address) && MEASURING.has(kindOf(address))));
      after = page.at(-1);
      if (page.length < 1_000) break;
    }
    const event = { type: 'timers', setBackMs: -byMs };
    await Promise.all(
      measuring.map(
        address =>
          new Promise<void>(resolve => {
            const posted = cellOf(address).post({ kind: 'timers', event, origin: null, failures: 0, answer: () => resolve() });
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

  /** The sender can never send these again: their receivers need no mark for them any more. */
  function forget(address: string, keys: string[]): void {
    for (const { effect, rev, place } of outbox.trimmed(address, keys)) {
      if (effect.type !== 'tell') continue;
      const { to } = effect.params;
      const mark = markOf({ rev, place });
      if (isMine(to)) cells.get(to)?.forget(address, mark);
      else posting.forget({ to, from: address, mark });
    }
  }

  function logFailure(cause: unknown): void {
    counted.storeErrors += 1;
    log({ level: 'warn', address: 'partitions', text: 'the store did not answer; trying again', cause });
  }

  function cellOf(address: string): Actor {
    let cell = cells.get(address);
    if (!cell) {
      cell = createActor(address, around);
      cells.set(address, cell);
    }
    return cell;
  }

  function carry(carried: Carried, behind: string | undefined): Promise<Delivery> {
    const { address, rev, place, effect } = carried;
    if (effect.type !== 'tell') return order(carried);
    if (stopping) return Promise.resolve('away');
    const { to, event } = effect.params;
    const origin: Origin = { from: address, rev, place, ...(behind === undefined ? {} : { behind }) };
    if (isMine(to)) return deliver(to, event, origin);
    return carrying.request(id => posting.message({ id, to, event, origin }));
  }

  /** A message of another actor: in at the same door as every other. */
  function deliver(to: string, event: { type: string }, origin: Origin): Promise<Delivery> {
    return new Promise(resolve => {
      const posted = cellOf(to).post({
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

  /** Never ends once this stops: what is owed then is the next owner's. */
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
  function heardMissing(sender: string, to: string, told: { type: string }): Promise<boolean> {
    return new Promise(resolve => {
      const posted = cellOf(sender).post({
        kind: 'tell',
        event: { type: 'actor.missing', to, eventType: told.type, event: told } as { type: string },
        origin: null,
        failures: 0,
        answer: taken => resolve(taken.result === 'done' || taken.result === 'noSuchActor' || taken.result === 'failed'),
      });
      if (!posted) resolve(false);
    });
  }

  async function order({ address, key, partition, rev, effect }: Carried): Promise<Delivery> {
    const host = effect.type === 'start' || effect.type === 'stop' ? effect.params.host : undefined;
    const arrival = host === undefined ? undefined : arrivals.get(host);
    const epoch = epochs[partition - partitions.from] ?? 0;
    const delivery = await carrying.request(id =>
      posting.order({ id, from: address, key, partition, epoch, rev, effect: effect as CarryOrder['effect'] }),
    );
    if (delivery !== 'away' || host === undefined) return delivery;
    if (await isRetired(host)) return 'done';
    if (arrivals.get(host) !== arrival) missed.add(`agent:${host}`);
    return 'away';
  }

  /** No agent takes commands of a retired host; its document says whether it was retired. */
  function isRetired(host: string): Promise<boolean> {
    return lookUps.join(host, () =>
      store.load(`host/${host}`).then(
        document => document !== undefined && (document.life === 'tombstone' || document.index.status === 'retired'),
        () => {
          // Of a host that never comes back nobody else would open the lane again.
          clock.after(LIMITS.storeRetryMaxMs, () => outbox.open(`agent:${host}`));
          return false;
        },
      ),
    );
  }

  async function taken({ id, to, event, origin }: Message): Promise<void> {
    posting.delivered(id, stopping ? 'away' : await deliver(to, event, origin));
  }

  /** The actors of these partitions are served again. */
  function openAll({ from, to }: PartitionRange): void {
    for (const lane of outbox.closed()) {
      if (!isAddress(lane)) continue;
      const partition = partitionOf(lane);
      if (partition >= from && partition <= to) outbox.open(lane);
    }
  }

  function ask({ id, to, kind, event }: ActorRequest): void {
    const envelope: Envelope = { kind, event, origin: null, failures: 0, answer: taken => posting.answer(id, taken) };
    if (stopping) envelope.answer({ result: 'unavailable', reason: 'the center is stopping' });
    else if (!cellOf(to).post(envelope)) envelope.answer({ result: 'busy' });
  }

  /**
   * Everything that was owed when the last owner stopped is owed still: waking an actor takes its
   * effects up again.
   */
  async function start(): Promise<void> {
    epochs = await store.claim(owner, partitions);
    await wakeDebtors();
    sweep();
    lookForDebtors();
  }

  async function raise(by: number): Promise<void> {
    epochs = await store.claim(owner, partitions, by);
    // What leaves later has the new epochs: nobody gets an older one after the answer.
    posting.flush();
  }

  async function wakeDebtors(): Promise<void> {
    let after: string | undefined;
    for (;;) {
      const page = await store.owing({ limit: 500, ...(after === undefined ? {} : { after }) });
      await Promise.all(page.filter(address => isMine(address) && outbox.isClear(address)).map(address => woken(address)));
      after = page.at(-1);
      if (page.length < 500 || stopping) break;
    }
  }

  /**
   * A write of an owner before, which reached the store only after this one had looked, is found by
   * looking again.
   */
  function lookForDebtors(): void {
    disarmLook = clock.after(LIMITS.owingLookMs, () => {
      void wakeDebtors()
        .catch(logFailure)
        .then(() => {
          if (!stopping) lookForDebtors();
        });
    });
  }

  const woken = (address: string): Promise<void> =>
    new Promise(resolve => {
      const posted = cellOf(address).post({
        kind: 'wake',
        event: { type: 'wake' },
        origin: null,
        failures: 0,
        answer: () => resolve(),
      });
      if (!posted) resolve();
    });

  /**
   * Drops cells that rest and owe nothing: the ones that ended or were idle long, and as many more
   * as the limit asks for.
   */
  function sweep(): void {
    const now = clock.monotonic();
    let over = cells.size - LIMITS.cells;
    const byAge = over > 0 ? [...cells].sort(([, a], [, b]) => a.touchedAt - b.touchedAt) : cells;
    for (const [address, cell] of byAge) {
      const idleMs = now - cell.touchedAt;
      if (idleMs < LIMITS.cellEndedMs) continue;
      if (idleMs < LIMITS.cellIdleMs && over <= 0 && cell.resting?.hasEnded !== true) continue;
      if (!cell.isIdle || !outbox.isClear(address)) continue;
      cells.delete(address);
      over -= 1;
    }
    disarmSweep = clock.after(LIMITS.sweepMs, sweep);
  }

  function figures(): RuntimeMetrics {
    let mailbox = 0;
    for (const cell of cells.values()) mailbox += cell.waiting;
    return { counted, level: { actors: cells.size, mailbox, outbox: outbox.size, armed: alarms.size } };
  }

  function timerOf(address: string): ArmedTimer {
    const cell = cells.get(address);
    const resting = cell?.isIdle === false ? null : (cell?.resting ?? null);
    return {
      timer: alarms.of(address),
      ...(resting ? { loaded: resting.quarantine ? null : resting.nextDue } : {}),
      isBusy: cell?.isIdle === false || alarms.isCatchingUp,
      until: alarms.horizon,
    };
  }

  async function stop(graceMs: number): Promise<void> {
    stopping = true;
    alarms.stop();
    disarmSweep();
    disarmLook();
    for (const disarm of pauses) disarm();
    const until = clock.monotonic() + graceMs;
    const busy = () => [...cells.values()].filter(cell => !cell.isIdle).map(cell => cell.address);
    while (busy().length > 0 && clock.monotonic() < until) await new Promise<void>(resolve => clock.after(5, resolve));
    const left = busy();
    for (const cell of cells.values()) cell.stop();
    await trimmer.flush();
    trimmer.stop();
    posting.flush();
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
          alarms.start();
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
          // As with our own: whoever was just sent away stands in the lane by then.
          clock.soon(() => message.addresses.forEach(address => void outbox.open(address)));
          break;
        case 'returned':
          clock.soon(() => openAll(message));
          break;
        case 'forget':
          for (const { to, from, mark } of message.marks) cells.get(to)?.forget(from, mark);
          break;
        case 'measure':
          send({ type: 'measured', id: message.id, figures: figures() });
          break;
        case 'timersOf':
          send({ type: 'timersAre', id: message.id, timers: message.addresses.map(timerOf) });
          break;
        case 'ping':
          send({ type: 'pong', id: message.id });
          break;
        case 'hostReady':
          arrivals.set(message.host, (arrivals.get(message.host) ?? 0) + 1);
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
/** Kinds of which some timer measures a span. */
const MEASURING: ReadonlySet<string> = new Set([...SPAN_TIMERS].map(type => type.slice(0, type.indexOf('.'))));

const causeText = (cause: unknown): string => (cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
