/**
 * Whether the files of the store are still the ones at their paths. The operating system lets
 * anybody remove or replace them under us: what is written then goes into files that nobody will
 * ever open again, and SQLite says nothing of it.
 */
import { statSync } from 'node:fs';
import { basename } from 'node:path';
import { StoreUnavailable } from '../port.ts';

/**
 * The files of the store do not stand where they were opened: nothing more is written before the
 * process starts anew.
 */
class StoreMoved extends StoreUnavailable {}

/** How long a store that writes nothing may not notice it, ms. */
export const LOOK_EVERY_MS = 500;

/**
 * Takes the files as they are now; gives back the look, which throws StoreMoved once one of them is
 * gone or another. Looking opens nothing.
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

/** A file we may not look at may still be ours. */
const HIDDEN = 'hidden';

/** Undefined: nothing is there. */
function identity(file: string): string | undefined {
  try {
    const { dev, ino } = statSync(file, { bigint: true });
    return `${dev}:${ino}`;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'ENOENT' || code === 'ENOTDIR' ? undefined : HIDDEN;
  }
}
