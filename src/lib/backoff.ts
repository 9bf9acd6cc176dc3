/** A delay that doubles with each failure in a row, up to a cap. */

export interface Backoff {
  /** After the first failure, ms. */
  baseMs: number;
  /** Longest delay, ms. */
  capMs: number;
}

/** Keeps the power finite: 0 ms times infinity is not a number. */
const DOUBLINGS_MAX = 100;

/**
 * Delay after so many failures in a row, ms; fewer than one count as one. `fraction`, drawn anew
 * for each delay, gives full jitter: clients that failed together do not return together.
 */
export function backoffDelay({ baseMs, capMs }: Backoff, failures: number, fraction = 1): number {
  const doublings = Math.min(DOUBLINGS_MAX, Math.max(0, failures - 1));
  return fraction * Math.min(capMs, baseMs * 2 ** doublings);
}

export interface GrowingDelay {
  /** Counts a failure; returns the delay after it, ms. */
  next(): number;
  /** The next failure counts as the first. */
  reset(): void;
}

export function createGrowingDelay(backoff: Backoff): GrowingDelay {
  let failures = 0;
  return {
    next() {
      failures += 1;
      return backoffDelay(backoff, failures);
    },
    reset() {
      failures = 0;
    },
  };
}
