/** The raw connections of the hot path: one that writes, and any number that read. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { asSqliteStoreError, FULL, primaryCode } from './errors.ts';
import { createWalCheckpoint } from './wal-checkpoint.ts';

export interface ReadConnection {
  reader: DatabaseSync;
  /** Runs a read; passing failures come as StoreUnavailable. */
  read<T>(work: () => T): T;
}

export interface WriteConnection {
  writer: DatabaseSync;
  /**
   * Runs `work` in one transaction: all of it is durable when this returns, nothing of it when it
   * throws. Inside another one it is part of that.
   */
  transact<T>(work: () => T): T;
}

/**
 * How long to wait for a lock of a stranger (a backup, somebody's shell) before giving up. The
 * whole thread waits: keep it short.
 */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Pages in the log before they are moved into the database: about 64 MiB. A busy center dirties
 * hundreds of pages a commit, many of them again and again; moving them more often costs it a third
 * of its speed, moving them less often makes the one commit that waits for it wait longer.
 */
const CHECKPOINT_PAGES = 32_000;

/** To what the log is cut back after it has once grown beyond. */
const LOG_BYTES_KEPT = 128 * 2 ** 20;

/**
 * Memory for cached pages, in KiB. Whatever it is a busy center fills it, and the system keeps the
 * same pages once more: it need only hold those of a few commits.
 */
const CACHE_KIB = 4 * 2 ** 10;

export interface WritingConnection extends WriteConnection {
  /** Of the last commit: +1 with each. */
  readonly revision: number;
  probe(): void;
  /** Moves the log into the database: one file is left where no other connection is open. */
  close(): void;
}

/**
 * The one connection that writes. `look` is asked before each transaction, and throws when nothing
 * that is written here would be kept; `committed` gets the revision of each commit once it is
 * durable.
 */
export function openWriting(
  file: string,
  { bytesMax, look, committed }: { bytesMax?: number | undefined; look(): void; committed(revision: number): void },
): WritingConnection {
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

  const walCheckpoint = createWalCheckpoint({ file, writer, busyMs: BUSY_TIMEOUT_MS });
  const begin = writer.prepare('begin immediate');
  const commit = writer.prepare('commit');
  const raised = writer.prepare(`update meta set value = value + 1 where _id = 'revision' returning value`);
  let revision = revisionIn(writer);
  let within = false;
  const transact = <T>(work: () => T): T => {
    if (within) return work();
    within = true;
    try {
      look();
      begin.run();
      const result = work();
      const next = Number(raised.get()?.value);
      commit.run();
      revision = next;
      committed(revision);
      walCheckpoint.written();
      return result;
    } catch (error) {
      rollBack(writer);
      if (primaryCode(error) === FULL) walCheckpoint.failed();
      throw asSqliteStoreError(error);
    } finally {
      within = false;
    }
  };
  // A change of a value, since only what changes a page is certain to reach the disk.
  const touch = writer.prepare(`update meta set value = 1 - value where _id = 'probe'`);

  return {
    writer,
    transact,
    get revision() {
      return revision;
    },
    probe: () => void transact(() => touch.run()),
    close() {
      try {
        // By itself only the last connection of all does it, and a thread that was ended leaves its
        // own open for a while.
        writer.prepare('pragma wal_checkpoint(truncate)').get();
      } catch {
        // A full disk, or files that were taken away: the log stays, and the next start reads it.
      }
      writer.close();
    },
  };
}

/** Reads committed rows without waiting for the writer. Any number, in any thread. */
export function openReading(file: string): ReadConnection & { close(): void } {
  const reader = new DatabaseSync(file, { readOnly: true });
  reader.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
  return {
    reader,
    read(work) {
      try {
        return work();
      } catch (error) {
        throw asSqliteStoreError(error);
      }
    },
    close: () => reader.close(),
  };
}

/** SQLite knows no booleans. */
export const booleanColumn = (value: boolean): number => (value ? 1 : 0);

/** The rows of a statement. TypeScript cannot read the columns that its SQL names. */
export function rows<Row>(statement: StatementSync, ...values: (string | number | null)[]): Row[] {
  try {
    return statement.all(...values) as Row[];
  } catch (error) {
    if (!isOutOfRange(error)) throw error;
    return rowsWithLargeNumbers<Row>(statement, values);
  }
}

const isOutOfRange = (error: unknown): boolean => error instanceof Error && 'code' in error && error.code === 'ERR_OUT_OF_RANGE';

/**
 * One number beyond those of JavaScript, which no store of ours writes, must not keep the other
 * rows away: it alone comes as a bigint.
 */
function rowsWithLargeNumbers<Row>(statement: StatementSync, values: (string | number | null)[]): Row[] {
  statement.setReadBigInts(true);
  try {
    return statement
      .all(...values)
      .map(row => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, asNumber(value)])) as Row);
  } finally {
    statement.setReadBigInts(false);
  }
}

const asNumber = (value: unknown): unknown => (typeof value === 'bigint' && BigInt(Number(value)) === value ? Number(value) : value);

const revisionIn = (db: DatabaseSync): number => Number(db.prepare(`select value from meta where _id = 'revision'`).get()?.value);

function rollBack(db: DatabaseSync): void {
  try {
    db.exec('rollback');
  } catch {
    // A full disk or an I/O error has rolled back already, or `begin` never came through: there is
    // nothing left to undo.
  }
}

function limitSize(db: DatabaseSync, bytesMax: number): void {
  const { page_size: pageBytes } = db.prepare('pragma page_size').get() as { page_size: number };
  db.exec(`pragma max_page_count = ${Math.max(1, Math.floor(bytesMax / pageBytes))}`);
}
