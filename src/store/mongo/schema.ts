/**
 * Brings the database to the schema this version knows. What another revision wrote or what is
 * somebody else's is refused before anything is written. Indexes are those of the entities; making
 * one that is there is nothing.
 */

import { type FoundFormat, refusalText, stepsTo, type Upgradable } from '../../lib/stored-format.ts';
import { StoreUnavailable } from '../port.ts';
import { type Collections, managerOf, type Orm } from './connection.ts';
import { ActorRecord, LeaseRecord, MetaRecord, records } from './entities.ts';
import { asStoreError } from './errors.ts';
import { upsert } from './upsert.ts';

/** A step may run again after a crash in the middle. It runs before indexes are made. */
type MongoSchema = Upgradable<(collections: Collections) => Promise<void>>;

/**
 * The form of the database. Until the first release version 1 may change in place: then only the
 * fingerprint changes. From then on each change raises the version and adds an upgrade: see
 * `../README.md`.
 */
export const MONGO_SCHEMA: MongoSchema = { version: 1, fingerprint: '16e7c4ae7f5b', upgrades: {} };

/** In the place of the version until all of the first start is done. */
const BEING_MADE = 0;

/** Of the one document that every birth at a later rev than the first collides with. */
const ORPHANAGE = '';

export async function prepareSchema({
  orm,
  collections,
  shown,
  mayWrite,
  schema = MONGO_SCHEMA,
}: {
  orm: Orm;
  collections: Collections;
  shown: string;
  /** Resolves when nobody minds that something is written; throws what is in the way. */
  mayWrite(): Promise<void>;
  /** Default: that of this program. */
  schema?: MongoSchema;
}): Promise<void> {
  const look = async () => {
    const found = await storedFormat(orm, shown, schema);
    const steps = found === undefined ? [] : stepsTo(schema, found);
    if (steps !== undefined) return { found, steps };
    throw new Error(refusalText(schema, found as FoundFormat, { subject: shown, anew: 'start the center with an empty database' }));
  };
  await look();
  await opening(shown, mayWrite);
  // Again: a standby may have waited for days, and another center may have upgraded it meanwhile.
  const { found, steps } = await look();
  await opening(shown, async () => {
    const { version, fingerprint } = schema;
    const name = (value: number) => upsert(orm, MetaRecord, 'schemaVersion', { value, fingerprint });
    // First: who finds collections without it knows that another revision made them.
    if (found === undefined) await name(BEING_MADE);
    for (const step of steps) await step(collections);
    await Promise.all(records.map(record => createIndexes(orm, record.meta)));
    await upsert(orm, ActorRecord, ORPHANAGE, { orphan: true });
    // Births of before this start need no fence (`write-fencing.ts`) any more: the next claim makes
    // new ones.
    await managerOf(orm).nativeDelete(ActorRecord, { kind: { $exists: false }, rev: 0 } as object);
    // Last: a start that is cut short before is finished by the next one.
    if (found?.version !== version) await name(version);
  });
}

type Meta = (typeof records)[number]['meta'];
type IndexDescription = { key: Record<string, 1>; name?: string; unique?: boolean; partialFilterExpression?: Record<string, unknown> };
type Index = { name?: string; properties?: unknown; where?: unknown };

async function createIndexes(orm: Orm, meta: Meta): Promise<void> {
  const all = indexesOf(meta);
  if (all.length > 0) await orm.em.getCollection(meta.tableName as string).createIndexes(all);
}

/** Indexes that an entity declares, as the server takes them. */
export function indexesOf(meta: Meta): IndexDescription[] {
  const described = ({ name, properties, where }: Index, unique: boolean): IndexDescription => {
    const fields = [properties].flat().map(String);
    return {
      key: Object.fromEntries(fields.map(field => [field, 1])),
      ...(name === undefined ? {} : { name }),
      ...(unique ? { unique } : {}),
      ...(where === undefined ? {} : { partialFilterExpression: where as Record<string, unknown> }),
    };
  };
  return [...meta.indexes.map(index => described(index as Index, false)), ...meta.uniques.map(index => described(index as Index, true))];
}

/**
 * Undefined when there is nothing yet, or what a first start of this version left that was cut
 * short. Also the first question that is asked of the server.
 */
async function storedFormat(orm: Orm, shown: string, known: MongoSchema): Promise<FoundFormat | undefined> {
  const row = await opening(shown, () => managerOf(orm).findOne(MetaRecord, { _id: 'schemaVersion' }));
  const fingerprint = row?.fingerprint ?? null;
  if (row) return row.value === BEING_MADE && fingerprint === known.fingerprint ? undefined : { version: Number(row.value), fingerprint };
  const ours = new Set<string | undefined>(records.map(record => record.meta.tableName));
  const found = (await opening(shown, () => orm.driver.getConnection().listCollections())).filter(name => !name.startsWith('system.'));
  const stranger = found.find(name => !ours.has(name));
  if (stranger !== undefined) throw new Error(`${shown} is no database of Troupe: it has a collection "${stranger}" and no schema version`);
  // The lease of a center (`cluster/center-lease.ts`) lies there before anything else does.
  return found.every(name => name === LeaseRecord.meta.tableName) ? undefined : { version: null, fingerprint: null };
}

/** Of a user who is unknown here, or may not do what is asked. Waiting changes nothing. */
const NOT_ALLOWED = new Set([13, 18, 33, 334, 8000]);

/** Names the database in its errors: StoreUnavailable when it may work later, else an Error. */
async function opening<T>(shown: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    // As the driver said it.
    const error = thrown instanceof StoreUnavailable ? (thrown.cause ?? thrown) : thrown;
    const { name, message, code } = error as Error & { code?: unknown };
    if (error instanceof StoreUnavailable || message.startsWith(shown)) throw error;
    const sentence = `${shown} cannot be opened: ${message}${whereItLooked(error)}`;
    const isForGood = !/^Mongo/.test(name) || asStoreError(error) === error || NOT_ALLOWED.has(Number(code));
    throw isForGood ? new Error(sentence, { cause: error }) : new StoreUnavailable(sentence, { cause: error });
  }
}

/**
 * The driver's own words for a set without primary, and for a server that is of no set, are that
 * time is up.
 */
function whereItLooked(error: unknown): string {
  const { setName, servers } = (error as { reason?: { setName?: string | null; servers?: Map<string, { type: string }> } }).reason ?? {};
  if (setName && servers?.size === 0) return `; nobody there is of the replica set ${setName}`;
  const seen = [...(servers ?? [])].map(([address, { type }]) => `${address} is ${type === 'Unknown' ? 'not there' : type}`);
  return seen.some(each => !each.endsWith('not there')) ? `; there is no primary (${seen.join(', ')})` : '';
}
