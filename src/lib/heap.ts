/**
 * Keeps a thread's heap near what it holds. JavaScriptCore collects a whole heap only after it has
 * grown to a multiple of that; a center has a heap per thread.
 */
import type { Clock } from './clock.ts';

/** How often growth is looked for, ms. */
const LOOK_MS = 10_000;
/** Growth of the process since the last collection that is worth a collection, bytes. */
const GROWTH_BYTES = 8 * 2 ** 20;
/**
 * Looks after the last growth, each second one with a collection: idle actors leave memory only
 * half a minute after a burst.
 */
const LOOKS_AFTER = 4;
/** Shortest rest after a collection, as a multiple of its time: at most 0.2 % of a core. */
const REST_TIMES = 500;

/**
 * Collects this thread's heap, some 10 ms of work, when the process has grown, and twice more
 * when it no longer grows. Lasts as long as the thread. Does nothing where the engine offers no
 * collection (Deno).
 */
export function trimHeap(clock: Clock): void {
  if (typeof Bun === 'undefined') return;
  let lowest = process.memoryUsage.rss();
  let looksLeft = 0;
  let restUntil = 0;
  const look = () => {
    clock.after(LOOK_MS, look);
    const from = clock.monotonic();
    // A look within the rest would use up one of those after the growth.
    if (from < restUntil) return;
    const resident = process.memoryUsage.rss();
    lowest = Math.min(lowest, resident);
    const hasGrown = resident - lowest >= GROWTH_BYTES;
    if (hasGrown || looksLeft % 2 === 1) {
      Bun.gc(true);
      lowest = process.memoryUsage.rss();
      restUntil = clock.monotonic() + REST_TIMES * (clock.monotonic() - from);
    }
    looksLeft = hasGrown ? LOOKS_AFTER : Math.max(0, looksLeft - 1);
  };
  clock.after(LOOK_MS, look);
}
