/**
 * Changes of one thing one after the other. A PATCH reads, merges and writes; two at once would
 * each write what the other had not seen, and the first to be answered would be gone.
 */

/** Does `work` when all earlier work under the same key is over, however that ended. */
export type InTurn = <T>(key: string, work: () => Promise<T>) => Promise<T>;

export function createTurns(): InTurn {
  const last = new Map<string, Promise<unknown>>();
  return async (key, work) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work, work);
    last.set(key, mine);
    try {
      return await mine;
    } finally {
      if (last.get(key) === mine) last.delete(key);
    }
  };
}
