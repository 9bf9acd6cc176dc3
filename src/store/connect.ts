/** Connects a worker thread to the store that the main thread has opened. */
import type { StoreAddress, StoreDependencies } from './open.ts';
import type { ActorStore } from './port.ts';
import { connectWriter } from './sqlite/writer-worker/connection.ts';

/**
 * For a worker: its own connection to the store, which the main thread has opened already. `close`
 * ends its reads.
 */
export async function openActorStore(address: StoreAddress, around: StoreDependencies): Promise<{ store: ActorStore; close(): void }> {
  if (address.kind === 'sqlite') return connectWriter(address.line);
  const { createMongoStore } = await import('./mongo/index.ts');
  return { store: await createMongoStore({ url: address.url, isPrepared: true, ...around }), close() {} };
}
