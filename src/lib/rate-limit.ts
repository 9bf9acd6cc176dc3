/** At most so many calls per key in any span of time. */
import { createBoundedMap } from './bounded-map.ts';
import type { Clock } from './clock.ts';

export interface RateLimit {
  /** Counts a call of this key. 0: it is allowed; else ms until one is, and this one counts not. */
  take(key: string): number;
}

/** Keys with a count; beyond it the one that is silent for longest starts anew. */
const KEYS_MAX = 10_000;

/** `most` calls in each `windowMs`. */
export function createRateLimit({ clock, most, windowMs }: { clock: Clock; most: number; windowMs: number }): RateLimit {
  /** Instants of the last `most` allowed calls; `next` is the place of the oldest. */
  const calls = createBoundedMap<string, { at: number[]; next: number }>({ max: KEYS_MAX });

  return {
    take(key) {
      const now = clock.monotonic();
      const own = calls.get(key) ?? { at: [], next: 0 };
      calls.set(key, own);
      const oldest = own.at[own.next];
      if (oldest !== undefined && now - oldest < windowMs) return oldest + windowMs - now;
      own.at[own.next] = now;
      own.next = (own.next + 1) % most;
      return 0;
    },
  };
}
