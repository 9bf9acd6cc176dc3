/**
 * Whether the store can commit, for `/v1/ready`. A probe commits to disk, and the route is public.
 */
import type { Clock } from '../lib/clock.ts';

/** How long a result is reused, ms. */
export const PROBE_KEPT_MS = 1_000;

/**
 * Runs at most one probe at a time and reuses its result, success or failure, for PROBE_KEPT_MS.
 * Resolves when the store can commit; rejects with the store's error.
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
