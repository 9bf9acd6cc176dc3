/**
 * Calls of a store as messages, so that callers may run in other threads than the writer. The calls
 * of one tick are sent together, and the writer commits all waiting calls of all callers in one
 * transaction: a transaction costs the disk the same whatever its size.
 */
import { createBatch, createCoalesced } from '../../../lib/batch.ts';
import { createPendingRequests } from '../../../lib/request-map.ts';
import { type HistoryFact, isResolved, type Occurrence, STORE_WRITES, StoreUnavailable, type StoreWrites, type Write } from '../../port.ts';
import type { SqliteWrites } from '../open.ts';

export interface WriterCall {
  id: number;
  method: keyof StoreWrites;
  args: unknown[];
}

export type WriterResponse = { id: number } & ({ value?: unknown } | { error: { message: string; unavailable: boolean } });

/** One end of the connection between two threads. */
export interface WriterPort<Out> {
  post(messages: Out[]): void;
}

export interface WriterClient {
  writes: StoreWrites;
  /** Takes responses of the writer. */
  take(answers: WriterResponse[]): void;
  /** Rejects all open calls: no response will come, so their outcome is unknown. */
  cut(reason: string): void;
}

export function createWriterClient(line: WriterPort<WriterCall>): WriterClient {
  const waiting = createPendingRequests<unknown>();
  const calls = createBatch<WriterCall>({ schedule: queueMicrotask, send: message => line.post(message) });
  let cutBecause: string | undefined;

  function call(method: WriterCall['method'], args: unknown[]): Promise<unknown> {
    if (cutBecause !== undefined) return Promise.reject(new StoreUnavailable(cutBecause));
    return waiting.request(id => calls.add({ id, method, args }));
  }

  const plain = Object.fromEntries(
    STORE_WRITES.map(method => [method, (...args: unknown[]) => call(method, args)]),
  ) as unknown as StoreWrites;
  return {
    writes: {
      ...plain,
      // Only the cursors of the facts come back; the caller has the rest.
      async commit(writes) {
        const places = (await call('commit', [writes])) as (string[] | null)[];
        return places.map((cursors, index) =>
          cursors ? { committed: true, facts: withCursors((writes[index] as Write).facts, cursors) } : { committed: false },
        );
      },
    },
    take(answers) {
      for (const answer of answers) {
        if (!('error' in answer)) waiting.resolve(answer.id, answer.value);
        else {
          const { unavailable, message } = answer.error;
          waiting.reject(answer.id, unavailable ? new StoreUnavailable(message) : new Error(message));
        }
      }
    },
    cut(reason) {
      cutBecause = reason;
      waiting.rejectAll(() => new StoreUnavailable(reason));
    },
  };
}

const withCursors = (facts: HistoryFact[], cursors: string[]) =>
  facts.map((fact, index) => ({ ...fact, cursor: cursors[index] as string }));

/**
 * Most calls per transaction. It bounds the work that is repeated one by one when one call fails.
 */
const TOGETHER_MAX = 512;

/** How long a call that blocks no caller may wait for others, ms. */
export const LINGER_MS = 100;

/**
 * Verdicts of due times stay pending until they are written. A transaction of their own would
 * double the disk writes of a short run.
 */
const mayLinger = ({ method, args }: WriterCall): boolean => method === 'record' && (args[0] as Occurrence[]).every(isResolved);

export interface Writer {
  /**
   * Takes calls of one caller. They run with those of the other callers, after the thread has
   * received all messages that wait.
   */
  take(calls: WriterCall[], line: WriterPort<WriterResponse>): void;
  /** Runs all waiting calls now. */
  flush(): void;
}

/** `later`: in LINGER_MS. */
export function createWriter(
  { writes, transact }: Pick<SqliteWrites, 'writes' | 'transact'>,
  { soon, later }: { soon: (work: () => void) => void; later: (work: () => void) => void },
): Writer {
  const queue: { call: WriterCall; line: WriterPort<WriterResponse> }[] = [];
  /** Some call in the queue must not linger, so the queue drains soon. */
  const plan = createCoalesced(soon, drain);

  function drain(): void {
    if (queue.length === 0) return;
    const batch = queue.splice(0, TOGETHER_MAX);
    const answers = new Map<WriterPort<WriterResponse>, WriterResponse[]>();
    const answer = (line: WriterPort<WriterResponse>, one: WriterResponse) => {
      const mine = answers.get(line);
      if (mine) mine.push(one);
      else answers.set(line, [one]);
    };
    try {
      const values = transact(() => batch.map(({ call }) => run(call)));
      for (const [index, { call, line }] of batch.entries()) answer(line, { id: call.id, value: values[index] });
    } catch (error) {
      // An unavailable store fails every call. Any other error is of one call, and the others must
      // not fail with it.
      if (error instanceof StoreUnavailable) for (const { call, line } of batch) answer(line, failed(call, error));
      else for (const { call, line } of batch) answer(line, alone(call));
    }
    for (const [line, mine] of answers) line.post(mine);
    if (queue.length > 0) plan();
  }

  function run({ method, args }: WriterCall): unknown {
    if (method !== 'commit') return (writes[method] as (...args: unknown[]) => unknown)(...args);
    const results = writes.commit(args[0] as Write[]);
    return results.map(result => (result.committed ? result.facts.map(fact => fact.cursor) : null));
  }

  function alone(call: WriterCall): WriterResponse {
    try {
      return { id: call.id, value: run(call) };
    } catch (error) {
      return failed(call, error);
    }
  }

  return {
    take(calls, line) {
      const lingers = calls.every(mayLinger);
      if (!lingers) plan();
      else if (queue.length === 0) later(drain);
      for (const call of calls) queue.push({ call, line });
    },
    flush() {
      while (queue.length > 0) drain();
    },
  };
}

function failed({ id }: WriterCall, error: unknown): WriterResponse {
  const message = error instanceof Error ? error.message : String(error);
  return { id, error: { message, unavailable: error instanceof StoreUnavailable } };
}
