/** Opens the database for the one thread that writes. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { keepPrivate, makePrivate } from '../../lib/private-file.ts';
import type { StoreWrites } from '../port.ts';
import type { Sync } from '../sync.ts';
import { actorWrites } from './actors.ts';
import { openWriting, type WritingConnection } from './connections.ts';
import { credentialWrites } from './credentials.ts';
import { fileIn } from './database-file.ts';
import { asOpeningError } from './errors.ts';
import { factWrites } from './facts.ts';
import { guardFiles } from './file-guard.ts';
import { fileWrites } from './files.ts';
import { ledgerWrites } from './ledger.ts';
import { LOCK_FILE, lockDirectory } from './lock.ts';
import { type Loss, openMark } from './mark.ts';
import { outputWrites } from './output.ts';
import { postedLogWrites } from './posted-logs.ts';
import { retentionWrites } from './retention.ts';
import { prepareSqliteSchema, RESTORED_FROM } from './schema.ts';

export interface SqliteOptions {
  /**
   * Directory of the database; created with mode 0700 if missing. Must be on a local disk, because
   * network file locks do not hold.
   */
  directory: string;
  /**
   * Largest size of the database in bytes; at the limit every write fails as on a full disk.
   * Default: what the disk has.
   */
  bytesMax?: number;
}

export interface SqliteWrites {
  writes: Sync<StoreWrites>;
  /** Runs several writes as one transaction. */
  transact<T>(work: () => T): T;
  /** Throws StoreMoved when a file was moved or replaced. Each write calls it. */
  look(): void;
  /** Commits that the database has lost; null when none is known to be lost. */
  readonly loss: Loss | null;
  /**
   * Instant of the backup from which this database was restored, epoch ms; 0 where the backup has
   * none. Null: no restore since the last clean stop.
   */
  readonly restoredFrom: number | null;
  close(): void;
}

/**
 * Locks the directory for this thread and updates the schema. Errors as with `createSqliteStore`,
 * and StoreUnavailable for temporary ones.
 */
export async function openSqliteWrites({ directory, bytesMax }: SqliteOptions): Promise<SqliteWrites> {
  let unlock = () => {};
  let connection: WritingConnection | undefined;
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    unlock = lockDirectory(directory);
    const file = fileIn(directory);
    // SQLite creates `-wal` and `-shm` with the mode of the database.
    makePrivate(file);
    for (const beside of [`${file}-wal`, `${file}-shm`]) keepPrivate(beside);
    await prepareSqliteSchema(file);
    let look = () => {};
    let committed: (revision: number) => void = () => {};
    const opened = openWriting(file, { bytesMax, look: () => look(), committed: revision => committed(revision) });
    connection = opened;
    const { writer, transact, probe } = opened;
    const writing = { writer, transact };
    // The WAL exists only while a connection is open. A replaced lock file would admit a second
    // center.
    look = guardFiles(directory, [file, `${file}-wal`, join(directory, LOCK_FILE)]);
    const writes = {
      ...actorWrites({ ...writing, insertFact: factWrites(writing).insert }),
      ...ledgerWrites(writing),
      ...outputWrites(writing),
      ...credentialWrites(writing),
      ...fileWrites(writing),
      ...postedLogWrites(writing),
      ...retentionWrites(writing),
      probe,
    };
    const restored = writer.prepare('select value from meta where _id = ?').get(RESTORED_FROM)?.value;
    const mark = openMark(directory, opened.revision);
    committed = mark.write;
    return {
      writes,
      transact,
      look: () => look(),
      loss: mark.loss,
      restoredFrom: restored === undefined ? null : Number(restored),
      close() {
        if (restored !== undefined) endRestoreMessage(opened);
        opened.close();
        mark.close();
        // Last: the next process must find the file complete.
        unlock();
      },
    };
  } catch (error) {
    connection?.close();
    unlock();
    throw asOpeningError(directory, error);
  }
}

/** A clean stop ends the message about a restore. On a full disk the message stays. */
function endRestoreMessage({ transact, writer }: Pick<WritingConnection, 'transact' | 'writer'>): void {
  try {
    transact(() => writer.prepare('delete from meta where _id = ?').run(RESTORED_FROM));
  } catch {
    // The next clean stop tries again.
  }
}
