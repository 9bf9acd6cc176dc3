/** A check of every store: one commit writes an actor at most once. */
import type { Write } from './port.ts';

/** Throws for two writes of one actor, which would need an order; the runtime merges them. */
export function refuseRepeats(writes: Write[]): void {
  const seen = new Set<string>();
  for (const { document } of writes) {
    if (seen.has(document.address)) throw new Error(`one commit writes an actor at most once, got ${document.address} twice`);
    seen.add(document.address);
  }
}
