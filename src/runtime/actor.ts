/**
 * One loaded actor: a bounded mailbox and one turn at a time.
 *
 *   idle --message--> loading --> deciding --> committing --> publishing, sending --> idle
 *                        ^            |             |
 *                        +--- dropped: failure, stale rev, unknown outcome
 *
 * A turn decides some waiting messages one after the other and commits them together; nothing
 * leaves before the commit. After any error but a refusal the state in memory is dropped and loaded
 * again from the store.
 */
import type { Stamp } from '../../actors/types.ts';
import { createGrowingDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import type { Ids } from '../lib/ids.ts';
import type { ActorStore, PublishedFact, Write } from '../store/port.ts';
import { StoreUnavailable } from '../store/port.ts';
import { type ActorState, createActorState } from './actor-state.ts';
import type { CommitQueue } from './commit-queue.ts';
import type { PendingEffect } from './document.ts';
import type { Envelope, Taken } from './envelope.ts';
import { Unreadable } from './errors.ts';
import { LIMITS, STORE_RETRY } from './limits.ts';
import { partitionOf } from './partition.ts';

/** Callbacks of an actor. None is called between a decision and its commit. */
export interface ActorDependencies {
  clock: Clock;
  ids: Ids;
  store: Pick<ActorStore, 'load' | 'floor'>;
  committer: CommitQueue;
  log(line: { level: 'warn' | 'error'; address: string; text: string; cause?: unknown }): void;
  /** The actor was loaded: these effects are pending from before. */
  woke(address: string, pendingEffects: readonly PendingEffect[], nextDue: number | null): void;
  /**
   * `facts` is null when facts were committed whose positions in the feed are unknown: the commit
   * was confirmed by a later load.
   */
  committed(address: string, news: { facts: PublishedFact[] | null; pendingEffects: PendingEffect[]; nextDue: number | null }): void;
  /** Keys of effects of this actor that were acknowledged and may be trimmed. */
  acknowledgedOf(address: string): ReadonlySet<string>;
  /** These keys are not in the document any more. */
  trimmed(address: string, keys: string[]): void;
  /** The mailbox has space again, or the quarantine ended: senders may try again. */
  opened(address: string): void;
}

export interface Actor {
  readonly address: string;
  /** False when the mailbox is full: the envelope was not taken. */
  post(envelope: Envelope): boolean;
  readonly isIdle: boolean;
  readonly isFull: boolean;
  /** The state in memory, if it is loaded and no turn is under way. */
  readonly resting: ActorState | null;
  /** Monotonic ms of the last message. */
  readonly touchedAt: number;
  /** Messages in its mailbox. */
  readonly waiting: number;
  /** See `ActorState.deleteMark`; no effect while the actor is not in memory. */
  deleteMark(from: string, dedupeMark: string): void;
  stop(): void;
}

export function createActor(address: string, around: ActorDependencies): Actor {
  const { clock, ids } = around;
  let mailbox: Envelope[] = [];
  let state: ActorState | null = null;
  let running = false;
  /** Messages at the head of the mailbox that the turn under way has taken. */
  let underWay = 0;
  let stopped = false;
  let full = false;
  /** Where one of a batch failed: each is decided alone. */
  let oneByOne = false;
  /** Monotonic ms before which an actor that gathers begins no turn. */
  let gathersUntil = 0;
  const retry = createGrowingDelay(STORE_RETRY);
  let touchedAt = clock.monotonic();
  /**
   * Neither the commit nor the load that checks it was answered: effects and facts may be stored
   * that this process does not have. The store is queried until it answers.
   */
  let isOutcomeUnknown = false;
  let loggedUnreadable = false;

  const stamp = (): Stamp => ({ at: clock.now(), chance: ids.fraction(), salt: ids.short(6) });

  async function run(): Promise<void> {
    while ((mailbox.length > 0 || isOutcomeUnknown) && !stopped) {
      try {
        if (!state) await wake();
        if (clock.monotonic() < gathersUntil) await gather();
        if (mailbox.length > 0) await turn();
        retry.reset();
      } catch (error) {
        state = null;
        underWay = 0;
        if (error instanceof Unreadable) {
          isOutcomeUnknown = false;
          // Once: its timer comes up again and again.
          if (!loggedUnreadable) around.log({ level: 'error', address, text: `${error.reason}; it is left as it is, and takes nothing` });
          loggedUnreadable = true;
          rejectAll({ result: 'refused', code: 'quarantined', reason: error.reason });
        } else if (error instanceof StoreUnavailable) await waitForStore(error);
        // Not even the dead letter can be written: only waiting remains.
        else if (mailbox.length === 0 || fail(error)) await waitForStore(error instanceof Error ? error : new Error(String(error)));
      }
      if (full && mailbox.length < LIMITS.mailbox / 2) {
        full = false;
        around.opened(address);
      }
    }
    running = false;
  }

  async function wake(): Promise<void> {
    const document = await around.store.load(address);
    // The id of an execution is never reused. Any other missing actor may have existed and been
    // deleted.
    const floor = document || address.startsWith('execution/') ? 0 : await around.store.floor(partitionOf(address));
    state = createActorState(address, document, floor);
    const nextDue = state.quarantine ? null : state.nextDue;
    around.woke(address, state.pendingEffects, nextDue);
    if (isOutcomeUnknown) around.committed(address, { facts: null, pendingEffects: [], nextDue });
    isOutcomeUnknown = false;
  }

  /**
   * Rejects all waiting messages: commands are answered, messages of actors stay with their
   * senders.
   */
  function rejectAll(taken: Taken): void {
    for (const envelope of mailbox.splice(0)) envelope.answer(taken);
  }

  /** Commands are answered, the rest waits until the store takes it again. */
  async function waitForStore(error: Error): Promise<void> {
    const waiting: Envelope[] = [];
    for (const envelope of mailbox) {
      if (envelope.kind === 'ask' || envelope.kind === 'release') envelope.answer({ result: 'unavailable', reason: error.message });
      else waiting.push(envelope);
    }
    mailbox = waiting;
    if (waiting.length === 0 && !isOutcomeUnknown) return;
    const retryMs = retry.next();
    around.log({ level: 'warn', address, text: `waits ${retryMs} ms for the store`, cause: error });
    await new Promise<void>(resolve => clock.after(retryMs, resolve));
  }

  /**
   * The first message of the batch failed by itself: once more from the store, then to the dead
   * letters. True when it failed there too.
   */
  function fail(error: unknown): boolean {
    if (!oneByOne && mailbox.length > 1) {
      // Which of them it was is found out one at a time.
      oneByOne = true;
      return false;
    }
    const envelope = mailbox[0];
    if (!envelope) return false;
    envelope.failures += 1;
    envelope.error = error instanceof Error ? error.message : String(error);
    around.log({
      level: 'error',
      address,
      text: `"${envelope.event.type}" failed (${envelope.failures} of ${LIMITS.failures})`,
      cause: error,
    });
    return envelope.failures > LIMITS.failures;
  }

  function gatherEnd({ document }: Write): number {
    const bytes = document.state.length;
    return bytes < LIMITS.gatherFromBytes ? 0 : clock.monotonic() + (bytes / 1_000_000) * LIMITS.gatherMsPerMB;
  }

  async function gather(): Promise<void> {
    const waitMs = gathersUntil - clock.monotonic();
    await new Promise<void>(resolve => clock.after(waitMs, resolve));
  }

  async function turn(): Promise<void> {
    const now = state as ActorState;
    const batch = mailbox.slice(0, oneByOne ? 1 : now.gathers ? LIMITS.gatheredMessages : LIMITS.turnMessages);
    underWay = batch.length;
    const wasQuarantined = now.quarantine !== null;
    const outcomes: [Envelope, Taken][] = [];
    let waits = false;
    for (const envelope of batch) {
      const early = envelope.origin !== null && now.mustWait(envelope.origin);
      if (early) {
        waits = true;
        now.releaseFromQuarantine(envelope.event, stamp());
      }
      outcomes.push([
        envelope,
        early ? { result: 'unavailable', reason: 'an earlier message of its sender comes first' } : decide(now, envelope),
      ]);
    }
    const acknowledged = around.acknowledgedOf(address);
    const write = now.write(ids.short(16), acknowledged);
    const committed = write && (await commit(write));
    underWay = 0;
    if (write && !committed) return;
    mailbox.splice(0, batch.length);
    oneByOne = false;
    if (write && now.gathers) gathersUntil = gatherEnd(write);
    // Due timers that were not due after all (the wall clock went back) are armed again.
    if (!write && batch.some(envelope => envelope.kind === 'timers')) around.woke(address, [], now.quarantine ? null : now.nextDue);
    // Synchronously, so that facts, answers and commands leave in this order.
    if (write && committed) conclude(now, write, acknowledged, committed.facts);
    for (const [envelope, taken] of outcomes) envelope.answer(taken);
    if ((wasQuarantined || waits) && now.quarantine === null) around.opened(address);
  }

  function decide(now: ActorState, envelope: Envelope): Taken {
    if (envelope.failures < LIMITS.failures) return now.take(envelope, stamp());
    now.deadLetter({ event: envelope.event, at: clock.now(), error: envelope.error ?? 'unknown' });
    // The create event failed: its sender gets noSuchActor and does not wait for the actor.
    if (!now.isThere && envelope.kind === 'tell') return { result: 'noSuchActor' };
    return { result: 'failed', reason: `"${envelope.event.type}" failed ${envelope.failures} times; ${address} is in quarantine now` };
  }

  /**
   * The facts with their positions (null: unknown) when the write is stored. Null: another write
   * came first, and all of it must be decided again from the store.
   */
  async function commit(write: Write): Promise<{ facts: PublishedFact[] | null } | null> {
    const unknownCursors = { facts: write.facts.length === 0 ? [] : null };
    try {
      const result = await around.committer.write(write);
      if (result.committed) return result;
      // A driver that repeats a write by itself conflicts with its own first one.
      if (await isThere(write)) return unknownCursors;
    } catch (error) {
      // The outcome is unknown until the store answers a load.
      isOutcomeUnknown = true;
      const stands = await isThere(write);
      isOutcomeUnknown = false;
      if (stands) return unknownCursors;
      throw error;
    }
    around.log({ level: 'warn', address, text: `somebody else wrote rev ${write.document.rev}; loading it again` });
    state = null;
    return null;
  }

  /** The write is committed: its trimmed effects are gone, its new effects may be sent. */
  function conclude(now: ActorState, write: Write, acknowledged: ReadonlySet<string>, facts: PublishedFact[] | null): void {
    const pendingEffects = now.adopt(write);
    const kept = new Set(now.pendingEffects.map(each => each.key));
    const trimmed = [...acknowledged].filter(key => !kept.has(key));
    if (trimmed.length > 0) around.trimmed(address, trimmed);
    around.committed(address, { facts, pendingEffects, nextDue: now.quarantine ? null : now.nextDue });
  }

  /** Is this very write in the store? */
  async function isThere(write: Write): Promise<boolean> {
    return (await around.store.load(address))?.writeId === write.document.writeId;
  }

  return {
    address,
    get isIdle() {
      return !running && mailbox.length === 0;
    },
    get isFull() {
      return mailbox.length >= LIMITS.mailbox;
    },
    get resting() {
      return running ? null : state;
    },
    get touchedAt() {
      return touchedAt;
    },
    get waiting() {
      return mailbox.length;
    },
    post(envelope) {
      touchedAt = clock.monotonic();
      if (stopped) envelope.answer({ result: 'unavailable', reason: 'the center is stopping' });
      else if (mailbox.length >= LIMITS.mailbox) {
        full = true;
        return false;
      } else {
        mailbox.push(envelope);
        if (!running) {
          running = true;
          // Messages posted in the same tick go into the same turn.
          queueMicrotask(() => void run());
        }
      }
      return true;
    },
    deleteMark(from, dedupeMark) {
      state?.deleteMark(from, dedupeMark);
    },
    stop() {
      stopped = true;
      for (const envelope of mailbox.splice(underWay)) envelope.answer({ result: 'unavailable', reason: 'the center is stopping' });
    },
  };
}
