/** Work one after the other: all of it, or all of one key. */

/**
 * Runs `work` once all earlier work is over, however that ended. Settles as `work` does. Work that
 * calls its own mutex waits for itself for ever.
 */
export type Mutex = <T>(work: () => Promise<T>) => Promise<T>;

export function createMutex(): Mutex {
  let last: Promise<unknown> = Promise.resolve();
  return work => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
}

/** As `Mutex`, for the work of one key; that of different keys runs side by side. */
export type KeyedMutex = <T>(key: string, work: () => Promise<T>) => Promise<T>;

export function createKeyedMutex(): KeyedMutex {
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
