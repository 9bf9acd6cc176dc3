/**
 * Waits until a new actor can be read. A job answers after its own commit; the next turn creates
 * the execution that the response names. A client may request it at once, so the response waits.
 */

import { createBoundedSet } from '../../lib/bounded-map.ts';
import { type Clock, pause } from '../../lib/clock.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Views } from '../../runtime/views.ts';
import type { PublishedFact } from '../../store/port.ts';

/** Longest wait, ms. The execution is created in any case. */
const WAIT_MS_MAX = 2_000;
/** Between reads of the store, ms: it may have a fact that this process does not publish. */
const READ_MS = 100;
/** Remembered addresses of new executions: their fact may precede the wait. */
const CREATED_MAX = 1_000;

/**
 * Resolves once the actor can be read, or after WAIT_MS_MAX. `isNew`: its fact is expected, and the
 * store is read only after READ_MS without it.
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
