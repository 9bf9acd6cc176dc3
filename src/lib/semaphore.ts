/** At most so many at a time; further callers wait in order of arrival. */
export interface Semaphore {
  /** Waiting callers. */
  readonly waiting: number;
  /**
   * Resolves, once a permit is free, with the function that releases it. That function is
   * idempotent.
   */
  acquire(): Promise<() => void>;
  /** Begins `work` at once where a permit is free, else in its turn. Settles as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Served entries are removed from the queue in blocks: it may have ten thousand entries. */
const CUT_AT = 1_000;

export function createSemaphore(max: number): Semaphore {
  let active = 0;
  const line: (() => void)[] = [];
  let served = 0;

  const release = () => {
    const next = line[served];
    if (!next) {
      active -= 1;
      return;
    }
    served += 1;
    if (served >= CUT_AT || served === line.length) {
      line.splice(0, served);
      served = 0;
    }
    next();
  };
  const held = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } finally {
      release();
    }
  };

  return {
    get waiting() {
      return line.length - served;
    },
    async acquire() {
      if (active < max) active += 1;
      else await new Promise<void>(resolve => line.push(resolve));
      let isReleased = false;
      return () => {
        if (!isReleased) release();
        isReleased = true;
      };
    },
    run(work) {
      if (active >= max) return new Promise(resolve => line.push(() => resolve(held(work))));
      active += 1;
      return held(work);
    },
  };
}
