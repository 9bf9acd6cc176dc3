/**
 * The interface of the runtime: `ask` for commands, `tell` for reports, release from quarantine,
 * start and stop. Everything behind it is reached by messages only, so that partitions can run in
 * other threads.
 */
import type { Address, Events, Kind } from '../../actors/types.ts';
import type { PublishedFact } from '../store/port.ts';
import type { RuntimeMetrics } from './metrics.ts';
import type { ArmedTimer } from './workers/messages.ts';

/** A partition, and the lowest epoch of it that an agent may be commanded with. */
export type LeastEpoch = readonly [partition: number, epoch: number];

export interface Runtime {
  /**
   * Sends a command to an actor. Resolves, once its turn is committed, with the actor's answer
   * (undefined when it has none). Throws Refused, NoSuchActor, Busy (mailbox full), Unavailable
   * (store), TurnFailed.
   */
  ask<K extends Kind>(to: Address<K>, event: Events[K]): Promise<unknown>;
  /**
   * Sends a report to an actor. Resolves once it is committed (or changed nothing), with the
   * actor's answer. Throws NoSuchActor, Busy, Unavailable, Refused (code `quarantined`: the caller
   * may retry later).
   */
  tell<K extends Kind>(to: Address<K>, event: Events[K]): Promise<unknown>;
  /** Ends an actor's quarantine. Throws NoSuchActor, Refused when it is in none. */
  release(address: Address): Promise<void>;
  /**
   * Facts as they are committed, in feed order. An empty list: facts were committed that must be
   * read from the store.
   */
  onFacts(listener: (facts: PublishedFact[]) => void): void;
  /** Takes over the partitions and sends pending effects. Timers do not fire before `arm`. */
  start(): Promise<void>;
  /** Lets timers fire. */
  arm(): void;
  /**
   * Counters and levels of all partitions. For a worker that does not answer within a second the
   * last known ones are used.
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
   * Accepts no more requests and finishes the running turns. Resolves when none is left or after
   * `graceMs`, with the addresses that were still busy.
   */
  stop(graceMs: number): Promise<string[]>;
}
