/** A manual clock. Wall clock and monotonic clock move together unless a test jumps one. */
import type { Clock } from '../../src/lib/clock.ts';

export interface ManualClock extends Clock {
  /**
   * Moves time on, firing each timer at its own instant and letting everything that follows from it
   * happen before the next.
   */
  advance(ms: number): Promise<void>;
  /** Runs everything that waits for no timer: promises and `soon` callbacks. */
  settle(): Promise<void>;
}

interface Armed {
  due: number;
  order: number;
  fn: () => void;
}

/** `start` is epoch ms; default 2026-11-22T08:00:00Z. */
export function createManualClock(start: number = Date.UTC(2026, 10, 22, 8)): ManualClock {
  let elapsed = 0;
  let orders = 0;
  let soons = 0;
  const armed = new Set<Armed>();

  const settle = async () => {
    do await new Promise<void>(resolve => setImmediate(resolve));
    while (soons > 0);
    await new Promise<void>(resolve => setImmediate(resolve));
  };

  const nextBefore = (until: number): Armed | undefined => {
    let first: Armed | undefined;
    for (const one of armed) {
      if (one.due > until) continue;
      if (!first || one.due < first.due || (one.due === first.due && one.order < first.order)) first = one;
    }
    return first;
  };

  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    after(ms, fn) {
      const one = { due: elapsed + Math.max(0, ms), order: orders++, fn };
      armed.add(one);
      return () => {
        armed.delete(one);
      };
    },
    soon(fn) {
      soons++;
      setImmediate(() => {
        soons--;
        fn();
      });
    },
    settle,
    async advance(ms) {
      await settle();
      const until = elapsed + ms;
      for (let next = nextBefore(until); next; next = nextBefore(until)) {
        armed.delete(next);
        elapsed = Math.max(elapsed, next.due);
        next.fn();
        await settle();
      }
      elapsed = until;
      await settle();
    },
  };
}
