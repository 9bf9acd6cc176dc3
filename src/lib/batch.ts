/**
 * Many items as one piece of work: those of one tick of the event loop, or those that arrive while
 * an earlier write is under way.
 */

/** When a batch leaves: `queueMicrotask`, `clock.soon`, or later. */
type Schedule = (run: () => void) => void;

/** The returned function plans one run of `work`; calls before that run add no further one. */
export function createCoalesced(schedule: Schedule, work: () => void): () => void {
  let isScheduled = false;
  const run = () => {
    isScheduled = false;
    work();
  };
  return () => {
    if (isScheduled) return;
    isScheduled = true;
    schedule(run);
  };
}

export interface Batch<T> {
  add(item: T): void;
  /** Sends the added items now. Idempotent. */
  flush(): void;
}

/** Collects items until `schedule` runs; `send` gets them in order, never an empty list. */
export function createBatch<T>({ schedule, send }: { schedule: Schedule; send(items: T[]): void }): Batch<T> {
  let items: T[] = [];
  const flush = () => {
    if (items.length === 0) return;
    const leaving = items;
    items = [];
    send(leaving);
  };
  return {
    add(item) {
      if (items.push(item) === 1) schedule(flush);
    },
    flush,
  };
}

export interface WriteQueue<T> {
  add(item: T): void;
  /** Resolves when nothing waits and nothing is under way. */
  idle(): Promise<void>;
}

/**
 * Runs one write at a time; items added meanwhile go with the next one. `schedule` runs the first
 * write after a pause, further ones begin at once. `max`: items per write, default all waiting
 * ones. `write` must settle its items itself and must not reject.
 */
export function createWriteQueue<T>({
  schedule,
  max = Number.POSITIVE_INFINITY,
  write,
}: {
  schedule: Schedule;
  max?: number;
  write(items: T[]): Promise<void>;
}): WriteQueue<T> {
  let waiting: T[] = [];
  let isBusy = false;
  const idle: (() => void)[] = [];

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const items = waiting.slice(0, max);
      waiting = waiting.slice(items.length);
      await write(items);
    }
    isBusy = false;
    for (const resolve of idle.splice(0)) resolve();
  }

  return {
    add(item) {
      waiting.push(item);
      if (isBusy) return;
      isBusy = true;
      schedule(() => void run());
    },
    idle: () => (isBusy ? new Promise(resolve => idle.push(resolve)) : Promise.resolve()),
  };
}
