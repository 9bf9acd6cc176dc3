/**
 * Writes of a store by messages: who calls may live in another thread than who writes. What is
 * called within one tick crosses together, and whatever waits at the writer, from whichever caller,
 * becomes durable together: each transaction costs the disk the same however much it carries.
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

/** One end of a line between two threads. */
export interface WriterPort<Out> {
  post(messages: Out[]): void;
}

export interface WriterClient {
  writes: StoreWrites;
  /** What came back over the line. */
  take(answers: WriterResponse[]): void;
  /** Nobody will answer any more: whether what is under way was done is unknown. */
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
      // Facts come back as their places alone; the rest of them is here already.
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
 * Calls that become one transaction at most: a bound on what has to be done again one by one when
 * one of them fails.
 */
const TOGETHER_MAX = 512;

/** How long a call that no caller waits for may wait to be written with another one, ms. */
export const LINGER_MS = 100;

/**
 * What became of due times: owed until it is written, and a transaction of its own for each would
 * double what a short run costs the disk.
 */
const mayLinger = ({ method, args }: WriterCall): boolean => method === 'record' && (args[0] as Occurrence[]).every(isResolved);

export interface Writer {
  /**
   * Takes calls of one caller; they are done, with those of everybody else, once the thread has
   * taken what is waiting for it.
   */
  take(calls: WriterCall[], line: WriterPort<WriterResponse>): void;
  /** Does all that is waiting, now. */
  flush(): void;
}

/** `later`: in LINGER_MS. */
export function createWriter(
  { writes, transact }: Pick<SqliteWrites, 'writes' | 'transact'>,
  { soon, later }: { soon: (work: () => void) => void; later: (work: () => void) => void },
): Writer {
  const queue: { call: WriterCall; line: WriterPort<WriterResponse> }[] = [];
  /** Something in the queue does not linger, so it is drained soon. */
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
      // A store that is away is away for all. Anything else is the fault of one call, and the
      // others must not fail with it.
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
