/** At most so many restarts within a window, each after a growing delay; then none. */
import { type Backoff, backoffDelay } from './backoff.ts';
import type { Clock } from './clock.ts';

export interface RestartLimits {
  /** Restarts within the window. */
  restarts: number;
  windowMs: number;
  /** Grows with the failures within the window. */
  delay: Backoff;
}

export interface RestartPolicy {
  /**
   * Counts a failure. Returns the delay until the restart, ms; null: the limit is reached, no
   * restart.
   */
  failed(): number | null;
}

export function createRestartPolicy(clock: Pick<Clock, 'monotonic'>, { restarts, windowMs, delay }: RestartLimits): RestartPolicy {
  let failures: number[] = [];
  return {
    failed() {
      const now = clock.monotonic();
      failures = [...failures.filter(at => at > now - windowMs), now];
      return failures.length > restarts ? null : backoffDelay(delay, failures.length);
    },
  };
}
