/** Directories of the runs' own, under the data directory. */
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync } from 'node:fs';
import { chown, mkdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkDirs } from '../ports.ts';
import { removeTree } from '../remove-tree.ts';

/** `directory` is absolute: it becomes a working directory. Creates it. */
export function createWorkDirs(directory: string): WorkDirs {
  // A run's key has characters that are unsafe in file names, and may be longer than a file name.
  const pathOf = (run: string) => join(directory, createHash('sha256').update(run).digest('hex').slice(0, 32));
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // Runs of other users may traverse the directory but not list it.
  chmodSync(directory, 0o711);
  // One call each in nearly all cases. Never in this thread: it would wait for the fsync of the
  // journal beside it.
  return {
    async make(run, owner) {
      const path = pathOf(run);
      try {
        await mkdir(path, { mode: 0o700 });
      } catch {
        await removeTree(path);
        await mkdir(path, { recursive: true, mode: 0o700 });
      }
      if (owner) await chown(path, owner.uid, owner.gid);
      return path;
    },
    async remove(run) {
      const path = pathOf(run);
      await rmdir(path).catch(() => removeTree(path));
    },
  };
}
