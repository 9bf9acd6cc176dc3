/**
 * The state of one actor in memory: its document, decoded, with the changes of the running turn.
 * Knows no store and no other actor.
 *
 *   load -> take, take, … -> write -> committed: adopted
 *                                  \> stale, unknown: dropped, and loaded again
 */

import type { AnyMachineSnapshot } from 'xstate';
import { actors, COMMANDS, SPAN_TIMERS } from '../../actors/index.ts';
import type { KindDefinition } from '../../actors/kind.ts';
import { machines } from '../../actors/machines.ts';
import type { Kind, Stamp } from '../../actors/types.ts';
import { keepNewest } from '../lib/bounded-map.ts';
import type { ActorDocument, HistoryFact, Write } from '../store/port.ts';
import { interpret, type Plan } from './actions.ts';
import {
  type DeadLetter,
  decodePendingEffects,
  decodeState,
  encodePendingEffects,
  encodeState,
  type PendingEffect,
  type StoredQuarantine,
  type StoredState,
  type Timer,
} from './document.ts';
import { dedupeMarkOf, type Envelope, effectKey, isNewer, type Origin, type Taken } from './envelope.ts';
import { Unreadable } from './errors.ts';
import { LIMITS } from './limits.ts';
import { partitionOf } from './partition.ts';
import { createStepper, type Stepper } from './stepper.ts';

/** What the runtime uses of every kind. */
interface KindOf extends Omit<KindDefinition<never, never>, 'upgrades'> {
  stepper: Stepper;
}

const kinds = new Map<string, KindOf>();
/** One stepper per kind, made when first needed. */
function kindOf(address: string): KindOf | undefined {
  const name = address.slice(0, address.indexOf('/'));
  let kind = kinds.get(name);
  if (!kind && Object.hasOwn(actors, name)) {
    const stepper = createStepper(machines[name as Kind]);
    kind = { ...(actors[name as Kind] as unknown as KindOf), stepper };
    kinds.set(name, kind);
  }
  return kind;
}

export interface ActorState {
  readonly address: string;
  readonly rev: number;
  /** Effects of committed turns that are not trimmed yet. */
  readonly pendingEffects: readonly PendingEffect[];
  readonly quarantine: StoredQuarantine | null;
  /** See `KindDefinition`. */
  readonly gathers: boolean;
  readonly nextDue: number | null;
  /** Live or quarantined, as opposed to missing, ended, or a tombstone. */
  readonly isThere: boolean;
  /** It is done, or a tombstone. */
  readonly hasEnded: boolean;
  /** Has the message that this one must not overtake not been taken yet? */
  mustWait(origin: Origin): boolean;
  /**
   * Called for a message that must wait. Where it ends a quarantine it does so already, because the
   * earlier messages could never be taken otherwise.
   */
  releaseFromQuarantine(event: { type: string }, stamp: Stamp): void;
  /** Decides one message; changes nothing when it throws. */
  take(envelope: Pick<Envelope, 'kind' | 'event' | 'origin'>, stamp: Stamp): Taken;
  /** Moves a message that failed too often to the dead letters, the actor into quarantine. */
  deadLetter(letter: DeadLetter): void;
  /**
   * The write of everything taken since the last one, or null when nothing changed. `acknowledged`
   * effects are trimmed with it.
   */
  write(writeId: string, acknowledged: ReadonlySet<string>): Write | null;
  /** Makes a committed write the current state. Returns the new effects. */
  adopt(write: Write): PendingEffect[];
  /** After a background trim. */
  trim(pendingEffects: PendingEffect[]): void;
  /** The sender's effect is acknowledged, so this message can never come again. */
  deleteMark(from: string, dedupeMark: string): void;
}

/**
 * `floor`: without a document, the rev after which an incarnation begins; see `ActorStore.floor`.
 * Throws Unreadable for a document that cannot be decoded.
 */
