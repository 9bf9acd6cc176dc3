/** Retries the steps of a start while the database is unreachable or elects its primary. */
import { backoffDelay } from '../lib/backoff.ts';
import { type Clock, pause } from '../lib/clock.ts';
import { StoreUnavailable } from '../store/port.ts';
import { Unavailable } from './errors.ts';

/**
 * Default time limit, ms. An election takes about 10 s, a replica set that starts with the center
 * longer.
 */
export const STARTUP_RETRY_MS = 30_000;
const PAUSES = { baseMs: 200, capMs: 3_000 };

/** Runs the work, which must be idempotent, and repeats it while the store is unavailable. */
export type StartupRetry = <T>(work: () => Promise<T>) => Promise<T>;

export function createStartupRetry({
  clock,
  waits,
  signal,
  limitMs = STARTUP_RETRY_MS,
}: {
  clock: Clock;
  /** Called before each wait, with the failure. */
  waits(problem: string): void;
  signal?: AbortSignal | undefined;
  /**
   * Total of all work, ms, counted from creation. Null: no limit, but only an unavailable store is
   * retried.
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
