/**
 * The app directory of a run: its own, so that runs do not see each other's writes.
 *
 *   runs/<run>/app           an overlay over the unpacked app, or a copy of it
 *   runs/<run>/upper, work   the run's writes into an overlay
 *
 * An app that is too large to be copied on a host that cannot mount is shared by its runs:
 * read-only by its modes, verified before each execution.
 */
import { createHash } from 'node:crypto';
import { chmodSync, chownSync, constants, mkdirSync } from 'node:fs';
import { chmod, chown, copyFile, lchown, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { AppIsolation } from '../../protocol/agent.ts';
import { removeTree } from '../remove-tree.ts';
import type { ArtifactLimits } from './limits.ts';
import type { Mounts } from './mounts.ts';
import type { AppEntry, Owner } from './tree.ts';

export interface IsolationMethod {
  isolation: AppIsolation;
  /** With `overlay`. */
  mounts?: Mounts;
  /** Whether the processes of runs see a mount that is made now; default: yes. */
  mayMount?(): boolean;
}

interface App {
  path: string;
  bytes: number;
  entries: AppEntry[];
  owner: Owner | undefined;
}

export interface AppDirectories {
  /** Whether the runs of such an app share one directory here. */
  shares(app: { bytes: number; entries: number }): boolean;
  /**
   * Creates the directory of this run; an earlier one is replaced. Throws ArtifactError, the
   * signal's reason, or the error of the disk, and then leaves no files.
   */
  make(run: string, app: App, signal: AbortSignal): Promise<string>;
  /** Idempotent. */
  remove(run: string): Promise<void>;
  /** Removes the directories of all other runs, mounts included; a crash may have left them. */
  sweep(runs: Iterable<string>): Promise<void>;
}

/** Files copied at the same time. */
const COPYING_MAX = 16;
/** Other users may traverse the directory but not list it. */
const PASSAGE = 0o711;

/** `directory` is absolute; made here. */
export function createAppDirectories(directory: string, method: IsolationMethod, limits: ArtifactLimits): AppDirectories {
  const { isolation, mounts, mayMount = () => true } = method;
  const nameOf = (run: string) => createHash('sha256').update(run).digest('hex').slice(0, 32);
  const pathOf = (run: string) => join(directory, nameOf(run));
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, PASSAGE);

  const mayOverlay = () => isolation === 'overlay' && mounts !== undefined && mayMount();
  const isSmall = (bytes: number, entries: number) => bytes <= limits.smallBytes && entries <= limits.smallEntries;

  const shares = ({ bytes, entries }: { bytes: number; entries: number }): boolean => {
    if (isolation === 'verified') return true;
    if (mayOverlay()) return false;
    return entries > limits.copyEntriesMax || (isolation !== 'clone' && bytes > limits.copyBytesMax);
  };

  const remove = async (run: string) => {
    const path = pathOf(run);
    if (isolation === 'overlay') mounts?.unmount(join(path, 'app'));
    await removeTree(path);
  };

  const overlay = (path: string, { path: lower, entries, owner }: App): boolean => {
    const [upper, work, at] = [join(path, 'upper'), join(path, 'work'), join(path, 'app')];
    for (const each of [upper, work, at]) mkdirSync(each);
    // The run's directory gets the mode and the owner of this one.
    if (owner) chownSync(upper, owner.uid, owner.gid);
    chmodSync(upper, entries[0]?.mode ?? 0o755);
    return mounts?.mount({ lower, upper, work, at }) ?? false;
  };

  return {
    shares,
    async make(run, app, signal) {
      await remove(run);
      const path = pathOf(run);
      await mkdir(path);
      await chmod(path, PASSAGE);
      try {
        const isMounted = mayOverlay() && !isSmall(app.bytes, app.entries.length) && overlay(path, app);
        if (!isMounted) {
          // Of a mount that the kernel refused, the directory is left.
          await removeTree(join(path, 'app'));
          await copyTree(app.path, join(path, 'app'), { ...app, signal });
        }
        return join(path, 'app');
      } catch (problem) {
        await remove(run).catch(() => undefined);
        throw problem;
      }
    },
    remove,
    async sweep(runs) {
      const kept = new Set([...runs].map(nameOf));
      for (const at of mounts?.below(directory) ?? [])
        if (!kept.has(at.slice(directory.length + 1).split('/')[0] ?? '')) mounts?.unmount(at);
      for (const name of await readdir(directory)) if (!kept.has(name)) await removeTree(join(directory, name));
    },
  };
}

const WRITE_BITS = 0o222;

/** Removes the write bits of the tree and of `entries`: its runs share it. */
export async function makeReadOnly(root: string, entries: AppEntry[]): Promise<void> {
  for (const entry of entries.toReversed()) {
    if (entry.kind === 'link') continue;
    entry.mode &= ~WRITE_BITS;
    await chmod(join(root, entry.path), entry.mode);
  }
}

interface Copying {
  entries: AppEntry[];
  owner: Owner | undefined;
  signal: AbortSignal;
}

/**
 * A copy with the modes of the original. `FICLONE`: shares the blocks where the file system can,
 * and copies where it cannot.
 */
async function copyTree(from: string, to: string, { entries, owner, signal }: Copying): Promise<void> {
  const directories = entries.filter(({ kind }) => kind === 'directory');
  for (const { path } of directories) await mkdir(join(to, path), { mode: 0o700 });
  let next = 0;
  const worker = async () => {
    for (let entry = entries[next++]; entry; entry = entries[next++]) {
      signal.throwIfAborted();
      const path = join(to, entry.path);
      if (entry.kind === 'directory') continue;
      if (entry.kind === 'link') {
        await symlink(entry.target ?? '', path);
        if (owner) await lchown(path, owner.uid, owner.gid);
        continue;
      }
      await copyFile(join(from, entry.path), path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      if (owner) await chown(path, owner.uid, owner.gid);
      await chmod(path, entry.mode);
    }
  };
  const workers = await Promise.allSettled(Array.from({ length: COPYING_MAX }, worker));
  for (const one of workers) if (one.status === 'rejected') throw one.reason;
  for (const { path, mode } of directories.reverse()) {
    if (owner) await chown(join(to, path), owner.uid, owner.gid);
    await chmod(join(to, path), mode);
  }
}
