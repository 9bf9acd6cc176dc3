/**
 * Keeps a thread's heap near what it holds. JavaScriptCore collects a whole heap only after it has
 * grown to a multiple of that; a center has a heap per thread.
 */

/** How often growth is looked for, ms. */
const LOOK_MS = 10_000;
/** Growth of the process since the last collection that is worth a collection, bytes. */
const GROWTH_BYTES = 8 * 2 ** 20;

/**
 * Collects this thread's heap, some 10 ms of work, when the process has grown. Lasts as long as the
 * thread and does not keep it alive. Does nothing where the engine offers no collection (Deno).
 */
export function trimHeap(): void {
  if (typeof Bun === 'undefined') return;
  let lowest = process.memoryUsage.rss();
  const look = () => {
    const resident = process.memoryUsage.rss();
    lowest = Math.min(lowest, resident);
    if (resident - lowest < GROWTH_BYTES) return;
    Bun.gc(true);
    lowest = process.memoryUsage.rss();
  };
  setInterval(look, LOOK_MS).unref();
}
