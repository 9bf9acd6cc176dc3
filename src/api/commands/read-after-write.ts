/**
 * Waits until a new actor can be read. A job answers as soon as its own step is committed; the next
 * step creates the execution that the answer names. A client may ask for it at once, so the answer
 * waits.
 */

import { createBoundedSet } from '../../lib/bounded-map.ts';
import { type Clock, pause } from '../../lib/clock.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Views } from '../../runtime/views.ts';
import type { PublishedFact } from '../../store/port.ts';

/** Longest wait, ms; the execution is created afterwards all the same. */
const WAIT_MS_MAX = 2_000;
/** Between reads of the store, ms: it may hold a fact that this process does not publish. */
const READ_MS = 100;
/** Addresses of the newest executions whose fact may precede the wait for it. */
const CREATED_MAX = 1_000;

/**
 * Resolves once the actor can be read, or after two seconds. `isNew`: its fact is expected, and the
 * store is read only when that does not arrive.
 */
export type WaitUntilVisible = (address: `${'execution'}/${string}`, about?: { isNew: boolean }) => Promise<void>;

export function createWaitUntilVisible({
  runtime,
  views,
  clock,
}: {
  runtime: Pick<Runtime, 'onFacts'>;
  views: Pick<Views, 'get'>;
  clock: Clock;
}): WaitUntilVisible {
  const waits = new Map<string, Set<AbortController>>();
  const created = createBoundedSet<string>(CREATED_MAX);
  runtime.onFacts((facts: PublishedFact[]) => {
    for (const { address, type } of facts) {
      for (const wait of waits.get(address) ?? []) wait.abort();
      if (type === 'execution.created') created.add(address);
    }
  });

  return async (address, { isNew } = { isNew: false }) => {
    if (created.has(address)) return;
    const visible = new AbortController();
    const ofAddress = waits.get(address) ?? new Set();
    waits.set(address, ofAddress.add(visible));
    const until = clock.monotonic() + WAIT_MS_MAX;
    if (isNew) await pause(clock, READ_MS, visible.signal);
    while (!visible.signal.aborted && !(await views.get(address)) && clock.monotonic() < until) await pause(clock, READ_MS, visible.signal);
    ofAddress.delete(visible);
    if (ofAddress.size === 0) waits.delete(address);
  };
}
