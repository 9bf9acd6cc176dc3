/**
 * The directories of jobs on the disk. Each is complete: it comes by a rename, and leaves by one.
 *
 *   <job>/<content>/work         the working directory of the runs
 *   <job>/<content>/state.json   its runs and its last use
 *   .tmp/                        incomplete and removed ones; emptied at start
 */
import { chmod, mkdir, open, readdir, readFile, rename, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../lib/clock.ts';
import { createKeyedMutex } from '../../lib/keyed-mutex.ts';
import { removeTree } from '../remove-tree.ts';
import { syncDirectory } from './tree.ts';

const State = z.object({
  /** The latest execution that used it was created then, epoch ms. */
  asOf: z.number(),
  /** Epoch ms. */
  usedAt: z.number(),
  /** On the disk, when last measured. */
  bytes: z.number(),
  /** Runs that use it. */
  runs: z.array(z.string()),
});
export type DirectoryState = z.infer<typeof State>;

const STATE = 'state.json';
/** Users of runs pass through to their working directory. */
const PASSAGE = 0o711;

export interface DirectoryStore {
  /** By `<job>/<content>`. Change a state, then save it. */
  readonly directories: ReadonlyMap<string, DirectoryState>;
  workOf(key: string): string;
  /** A new path for incomplete things. */
  tmp(): string;
  /** Moves a directory with a `work` in it to its place; resolves once it is on the disk. */
  add(key: string, from: string, state: DirectoryState): Promise<void>;
  /** Outlives the agent, but not the machine, whose end ends the runs. */
  save(key: string): Promise<void>;
  /** Takes effect at once; resolves once its files are gone. Idempotent. */
  remove(key: string): Promise<void>;
}

/** `root` is absolute; created when missing. Removes what a crash left incomplete. */
export async function openDirectoryStore(root: string, clock: Clock): Promise<DirectoryStore> {
  const temporary = join(root, '.tmp');
  await removeTree(temporary);
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  await chmod(root, PASSAGE);
  const directories = await readDirectories(root, clock);
  // Per job: its last directory leaves with the folder of the job, its first one comes with it.
  const inTurn = createKeyedMutex();
  let numbers = 0;
  const tmp = () => join(temporary, String(++numbers));

  return {
    directories,
    tmp,
    workOf: key => join(root, key, 'work'),
    add: (key, from, state) =>
      inTurn(dirname(key), async () => {
        await writeDurably(join(from, STATE), JSON.stringify(state));
        await chmod(from, PASSAGE);
        await syncDirectory(from);
        const parent = join(root, dirname(key));
        await mkdir(parent, { recursive: true });
        await chmod(parent, PASSAGE);
        await moveAway(join(root, key), tmp());
        await rename(from, join(root, key));
        await syncDirectory(parent);
        await syncDirectory(root);
        directories.set(key, state);
      }),
    save: key =>
      inTurn(dirname(key), async () => {
        const state = directories.get(key);
        if (state === undefined) return;
        const next = tmp();
        try {
          await writeFile(next, JSON.stringify(state), { mode: 0o600 });
          await rename(next, join(root, key, STATE));
        } catch (problem) {
          await removeTree(next);
          throw problem;
        }
      }),
    async remove(key) {
      directories.delete(key);
      const removed = tmp();
      await inTurn(dirname(key), async () => {
        await moveAway(join(root, key), removed);
        // Another directory of the job keeps it.
        await rmdir(join(root, dirname(key))).catch(() => undefined);
      });
      await removeTree(removed);
    },
  };
}

/** Renamed first: a partly removed directory must not be used. */
async function moveAway(path: string, to: string): Promise<void> {
  await rename(path, to).catch(problem => {
    if (Object(problem).code !== 'ENOENT') throw problem;
  });
}

async function readDirectories(root: string, clock: Clock): Promise<Map<string, DirectoryState>> {
  const directories = new Map<string, DirectoryState>();
  for (const job of await readdir(root)) {
    if (job.startsWith('.')) continue;
    for (const content of await readdir(join(root, job)).catch(() => [])) {
      const key = join(job, content);
      directories.set(key, await readState(join(root, key, STATE), clock.now()));
    }
  }
  return directories;
}

/** A state that a crash of the machine cut off costs the knowledge of its age alone. */
async function readState(file: string, now: number): Promise<DirectoryState> {
  try {
    return State.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return { asOf: 0, usedAt: now, bytes: 0, runs: [] };
  }
}

async function writeDurably(file: string, text: string): Promise<void> {
  const out = await open(file, 'wx', 0o600);
  try {
    await out.writeFile(text);
    await out.sync();
  } finally {
    await out.close();
  }
}
