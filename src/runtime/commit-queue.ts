/**
 * Group commit: the writes of many actors go to the store together, one call at a time; what
 * arrives meanwhile goes with the next call.
 *
 *   actors --write--> waiting --(store idle)--> commit --> each actor learns its own result
 */
import { createWriteQueue } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import { type ActorStore, type PublishedFact, StoreUnavailable, type Write } from '../store/port.ts';
import { LIMITS } from './limits.ts';
import { addSpan, type Counters, emptyCounters } from './metrics.ts';

type Committed = { committed: true; facts: PublishedFact[] } | { committed: false };

export interface CommitQueue {
  /** Resolves with the outcome of this write. Rejects, outcome unknown, when the store failed. */
  write(write: Write): Promise<Committed>;
  /** Resolves when nothing is under way. */
  drained(): Promise<void>;
}

interface Waiting {
  write: Write;
  resolve(result: Committed): void;
  reject(error: unknown): void;
}

export function createCommitQueue({
  store,
  clock,
  counted = emptyCounters(),
}: {
  store: Pick<ActorStore, 'commit'>;
  clock: Clock;
  /** Counts along here. */
  counted?: Counters;
}): CommitQueue {
  let windowFrom = 0;
  let callsInWindow = 0;
  let writesInWindow = 0;

  const queue = createWriteQueue<Waiting>({
    // Everything that is ready in this tick of the event loop is in the call. While calls are
    // frequent, a short wait makes fewer and larger ones: the disk costs the same per call. A
    // single trigger and its effects never wait.
    schedule(run) {
      if (isBusyTime()) clock.after(LIMITS.commitPaceMs, run);
      else clock.soon(run);
    },
    max: LIMITS.commitWrites,
    write(batch) {
      writesInWindow += batch.length;
      return commit(batch);
    },
  });

  function isBusyTime(): boolean {
    const now = clock.monotonic();
    if (now - windowFrom > LIMITS.commitWindowMs) {
      windowFrom = now;
      callsInWindow = 0;
      writesInWindow = 0;
    }
    callsInWindow += 1;
    if (callsInWindow <= LIMITS.commitsUnpaced || now === windowFrom) return false;
    // Callers one after the other make calls of one write each: waiting would collect nothing.
    // Large calls need not become larger.
    const mean = writesInWindow / callsInWindow;
    return mean > LIMITS.commitPaceFrom && mean < LIMITS.commitPaceTo;
  }

  async function commit(batch: Waiting[]): Promise<void> {
    const from = clock.monotonic();
    try {
      const results = await store.commit(batch.map(each => each.write));
      counted.commits += 1;
      counted.writes += results.filter(({ committed }) => committed).length;
      addSpan(counted.commitMs, clock.monotonic() - from);
      batch.forEach((each, index) => {
        const result = results[index];
        if (result) each.resolve(result);
        else each.reject(new Error('the store gave no result for a write'));
      });
    } catch (error) {
      counted.storeErrors += 1;
      // An unreachable store fails all writes. Any other error may be the fault of one document,
      // and the others must not fail with it.
      if (batch.length === 1 || error instanceof StoreUnavailable) for (const each of batch) each.reject(error);
      else for (const each of batch) await commit([each]);
    }
  }

  return {
    write: write =>
      new Promise((resolve, reject) => {
        queue.add({ write, resolve, reject });
      }),
    drained: queue.idle,
  };
}
