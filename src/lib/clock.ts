/**
 * The one file of the product that reads time and arms timers. All other files take a `Clock`, so
 * that tests and the simulation move time by hand.
 */

/** Disarms the timer. Idempotent; has no effect after the call. */
export type Disarm = () => void;

export interface Clock {
  /** Wall clock, epoch ms. May jump either way when the clock of the machine is set. */
  now(): number;
  /**
   * Milliseconds since some fixed moment; never goes back and ignores changes of the wall clock.
   * For leases and waiting.
   */
  monotonic(): number;
  /** Calls `fn` once, `ms` from now (<= 0: as soon as possible). Exact beyond 2^31-1 ms. */
  after(ms: number, fn: () => void): Disarm;
  /**
   * Calls `fn` after the work that is queued already: the way to gather a batch without waiting for
   * a fixed time.
   */
  soon(fn: () => void): void;
}

/** The longest span `setTimeout` honours; a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fn) {
    const until = performance.now() + Math.max(0, ms);
    let timer: ReturnType<typeof setTimeout>;
    const arm = () => {
      const left = until - performance.now();
      timer = left > LONGEST_TIMER_MS ? setTimeout(arm, LONGEST_TIMER_MS) : setTimeout(fn, Math.max(0, left));
    };
    arm();
    return () => clearTimeout(timer);
  },
  soon: fn => {
    setImmediate(fn);
  },
};

/** Resolves after `ms`, or at once when the signal aborts. Never rejects: look at the signal. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      disarm();
      signal?.removeEventListener('abort', finish);
      resolve();
    };
    const disarm = clock.after(ms, finish);
    signal?.addEventListener('abort', finish, { once: true });
  });
}
