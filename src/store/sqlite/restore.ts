/**
 * Replaces the database by a backup. Agents may have served a later state, so the restore raises
 * the epochs above any that they have seen, before a center opens the file.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { RAISE_BY } from '../port.ts';
import { assertIntact, closeToOthers, countRows, MADE_AT, removeDatabase } from './backup.ts';
import { type CopiedFiles, contentsIn, restoreFiles } from './backup-files.ts';
import { fileIn } from './database-file.ts';
import { raiseFeed } from './facts.ts';
import { lockDirectory } from './lock.ts';
import { removeMark } from './mark.ts';
import { assertReadable, RESTORED_FROM } from './schema.ts';
import { syncFile } from './sync-file.ts';

export interface Restored extends CopiedFiles {
  /** Epoch ms; null: the file has none. */
  madeAt: number | null;
  rows: Record<string, number>;
  /** New path of the replaced database; null: there was none. */
  replaced: string | null;
}

/**
 * Throws, having changed nothing, when the file is damaged, is no backup of Troupe or is of another
 * revision, when a center holds the directory, and when a database exists without `overwrite`.
 */
export function restoreBackup({ file, directory, overwrite }: { file: string; directory: string; overwrite: boolean }): Restored {
  if (!existsSync(file)) throw new Error(`"${file}" does not exist, but must be a backup`);
  if (!statSync(file).isFile()) throw new Error(`"${file}" is no file, but must be a backup`);
  assertReadable(file);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory);
  const database = fileIn(directory);
  const next = `${database}.restoring`;
  try {
    if (existsSync(database) && !overwrite)
      throw new Error(`"${directory}" holds a database already; --overwrite moves it aside and puts the backup in its place`);
    removeDatabase(next);
    copyFileSync(file, next);
    // A file that was copied by hand from a running center has its last commits in a WAL beside it.
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${next}-wal`);
    closeToOthers(next);
    const { madeAt, rows, contents } = raise(next, file);
    syncFile(next);
    // Contents never change: those of the replaced database may stay beside them.
    const copied = restoreFiles(contents, { directory, file });
    const replaced = keepAside(database);
    // The mark has the revision of the replaced database.
    removeMark(directory);
    // SQLite would replay a remaining WAL into the restored database.
    for (const end of ['-wal', '-shm', '-journal']) rmSync(`${database}${end}`, { force: true });
    syncFile(directory);
    renameSync(next, database);
    syncFile(directory);
    return { madeAt, rows, replaced, ...copied };
  } finally {
    removeDatabase(next);
    unlock();
  }
}

/**
 * Raises the epochs in `next`, the copy of `file`, before it has its name: after a crash the
 * directory has the old database or the raised one.
 */
function raise(next: string, file: string): Pick<Restored, 'madeAt' | 'rows'> & { contents: ReturnType<typeof contentsIn> } {
  const db = new DatabaseSync(next);
  try {
    db.prepare('pragma journal_mode = delete').get();
    db.exec('pragma synchronous = full');
    assertIntact(db, `"${file}"`);
    const made = db.prepare('select value from meta where _id = ?').get(MADE_AT)?.value;
    const madeAt = made === undefined ? null : Number(made);
    const rows = countRows(db);
    db.exec('begin immediate');
    db.prepare('update partitions set epoch = epoch + ?').run(RAISE_BY);
    raiseFeed(db);
    db.prepare('delete from meta where _id = ?').run(MADE_AT);
    db.prepare('insert or replace into meta (_id, value) values (?, ?)').run(RESTORED_FROM, madeAt ?? 0);
    db.exec('commit');
    return { madeAt, rows, contents: contentsIn(db) };
  } finally {
    db.close();
  }
}

/**
 * Links the existing database, its WAL and its journal to second names; also a WAL without a
 * database. The first name stays until the new database takes it: after a crash the directory never
 * lacks a database, which the next start would take for a new directory. Null: there was nothing.
 */
function keepAside(database: string): string | null {
  const ends = ['', '-wal', '-journal'].filter(end => existsSync(`${database}${end}`));
  if (ends.length === 0) return null;
  const aside = freeName(`${database}.replaced`);
  for (const end of ends) secondName(`${database}${end}`, `${aside}${end}`);
  return aside;
}

function secondName(file: string, name: string): void {
  try {
    linkSync(file, name);
  } catch {
    // The file system has no hard links.
    copyFileSync(file, name);
    syncFile(name);
  }
}

function freeName(wanted: string): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (['', '-wal', '-journal'].every(end => !existsSync(`${name}${end}`))) return name;
  }
}
