/** Directories of the runs' own, under the data directory. */
import { createHash } from 'node:crypto';
import { mkdirSync, rmdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkDirs } from '../ports.ts';

/** `directory` is absolute: it becomes a working directory; made here. */
export function createWorkDirs(directory: string): WorkDirs {
  // A run's key has characters that no file name should have, and more of them than one may have.
  const pathOf = (run: string) => join(directory, createHash('sha256').update(run).digest('hex').slice(0, 32));
  // One call each where nothing is in the way, which is nearly always: handing it to another thread would cost several times as much.
  const isMade = (path: string) => isDone(() => mkdirSync(path, { mode: 0o700 }));
  const isGone = (path: string) => isDone(() => rmdirSync(path));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  return {
    async make(run) {
      const path = pathOf(run);
      if (isMade(path)) return path;
      await rm(path, { recursive: true, force: true });
      mkdirSync(path, { recursive: true, mode: 0o700 });
      return path;
    },
    async remove(run) {
      const path = pathOf(run);
      if (!isGone(path)) await rm(path, { recursive: true, force: true });
    },
  };
}

function isDone(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}
