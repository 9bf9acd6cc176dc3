/** A message on its way into an actor, and what may become of it. */
import type { Effect } from '../../actors/types.ts';

/**
 * Where a message of another actor comes from: the address, and `rev:place` of the effect. Repeats
 * are dropped by it.
 */
export interface Origin {
  from: string;
  rev: number;
  place: number;
  /**
   * Mark of its sender's last message before it to the same actor that had not arrived when this
   * one left. Absent: all had. Taken before that one it would make it a repeat, so it has to wait;
   * the receiver may be somebody who never heard of that one.
   */
  behind?: string;
}

export type Taken =
  | { result: 'done'; value: unknown }
  | { result: 'refused'; reason: string; code: 'refused' | 'quarantined' }
  | { result: 'noSuchActor' }
  | { result: 'busy' }
  | { result: 'unavailable'; reason: string }
  | { result: 'failed'; reason: string };

export interface Envelope {
  /**
   * `ask`: refusal and unavailability are answers. `tell`: kept until it is committed. `timers`:
   * look which of your timers are due (`setBackMs` in the event: so much was the wall clock set
   * back, see `SPAN_TIMERS`). `wake`: be in memory, nothing else. `release`: end the quarantine.
   */
  kind: 'ask' | 'tell' | 'timers' | 'wake' | 'release';
  event: { type: string };
  origin: Origin | null;
  failures: number;
  /** What the last failure said. */
  error?: string;
  answer(taken: Taken): void;
}

/** How a message is remembered by its receiver. */
export const markOf = (origin: Pick<Origin, 'rev' | 'place'>): string => `${origin.rev}:${origin.place}`;

/** `rev:place` compared as numbers. */
export const isNewer = (mark: string, seen: string | undefined): boolean => {
  if (seen === undefined) return true;
  const [rev = 0, place = 0] = mark.split(':').map(Number);
  const [seenRev = 0, seenPlace = 0] = seen.split(':').map(Number);
  return rev > seenRev || (rev === seenRev && place > seenPlace);
};

/** The key of an effect: never the same twice. */
export const effectKey = (address: string, rev: number, place: number): string => `${address}:${rev}:${place}`;

export interface Carried {
  address: string;
  partition: number;
  key: string;
  rev: number;
  place: number;
  effect: Effect;
}
