/** Opens the store of a center by its configuration, and connects the workers to it. */
import type { Clock } from '../lib/clock.ts';
import type { ClusterRoles } from './cluster-port.ts';
import type { EarlyReads, Store } from './port.ts';
import type { Loss } from './sqlite/mark.ts';
import { createSqliteStoreWithWriter } from './sqlite/writer-worker/client.ts';
import type { WriterAddress } from './sqlite/writer-worker/connection.ts';

/** How a worker connects to its store. Plain data except the port, which must be transferred. */
export type StoreAddress = { kind: 'sqlite'; line: WriterAddress } | { kind: 'mongodb'; url: string };

/** The connection of one worker. */
export interface WorkerStore {
  address: StoreAddress;
  /** Parts of the address to transfer. */
  transfer: Transferable[];
  /** Once it has resolved, this worker writes nothing more. */
  cut(): Promise<void>;
}

export interface OpenStore {
  store: Store;
  connect(): WorkerStore;
  /** Resolves with the reason when no write can succeed before a restart of the process. */
  died: Promise<Error>;
  /** A sentence about commits that the store has lost; null when none is known to be lost. */
  missing: string | null;
}

/** Dependencies of a store. */
export interface StoreDependencies {
  clock: Clock;
  /** Draws a unique text. */
  drawId(): string;
  /** Decides ownership where several centers reach the store. */
  cluster: ClusterRoles;
  /** Called with the reads that work while another center serves from the same database. */
  early?(reads: EarlyReads): void;
}

/** Opens the store and holds it until `close`. Throws an error whose message is one sentence. */
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
  `the database in "${dataDir}" was restored from a backup${madeAt === 0 ? '' : ` of ${new Date(madeAt).toISOString()}`}: later commits are lost; ` +
  'this message stays until the next clean stop';

const missingText = (dataDir: string, { found, marked }: Loss): string =>
  `the database in "${dataDir}" lacks its last ${marked - found} commits (revision ${found}, ${marked} were committed): its log was lost or damaged, or an older ` +
  'copy was put back; the center serves the older state; this message stays until the next clean stop';

/**
 * The server accepts writes of any client, so each worker has connections of its own. The driver is
 * loaded only here, because SQLite does without it.
 */
async function openMongo(url: string, around: StoreDependencies): Promise<OpenStore> {
  const { createMongoStore } = await import('./mongo/index.ts');
  let lost: (reason: Error) => void = () => {};
  // A server may become reachable again. A center that was replaced may not continue.
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
      // Its connections end with it. Fences of its successor stop requests that are still under
      // way: see `mongo/write-fencing.ts`.
      cut: async () => {},
    }),
  };
}
