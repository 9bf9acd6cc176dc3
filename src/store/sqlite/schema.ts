/**
 * Brings the file to the schema this version knows. What is newer, damaged or somebody else's is
 * refused before anything is written: the look happens on a connection that can only read.
 */
import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { primaryCode } from './errors.ts';
import { createSchema } from './initial-schema.ts';

/** +1 with every change of the entities. */
const SCHEMA_VERSION = 5;

/**
 * Bytes per page. Turns change rows of a KiB or two all over the file, and whole pages go to disk:
 * halves of SQLite's usual 4,096 carry a third more turns per second.
 */
const PAGE_BYTES = 2_048;

/** Tables of ours: what else lies in a file makes it somebody else's. */
export const TABLES = ['actors', 'facts', 'occurrences', 'output', 'credentials', 'partitions', 'meta', 'placements', 'mishaps'];

/**
 * A row of `meta`: when the backup was made that this database was restored from, epoch ms, 0 where
 * it does not say. Removed by a clean stop.
 */
export const RESTORED_FROM = 'restoredFrom';

const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/**
 * Brings `file` to this version. The ORM is loaded only where there is something to change: it
 * would be the larger part of a start.
 */
export async function prepareSchema(file: string): Promise<void> {
  const version = storedVersion(file);
  if (version === undefined) return createSchema(file, { pageBytes: PAGE_BYTES, version: SCHEMA_VERSION });
  assertNotNewer(file, version);
  if (version < SCHEMA_VERSION) {
    const { migrate } = await import('./migrate.ts');
    await migrate(file, { pageBytes: PAGE_BYTES, from: version, to: SCHEMA_VERSION });
  }
}

/**
 * Throws a plain error where the file is no database of this version: damaged, somebody else's,
 * older or newer. Changes nothing.
 */
export function assertReadable(file: string): void {
  const version = storedVersion(file);
  if (version === undefined) throw new Error(`"${file}" is empty, but must be a database of Troupe`);
  assertNotNewer(file, version);
  if (version < SCHEMA_VERSION)
    throw new Error(
      `"${file}" has schema version ${version}, and this Troupe ${SCHEMA_VERSION}: start its center once, which brings it up to date`,
    );
}

function assertNotNewer(file: string, version: number): void {
  if (version <= SCHEMA_VERSION) return;
  throw new Error(
    `"${file}" has schema version ${version}, written by a newer Troupe; this one knows up to ${SCHEMA_VERSION} and changed nothing`,
  );
}

/** Undefined: no schema yet. 0: a first start of an earlier version was cut short. */
function storedVersion(file: string): number | undefined {
  if (!existsSync(file) || statSync(file).size === 0) return undefined;
  try {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      if (!isWhole(db, file)) throw damaged(file);
      return readVersion(db, file);
    } finally {
      db.close();
    }
  } catch (error) {
    if (primaryCode(error) !== CORRUPT && primaryCode(error) !== NOT_A_DATABASE) throw error;
    throw damaged(file, { cause: error });
  }
}

const damaged = (file: string, options?: ErrorOptions): Error =>
  new Error(`"${file}" is damaged or no SQLite database; put back a backup, or move it away to begin anew`, options);

/**
 * A file that is shorter than its pages was cut, or the rest of them is in the log. SQLite itself
 * does not look where there is a log, and would read what was cut as empty pages.
 */
function isWhole(db: DatabaseSync, file: string): boolean {
  const number = (pragma: string) => Number(Object.values(db.prepare(`pragma ${pragma}`).get() ?? {})[0]);
  if (statSync(file).size >= number('page_count') * number('page_size')) return true;
  return Object.values(db.prepare('pragma quick_check(1)').get() ?? {})[0] === 'ok';
}

function readVersion(db: DatabaseSync, file: string): number | undefined {
  const tables = db
    .prepare(`select name from sqlite_master where type = 'table' and name not like 'sqlite^_%' escape '^'`)
    .all()
    .map(row => String(row.name));
  const known = new Set(TABLES);
  const row = tables.includes('meta') ? db.prepare(`select value from meta where _id = 'schemaVersion'`).get() : undefined;
  if (row) {
    if (typeof row.value !== 'number') throw damaged(file);
    return row.value;
  }
  if (tables.length === 0) return undefined;
  // Our tables without a version: a first start cut short. Other tables: not our file.
  const stranger = tables.find(table => !known.has(table));
  if (stranger !== undefined) throw new Error(`"${file}" is no database of Troupe: it has a table "${stranger}" and no schema version`);
  return 0;
}
