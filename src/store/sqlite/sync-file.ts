/** Makes a file durable before something names it. */
import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Also for a directory: the name of a new file is durable only after a sync of its directory. */
export function syncFile(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
