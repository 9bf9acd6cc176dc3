/** Directories of the runs' own, under the data directory. */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkDirs } from '../ports.ts';

/** `directory` is absolute: it becomes a working directory. */
export function createWorkDirs(directory: string): WorkDirs {
  // A run's key has characters that no file name should have, and more of them than one may have.
  const pathOf = (run: string) => join(directory, createHash('sha256').update(run).digest('hex').slice(0, 32));
  return {
    async make(run) {
      const path = pathOf(run);
      await rm(path, { recursive: true, force: true });
      await mkdir(path, { recursive: true, mode: 0o700 });
      return path;
    },
    remove: run => rm(pathOf(run), { recursive: true, force: true }),
  };
}
