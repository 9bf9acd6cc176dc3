/**
 * The connection: every write waits for a majority and its journal, every read sees only what a
 * majority has, and nothing waits for ever. Collections are the driver's own, by way of the ORM
 * that holds the connection.
 */
import { MikroORM } from '@mikro-orm/mongodb';
import { entities } from '../entities.ts';
import { readMongoAddress } from './address.ts';
import type { ActorRow, CredentialRow, FactRow, MetaRow, OccurrenceRow, OutputRow, PartitionsRow } from './rows.ts';

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

export type Orm = Awaited<ReturnType<typeof openOrm>>;
export type Collections = ReturnType<typeof collectionsOf>;

/** Nothing is connected yet. */
export async function openOrm(url: string) {
  const { database, options: named, shown, timeoutMs } = readMongoAddress(url);
  const bounds = Object.fromEntries(Object.entries(BOUNDS).filter(([name]) => !named.has(name.toLowerCase())));
  try {
    return await MikroORM.init({
      clientUrl: url,
      dbName: database,
      entities: [...entities],
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

/** The first look at the address by the driver: throws what it has against it. */
export function collectionsOf(orm: Orm) {
  const { em } = orm;
  return {
    actors: em.getCollection<ActorRow>('actors'),
    facts: em.getCollection<FactRow>('facts'),
    occurrences: em.getCollection<OccurrenceRow>('occurrences'),
    output: em.getCollection<OutputRow>('output'),
    credentials: em.getCollection<CredentialRow>('credentials'),
    partitions: em.getCollection<PartitionsRow>('partitions'),
    meta: em.getCollection<MetaRow>('meta'),
  };
}

/** Reads the server's own state, majority or not: only to explain a failed write. */
export const HERE = { readConcern: { level: 'local' } } as const;
