/** Work that several wait for is done once; it is given up when the last of them has given up. */
export interface Flights<T> {
  /**
   * Joins the work of this key, or begins it. Rejects with the signal's reason when `signal`
   * aborts; the others go on waiting.
   */
  join(key: string, signal: AbortSignal, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

interface Flight<T> {
  result: Promise<T>;
  abort: AbortController;
  waiting: number;
}

export function createFlights<T>(): Flights<T> {
  const flights = new Map<string, Flight<T>>();

  const begin = (key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> => {
    const abort = new AbortController();
    const flight: Flight<T> = { abort, waiting: 0, result: work(abort.signal) };
    flights.set(key, flight);
    const over = () => {
      if (flights.get(key) === flight) flights.delete(key);
    };
    flight.result.then(over, over);
    return flight;
  };

  return {
    async join(key, signal, work) {
      signal.throwIfAborted();
      const flight = flights.get(key) ?? begin(key, work);
      flight.waiting++;
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
          if (flights.get(key) === flight) flights.delete(key);
          flight.abort.abort(signal.reason);
        }
      }
    },
  };
}
