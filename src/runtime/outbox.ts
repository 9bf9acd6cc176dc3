/**
 * Pending effects of actors. Every committed effect enters once, is carried out at least once, in
 * order per target, and is acknowledged when it is known to be done. An acknowledged effect is
 * trimmed by the actor's next commit or, while the actor is idle, in the background.
 *
 *   adopt --> lane of its target --> carried --> acknowledged --> trimmed
 *                  |    ^
 *                  +----+  the target is away: the lane waits until it opens
 */
import { runKeyOf } from '../../actors/execution/run-spec.ts';
import type { Clock } from '../lib/clock.ts';
import { ENDS_QUARANTINE } from './actor-state.ts';
import type { PendingEffect } from './document.ts';
import { type Carried, dedupeMarkOf } from './envelope.ts';
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
  /** The addressee of a message does not exist; resolves once the sender has `actor.missing`. */
  notifyMissing(effect: Carried): Promise<void>;
  /** Is the target of an effect that came back `away` still away? If not, open its lane. */
  stillAway(lane: string): boolean;
  /** Something was acknowledged, so there may be something to trim. */
  acknowledged(address: string): void;
}

export interface Outbox {
  /** Takes effects of an actor, in order; those it has already are passed over. */
  adopt(address: string, pendingEffects: readonly PendingEffect[]): void;
  /** The target of a lane can be reached again. */
  open(lane: string): void;
  /** Lanes in which something waits for its target to come back. */
  closed(): string[];
  acknowledgedOf(address: string): ReadonlySet<string>;
  /** These keys left the document. Returns the dedupe marks that their receivers may delete. */
  trimmed(address: string, keys: string[]): Carried[];
  /** This actor has no effect here, neither pending nor waiting to be trimmed. */
  isClear(address: string): boolean;
  /** Effects not acknowledged yet. */
  readonly size: number;
}

interface Sent extends Carried {
  /** The message of this actor to the same one before it. */
  before: Sent | undefined;
  hasArrived: boolean;
}

interface Lane {
  /** Waiting, in order; empty while the lane is open. */
  waiting: Sent[];
  isOpen: boolean;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * The target of an effect: all effects of one lane arrive in the order in which they were
 * committed.
 */
function laneOf({ effect, address }: Pick<Carried, 'effect' | 'address'>): string {
  switch (effect.type) {
    case 'tell':
      return effect.params.to;
    case 'start':
    case 'stop':
      return `agent:${effect.params.host}`;
    // It waits for nothing: it ends what waits for that host.
    case 'closeSession':
      return `closeSession:${effect.params.host}`;
    // Nothing else of its actor waits for a slow server.
    case 'send':
    case 'readOutput':
      return `send:${address}`;
    default:
      return `ledger:${address}`;
  }
}

const pairOf = (address: string, lane: string): string => `${address}\n${lane}`;

/** Does this lane lead to an actor? */
export const isAddress = (lane: string): boolean => /^\w+\//.test(lane);

export function createOutbox(around: OutboxDependencies): Outbox {
  const lanes = new Map<string, Lane>();
  /** By actor: every effect that is not trimmed yet, and whether it is acknowledged. */
  const known = new Map<string, Map<string, Sent>>();
  /** By sender and addressee, the last message that is not trimmed. */
  const latest = new Map<string, Sent>();
  const acknowledgedKeys = new Map<string, Set<string>>();
  let size = 0;

  function send(lane: string, effect: Sent): void {
    void around.carry(effect, behind(effect)).then(async delivery => {
      effect.hasArrived = delivery !== 'away';
      if (delivery === 'missing') await around.notifyMissing(effect);
      if (delivery !== 'away') return acknowledge(effect);
      putBack(lane, effect);
      // The lane may have opened between the answer and now, and no second signal follows.
      if (!around.stillAway(lane)) around.clock.soon(() => open(lane));
    });
  }

  function behind(effect: Sent): string | undefined {
    while (effect.before?.hasArrived) effect.before = effect.before.before;
    return effect.before && dedupeMarkOf(effect.before);
  }

  function open(name: string): void {
    const lane = lanes.get(name);
    if (!lane) return;
    lanes.delete(name);
    const stopped = new Set(lane.waiting.flatMap(({ effect }) => (effect.type === 'stop' ? [runKeyOf(effect.params.run)] : [])));
    for (const effect of lane.waiting) {
      // A run that is to be stopped anyway is not started.
      if (effect.effect.type === 'start' && stopped.has(runKeyOf(effect.effect.params.run))) acknowledge(effect);
      else send(name, effect);
    }
  }

  /** Inserts by order of commit, so that an opened lane repeats the original order. */
  function putBack(name: string, effect: Sent): void {
    const lane = lanes.get(name) ?? { waiting: [], isOpen: false };
    lanes.set(name, lane);
    lane.isOpen = false;
    const behind = lane.waiting.findIndex(
      each => each.address === effect.address && (each.rev > effect.rev || (each.rev === effect.rev && each.index > effect.index)),
    );
    if (behind < 0) lane.waiting.push(effect);
    else lane.waiting.splice(behind, 0, effect);
  }

  function acknowledge(effect: Sent): void {
    const { address, key } = effect;
    effect.hasArrived = true;
    effect.before = undefined;
    const keys = acknowledgedKeys.get(address) ?? new Set();
    acknowledgedKeys.set(address, keys);
    if (keys.has(key)) return;
    keys.add(key);
    size -= 1;
    around.acknowledged(address);
  }

  return {
    adopt(address, pendingEffects) {
      if (pendingEffects.length === 0) return;
      const mine = known.get(address) ?? new Map<string, Sent>();
      known.set(address, mine);
      const partition = partitionOf(address);
      for (const { key, rev, effect } of pendingEffects) {
        if (mine.has(key)) continue;
        const index = Number(key.slice(key.lastIndexOf(':') + 1));
        const name = laneOf({ address, effect });
        const pair = pairOf(address, name);
        const before = effect.type === 'tell' ? latest.get(pair) : undefined;
        const carried: Sent = { address, partition, key, rev, index, effect, before, hasArrived: false };
        if (effect.type === 'tell') latest.set(pair, carried);
        mine.set(key, carried);
        size += 1;
        const lane = lanes.get(name);
        if (lane && !lane.isOpen) {
          lane.waiting.push(carried);
          // The quarantine that this message ends may be what closes the lane.
          if (effect.type === 'tell' && ENDS_QUARANTINE.has(effect.params.event.type)) around.clock.soon(() => open(name));
        } else send(name, carried);
      }
    },
    open,
    closed: () => [...lanes.keys()],
    acknowledgedOf: address => acknowledgedKeys.get(address) ?? NONE,
    trimmed(address, keys) {
      const mine = known.get(address);
      const acknowledged = acknowledgedKeys.get(address);
      const gone: Carried[] = [];
      for (const key of keys) {
        const effect = mine?.get(key);
        if (effect) {
          gone.push(effect);
          const pair = pairOf(address, laneOf(effect));
          if (latest.get(pair) === effect) latest.delete(pair);
        }
        mine?.delete(key);
        acknowledged?.delete(key);
      }
      if (mine?.size === 0) known.delete(address);
      if (acknowledged?.size === 0) acknowledgedKeys.delete(address);
      return gone;
    },
    isClear: address => !known.has(address),
    get size() {
      return size;
    },
  };
}
