/**
 * Queue of logins for the one thread that hashes. Fewest wrong tries of the address first, then in
 * order of arrival. A full queue refuses the login with the most wrong tries, so that
 * guessing does not crowd out other callers.
 */
import { AccessError } from './errors.ts';

/** Limit of waiting logins. At 0.1 s per hash the last one waits for three seconds. */
export const LOGINS_WAITING_MAX = 32;
/** Retry-After of a refused login, ms. */
const RETRY_MS = 3_000;

/** One login. */
interface Entry {
  /** Lower ranks go first. Read again each time a login ends. */
  rank(): number;
  /** Called at its turn. Throws to skip the hash. */
  check(): void;
}

export interface LoginQueue {
  /**
   * Runs `work` at the turn of this login. Throws what `check` and `work` throw, and AccessError
   * `tooMany` when the queue is full.
   */
  inTurn<T>(entry: Entry, work: () => Promise<T>): Promise<T>;
}

interface Waiting extends Entry {
  go(): void;
  refuse(problem: AccessError): void;
}

export function createLoginQueue({ waitingMax = LOGINS_WAITING_MAX }: { waitingMax?: number } = {}): LoginQueue {
  let isBusy = false;
  const waiting: Waiting[] = [];

  /** Index of the first login of the lowest rank, or of the last one of the highest. */
  const find = (which: 'first' | 'last'): number => {
    const ranks = waiting.map(each => each.rank());
    return which === 'first' ? ranks.indexOf(Math.min(...ranks)) : ranks.lastIndexOf(Math.max(...ranks));
  };
  const join = (entry: Entry): Promise<void> =>
    new Promise((go, refuse) => {
      waiting.push({ ...entry, go, refuse });
      if (waiting.length <= waitingMax) return;
      const [last] = waiting.splice(find('last'), 1);
      const sentence = `too many logins wait to be checked; try again in ${RETRY_MS / 1_000} s`;
      last?.refuse(new AccessError('tooMany', sentence, { retryAfterMs: RETRY_MS }));
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
        // `isBusy` stays true: a new login cannot overtake the next one.
        if (next) next.go();
        else isBusy = false;
      }
    },
  };
}
