/**
 * Checks that the files of the store are still those at their paths. The operating system lets any
 * program remove or replace an open file. SQLite then writes into files that no later start opens,
 * without an error.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { StoreUnavailable } from '../port.ts';

/**
 * The files of the store were moved or replaced: this process writes nothing more until its
 * restart.
 */
class StoreMoved extends StoreUnavailable {}

/** Interval of the check in a store that writes nothing, ms. */
export const LOOK_EVERY_MS = 500;

/**
 * Records the identity of the files. Returns the check, which throws StoreMoved once a file is gone
 * or replaced. The check opens no file.
 */
export function guardFiles(directory: string, files: string[]): () => void {
  const opened = files.map(file => ({ file, is: identity(file) }));
  return () => {
    for (const { file, is } of opened) {
      const now = identity(file);
      if (now === is || now === HIDDEN) continue;
      const what = now === undefined ? 'was removed or moved away' : 'was replaced by another one';
      throw new StoreMoved(
        `"${basename(file)}" of data directory "${directory}" ${what} while the center had it open; nothing more is written, start the center anew`,
      );
    }
  };
}

/** A file whose status is not readable may still be the same. */
const HIDDEN = 'hidden';

/** Undefined: the file does not exist. */
function identity(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : HIDDEN;
  }
}
