/** Work for several callers of one key runs once, and aborts when the last caller gave up. */
export interface SingleFlight<T> {
  /**
   * Joins the running work of this key, or begins it. Settles as the work does; rejects with the
   * reason of `signal` when that aborts, while the other callers wait on. The signal of `work`
   * aborts once all callers gave up; a caller without a signal never does.
   */
  join(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Later callers begin anew: the running work may have read data that changed since. */
  detach(key: string): void;
}

interface Flight<T> {
  result: Promise<T>;
  abort: AbortController;
  waiting: number;
}

export function createSingleFlight<T>(): SingleFlight<T> {
  const running = new Map<string, Flight<T>>();

  const begin = (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const abort = new AbortController();
    const flight: Flight<T> = { abort, waiting: 0, result: work(abort.signal) };
    running.set(key, flight);
    const over = () => {
      if (running.get(key) === flight) running.delete(key);
    };
    flight.result.then(over, over);
    return flight;
  };

  const waitFor = async (key: string, flight: Flight<T>, signal: AbortSignal): Promise<T> => {
    let giveUp = () => {};
    const given = new Promise<never>((_, reject) => {
      giveUp = () => reject(signal.reason);
      signal.addEventListener('abort', giveUp, { once: true });
    });
    try {
      return await Promise.race([flight.result, given]);
    } finally {
      signal.removeEventListener('abort', giveUp);
      flight.waiting--;
      if (flight.waiting === 0) {
        // Removed, because it is about to fail for a reason that does not concern the next caller.
        if (running.get(key) === flight) running.delete(key);
        flight.abort.abort(signal.reason);
      }
    }
  };

  return {
    join(key, work, signal) {
      if (signal?.aborted) return Promise.reject(signal.reason);
      const flight = running.get(key) ?? begin(key, work);
      flight.waiting++;
      return signal ? waitFor(key, flight, signal) : flight.result;
    },
    detach: key => void running.delete(key),
  };
}
