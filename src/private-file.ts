/** Files that are nobody's business but their owner's, whatever the umask is and whoever may look into their directory. */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';

const OTHERS = 0o077;

/**
 * Makes the file, empty, where there is none; else takes the rights of others away. Never opens one that is there: closing it again
 * would drop the locks that this process holds on it. What goes wrong is left to whoever opens it next. Idempotent.
 */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch {
    keepPrivate(path);
  }
}

/** Takes the rights of others away from a file that is there. Idempotent. */
export function keepPrivate(path: string): void {
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) !== 0) chmodSync(path, mode & 0o700);
  } catch {
    // It is not there, or somebody else's: then its opening says so.
  }
}
