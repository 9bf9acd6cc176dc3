/** A message on its way into an actor, and what may become of it. */
import type { Effect } from '../../actors/index.ts';

/** Where a message of another actor comes from: the address, and `rev:place` of the effect. Repeats are dropped by it. */
export interface Origin {
  from: string;
  rev: number;
  place: number;
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
   * `ask`: refusal and unavailability are answers. `tell`: kept until it is committed. `timers`: look which of your timers are due (`setBackMs` in the event: so much was the wall clock set back, see `SPANS`). `wake`: be in memory,
   * nothing else. `release`: end the quarantine.
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
export const isNewer = (origin: Origin, seen: string | undefined): boolean => {
  if (seen === undefined) return true;
  const [rev = 0, place = 0] = seen.split(':').map(Number);
  return origin.rev > rev || (origin.rev === rev && origin.place > place);
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
