/** The raw connections of the hot path: one writer and any number of readers. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { asSqliteStoreError, FULL, primaryCode } from './errors.ts';
import { createWalCheckpoint } from './wal-checkpoint.ts';

export interface ReadConnection {
  reader: DatabaseSync;
  /** Runs a read. A temporary failure becomes StoreUnavailable. */
  read<T>(work: () => T): T;
}

export interface WriteConnection {
  writer: DatabaseSync;
  /**
   * Runs `work` in one transaction: all of it is durable on return, none of it after a throw.
   * Inside another transaction it joins that one.
   */
  transact<T>(work: () => T): T;
}

/**
 * How long to wait for a lock of another program (a backup, a shell), ms. The wait blocks the whole
 * thread: keep it short.
 */
const BUSY_TIMEOUT_MS = 2_000;

/**
 * Pages in the WAL at which a checkpoint moves them into the database: about 64 MiB. A busy center
 * writes hundreds of pages a commit, many of them repeatedly. More frequent checkpoints cost it a
 * third of its speed; rarer ones lengthen the commit that waits for one.
 */
const CHECKPOINT_PAGES = 32_000;

/** Size to which the WAL shrinks after it has grown larger, bytes. */
const LOG_BYTES_KEPT = 128 * 2 ** 20;

/**
 * Page cache, KiB. A busy center fills any size, and the operating system caches the same pages. It
 * only needs the pages of a few commits.
 */
const CACHE_KIB = 4 * 2 ** 10;

export interface WritingConnection extends WriteConnection {
  /** Revision of the last commit: +1 with each. */
  readonly revision: number;
  probe(): void;
  /** Moves the WAL into the database. One file remains where no other connection is open. */
  close(): void;
}

/**
 * The only connection that writes. `look` runs before each transaction and throws when a write
 * would be lost. `committed` gets the revision of each durable commit.
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
  // Changes a value, because only a changed page certainly reaches the disk.
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
        // SQLite does it by itself only when the last connection closes, and a terminated thread
        // leaves its own open for a while.
        writer.prepare('pragma wal_checkpoint(truncate)').get();
      } catch {
        // The disk is full or the files are gone: the WAL stays, and the next start reads it.
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

/** SQLite has no booleans. */
export const booleanColumn = (value: boolean): number => (value ? 1 : 0);

/** The rows of a statement. TypeScript cannot infer the columns from SQL. */
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
 * A number beyond the safe integers, which no store writes, must not make the other rows
 * unreadable: only that number becomes a bigint.
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
    // After a full disk or an I/O error SQLite has rolled back already, or `begin` failed: nothing
    // is left to undo.
  }
}

function limitSize(db: DatabaseSync, bytesMax: number): void {
  const { page_size: pageBytes } = db.prepare('pragma page_size').get() as { page_size: number };
  db.exec(`pragma max_page_count = ${Math.max(1, Math.floor(bytesMax / pageBytes))}`);
}
