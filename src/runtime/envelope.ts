/** A message to an actor, and its possible results. */
import type { Effect } from '../../actors/types.ts';

/**
 * Where a message of another actor comes from: the address, and `rev:index` of the effect. Repeats
 * are dropped by it.
 */
export interface Origin {
  from: string;
  rev: number;
  index: number;
  /**
   * Dedupe mark of the sender's last earlier message to the same actor that had not arrived when
   * this one left. Absent: all had. Taken first, this message would make the earlier one a repeat.
   * So it waits for it, also at a receiver that never got it.
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
   * fires the due timers (`setBackMs` in the event: by how much the wall clock was set back, see
   * `SPAN_TIMERS`). `wake`: loads the actor, nothing else. `release`: end the quarantine.
   */
  kind: 'ask' | 'tell' | 'timers' | 'wake' | 'release';
  event: { type: string };
  origin: Origin | null;
  failures: number;
  /** Message of the last failure. */
  error?: string;
  answer(taken: Taken): void;
}

/** The receiver keeps this to drop repeats of a message. */
export const dedupeMarkOf = (origin: Pick<Origin, 'rev' | 'index'>): string => `${origin.rev}:${origin.index}`;

/** `rev:index` compared as numbers. */
export const isNewer = (dedupeMark: string, seen: string | undefined): boolean => {
  if (seen === undefined) return true;
  const [rev = 0, index = 0] = dedupeMark.split(':').map(Number);
  const [seenRev = 0, seenIndex = 0] = seen.split(':').map(Number);
  return rev > seenRev || (rev === seenRev && index > seenIndex);
};

/** The unique key of an effect. */
export const effectKey = (address: string, rev: number, index: number): string => `${address}:${rev}:${index}`;

export interface Carried {
  address: string;
  partition: number;
  key: string;
  rev: number;
  index: number;
  effect: Effect;
}
