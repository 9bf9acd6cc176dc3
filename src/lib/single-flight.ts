/** Work that several wait for at once is done once, and aborted when the last of them gave up. */
export interface SingleFlight<T> {
  /**
   * Joins the work of this key that is under way, or begins it. Settles as the work does; rejects
   * with the reason of `signal` when that aborts, and the others wait on. `work` gets a signal that
   * aborts once all who joined gave up; a caller without a signal never does.
   */
  join(key: string, work: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T>;
  /** Who joins from now on begins anew: what is under way may have read what changed since. */
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
        // Not to be joined any more: it is about to fail for a reason that is not the next one's.
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
