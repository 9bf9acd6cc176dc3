/**
 * Brings the file to the schema this version knows. What another revision wrote, what is damaged or
 * somebody else's is refused before anything is written: the look happens on a connection that can
 * only read.
 */
import { existsSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type FoundFormat, refusalText, stepsTo, toFingerprint } from '../../lib/stored-format.ts';
import { primaryCode } from './errors.ts';
import { createSchema } from './initial-schema.ts';
import { SQLITE_SCHEMA, type SqliteSchema } from './upgrades.ts';

/**
 * Bytes per page. Turns change rows of a KiB or two all over the file, and whole pages go to disk:
 * halves of SQLite's usual 4,096 carry a third more turns per second.
 */
const PAGE_BYTES = 2_048;

/** Tables of ours: what else lies in a file makes it somebody else's. */
export const TABLES = ['actors', 'facts', 'occurrences', 'output', 'credentials', 'partitions', 'meta', 'placements', 'failed_placements'];

/**
 * A row of `meta`: when the backup was made that this database was restored from, epoch ms, 0 where
 * it does not say. Removed by a clean stop.
 */
export const RESTORED_FROM = 'restoredFrom';

const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/**
 * Brings `file` to this version. The ORM is loaded only where there is something to change: it
 * would be the larger part of a start. Throws a plain error, having changed nothing, where another
 * revision wrote the file and no upgrade leads from there.
 */
export async function prepareSqliteSchema(file: string, schema: SqliteSchema = SQLITE_SCHEMA): Promise<void> {
  const found = storedFormat(file);
  if (found === undefined) return createSchema(file, { pageBytes: PAGE_BYTES, format: schema });
  const steps = stepsTo(schema, found);
  if (steps === undefined) throw new Error(refusalText(schema, found, { subject: `"${file}"`, anew: ANEW }));
  if (steps.length > 0) {
    const { migrate } = await import('./migrate.ts');
    await migrate(file, { pageBytes: PAGE_BYTES, to: schema, sql: steps.flat() });
  }
}

const ANEW = 'start the center with an empty data directory';

/**
 * Throws a plain error where the file is no database of this version: damaged, somebody else's, or
 * of another revision. Changes nothing.
 */
export function assertReadable(file: string, schema: SqliteSchema = SQLITE_SCHEMA): void {
  const found = storedFormat(file);
  if (found === undefined) throw new Error(`"${file}" is empty, but must be a database of Troupe`);
  const steps = stepsTo(schema, found);
  if (steps === undefined) throw new Error(refusalText(schema, found, { subject: `"${file}"`, anew: ANEW }));
  if (steps.length > 0)
    throw new Error(
      `"${file}" has format version ${found.version}, and this Troupe ${schema.version}: start its center once, which upgrades it`,
    );
}

/** Undefined when there is nothing yet: a first start that was cut short leaves no table. */
function storedFormat(file: string): FoundFormat | undefined {
  if (!existsSync(file) || statSync(file).size === 0) return undefined;
  try {
    const db = new DatabaseSync(file, { readOnly: true });
    try {
      if (!isWhole(db, file)) throw damaged(file);
      return readFormat(db, file);
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

function readFormat(db: DatabaseSync, file: string): FoundFormat | undefined {
  const tables = db
    .prepare(`select name from sqlite_master where type = 'table' and name not like 'sqlite^_%' escape '^'`)
    .all()
    .map(row => String(row.name));
  if (tables.length === 0) return undefined;
  const meta = (id: string): number | null => {
    const row = tables.includes('meta') ? db.prepare('select value from meta where _id = ?').get(id) : undefined;
    if (row !== undefined && typeof row.value !== 'number') throw damaged(file);
    return row === undefined ? null : Number(row.value);
  };
  const version = meta('schemaVersion');
  const fingerprint = meta('schemaFingerprint');
  const known = new Set(TABLES);
  const stranger = tables.find(table => !known.has(table));
  if (version === null && stranger !== undefined)
    throw new Error(`"${file}" is no database of Troupe: it has a table "${stranger}" and no schema version`);
  return { version, fingerprint: fingerprint === null ? null : toFingerprint(fingerprint) };
}
