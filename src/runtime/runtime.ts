/**
 * HOW ACTORS LIVE, seen from outside: two doors (`ask` for commands, `tell` for news), a way to end
 * a quarantine, and a life cycle. Everything behind it is reached by messages only, so that
 * partitions of actors can live in other threads.
 */
import type { Address, Events, Kind } from '../../actors/types.ts';
import type { PlacedFact } from '../store/port.ts';
import type { RuntimeMetrics } from './metrics.ts';
import type { ArmedTimer } from './workers/messages.ts';

/** A partition, and the lowest epoch of it that an agent may be commanded with. */
export type LeastEpoch = readonly [partition: number, epoch: number];

export interface Runtime {
  /**
   * Gives a command to an actor. Resolves, once its turn is committed, with what the actor answers
   * (undefined when it answers nothing). Throws Refused, NoSuchActor, Busy (mailbox full),
   * Unavailable (store), TurnFailed.
   */
  ask<K extends Kind>(to: Address<K>, event: Events[K]): Promise<unknown>;
  /**
   * Gives news to an actor. Resolves once it is committed (or was nothing new), with what the actor
   * answers. Throws NoSuchActor, Busy, Unavailable, Refused (code `quarantined`: it may be told
   * again later).
   */
  tell<K extends Kind>(to: Address<K>, event: Events[K]): Promise<unknown>;
  /** Ends an actor's quarantine. Throws NoSuchActor, Refused when it is in none. */
  release(address: Address): Promise<void>;
  /**
   * Facts as they are committed, in feed order. An empty list says that some were committed which
   * only the store can show.
   */
  onFacts(listener: (facts: PlacedFact[]) => void): void;
  /** Takes over the partitions and sends what is still owed. Timers do not fire before `arm`. */
  start(): Promise<void>;
  /** Lets timers fire. */
  arm(): void;
  /**
   * What all partitions have counted, and how full they are. Those that do not answer within a
   * second are told as they were last.
   */
  measure(): Promise<RuntimeMetrics>;
  /**
   * What is armed for these actors, in their order; undefined where their partitions are not
   * served, or did not answer within a second.
   */
  timersOf(addresses: readonly string[]): Promise<(ArmedTimer | undefined)[]>;
  /** Why some partitions are not served now, one sentence each; empty when all are. */
  down(): string[];
  /** Resolves with the reason when no partition is served any more, and none will be. */
  readonly gaveUp: Promise<Error>;
  /**
   * Raises the epochs of all partitions, durably, where one is lower than it must be: the store
   * then holds an earlier state than agents have served. Resolves with by how much, 0 where all are
   * high enough. Throws Unavailable where that is not possible now, and where this center was
   * replaced by another one.
   */
  raiseEpochs(least: readonly LeastEpoch[]): Promise<number>;
  /** The highest epoch of all partitions; 0 before they are served. */
  epoch(): number;
  /**
   * Takes nothing new, finishes the turns under way, resolves when nothing is left or after
   * `graceMs`; names what was left.
   */
  stop(graceMs: number): Promise<string[]>;
}
