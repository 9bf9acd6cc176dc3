/**
 * Logins wait here for the one thread that hashes: in the order of how many wrong tries their address has, then of arrival. When too
 * many wait, the one with the most wrong tries is sent away, so that guessing does not keep out those who do not guess.
 */
import { Problem } from './errors.ts';

/** Logins that may wait. At a tenth of a second each the last one waits for three seconds. */
export const WAITING_MAX = 32;
/** When one that was sent away may come again. */
const RETRY_MS = 3_000;

/** One login. */
export interface Entry {
  /** Lower goes first; asked again as others end. */
  rank(): number;
  /** Asked when its turn comes; throws why it is not worth a hash any more. */
  check(): void;
}

export interface LoginQueue {
  /** Does `work` when it is this login's turn. Throws what `check` and `work` throw, and Problem `tooMany` when too many wait. */
  inTurn<T>(entry: Entry, work: () => Promise<T>): Promise<T>;
}

interface Waiting extends Entry {
  go(): void;
  sendAway(problem: Problem): void;
}

export function createLoginQueue({ waitingMax = WAITING_MAX }: { waitingMax?: number } = {}): LoginQueue {
  let isBusy = false;
  const waiting: Waiting[] = [];

  /** The first of those with the lowest rank, or the last of those with the highest. */
  const find = (which: 'first' | 'last'): number => {
    const ranks = waiting.map(each => each.rank());
    return which === 'first' ? ranks.indexOf(Math.min(...ranks)) : ranks.lastIndexOf(Math.max(...ranks));
  };
  const join = (entry: Entry): Promise<void> =>
    new Promise((go, sendAway) => {
      waiting.push({ ...entry, go, sendAway });
      if (waiting.length <= waitingMax) return;
      const [last] = waiting.splice(find('last'), 1);
      const sentence = `too many logins wait to be checked; try again in ${RETRY_MS / 1_000} s`;
      last?.sendAway(new Problem('tooMany', sentence, { retryAfterMs: RETRY_MS }));
    });

  return {
    async inTurn(entry, work) {
      if (isBusy) await join(entry);
      isBusy = true;
      try {
        entry.check();
        return await work();
      } finally {
        const [next] = waiting.splice(find('first'), 1);
        // It goes on as busy as before: nobody slips in between.
        if (next) next.go();
        else isBusy = false;
      }
    },
  };
}
