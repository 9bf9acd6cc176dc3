/**
 * What actors are owed by the world. Every committed effect enters here once, is carried out at
 * least once, in order per target, and is settled when it is known to be done. What is settled is
 * trimmed by the actor's next commit or, when the actor rests, in the background.
 *
 *   adopt --> lane of its target --> carried --> settled --> trimmed
 *                  |    ^
 *                  +----+  the target is away: the lane waits until it opens
 */
import { runKey } from '../../actors/execution/run-spec.ts';
import type { Clock } from '../lib/clock.ts';
import { ENDS_QUARANTINE } from './actor-state.ts';
import type { PendingEffect } from './document.ts';
import { type Carried, markOf } from './envelope.ts';
import { partitionOf } from './partition.ts';

/**
 * How carrying one effect out ended. `away`: nothing happened, try again when its lane opens.
 * `missing`: the addressee is not there.
 */
export type Delivery = 'done' | 'away' | 'missing';

export interface OutboxDependencies {
  clock: Clock;
  /**
   * Carries one effect out. Called in lane order without waiting for the one before. `behind`: see
   * `Origin`. Never rejects.
   */
  carry(effect: Carried, behind: string | undefined): Promise<Delivery>;
  /** The addressee of a message is not there; resolves once the sender knows. */
  tellMissing(effect: Carried): Promise<void>;
  /** Is the target of an effect that came back `away` still away? If not, open its lane. */
  stillAway(lane: string): boolean;
  /** Something was settled, so there may be something to trim. */
  settled(address: string): void;
}

export interface Outbox {
  /** Takes effects of an actor, in order; those it has already are passed over. */
  adopt(address: string, owed: readonly PendingEffect[]): void;
  /** The target of a lane can be reached again. */
  open(lane: string): void;
  /** Lanes in which something waits for its target to come back. */
  closed(): string[];
  settledOf(address: string): ReadonlySet<string>;
  /** These keys left the document. Returns the marks that their receivers may delete. */
  trimmed(address: string, keys: string[]): Carried[];
  /** Nothing of this actor is known here: neither owed nor waiting to be trimmed. */
  isClear(address: string): boolean;
  /** Effects not settled yet. */
  readonly size: number;
}

interface Sent extends Carried {
  /** What this actor sent to the same one before it. */
  before: Sent | undefined;
  hasArrived: boolean;
}

interface Lane {
  /** Waiting, in order; empty while the lane is open. */
  waiting: Sent[];
  isOpen: boolean;
}

const NONE: ReadonlySet<string> = new Set();

/** Whom an effect is for: everything of one lane arrives in the order in which it was committed. */
function laneOf({ effect, address }: Pick<Carried, 'effect' | 'address'>): string {
  switch (effect.type) {
    case 'tell':
      return effect.params.to;
    case 'start':
    case 'stop':
      return `agent:${effect.params.host}`;
    // It waits for nothing: what waits for that host is over with it.
    case 'closeSession':
      return `closeSession:${effect.params.host}`;
    default:
      return `ledger:${address}`;
  }
}

const pairOf = (address: string, lane: string): string => `${address}\n${lane}`;

/** Does this lane lead to an actor? */
export const isAddress = (lane: string): boolean => /^\w+\//.test(lane);

export function createOutbox(around: OutboxDependencies): Outbox {
  const lanes = new Map<string, Lane>();
  /** By actor: every effect that is not trimmed yet, and whether it is settled. */
  const known = new Map<string, Map<string, Sent>>();
  /** By sender and addressee, the last message that is not trimmed. */
  const latest = new Map<string, Sent>();
  const settledKeys = new Map<string, Set<string>>();
  let size = 0;

  function send(lane: string, effect: Sent): void {
    void around.carry(effect, behind(effect)).then(async delivery => {
      effect.hasArrived = delivery !== 'away';
      if (delivery === 'missing') await around.tellMissing(effect);
      if (delivery !== 'away') return settle(effect);
      putBack(lane, effect);
      // It may have opened between the answer and now, and nobody would say so again.
      if (!around.stillAway(lane)) around.clock.soon(() => open(lane));
    });
  }

  function behind(effect: Sent): string | undefined {
    while (effect.before?.hasArrived) effect.before = effect.before.before;
    return effect.before && markOf(effect.before);
  }

  function open(name: string): void {
    const lane = lanes.get(name);
    if (!lane) return;
    lanes.delete(name);
    const stopped = new Set(lane.waiting.flatMap(({ effect }) => (effect.type === 'stop' ? [runKey(effect.params.run)] : [])));
    for (const effect of lane.waiting) {
      // What is to be stopped anyway is better not begun.
      if (effect.effect.type === 'start' && stopped.has(runKey(effect.effect.params.run))) settle(effect);
      else send(name, effect);
    }
  }

  /**
   * Into its place: by the order in which it was committed, so that an opened lane repeats the
   * original order.
   */
  function putBack(name: string, effect: Sent): void {
    const lane = lanes.get(name) ?? { waiting: [], isOpen: false };
    lanes.set(name, lane);
    lane.isOpen = false;
    const behind = lane.waiting.findIndex(
      each => each.address === effect.address && (each.rev > effect.rev || (each.rev === effect.rev && each.place > effect.place)),
    );
    if (behind < 0) lane.waiting.push(effect);
    else lane.waiting.splice(behind, 0, effect);
  }

  function settle(effect: Sent): void {
    const { address, key } = effect;
    effect.hasArrived = true;
    effect.before = undefined;
    const keys = settledKeys.get(address) ?? new Set();
    settledKeys.set(address, keys);
    if (keys.has(key)) return;
    keys.add(key);
    size -= 1;
    around.settled(address);
  }

  return {
    adopt(address, owed) {
      if (owed.length === 0) return;
      const mine = known.get(address) ?? new Map<string, Sent>();
      known.set(address, mine);
      const partition = partitionOf(address);
      for (const { key, rev, effect } of owed) {
        if (mine.has(key)) continue;
        const place = Number(key.slice(key.lastIndexOf(':') + 1));
        const name = laneOf({ address, effect });
        const pair = pairOf(address, name);
        const before = effect.type === 'tell' ? latest.get(pair) : undefined;
        const carried: Sent = { address, partition, key, rev, place, effect, before, hasArrived: false };
        if (effect.type === 'tell') latest.set(pair, carried);
        mine.set(key, carried);
        size += 1;
        const lane = lanes.get(name);
        if (lane && !lane.isOpen) {
          lane.waiting.push(carried);
          // The lane may be closed by the very quarantine that this one ends.
          if (effect.type === 'tell' && ENDS_QUARANTINE.has(effect.params.event.type)) around.clock.soon(() => open(name));
        } else send(name, carried);
      }
    },
    open,
    closed: () => [...lanes.keys()],
    settledOf: address => settledKeys.get(address) ?? NONE,
    trimmed(address, keys) {
      const mine = known.get(address);
      const settled = settledKeys.get(address);
      const gone: Carried[] = [];
      for (const key of keys) {
        const effect = mine?.get(key);
        if (effect) {
          gone.push(effect);
          const pair = pairOf(address, laneOf(effect));
          if (latest.get(pair) === effect) latest.delete(pair);
        }
        mine?.delete(key);
        settled?.delete(key);
      }
      if (mine?.size === 0) known.delete(address);
      if (settled?.size === 0) settledKeys.delete(address);
      return gone;
    },
    isClear: address => !known.has(address),
    get size() {
      return size;
    },
  };
}
