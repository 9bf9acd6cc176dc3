/**
 * The embedded store: one SQLite file in the data directory, one process on it. The ORM maps and
 * migrates it; the hot path runs prepared statements on connections of its own, one that writes and
 * any number that read, and is synchronous inside: when a call returns its promise, the work is
 * done.
 *
 * `createSqliteStore` does all of it in the calling thread, `createSqliteStoreWithWriter` gives the
 * writing to a thread of its own, so that nobody else waits for the disk.
 */

import type { Store } from '../port.ts';
import { promised } from '../sync.ts';
import { openSqliteReads, openSqliteWrites, type SqliteOptions } from './open.ts';

export { DataDirectoryLocked } from './lock.ts';
export type { SqliteOptions } from './open.ts';
export { createSqliteStoreWithWriter } from './writer-worker/client.ts';

/**
 * Opens the store, brings its schema up to date and holds its directory until `close` or the end of
 * the process. Throws DataDirectoryLocked when another process (or this one) holds it, and a plain
 * error, having changed nothing, when the file is damaged, is not ours, or was written by another
 * revision.
 */
export async function createSqliteStore(options: SqliteOptions): Promise<Store> {
  const writing = await openSqliteWrites(options);
  const reading = openSqliteReads(options.directory);
  let open = true;
  return {
    ...reading.reads,
    ...promised<Omit<Store, keyof typeof reading.reads | 'close'>>(writing.writes),
    async close() {
      if (!open) return;
      open = false;
      reading.close();
      // The last connection to close moves the log into the database, so it must be the writer.
      writing.close();
    },
  };
}
