/**
 * Keeps a thread's heap near what it holds. JavaScriptCore collects a whole heap only after it has
 * grown to a multiple of that; a center has a heap per thread.
 */
import type { Clock } from './clock.ts';

/** How often the size of the process is looked at, ms. */
const LOOK_MS = 10_000;
/** Growth of the process since the last collection that is worth a collection, bytes. */
const CHANGE_BYTES = 8 * 2 ** 20;
/**
 * Collections after the last change of that size, up or down, and the time between them, ms: the
 * end of a burst shows as a fall, and idle actors leave memory only half a minute after it.
 */
const COLLECTIONS_AFTER = 2;
const BETWEEN_MS = 20_000;
/** Shortest rest after a collection, as a multiple of its time: at most 0.2 % of a core. */
const REST_TIMES = 500;

/**
 * Collects this thread's heap, some 10 ms of work, when the process has grown, and twice more
 * when its size no longer changes. Lasts as long as the thread. Does nothing where the engine
 * offers no collection (Deno).
 */
export function trimHeap(clock: Clock): void {
  if (typeof Bun === 'undefined') return;
  const sizeOf = () => process.memoryUsage.rss();
  let lowest = sizeOf();
  let settled = { size: lowest, since: clock.monotonic(), collections: COLLECTIONS_AFTER };
  let restUntil = 0;
  const look = () => {
    clock.after(LOOK_MS, look);
    const from = clock.monotonic();
    const size = sizeOf();
    lowest = Math.min(lowest, size);
    if (Math.abs(size - settled.size) >= CHANGE_BYTES) settled = { size, since: from, collections: 0 };
    const hasGrown = size - lowest >= CHANGE_BYTES;
    const hasSettled = settled.collections < COLLECTIONS_AFTER && from - settled.since >= (settled.collections + 1) * BETWEEN_MS;
    if (from < restUntil || !(hasGrown || hasSettled)) return;
    Bun.gc(true);
    lowest = sizeOf();
    restUntil = clock.monotonic() + REST_TIMES * (clock.monotonic() - from);
    // What this collection freed is no change of the load.
    settled = { ...settled, size: lowest, collections: settled.collections + (hasSettled ? 1 : 0) };
  };
  clock.after(LOOK_MS, look);
}
