/** A start waits for a database that is not there yet, or that is just choosing its primary. */
import { backoffDelay } from '../lib/backoff.ts';
import { type Clock, pause } from '../lib/clock.ts';
import { StoreUnavailable } from '../store/port.ts';
import { Unavailable } from './errors.ts';

/** An election takes some ten seconds, a set that starts with us longer. */
export const STARTUP_RETRY_MS = 30_000;
const PAUSES = { baseMs: 200, capMs: 3_000 };

/** Does the work, which must be fine to do twice, and does it again while the store is away. */
export type StartupRetry = <T>(work: () => Promise<T>) => Promise<T>;

export function createStartupRetry({
  clock,
  waits,
  signal,
  limitMs = STARTUP_RETRY_MS,
}: {
  clock: Clock;
  /** Called with each failure that it waits after. */
  waits(problem: string): void;
  signal?: AbortSignal | undefined;
  /**
   * Counted from its creation over all that it is given, ms. Null: a store that is away is waited
   * for without an end, and nothing else is.
   */
  limitMs?: number | null;
}): StartupRetry {
  const until = limitMs === null ? Number.POSITIVE_INFINITY : clock.monotonic() + limitMs;
  return async work => {
    for (let failures = 1; ; failures++) {
      const pauseMs = backoffDelay(PAUSES, failures);
      try {
        return await work();
      } catch (error) {
        const isAway = error instanceof StoreUnavailable || (limitMs !== null && error instanceof Unavailable);
        if (!isAway || signal?.aborted || clock.monotonic() + pauseMs > until) throw error;
        waits(error.message);
      }
      await pause(clock, pauseMs, signal);
    }
  };
}
