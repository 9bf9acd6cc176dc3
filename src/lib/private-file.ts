/** Files that only their owner may use, whatever the umask and the mode of the directory are. */
import { chmodSync, closeSync, openSync, statSync } from 'node:fs';

const OTHERS = 0o077;

/**
 * Creates an empty file of mode 0600, or removes the rights of group and others from an existing
 * one. Never opens an existing file: closing it would drop the locks that this process holds on it.
 * Never throws: a later open of the file reports what is wrong. Idempotent.
 */
export function makePrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600));
  } catch {
    keepPrivate(path);
  }
}

/** Removes the rights of group and others from an existing file. Never throws. Idempotent. */
export function keepPrivate(path: string): void {
  try {
    const { mode } = statSync(path);
    if ((mode & OTHERS) !== 0) chmodSync(path, mode & 0o700);
  } catch {
    // It does not exist or belongs to another user: a later open reports that.
  }
}
