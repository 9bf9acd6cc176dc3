/** The store of a center, by its configuration, and how the threads of its workers come to it. */
import type { Clock } from '../lib/clock.ts';
import type { ClusterRoles } from './cluster-port.ts';
import type { ActorStore, EarlyReads, Store } from './port.ts';
import type { Loss } from './sqlite/mark.ts';
import { connectWriter, createSqliteStoreWithWriter, type WriterAddress } from './sqlite/writer-worker/client.ts';

/** How a worker finds its store. Plain data but for the port, which must be transferred. */
export type StoreAddress = { kind: 'sqlite'; line: WriterAddress } | { kind: 'mongodb'; url: string };

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
  /** Resolves with the reason when no write can succeed before a restart of the process. */
  died: Promise<Error>;
  /**
   * A sentence about what was committed and is not in the store any more; null when nothing is
   * known to be missing.
   */
  missing: string | null;
}

/** What a store needs of the world. */
export interface StoreDependencies {
  clock: Clock;
  /** Draws a text that nobody else draws. */
  drawId(): string;
  /** Who decides what is owned, where several centers reach the store. */
  cluster: ClusterRoles;
  /** Called with what may be read while another center serves from the same database. */
  early?(reads: EarlyReads): void;
}

/** Opens it and holds it until its `close`. Throws a sentence that says what is in the way. */
export async function openStore(
  { dataDir, store: where }: { dataDir: string; store: { kind: 'sqlite' } | { kind: 'mongodb'; url: string } },
  around: StoreDependencies,
): Promise<OpenStore> {
  if (where.kind === 'mongodb') return openMongo(where.url, around);
  const store = await createSqliteStoreWithWriter({ directory: dataDir });
  return {
    store,
    died: store.died,
    missing:
      (store.loss && missingText(dataDir, store.loss)) ?? (store.restoredFrom === null ? null : restoredText(dataDir, store.restoredFrom)),
    connect() {
      const { line, cut } = store.connect();
      return { address: { kind: 'sqlite', line }, transfer: [line.port], cut };
    },
  };
}

const restoredText = (dataDir: string, madeAt: number): string =>
  `the database in "${dataDir}" was restored from a backup${madeAt === 0 ? '' : ` of ${new Date(madeAt).toISOString()}`}: what was acknowledged after it is lost; ` +
  'until its next clean stop this message stays';

const missingText = (dataDir: string, { found, marked }: Loss): string =>
  `the database in "${dataDir}" lacks its last ${marked - found} commits (revision ${found}, ${marked} were committed): its log was lost or damaged, or an older ` +
  'copy was put back; the center serves what is there, until its next clean stop this message stays';

/**
 * The server takes writes from everybody, so each worker has connections of its own. The driver is
 * only loaded where it is needed.
 */
async function openMongo(url: string, around: StoreDependencies): Promise<OpenStore> {
  const { createMongoStore } = await import('./mongo/index.ts');
  let lost: (reason: Error) => void = () => {};
  // A server that is away comes back; a center that was replaced does not.
  const died = new Promise<Error>(resolve => {
    lost = resolve;
  });
  return {
    store: await createMongoStore({ url, ...around, lost: reason => lost(reason) }),
    died,
    missing: null,
    connect: () => ({
      address: { kind: 'mongodb', url },
      transfer: [],
      // Its connections end with it. What is on its way to the server finds the fences of its
      // successor in the way: see `mongo/write-fencing.ts`.
      cut: async () => {},
    }),
  };
}

/**
 * In a worker: its own way to the store, which whoever began the worker has opened already. `close`
 * lets go of what it reads from.
 */
export async function openActorStore(address: StoreAddress, around: StoreDependencies): Promise<{ store: ActorStore; close(): void }> {
  if (address.kind === 'sqlite') return connectWriter(address.line);
  const { createMongoStore } = await import('./mongo/index.ts');
  return { store: await createMongoStore({ url: address.url, isPrepared: true, ...around }), close() {} };
}
