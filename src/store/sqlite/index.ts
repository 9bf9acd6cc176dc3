/**
 * The embedded store: one SQLite file in the data directory, used by one process. The ORM migrates
 * it. The hot path runs prepared statements on one writing and any number of reading connections.
 * It is synchronous: a call has done its work when it returns its promise.
 *
 * `createSqliteStore` does all of it in the calling thread; `createSqliteStoreWithWriter` writes in
 * a thread of its own, so that no caller's thread waits for the disk.
 */

import { createFileStore } from '../file-store.ts';
import type { Store, StoreWrites } from '../port.ts';
import { promised } from '../sync.ts';
import { openFileDirectory } from './file-directory.ts';
import { openSqliteWrites, type SqliteOptions } from './open.ts';
import { openSqliteReads } from './open-reads.ts';

export { DataDirectoryLocked } from './lock.ts';
export type { SqliteOptions } from './open.ts';
export { createSqliteStoreWithWriter } from './writer-worker/client.ts';

/**
 * Opens the store, updates its schema and holds the directory until `close` or the end of the
 * process. Throws DataDirectoryLocked when another process (or this one) holds it. Throws a plain
 * error, having changed nothing, when the file is damaged, is no database of Troupe, or is of
 * another revision.
 */
export async function createSqliteStore(options: SqliteOptions): Promise<Store> {
  const writing = await openSqliteWrites(options);
  const reading = openSqliteReads(options.directory);
  const writes = promised<StoreWrites>(writing.writes);
  let open = true;
  return {
    ...reading.reads,
    ...writes,
    files: createFileStore({ rows: { ...reading.reads, ...writes }, blobs: openFileDirectory(options.directory) }),
    async close() {
      if (!open) return;
      open = false;
      reading.close();
      // The last connection that closes moves the WAL into the database, so it must be the writer.
      writing.close();
    },
  };
}
