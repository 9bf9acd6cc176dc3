/** Instants of the store as ISO text in responses. */
import { Unreadable } from '../runtime/errors.ts';
import { isInstant } from '../store/readable.ts';

/**
 * Throws Unreadable for a number that is no instant: the stored state is damaged, and only its one
 * resource fails.
 */
export const toIso = <T extends number | null>(at: T): T extends null ? null : string => {
  if (at !== null && !isInstant(at))
    throw new Unreadable('the resource', `cannot be shown: its stored state has the invalid instant ${at}`);
  return (at === null ? null : new Date(at).toISOString()) as T extends null ? null : string;
};
