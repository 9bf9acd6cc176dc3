/** The store thread, which writes for its creator and all connected threads. */
import { systemClock } from '../../../lib/clock.ts';
import { trimHeap } from '../../../lib/heap.ts';
import { LOOK_EVERY_MS } from '../file-guard.ts';
import type { Loss } from '../mark.ts';
import { openSqliteWrites, type SqliteOptions, type SqliteWrites } from '../open.ts';
import { createWriter, LINGER_MS, type Writer, type WriterResponse } from './calls.ts';
import { type EncodedCalls, type EncodedResponses, receiveCalls, sendResponses } from './codec.ts';

export type ToStoreThread =
  | { type: 'open'; options: SqliteOptions }
  | { type: 'calls'; calls: EncodedCalls }
  | { type: 'connect'; caller: number; port: MessagePort }
  /** After this message nothing of this caller is written any more. */
  | { type: 'disconnect'; caller: number }
  | { type: 'close' };

export type FromStoreThread =
  | { type: 'opened'; loss: Loss | null; restoredFrom: number | null }
  | { type: 'failed'; message: string; details: Record<string, unknown> }
  | { type: 'answers'; answers: EncodedResponses }
  | { type: 'disconnected'; caller: number }
  /** No further write can succeed: a file was moved or replaced. */
  | { type: 'moved'; message: string }
  | { type: 'closed' };

interface Scope {
  onmessage: ((event: MessageEvent<ToStoreThread>) => void) | null;
  postMessage(message: FromStoreThread): void;
}

/** Runs the store thread in this scope, which must be a worker's. */
function serve(scope: Scope): void {
  const callers = new Map<number, MessagePort>();
  let open: SqliteWrites | undefined;
  let writer: Writer | undefined;
  let disarm = () => {};

  /** Checks the files by itself too: otherwise a center that writes nothing would not notice. */
  function watch(opened: SqliteWrites): void {
    try {
      opened.look();
      disarm = systemClock.after(LOOK_EVERY_MS, () => watch(opened));
    } catch (error) {
      scope.postMessage({ type: 'moved', message: error instanceof Error ? error.message : String(error) });
    }
  }

  async function take(message: ToStoreThread): Promise<void> {
    switch (message.type) {
      case 'open':
        open = await openSqliteWrites(message.options);
        writer = createWriter(open, { soon: systemClock.soon, later: work => void systemClock.after(LINGER_MS, work) });
        scope.postMessage({ type: 'opened', loss: open.loss, restoredFrom: open.restoredFrom });
        watch(open);
        break;
      case 'calls':
        writer?.take(receiveCalls(message.calls), {
          post: answers => scope.postMessage({ type: 'answers', answers: sendResponses(answers) }),
        });
        break;
      case 'connect': {
        const { port, caller } = message;
        callers.set(caller, port);
        const line = { post: (answers: WriterResponse[]) => port.postMessage(sendResponses(answers)) };
        port.onmessage = (event: MessageEvent<EncodedCalls>) => {
          if (callers.has(caller)) writer?.take(receiveCalls(event.data), line);
        };
        break;
      }
      case 'disconnect':
        callers.get(message.caller)?.close();
        callers.delete(message.caller);
        writer?.flush();
        scope.postMessage({ type: 'disconnected', caller: message.caller });
        break;
      case 'close':
        disarm();
        for (const port of callers.values()) port.close();
        writer?.flush();
        open?.close();
        scope.postMessage({ type: 'closed' });
        break;
    }
  }

  scope.onmessage = event =>
    void take(event.data).catch((error: unknown) => {
      const { message, ...details } = error instanceof Error ? { ...error, message: error.message } : { message: String(error) };
      scope.postMessage({ type: 'failed', message, details: plain(details) });
    });
}

/** The properties of an error that can be sent. */
const plain = (details: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(details).filter(([, value]) => ['string', 'number', 'boolean'].includes(typeof value)));

trimHeap(systemClock);
serve(self as unknown as Scope);
