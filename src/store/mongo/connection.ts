/**
 * The connection: every write waits for a majority and its journal, every read sees only what a
 * majority has, and nothing waits for ever. Collections are the driver's own, by way of the ORM
 * that holds the connection.
 */
import { MikroORM, MongoDriver } from '@mikro-orm/mongodb';
import type { CredentialEntity, OccurrenceEntity, OutputEntity } from '../entities.ts';
import { readMongoAddress } from './address.ts';
import { type LeaseRecord, type MetaRecord, type PartitionsRecord, records } from './entities.ts';
import type { ActorRow, FactRow, Plain } from './rows.ts';

/**
 * Bounds in milliseconds, unless the address names others. A server that does not answer within
 * them is away; what it was asked to write is in doubt. `timeoutMS`, of the address or its default,
 * bounds a whole operation with all its waiting and repeating, by a clock of our own: a socket
 * alone does not always tell that nobody is there.
 */
const BOUNDS = {
  serverSelectionTimeoutMS: 3_000,
  connectTimeoutMS: 3_000,
  heartbeatFrequencyMS: 2_000,
};

const CONNECTIONS_MAX = 20;

/**
 * Errors stay those of MongoDB's driver: what a failure means is told by their names and codes, and
 * the ORM's exceptions carry the codes alone.
 */
class PlainErrors extends MongoDriver {
  override convertException(error: Error): never {
    error.message = error.message.replace(NO_QUERY, '');
    // What it returns is thrown.
    return error as never;
  }
}

/** The ORM appends the query, which it only has while it logs them. */
const NO_QUERY = /\nQuery: $/;

export type Orm = Awaited<ReturnType<typeof openOrm>>;
export type Collections = ReturnType<typeof collectionsOf>;

/** Nothing is connected yet. */
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
        // One by one: so they win over what the address says, whereas `writeConcern: {…}` lets a
        // `journal=false` there in.
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

/** The driver's message about an option or the form of an address does not name the place. */
export const cannotBeOpened = (shown: string, cause: unknown): Error =>
  new Error(`${shown} cannot be opened: ${cause instanceof Error ? cause.message : cause}`, { cause });

/**
 * A manager for one question or one write: it remembers what it read. The first throws what the
 * driver has against the address.
 */
export const managerOf = (orm: Orm) => orm.em.fork();

/** The driver's own collections, for what the ORM has no words for: see `../README.md`. */
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

/** Reads the server's own state, majority or not: only to explain a failed write. */
export const HERE = { readConcern: { level: 'local' } } as const;
