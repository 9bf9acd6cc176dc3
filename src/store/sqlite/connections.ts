/** The raw connections of the hot path: one that writes, and any number that read. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { asStoreError, FULL, primaryCode } from './errors.ts';
import { createRelief } from './relief.ts';

export interface Reading {
  reader: DatabaseSync;
  /** Runs a read; passing failures come as StoreUnavailable. */
  read<T>(work: () => T): T;
}

export interface Writing {
  writer: DatabaseSync;
  /** Runs `work` in one transaction: all of it is durable when this returns, nothing of it when it throws. Inside another one it is part of that. */
  transact<T>(work: () => T): T;
}

/** How long to wait for a lock of a stranger (a backup, somebody's shell) before giving up. The whole thread waits: keep it short. */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Pages in the log before they are moved into the database: about 64 MiB. A busy center dirties hundreds of pages a commit, many of them
 * again and again; moving them more often costs it a third of its speed, moving them less often makes the one commit that waits for it wait longer.
 */
const CHECKPOINT_PAGES = 32_000;

/** To what the log is cut back after it has once grown beyond. */
const LOG_BYTES_KEPT = 128 * 2 ** 20;

/** Memory for cached pages, in KiB. */
const CACHE_KIB = 64 * 2 ** 10;

/** The one connection that writes. `look` is asked before each transaction, and throws when nothing that is written here would be kept. */
export function openWriting(
  file: string,
  { bytesMax, look }: { bytesMax?: number | undefined; look(): void },
): Writing & { probe(): void; close(): void } {
  const writer = new DatabaseSync(file);
  writer.exec(`
    pragma busy_timeout = ${BUSY_TIMEOUT_MS};
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma wal_autocheckpoint = ${CHECKPOINT_PAGES};
    pragma journal_size_limit = ${LOG_BYTES_KEPT};
    pragma cache_size = -${CACHE_KIB};
    pragma temp_store = memory;
  `);
  if (bytesMax !== undefined) limitSize(writer, bytesMax);

  const relief = createRelief({ file, writer, busyMs: BUSY_TIMEOUT_MS });
  const begin = writer.prepare('begin immediate');
  const commit = writer.prepare('commit');
  let within = false;
  const transact = <T>(work: () => T): T => {
    if (within) return work();
    within = true;
    try {
      look();
      begin.run();
      const result = work();
      commit.run();
      relief.written();
      return result;
    } catch (error) {
      rollBack(writer);
      if (primaryCode(error) === FULL) relief.failed();
      throw asStoreError(error);
    } finally {
      within = false;
    }
  };
  // A change of a value, since only what changes a page is certain to reach the disk.
  const touch = writer.prepare(`update meta set value = 1 - value where _id = 'probe'`);

  return {
    writer,
    transact,
    probe: () => void transact(() => touch.run()),
    close: () => writer.close(),
  };
}

/** A connection that reads what was committed without waiting for the writer. Any number of them, in any thread. */
export function openReading(file: string): Reading & { close(): void } {
  const reader = new DatabaseSync(file, { readOnly: true });
  reader.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
  return {
    reader,
    read(work) {
      try {
        return work();
      } catch (error) {
        throw asStoreError(error);
      }
    },
    close: () => reader.close(),
  };
}

/** SQLite knows no booleans. */
export const flag = (value: boolean): number => (value ? 1 : 0);

/** The rows of a statement whose columns the caller has just named in SQL, which TypeScript cannot read. */
export function rows<Row>(statement: StatementSync, ...values: (string | number | null)[]): Row[] {
  return statement.all(...values) as Row[];
}

function rollBack(db: DatabaseSync): void {
  try {
    db.exec('rollback');
  } catch {
    // A full disk or an I/O error has rolled back already, or `begin` never came through: there is nothing left to undo.
  }
}

function limitSize(db: DatabaseSync, bytesMax: number): void {
  const { page_size: pageBytes } = db.prepare('pragma page_size').get() as { page_size: number };
  db.exec(`pragma max_page_count = ${Math.max(1, Math.floor(bytesMax / pageBytes))}`);
}
