/**
 * Requests that wait for their response, by number. A late or repeated response finds no request
 * and changes nothing.
 */
import type { Clock } from './clock.ts';

export interface RequestMap<Request> {
  readonly size: number;
  /** Stores a request under the next number, beginning at 1. */
  add(request: Request): number;
  /** Removes a request; undefined where the number is unknown or was taken before. */
  take(id: number): Request | undefined;
  /** Removes the requests that match, oldest first. Default: all. */
  takeAll(matches?: (request: Request) => boolean): Request[];
}

export function createRequestMap<Request>(): RequestMap<Request> {
  const waiting = new Map<number, Request>();
  let lastId = 0;

  return {
    get size() {
      return waiting.size;
    },
    add(request) {
      lastId += 1;
      waiting.set(lastId, request);
      return lastId;
    },
    take(id) {
      const request = waiting.get(id);
      waiting.delete(id);
      return request;
    },
    takeAll(matches = () => true) {
      const taken: Request[] = [];
      for (const [id, request] of waiting) {
        if (!matches(request)) continue;
        waiting.delete(id);
        taken.push(request);
      }
      return taken;
    },
  };
}

/** Requests whose responses are promises. */
export interface PendingRequests<Response> {
  readonly size: number;
  /**
   * Calls `send` with the number of a new request. Resolves or rejects as the request is settled
   * under that number; rejects with what `send` throws.
   */
  request(send: (id: number) => void): Promise<Response>;
  /** Ignores a number that is unknown or settled. */
  resolve(id: number, response: Response): void;
  /** Ignores a number that is unknown or settled. */
  reject(id: number, error: unknown): void;
  /** Rejects every request; each with an error of its own. */
  rejectAll(error: () => Error): void;
}

interface Pending<Response> {
  resolve(response: Response): void;
  reject(error: unknown): void;
  disarm(): void;
}

/**
 * `timeout.expired` is called for a request that was not settled within `timeout.ms`; it settles
 * that request. Default: a request waits without limit.
 */
export function createPendingRequests<Response>(timeout?: {
  clock: Pick<Clock, 'after'>;
  ms: number;
  expired(id: number): void;
}): PendingRequests<Response> {
  const pending = createRequestMap<Pending<Response>>();
  const notArmed = () => {};
  const reject = (id: number, error: unknown) => {
    const request = pending.take(id);
    request?.disarm();
    request?.reject(error);
  };

  return {
    get size() {
      return pending.size;
    },
    request: send =>
      new Promise((resolve, fail) => {
        const request: Pending<Response> = { resolve, reject: fail, disarm: notArmed };
        const id = pending.add(request);
        if (timeout) request.disarm = timeout.clock.after(timeout.ms, () => timeout.expired(id));
        try {
          send(id);
        } catch (error) {
          reject(id, error);
        }
      }),
    resolve(id, response) {
      const request = pending.take(id);
      request?.disarm();
      request?.resolve(response);
    },
    reject,
    rejectAll(error) {
      for (const request of pending.takeAll()) {
        request.disarm();
        request.reject(error());
      }
    },
  };
}
