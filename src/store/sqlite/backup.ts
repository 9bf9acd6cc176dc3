/**
 * Copies the database while a center writes to it: SQLite's online backup inside one read
 * transaction, so that the copy is one state. The copy is verified before it gets its name.
 * Uploaded files lie beside it (`backup-files.ts`).
 *
 * Readers need no lock of the data directory: the lock is a file of its own.
 */
import { chmodSync, closeSync, existsSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { backUpFiles, type CopiedFiles, contentsIn, removeFilesOf } from './backup-files.ts';
import { fileIn } from './database-file.ts';
import { assertReadable, TABLES } from './schema.ts';
import { syncFile } from './sync-file.ts';

export interface Backup extends CopiedFiles {
  file: string;
  bytes: number;
  /** Rows by table, the same in the database and in its copy. */
  rows: Record<string, number>;
}

/** Pages copied before the event loop runs again. */
const PAGES_AT_ONCE = 2_000;
const BUSY_MS = 10_000;
/** When the copy was made, epoch ms: a row of `meta` that only the copy has. */
export const MADE_AT = 'backupMadeAt';

/**
 * Resolves once the verified copy is durable under its name. Throws, leaving nothing behind, when
 * there is no database, when the file exists, and when the copy differs from its original.
 */
export async function makeBackup({ directory, file, at }: { directory: string; file: string; at: number }): Promise<Backup> {
  const database = fileIn(directory);
  if (!existsSync(database)) throw new Error(`"${directory}" holds no database of Troupe; --data names the data directory of the center`);
  if (existsSync(file)) throw new Error(`"${file}" is there already; give the backup a name of its own`);
  if (!existsSync(dirname(file))) throw new Error(`"${dirname(file)}" does not exist; make the folder of the backup first`);
  assertReadable(database);
  const partial = `${file}.partial`;
  rmSync(partial, { force: true });
  try {
    // Readable by its owner alone from the start: the copy contains hashes of passwords and the key
    // of the installation.
    closeSync(openSync(partial, 'w', 0o600));
    const rows = await copy(database, partial);
    verify(partial, rows, at);
    syncFile(partial);
    // Before the name of the database, so that no backup lacks its files.
    const copied = backUpFiles(contentsOf(partial), { directory, file });
    renameSync(partial, file);
    syncFile(dirname(file));
    return { file, bytes: statSync(file).size, rows, ...copied };
  } catch (error) {
    removeDatabase(partial);
    removeFilesOf(file);
    throw error;
  }
}

async function copy(database: string, to: string): Promise<Record<string, number>> {
  const source = new DatabaseSync(database, { readOnly: true });
  try {
    source.exec(`pragma busy_timeout = ${BUSY_MS}`);
    // The transaction keeps one state: writers continue and never restart the copy.
    source.exec('begin');
    const rows = countRows(source);
    await backup(source, to, { rate: PAGES_AT_ONCE });
    source.exec('commit');
    return rows;
  } finally {
    source.close();
  }
}

/**
 * Verifies the copy on disk: its pages are intact and no row is missing. Stores `MADE_AT` and makes
 * it one file.
 */
function verify(file: string, rows: Record<string, number>, at: number): void {
  const db = new DatabaseSync(file);
  try {
    db.prepare('pragma journal_mode = delete').get();
    assertIntact(db, 'the copy');
    const copied = countRows(db);
    for (const [table, count] of Object.entries(rows)) {
      if (copied[table] !== count) throw new Error(`the backup has ${copied[table]} rows of ${table}, the database had ${count}`);
    }
    db.prepare('insert or replace into meta (_id, value) values (?, ?)').run(MADE_AT, at);
  } finally {
    db.close();
  }
}

function contentsOf(file: string): ReturnType<typeof contentsIn> {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    return contentsIn(db);
  } finally {
    db.close();
  }
}

/** Throws, with `what` as the subject, when pages of the database are inconsistent. */
export function assertIntact(db: DatabaseSync, what: string): void {
  const [first] = db.prepare('pragma integrity_check').all();
  if (first?.integrity_check !== 'ok') throw new Error(`${what} is damaged: ${String(first?.integrity_check)}`);
}

/** Removes also its WAL and its journal. Idempotent. */
export function removeDatabase(file: string): void {
  for (const end of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${end}`, { force: true });
}

export function countRows(db: DatabaseSync): Record<string, number> {
  return Object.fromEntries(TABLES.map(table => [table, Number(db.prepare(`select count(*) as count from ${table}`).get()?.count)]));
}

/** A restored backup may have other rights than the database: it contains the same secrets. */
export const closeToOthers = (file: string): void => chmodSync(file, 0o600);
