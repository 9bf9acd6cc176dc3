/**
 * Puts a backup in the place of the database. Agents may have served a later state: the epochs are
 * raised above whatever they have seen before any center opens the file.
 */
import { copyFileSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { RAISE_BY } from '../port.ts';
import { assertIntact, closeToOthers, countRows, MADE_AT, removeDatabase, syncFile } from './backup.ts';
import { raiseFeed } from './facts.ts';
import { lockDirectory } from './lock.ts';
import { removeMark } from './mark.ts';
import { fileIn } from './open.ts';
import { assertReadable, RESTORED_FROM } from './schema.ts';

export interface Restored {
  /** Epoch ms; null: the file does not say. */
  madeAt: number | null;
  rows: Record<string, number>;
  /** Where the database that was there is now; null: there was none. */
  replaced: string | null;
}

/**
 * Throws, having changed nothing, when the file is damaged, no backup of Troupe or one of another
 * revision, when a center has the directory, and when there is a database that may not be replaced.
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
    // A file that was copied from a running center by hand has what it lacks in a log beside it.
    if (existsSync(`${file}-wal`)) copyFileSync(`${file}-wal`, `${next}-wal`);
    closeToOthers(next);
    const { madeAt, rows } = raise(next, file);
    syncFile(next);
    const replaced = keepAside(database);
    // The mark counts the commits of the replaced database.
    removeMark(directory);
    // A log that stays would be replayed into the restored database.
    for (const end of ['-wal', '-shm', '-journal']) rmSync(`${database}${end}`, { force: true });
    syncFile(directory);
    renameSync(next, database);
    syncFile(directory);
    return { madeAt, rows, replaced };
  } finally {
    removeDatabase(next);
    unlock();
  }
}

/**
 * Raises the epochs in `next`, the copy of `file`, before it has its name: a crash leaves the old
 * database or the raised one.
 */
function raise(next: string, file: string): Pick<Restored, 'madeAt' | 'rows'> {
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
    return { madeAt, rows };
  } finally {
    db.close();
  }
}

/**
 * Gives what is there a second name, with its log, also a log that has lost its database. The first
 * name stays until the new database takes it: a crash never leaves a directory without one, which
 * the next start would take for a new one. Null: nothing was there.
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
    // File systems without hard links.
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
