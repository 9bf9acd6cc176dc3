/**
 * One agent per data directory. The lock is SQLite's on an empty database: the system releases it
 * at every kind of process end, and no file can become stale.
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
    // One statement per call: some runtimes execute the first one only.
    database.exec('pragma locking_mode = exclusive');
    database.exec('begin exclusive');
  } catch (cause) {
    database.close();
    throw new Error(`another agent uses ${directory}; each needs a data directory of its own (--data)`, { cause });
  }
  return { release: () => database.close() };
}