export function createActorState(address: string, document: ActorDocument | undefined, floor = 0): ActorState {
  const kind = kindOf(address);
  if (!kind) throw new Unreadable(address, 'is of no known kind');
  const { stepper } = kind;
  const partition = partitionOf(address);
  let rev = document?.rev ?? floor;
  let isStored = document !== undefined;
  let incarnation = document?.incarnation ?? 0;
  let life: ActorDocument['life'] | 'none' = document?.life ?? 'none';
  const state = document ? decodeState(document) : NOTHING;
  let snapshot: AnyMachineSnapshot | null = null;
  if (document && life !== 'tombstone') snapshot = restore(address, kind, state.snapshot);
  const timers = new Map(state.timers.map(timer => [timer.id, timer]));
  const seen = new Map(Object.entries(state.seen));
  let dead = state.dead;
  let quarantine = state.quarantine;
  let pendingEffects: PendingEffect[] = document ? decodePendingEffects(document) : [];
  // Since the last write:
  let dirty = false;
  let newEffects: PendingEffect[] = [];
  /** Pending effects of the write that is being committed. */
  let written: PendingEffect[] = pendingEffects;
  let facts: HistoryFact[] = [];
  let changedAt = 0;

  const isLiving = () => snapshot !== null && (life === 'live' || life === 'done');

  function apply(plan: Plan, next: AnyMachineSnapshot, at: number): void {
    snapshot = next;
    changedAt = at;
    for (const change of plan.timers) {
      if ('set' in change) timers.set(change.set.id, change.set);
      else timers.delete(change.cancel);
    }
    for (const effect of plan.effects) newEffects.push({ key: effectKey(address, rev + 1, newEffects.length), rev: rev + 1, effect });
    for (const fact of plan.facts) facts.push({ address, rev: rev + 1, position: facts.length, at, type: fact.type, data: fact.data });
    if (plan.quarantine !== null) startQuarantine(plan.quarantine, at);
    dirty = true;
  }

  function startQuarantine(reason: string, at: number): void {
    if (quarantine) return;
    quarantine = { reason, at };
    facts.push({ address, rev: rev + 1, position: facts.length, at, type: 'actor.quarantined', data: { reason } });
  }

  function step(event: { type: string } & Stamp): Taken {
    const before = snapshot as AnyMachineSnapshot;
    const result = stepper.step(before, event);
    if (result.changed) {
      const plan = interpret(result, event.at);
      apply(plan, result.snapshot, event.at);
      return { result: 'done', value: plan.answer?.value };
    }
    return { result: 'done', value: undefined };
  }

  function begin(event: { type: string } & Stamp): Taken {
    const result = stepper.begin(event);
    const plan = interpret(result, event.at);
    incarnation += 1;
    life = 'live';
    // The dedupe marks stay: a message of an earlier incarnation is not taken again in this one.
    timers.clear();
    dead = [];
    quarantine = null;
    apply(plan, result.snapshot, event.at);
    return { result: 'done', value: plan.answer?.value };
  }

  function command(event: { type: string } & Stamp): Taken {
    const now = snapshot as AnyMachineSnapshot;
    if (!stepper.can(now, event)) {
      const why = kind?.refusal(now.context as never, now.value, event as never);
      return { result: 'refused', code: 'refused', reason: why ?? `does not take "${event.type}" while ${stateText(now.value)}` };
    }
    return step(event);
  }

  function releaseNow(stamp: Stamp): Taken {
    if (!quarantine) return { result: 'refused', code: 'refused', reason: 'is not in quarantine' };
    const { reason, at } = quarantine;
    quarantine = null;
    dirty = true;
    facts.push({ address, rev: rev + 1, position: facts.length, at: stamp.at, type: 'actor.released', data: { reason } });
    return step({ type: 'actor.released', since: at, reason, ...stamp } as { type: string } & Stamp);
  }

  /** The wall clock was set back: armed timers keep their remaining time. */
  function moveBack(byMs: number, now: number): void {
    for (const timer of timers.values()) {
      // A nearer timer was armed after the clock was set.
      if (!SPAN_TIMERS.has(timer.event.type) || timer.dueAt < now + byMs - LIMITS.napMs) continue;
      timers.set(timer.id, { ...timer, dueAt: timer.dueAt - byMs });
      dirty = true;
    }
  }

  function fireTimers(stamp: Stamp): Taken {
    const due = [...timers.values()].filter(timer => timer.dueAt <= stamp.at).sort((a, b) => a.dueAt - b.dueAt);
    for (const timer of due) {
      // An earlier one of these may have disarmed or re-armed it.
      if (timers.get(timer.id) !== timer) continue;
      timers.delete(timer.id);
      dirty = true;
      if (snapshot?.status === 'active') step({ ...timer.event, ...stamp });
    }
    return { result: 'done', value: undefined };
  }

  return {
    address,
    gathers: kind.gathers ?? false,
    get rev() {
      return rev;
    },
    get pendingEffects() {
      return pendingEffects;
    },
    get quarantine() {
      return quarantine;
    },
    get nextDue() {
      return nextDueOf(timers);
    },
    get isThere() {
      return isLiving();
    },
    get hasEnded() {
      return life === 'done' || life === 'tombstone';
    },

    mustWait: ({ from, behind }) => behind !== undefined && isNewer(behind, seen.get(from)),

    releaseFromQuarantine(event, stamp) {
      const ends = quarantine && isLiving() && ENDS_QUARANTINE.has(event.type);
      if (ends && stepper.can(snapshot as AnyMachineSnapshot, { ...event, ...stamp })) releaseNow(stamp);
    },

    take({ kind: how, event, origin }, stamp) {
      if (how === 'wake') return { result: 'done', value: undefined };
      if (origin && !isNewer(dedupeMarkOf(origin), seen.get(origin.from))) return { result: 'done', value: undefined };
      if (how === 'timers') {
        if ('setBackMs' in event) moveBack(Number(event.setBackMs), stamp.at);
        return quarantine || !isLiving() ? { result: 'done', value: undefined } : fireTimers(stamp);
      }
      const stamped = { ...event, ...stamp };
      let taken: Taken;
      if (event.type === kind.createEvent && (!isLiving() || kind.isOver(snapshot?.value))) taken = begin(stamped);
      else if (!isLiving() || kind.isOver(snapshot?.value)) return { result: 'noSuchActor' };
      else if (how === 'release') taken = releaseNow(stamp);
      else if (quarantine && !ENDS_QUARANTINE.has(event.type)) {
        return { result: 'refused', code: 'quarantined', reason: `is in quarantine: ${quarantine.reason}` };
      } else {
        if (quarantine && stepper.can(snapshot as AnyMachineSnapshot, stamped)) releaseNow(stamp);
        taken = how === 'ask' && COMMANDS.has(event.type) ? command(stamped) : step(stamped);
      }
      if (origin && taken.result === 'done') {
        seen.delete(origin.from);
        // A message that changed nothing needs no write for its dedupe mark: a repeat before the
        // next commit changes nothing again.
        seen.set(origin.from, dedupeMarkOf(origin));
      }
      return taken;
    },

    deadLetter(letter) {
      // An actor whose create event failed has no state to keep.
      if (!snapshot) return;
      dead = [...dead, letter].slice(-LIMITS.deadLetters);
      startQuarantine(`"${letter.event.type}" failed ${LIMITS.failures} times: ${letter.error}`, letter.at);
      dirty = true;
    },

    write(writeId, acknowledged) {
      if (!dirty || !snapshot) return null;
      written = [...pendingEffects.filter(each => !acknowledged.has(each.key)), ...newEffects];
      const over = kind.isOver(snapshot.value);
      keepNewest(seen, LIMITS.seen);
      const stored: StoredState = {
        snapshot: stepper.persist(snapshot),
        timers: over ? [] : [...timers.values()],
        seen: Object.fromEntries(seen),
        dead,
        quarantine,
      };
      const text = encodeState(address, stored);
      if (text.length > LIMITS.stateBytes)
        throw new Error(`the state of ${address} would be ${text.length} bytes, the limit is ${LIMITS.stateBytes}`);
      const nextLife = over ? 'tombstone' : snapshot.status === 'done' || snapshot.value === 'done' ? 'done' : 'live';
      return {
        document: {
          address,
          kind: address.slice(0, address.indexOf('/')),
          partition,
          rev: rev + 1,
          incarnation,
          version: kind.version,
          life: nextLife,
          quarantined: quarantine !== null,
          writeId,
          state: text,
          pendingEffects: encodePendingEffects(address, written),
          nextDue: over ? null : nextDueOf(timers),
          index: {
            ...kind.index(snapshot.context as never, snapshot.value, quarantine !== null),
            ...(over ? { at: changedAt } : {}),
          },
        },
        facts,
        ...(isStored ? {} : { follows: 0 }),
      };
    },

    adopt(write) {
      rev = write.document.rev;
      isStored = true;
      life = write.document.life;
      pendingEffects = written;
      const news = newEffects;
      newEffects = [];
      facts = [];
      dirty = false;
      if (life === 'tombstone') timers.clear();
      return news;
    },

    trim(remaining) {
      pendingEffects = remaining;
    },

    deleteMark(from, dedupeMark) {
      if (seen.get(from) === dedupeMark) seen.delete(from);
    },
  };
}

/** Commands that bring a new configuration or an end: they end a quarantine. */
export const ENDS_QUARANTINE: ReadonlySet<string> = new Set([
  'job.update',
  'job.deregister',
  'app.modify',
  'app.delete',
  'pool.modify',
  'pool.delete',
  'host.retire',
]);

const nextDueOf = (timers: Map<string, Timer>): number | null => {
  let earliest: number | null = null;
  for (const timer of timers.values()) if (earliest === null || timer.dueAt < earliest) earliest = timer.dueAt;
  return earliest;
};

const stateText = (value: unknown): string =>
  typeof value === 'string'
    ? value
    : typeof value === 'object' && value !== null
      ? Object.values(value).map(stateText).join(' and ')
      : String(value);

const NOTHING: StoredState = { snapshot: null, timers: [], seen: {}, dead: [], quarantine: null };

function restore(address: string, kind: KindOf, persisted: unknown): AnyMachineSnapshot {
  try {
    const snapshot = kind.stepper.restore(persisted);
    // XState reports a node that no longer exists only when the value is read.
    JSON.stringify(snapshot.value);
    return snapshot;
  } catch (error) {
    throw new Unreadable(
      address,
      `is in a state that its machine does not have: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
