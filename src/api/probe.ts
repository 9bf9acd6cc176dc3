/** Whether the store can commit, for `/v1/ready`: anybody may ask, and each look is a commit to the disk. */
import type { Clock } from '../clock.ts';

/** How long an answer counts, ms: from when it came. */
export const PROBE_KEPT_MS = 1_000;

/**
 * At most one look at a time, and none within PROBE_KEPT_MS of the last: whoever asks then gets its result, good or bad.
 * Resolves when the store can commit; rejects with what the store throws.
 */
export function createProbe({ store, clock }: { store: { probe(): Promise<void> }; clock: Clock }): () => Promise<void> {
  let last: { result: Promise<void>; until: number } | undefined;
  return () => {
    if (last && clock.monotonic() < last.until) return last.result;
    const begun = { result: store.probe(), until: Number.POSITIVE_INFINITY };
    const settled = () => {
      begun.until = clock.monotonic() + PROBE_KEPT_MS;
    };
    begun.result.then(settled, settled);
    last = begun;
    return begun.result;
  };
}
