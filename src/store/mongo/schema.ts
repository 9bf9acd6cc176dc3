/**
 * Upgrades the database to the schema of this version. A database of another revision or another
 * program is refused before anything is written. The entities declare the indexes; creating one
 * that exists changes nothing.
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
export const MONGO_SCHEMA: MongoSchema = { version: 1, fingerprint: 'e6eb4a96625b', upgrades: {} };

/** Stands for the version until the first start is complete. */
const BEING_MADE = 0;

/** `_id` of the document that every insert of an actor at a rev above 1 collides with. */
const ORPHAN_GUARD = '';

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
  /** Resolves once this center may write. Throws the reason where it never may. */
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
    // First: collections without it were made by another revision.
    if (found === undefined) await name(BEING_MADE);
    for (const step of steps) await step(collections);
    await Promise.all(records.map(record => createIndexes(orm, record.meta)));
    await upsert(orm, ActorRecord, ORPHAN_GUARD, { orphan: true });
    // Fences of actors that do not exist (`write-fencing.ts`) are of former starts: the next claim
    // makes new ones.
    await managerOf(orm).nativeDelete(ActorRecord, { kind: { $exists: false }, rev: 0 } as object);
    // Last: the next start completes one that ended before this.
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
 * Undefined where the database is empty, or holds an incomplete first start of this version. It is
 * also the first query of a start.
 */
async function storedFormat(orm: Orm, shown: string, known: MongoSchema): Promise<FoundFormat | undefined> {
  const row = await opening(shown, () => managerOf(orm).findOne(MetaRecord, { _id: 'schemaVersion' }));
  const fingerprint = row?.fingerprint ?? null;
  if (row) return row.value === BEING_MADE && fingerprint === known.fingerprint ? undefined : { version: Number(row.value), fingerprint };
  const ours = new Set<string | undefined>(records.map(record => record.meta.tableName));
  const found = (await opening(shown, () => orm.driver.getConnection().listCollections())).filter(name => !name.startsWith('system.'));
  const stranger = found.find(name => !ours.has(name));
  if (stranger !== undefined) throw new Error(`${shown} is no database of Troupe: it has a collection "${stranger}" and no schema version`);
  // The lease of a center (`cluster/center-lease.ts`) is written before anything else.
  return found.every(name => name === LeaseRecord.meta.tableName) ? undefined : { version: null, fingerprint: null };
}

/** Server codes for an unknown user or missing rights, which waiting does not change. */
const NOT_ALLOWED = new Set([13, 18, 33, 334, 8000]);

/** Names the database in its errors: StoreUnavailable when it may work later, else an Error. */
async function opening<T>(shown: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    // The error of the driver.
    const error = thrown instanceof StoreUnavailable ? (thrown.cause ?? thrown) : thrown;
    const { name, message, code } = error as Error & { code?: unknown };
    if (error instanceof StoreUnavailable || message.startsWith(shown)) throw error;
    const sentence = `${shown} cannot be opened: ${message}${topologyText(error)}`;
    const isForGood = !/^Mongo/.test(name) || asStoreError(error) === error || NOT_ALLOWED.has(Number(code));
    throw isForGood ? new Error(sentence, { cause: error }) : new StoreUnavailable(sentence, { cause: error });
  }
}

/** For a set without a primary, or a server of no set, the driver reports a timeout alone. */
function topologyText(error: unknown): string {
  const { setName, servers } = (error as { reason?: { setName?: string | null; servers?: Map<string, { type: string }> } }).reason ?? {};
  if (setName && servers?.size === 0) return `; no server there belongs to the replica set ${setName}`;
  const seen = [...(servers ?? [])].map(([address, { type }]) => `${address} is ${type === 'Unknown' ? 'unreachable' : type}`);
  return seen.some(each => !each.endsWith('unreachable')) ? `; there is no primary (${seen.join(', ')})` : '';
}
