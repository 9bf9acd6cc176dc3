/** How long a shard waits before its next attempt. */
import type { JobConfig } from '../job/types.ts';

/** Part of the delay that jitter leaves as it is. */
const FIXED_PART = { none: 1, equal: 0.5, full: 0 } as const;

/**
 * Delay before attempt number `tries + 1`, ms. It doubles from `backoffMs` up to `maxBackoffMs`.
 * Jitter spreads attempts that failed together: `equal` (default) gives between half of the delay
 * and the whole, `full` between nothing and the whole, `none` the whole. `chance`: 0 <= chance < 1.
 */
export function shardRetryDelay(retry: JobConfig['retry'], tries: number, chance: number): number {
  const bound = Math.min(retry.maxBackoffMs, retry.backoffMs * 2 ** Math.min(30, Math.max(0, tries - 1)));
  const fixed = FIXED_PART[retry.jitter];
  return Math.round(bound * (fixed + (1 - fixed) * chance));
}
