/** How a worker thread reaches the thread that writes. */
import type { ActorStore } from '../../port.ts';
import { openSqliteReads } from '../open-reads.ts';
import { createWriterClient, type WriterCall } from './calls.ts';
import { type EncodedResponses, receiveResponses, sendCalls } from './codec.ts';

/**
 * Address of the store for another thread: send it by `postMessage`, with the port in the transfer
 * list.
 */
export interface WriterAddress {
  directory: string;
  port: MessagePort;
}

/**
 * The store as another thread sees it, over its connection. `close` ends its reads; its writes
 * continue.
 */
export function connectWriter({ directory, port }: WriterAddress): { store: ActorStore; close(): void } {
  const caller = createWriterClient({ post: (calls: WriterCall[]) => port.postMessage(sendCalls(calls)) });
  port.onmessage = (event: MessageEvent<EncodedResponses>) => caller.take(receiveResponses(event.data));
  const { reads, close } = openSqliteReads(directory);
  return { store: { ...reads, ...caller.writes }, close };
}
