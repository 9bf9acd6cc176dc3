/**
 * The embedded store: one SQLite file in the data directory, one process on it. The ORM maps it, migrates it and reads the views;
 * the hot path runs prepared statements on a connection of its own, and is synchronous inside: when a call returns its promise, the
 * work is done. All writing goes through that one connection, since a second writer of this thread would wait for the first for ever.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createActors } from './sqlite/actors.ts';
import { createConnections } from './sqlite/connections.ts';
import { createCredentials } from './sqlite/credentials.ts';
import { asStoreError } from './sqlite/errors.ts';
import { createFacts } from './sqlite/facts.ts';
import { createLedger } from './sqlite/ledger.ts';
import { createList } from './sqlite/list.ts';
import { lockDirectory } from './sqlite/lock.ts';
import { createOutput } from './sqlite/output.ts';
import { prepareSchema } from './sqlite/schema.ts';
import type { Store } from './store.ts';
import { createViews } from './views.ts';

export { DataDirectoryLocked } from './sqlite/lock.ts';

export interface SqliteOptions {
  /** Where the database lives; made (readable by its owner only) when it is not there. On a local disk: file locks over a network do not hold. */
  directory: string;
  /** Largest size of the database in bytes; at the limit every write fails as on a full disk. Default: what the disk has. */
  bytesMax?: number;
}

/**
 * Opens the store, brings its schema up to date and holds its directory until `close` or the end of the process.
 * Throws DataDirectoryLocked when another process (or this one) holds it, and a plain error, having changed nothing, when the
 * file is damaged, is not ours, or was written by a newer version.
 */
export async function createSqliteStore({ directory, bytesMax }: SqliteOptions): Promise<Store> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = lockDirectory(directory);
  try {
    const file = join(directory, 'troupe.sqlite');
    const orm = await prepareSchema(file);
    try {
      const connections = createConnections(file, bytesMax);
      const { insert, ...facts } = createFacts(connections);
      const store = {
        ...createViews(() => orm.em.fork()),
        ...createActors({ ...connections, insertFact: insert }),
        ...createList(connections),
        ...facts,
        ...createLedger(connections),
        ...createOutput(connections),
        ...createCredentials(connections),
        async probe() {
          connections.probe();
        },
      };
      let open = true;
      const close = async () => {
        if (!open) return;
        open = false;
        await orm.close();
        connections.close();
        // Last: whoever opens next must find the file at rest.
        unlock();
      };
      return { ...store, close };
    } catch (error) {
      await orm.close();
      throw error;
    }
  } catch (error) {
    unlock();
    throw asStoreError(error);
  }
}
