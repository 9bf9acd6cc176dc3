/**
 * The connection of the ORM to MongoDB. Every write waits for a majority and its journal, every
 * read sees only what a majority has, and every operation has a timeout.
 */
import { MikroORM, MongoDriver } from '@mikro-orm/mongodb';
import type { CredentialEntity, OccurrenceEntity, OutputEntity } from '../entities.ts';
import { readMongoAddress } from './address.ts';
import { type LeaseRecord, type MetaRecord, type PartitionsRecord, records } from './entities.ts';
import type { ActorRow, FactRow, Plain } from './rows.ts';

/**
 * Bounds in milliseconds, unless the address names others. A server that does not answer within
 * them counts as away; the outcome of a write is unknown then. `timeoutMS` bounds a whole operation
 * with its waits and repeats by a timer of this process: a half-open socket reports no error.
 */
const BOUNDS = {
  serverSelectionTimeoutMS: 3_000,
  connectTimeoutMS: 3_000,
  heartbeatFrequencyMS: 2_000,
};

const CONNECTIONS_MAX = 20;

/**
 * Passes the errors of MongoDB's driver on: `errors.ts` reads their names and codes, and exceptions
 * of the ORM carry the codes alone.
 */
class PlainErrors extends MongoDriver {
  override convertException(error: Error): never {
    error.message = error.message.replace(NO_QUERY, '');
    // The ORM throws what this returns.
    return error as never;
  }
}

/** The ORM appends the query, which is empty unless it logs queries. */
const NO_QUERY = /\nQuery: $/;

export type Orm = Awaited<ReturnType<typeof openOrm>>;
export type Collections = ReturnType<typeof collectionsOf>;

/** Opens no connection yet: the first operation does. */
export async function openOrm(url: string) {
  const { database, options: named, shown, timeoutMs } = readMongoAddress(url);
  const bounds = Object.fromEntries(Object.entries(BOUNDS).filter(([name]) => !named.has(name.toLowerCase())));
  try {
    return await MikroORM.init({
      driver: PlainErrors,
      clientUrl: url,
      dbName: database,
      entities: [...records],
      ensureIndexes: false,
      driverOptions: {
        ...bounds,
        timeoutMS: timeoutMs,
        ...(named.has('maxpoolsize') ? {} : { maxPoolSize: CONNECTIONS_MAX }),
        ...(named.has('appname') ? {} : { appName: 'troupe' }),
        // One by one they override the address; `writeConcern: {…}` would let its `journal=false`
        // through.
        w: 'majority',
        journal: true,
        ...(named.has('j') ? { j: true } : {}),
        readConcernLevel: 'majority',
        readPreference: 'primary',
      },
    });
  } catch (error) {
    throw cannotBeOpened(shown, error);
  }
}

/** Adds the database to an error of the driver, whose message does not name it. */
export const cannotBeOpened = (shown: string, cause: unknown): Error =>
  new Error(`${shown} cannot be opened: ${cause instanceof Error ? cause.message : cause}`, { cause });

/**
 * A manager for one operation, because it keeps every entity that it has read. The first call
 * throws the driver's error about a wrong address.
 */
export const managerOf = (orm: Orm) => orm.em.fork();

/** The driver's own collections, for what the ORM cannot express: see `../README.md`. */
export function collectionsOf(orm: Orm) {
  const { em } = orm;
  return {
    actors: em.getCollection<ActorRow>('actors'),
    facts: em.getCollection<FactRow>('facts'),
    occurrences: em.getCollection<Plain<typeof OccurrenceEntity>>('occurrences'),
    output: em.getCollection<Plain<typeof OutputEntity>>('output'),
    credentials: em.getCollection<Plain<typeof CredentialEntity>>('credentials'),
    partitions: em.getCollection<Plain<typeof PartitionsRecord>>('partitions'),
    lease: em.getCollection<Plain<typeof LeaseRecord>>('lease'),
    meta: em.getCollection<Plain<typeof MetaRecord>>('meta'),
  };
}

/** Reads the server's own state, which a majority may not have yet: only after a failed write. */
export const HERE = { readConcern: { level: 'local' } } as const;
