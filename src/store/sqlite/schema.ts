/**
 * Updates the file to the schema of this version. Refuses a file that is damaged, of another
 * program or of another revision before it writes anything: a read-only connection checks it.
 */
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { type FoundFormat, refusalText, stepsTo, toFingerprint } from '../../lib/stored-format.ts';
import { primaryCode } from './errors.ts';
import { createSchema } from './initial-schema.ts';
import { SQLITE_SCHEMA, type SqliteSchema } from './upgrades.ts';

/**
 * Bytes per page. Turns change rows of one or two KiB all over the file, and SQLite writes whole
 * pages. Half of its default of 4,096 gives a third more turns per second.
 */
const PAGE_BYTES = 2_048;

/** All tables of Troupe. A file with another table is of another program. */
export const TABLES = [
  'actors',
  'facts',
  'occurrences',
  'output',
  'credentials',
  'files',
  'posted_logs',
  'partitions',
  'meta',
  'placements',
  'failed_placements',
];

/**
 * A row of `meta`: the instant of the backup from which this database was restored, epoch ms; 0
 * where the backup has none. A clean stop removes it.
 */
export const RESTORED_FROM = 'restoredFrom';

const CORRUPT = 11;
const NOT_A_DATABASE = 26;

/**
 * Updates `file` to this version. Loads the ORM only for a change, because loading is the larger
 * part of a start. Throws a plain error, having changed nothing, where another revision wrote the
 * file and no upgrade leads from there.
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
 * Throws a plain error where the file is damaged, of another program or of another revision.
 * Changes nothing.
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

/** Undefined when there is no data: an interrupted first start leaves no table. */
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
 * A file with fewer bytes than its header says was truncated, unless a checkpoint was interrupted
 * and the WAL has the rest. With a WAL SQLite does not check this: it reads missing pages as empty.
 * Pages that only the WAL has are not in the header, so a kill does not cause a read of all pages.
 */
function isWhole(db: DatabaseSync, file: string): boolean {
  if (statSync(file).size >= bytesInHeader(file)) return true;
  return Object.values(db.prepare('pragma quick_check(1)').get() ?? {})[0] === 'ok';
}

/** By "The Database Header" of https://www.sqlite.org/fileformat.html. */
function bytesInHeader(file: string): number {
  const header = Buffer.alloc(HEADER_BYTES);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, header, 0, HEADER_BYTES, 0);
  } finally {
    closeSync(descriptor);
  }
  const pageBytes = header.readUInt16BE(16);
  // 65,536 does not fit and is stored as 1.
  return (pageBytes === 1 ? 65_536 : pageBytes) * header.readUInt32BE(28);
}

const HEADER_BYTES = 100;

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
