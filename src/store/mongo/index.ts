/**
 * The store on MongoDB. Its documents are entities, which managers of the ORM load and commit. It
 * needs atomic single documents and unique indexes of the server: no transactions, no pipeline
 * updates, no change streams.
 */
import type { Clock } from '../../lib/clock.ts';
import type { CenterLease, ClusterRoles } from '../cluster-port.ts';
import { createFileStore } from '../file-store.ts';
import { type EarlyReads, type Store, StoreUnavailable } from '../port.ts';
import { createStoreQueries } from '../views.ts';
import { createActors } from './actors.ts';
import { readMongoAddress } from './address.ts';
import { createLeaseRecords, createOwnershipRecords } from './cluster-records.ts';
import { type Collections, cannotBeOpened, collectionsOf, type Orm, openOrm } from './connection.ts';
import { createCredentials } from './credentials.ts';
import { MetaRecord } from './entities.ts';
import { asked } from './errors.ts';
import { createFactPublisher } from './fact-publisher.ts';
import { createFeedCollection } from './feed.ts';
import { createFileRows, createGridBlobs } from './files.ts';
import { createLedger } from './ledger.ts';
import { createList } from './list.ts';
import { createOutput } from './output.ts';
import { createPostedLogs } from './posted-logs.ts';
import { createRetention } from './retention.ts';
import { prepareSchema } from './schema.ts';
import { upsert } from './upsert.ts';
import { createWriteFencing } from './write-fencing.ts';

export interface MongoOptions {
  /** `mongodb://` or `mongodb+srv://` with the database as path. Its timeouts override ours. */
  url: string;
  clock: Clock;
  /** Draws a unique text. */
  drawId(): string;
  /** Already opened in this center: the schema is not checked again. Default false. */
  isPrepared?: boolean;
  /** Decides what this store may write. */
  cluster: ClusterRoles;
  /** Called before the center has the lease, with the reads that are allowed until then. */
  early?(reads: EarlyReads): void;
  /** Called once, when another center has taken over. Default: ignored. */
  lost?(reason: Error): void;
}

/**
 * Opens the store and upgrades its schema. Throws StoreUnavailable where the server cannot be
 * reached. Throws a plain error, having changed nothing, where the database belongs to another
 * program or another revision.
 */
export async function createMongoStore({
  url,
  clock,
  drawId,
  isPrepared = false,
  cluster,
  early,
  lost = () => {},
}: MongoOptions): Promise<Store> {
  const { shown, timeoutMs } = readMongoAddress(url);
  const orm = await openOrm(url);
  let lease: CenterLease | undefined;
  try {
    const collections = collectionsIn(orm, shown);
    const views = createStoreQueries(() => orm.em.fork());
    const credential: EarlyReads['credential'] = (kind, id) => asked(() => views.credential(kind, id));
    early?.({ credential });
    lease = cluster.lease?.(createLeaseRecords(orm), { shown, lost });
    if (!isPrepared) await prepareSchema({ orm, collections, shown, mayWrite: async () => lease?.begin() });
    const { append, ...facts } = createFeedCollection(orm);
    const publisher = createFactPublisher(orm, { append }, clock);
    const ownership = cluster.ownership(createOwnershipRecords(orm));
    const fileRows = createFileRows(orm);
    const store = {
      ...createActors({ orm, ownership, publisher, fencing: createWriteFencing(orm, { drawId, clock, timeoutMs }) }),
      ...createList(orm),
      ...facts,
      ...createLedger(orm),
      ...createOutput(orm),
      ...createCredentials(orm),
      ...createPostedLogs(orm),
      ...createRetention(orm),
      ...fileRows,
      output: query => asked(() => views.output(query)),
      credential,
      credentials: kind => asked(() => views.credentials(kind)),
      async probe() {
        await ownership.check(true);
        await upsert(orm, MetaRecord, 'probe', { $inc: { value: 1 } });
      },
    } satisfies Omit<Store, 'close' | 'files'>;

    let closing: Promise<void> | undefined;
    const close = () => {
      closing ??= publisher
        .stop()
        .then(() => lease?.end())
        .then(() => orm.close());
      return closing;
    };
    const check = () => {
      if (closing !== undefined) throw new StoreUnavailable('the store is closed');
      lease?.check();
    };
    const files = createFileStore({ rows: fileRows, blobs: createGridBlobs(orm) });
    return { ...guarded(store, check), files: guarded(files, check), close };
  } catch (error) {
    await lease?.end();
    await orm.close();
    throw error;
  }
}

function collectionsIn(orm: Orm, shown: string): Collections {
  try {
    return collectionsOf(orm);
  } catch (error) {
    throw cannotBeOpened(shown, error);
  }
}

/**
 * Each call checks first: the driver would connect again once it is closed, and a center without
 * its lease must not show what its successor changes.
 */
function guarded<T extends object>(store: T, check: () => void): T {
  const calls = Object.entries(store as Record<string, (...args: unknown[]) => Promise<unknown>>);
  return Object.fromEntries(
    calls.map(([name, call]) => [
      name,
      async (...args: unknown[]) => {
        check();
        return call(...args);
      },
    ]),
  ) as T;
}
