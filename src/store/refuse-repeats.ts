import type { Write } from './store.ts';

/**
 * Two writes of one actor in one commit would have to be ordered; the runtime folds them into one
 * instead.
 */
export function refuseRepeats(writes: Write[]): void {
  const seen = new Set<string>();
  for (const { document } of writes) {
    if (seen.has(document.address)) throw new Error(`one commit writes an actor at most once, got ${document.address} twice`);
    seen.add(document.address);
  }
}
