/**
 * Waiting for an actor to be there. A job answers as soon as its own turn is committed; the
 * execution it promises is created by the next one, a moment later. Whoever is told its name may
 * ask for it at once, so the answer waits that moment.
 */

import { createBoundedSet } from '../../lib/bounded-map.ts';
import { type Clock, pause } from '../../lib/clock.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Views } from '../../runtime/views.ts';
import type { PlacedFact } from '../../store/port.ts';

/** Longest wait; beyond, the actor is on its way all the same. */
const PATIENCE_MS = 2_000;
/** Facts may be committed that only the store can show. */
const LOOK_MS = 100;
/** Addresses whose first fact came lately: it may be told before anybody waits for it. */
const LATELY_MAX = 1_000;

/**
 * Resolves once the actor is there, or after two seconds. One that `isNew` is about to say so
 * itself, and the store is only asked when it does not.
 */
export type Arrived = (address: `${'execution'}/${string}`, about?: { isNew: boolean }) => Promise<void>;

export function createArrivals({
  runtime,
  views,
  clock,
}: {
  runtime: Pick<Runtime, 'onFacts'>;
  views: Pick<Views, 'get'>;
  clock: Clock;
}): Arrived {
  const awaited = new Map<string, Set<AbortController>>();
  const lately = createBoundedSet<string>(LATELY_MAX);
  runtime.onFacts((facts: PlacedFact[]) => {
    for (const { address, type } of facts) {
      for (const waiting of awaited.get(address) ?? []) waiting.abort();
      if (type === 'execution.created') lately.add(address);
    }
  });

  return async (address, { isNew } = { isNew: false }) => {
    if (lately.has(address)) return;
    const heard = new AbortController();
    const waiting = awaited.get(address) ?? new Set();
    awaited.set(address, waiting.add(heard));
    const until = clock.monotonic() + PATIENCE_MS;
    if (isNew) await pause(clock, LOOK_MS, heard.signal);
    while (!heard.signal.aborted && !(await views.get(address)) && clock.monotonic() < until) await pause(clock, LOOK_MS, heard.signal);
    waiting.delete(heard);
    if (waiting.size === 0) awaited.delete(address);
  };
}
