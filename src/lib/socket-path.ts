/** Paths of Unix sockets that fit into a socket address, which takes 108 bytes. */
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';

const PATH_BYTES_MAX = 99;

/**
 * The path of the file `socket` in the directory; of a deep directory through an open file
 * descriptor of it. `release` closes that descriptor: call it once the path is no longer used.
 */
export function socketPath(directory: string): { path: string; release: () => void } {
  const path = join(directory, 'socket');
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return { path, release: () => {} };
  const fd = openSync(directory, 'r');
  return { path: `/proc/self/fd/${fd}/socket`, release: () => closeSync(fd) };
}
