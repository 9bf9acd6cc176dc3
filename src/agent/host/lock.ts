/**
 * One agent per data directory. The lock is SQLite's on an empty database: the system lets go of it
 * however the process ends, and no file can go stale.
 */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { keepPrivate, makePrivate } from '../../lib/private-file.ts';

/** Throws when another process has it. The directory exists. */
export function lockDataDirectory(directory: string): { release(): void } {
  const file = join(directory, 'agent.lock');
  makePrivate(file);
  keepPrivate(`${file}-journal`);
  const database = new DatabaseSync(file);
  try {
    // One statement a call: not every runtime executes what follows the first.
    database.exec('pragma locking_mode = exclusive');
    database.exec('begin exclusive');
  } catch (cause) {
    database.close();
    throw new Error(`another agent uses ${directory}; each needs a data directory of its own (--data)`, { cause });
  }
  return { release: () => database.close() };
}
