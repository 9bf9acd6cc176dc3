/** Instants of the store as answers show them. */
import { Unreadable } from '../runtime/errors.ts';
import { isInstant } from '../store/readable.ts';

/**
 * Throws Unreadable for what no calendar has: it came from the store, and only the one thing that
 * holds it cannot be shown.
 */
export const toIso = <T extends number | null>(at: T): T extends null ? null : string => {
  if (at !== null && !isInstant(at)) throw new Unreadable('what was asked for', `cannot be shown: it holds ${at} as an instant`);
  return (at === null ? null : new Date(at).toISOString()) as T extends null ? null : string;
};
