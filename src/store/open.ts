/** The store of a center, by its configuration, and how the threads of its workers come to it. */
import { createThreadedSqliteStore, type StoreLine, useStoreLine } from './sqlite/threaded.ts';
import type { ActorStore, Store } from './store.ts';

/** What a worker is told to find its store. Plain data but for the port, which must be transferred. */
export type StoreAddress = { kind: 'sqlite'; line: StoreLine };

/** A way to the store for one worker. */
export interface WorkerStore {
  address: StoreAddress;
  /** What of the address must change hands. */
  transfer: Transferable[];
  /** Once resolved nothing of that worker is written any more. */
  cut(): Promise<void>;
}

export interface OpenStore {
  store: Store;
  connect(): WorkerStore;
  /** Resolves with the reason when nothing can be written any more before the process starts anew. */
  died: Promise<Error>;
}

/** Opens it and holds it until its `close`. Throws a sentence that says what is in the way. */
export async function openStore({ dataDir }: { dataDir: string }): Promise<OpenStore> {
  const store = await createThreadedSqliteStore({ directory: dataDir });
  return {
    store,
    died: store.died,
    connect() {
      const { line, cut } = store.connect();
      return { address: { kind: 'sqlite', line }, transfer: [line.port], cut };
    },
  };
}

/** In a worker: its own reading, and its writing over the line it was given. */
export async function openActorStore(address: StoreAddress): Promise<ActorStore> {
  return useStoreLine(address.line);
}
