/**
 * The embedded store with a writing thread. Each thread reads by itself; callers in several threads
 * share the writer.
 */
import { createFileStore } from '../../file-store.ts';
import { type Store, StoreUnavailable } from '../../port.ts';
import { openFileDirectory } from '../file-directory.ts';
import type { Loss } from '../mark.ts';
import type { SqliteOptions } from '../open.ts';
import { openSqliteReads } from '../open-reads.ts';
import { createWriterClient } from './calls.ts';
import { receiveResponses, sendCalls } from './codec.ts';
import type { WriterAddress } from './connection.ts';
import type { FromStoreThread, ToStoreThread } from './writer-thread.ts';

export interface WriterStore extends Store {
  /**
   * Connects another thread. Once `cut` has resolved, nothing from that connection is written any
   * more.
   */
  connect(): { line: WriterAddress; cut(): Promise<void> };
  /**
   * Resolves with the reason when no further write can succeed: the writing thread ended, or the
   * files were moved.
   */
  readonly died: Promise<Error>;
  /** Commits that the database has lost. */
  readonly loss: Loss | null;
  readonly restoredFrom: number | null;
}

/** Errors as with `createSqliteStore`. */
export async function createSqliteStoreWithWriter(options: SqliteOptions): Promise<WriterStore> {
  const worker = new Worker(new URL('./writer-thread.ts', import.meta.url).href, { type: 'module', smol: true } as WorkerOptions);
  const post = (message: ToStoreThread, transfer: Transferable[] = []) => worker.postMessage(message, transfer);
  const caller = createWriterClient({ post: calls => post({ type: 'calls', calls: sendCalls(calls) }) });
  const cuts = new Map<number, () => void>();
  let callers = 0;
  let isClosing = false;
  let pending: { resolve(): void; reject(error: Error): void } | undefined;
  let die: (reason: Error) => void = () => {};
  const died = new Promise<Error>(resolve => {
    die = resolve;
  });

  const nextResponse = (): Promise<void> =>
    new Promise((resolve, reject) => {
      pending = { resolve, reject };
    });
  let loss: Loss | null = null;
  let restoredFrom: number | null = null;
  const gone = (why: string) => {
    if (isClosing) return pending?.resolve();
    giveUp(`the thread that writes the store ended: ${why}`);
  };
  const giveUp = (why: string) => {
    const reason = new StoreUnavailable(why);
    caller.cut(reason.message);
    for (const cut of cuts.values()) cut();
    pending?.reject(reason);
    die(reason);
  };

  worker.onmessage = ({ data }: MessageEvent<FromStoreThread>) => {
    switch (data.type) {
      case 'answers':
        caller.take(receiveResponses(data.answers));
        break;
      case 'disconnected':
        cuts.get(data.caller)?.();
        cuts.delete(data.caller);
        break;
      case 'moved':
        // The thread runs on, and rejects every call.
        giveUp(data.message);
        break;
      case 'failed':
        pending?.reject(
          data.details.code === 'storeUnavailable'
            ? new StoreUnavailable(data.message)
            : Object.assign(new Error(data.message), data.details),
        );
        break;
      case 'opened':
        loss = data.loss;
        restoredFrom = data.restoredFrom;
        pending?.resolve();
        break;
      default:
        pending?.resolve();
    }
  };
  worker.onerror = event => {
    // Handled here; otherwise the runtime would end the process.
    event.preventDefault();
    gone(event.message);
  };
  // Only Bun reports that a worker ended by itself; Deno has no such event.
  worker.addEventListener('close', () => gone('it ended by itself'));

  post({ type: 'open', options });
  try {
    await nextResponse();
  } catch (error) {
    isClosing = true;
    worker.terminate();
    throw error;
  }
  const reading = openSqliteReads(options.directory);

  return {
    ...reading.reads,
    ...caller.writes,
    files: createFileStore({ rows: { ...reading.reads, ...caller.writes }, blobs: openFileDirectory(options.directory) }),
    died,
    loss,
    restoredFrom,
    connect() {
      const { port1, port2 } = new MessageChannel();
      callers += 1;
      const mine = callers;
      post({ type: 'connect', caller: mine, port: port1 }, [port1]);
      return {
        line: { directory: options.directory, port: port2 },
        cut: () =>
          new Promise(resolve => {
            cuts.set(mine, resolve);
            post({ type: 'disconnect', caller: mine });
          }),
      };
    },
    async close() {
      if (isClosing) return;
      isClosing = true;
      reading.close();
      const closed = nextResponse();
      post({ type: 'close' });
      await closed;
      caller.cut('the store is closed');
      worker.terminate();
    },
  };
}
