/** At most so many at a time; the others wait in line, first come first served. */
export interface Semaphore {
  /** Callers in line. */
  readonly waiting: number;
  /**
   * Resolves, once there is room, with the function that makes room again. That function is
   * idempotent.
   */
  acquire(): Promise<() => void>;
  /** Begins `work` at once where there is room, else in its turn. Settles as `work` does. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

/** Entries of the line that were served are cut off together: a line may be ten thousand long. */
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
