/**
 * The copies of apps on this host and their users, with an index beside them. Without a readable
 * index all apps are fetched again.
 *
 *   copies/<digest>…   one directory per content, moved here when complete, never changed
 *   entries/<digest>…  the files of a copy: a changed copy serves no run
 *   runs/              the directories of runs (see app-directories.ts)
 *   tmp/               incomplete things; emptied at start
 */
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { createBoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import { createMutex } from '../../lib/keyed-mutex.ts';
import { removeTree } from '../remove-tree.ts';
import { expiredOf } from './expiry.ts';
import type { ArtifactLimits } from './limits.ts';
import { type AppEntry, syncDirectory } from './tree.ts';
import { type Stamps, verify } from './verify.ts';

const INDEX_FILE = 'index.json';

const Copy = z.object({
  digest: z.string(),
  script: z.string().nullable(),
  bytes: z.number(),
  usedAt: z.number(),
  /** Owner of the files; null: the agent's own user. */
  owner: z.object({ uid: z.number(), gid: z.number() }).nullable().default(null),
  /** Its runs share it, so its modes let nobody write. */
  isShared: z.boolean().default(false),
  /** Of an app with `cache: false`: fetched for this execution alone. */
  execution: z.string().nullable().default(null),
  /**
   * Its files have changed since they were unpacked: no further run gets it; removed after its last
   * run.
   */
  isChanged: z.boolean().default(false),
});
const Use = z.object({ execution: z.string(), url: z.string(), copy: z.string() });
const Entries = z.array(
  z.object({
    path: z.string(),
    kind: z.enum(['directory', 'file', 'link']),
    mode: z.number(),
    sha256: z.string().exactOptional(),
    target: z.string().exactOptional(),
  }),
);
const Source = z.object({
  copy: z.string(),
  version: z.number(),
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  /** When the app host last confirmed it, epoch ms. */
  validatedAt: z.number(),
  /** Why the last validation failed; null: it did not. */
  failing: z.string().nullable().default(null),
});
const Index = z.object({
  index: z.literal(1),
  copies: z.record(z.string(), Copy),
  /** By URL, of apps with `cache: true`. */
  sources: z.record(z.string(), Source),
  /** By run. A copy in use is never removed. */
  uses: z.record(z.string(), Use),
});
type Index = z.infer<typeof Index>;
export type Copy = z.infer<typeof Copy>;
type Use = z.infer<typeof Use>;
export type Source = z.infer<typeof Source>;

export interface ArtifactCache {
  copy(name: string): Copy | undefined;
  source(url: string): Source | undefined;
  setSource(url: string, source: Source): void;
  /** The copy that runs of this execution use. */
  used(execution: string, url: string): string | undefined;
  use(run: string, use: Use): void;
  /** False: the run used none. */
  unuse(run: string): boolean;
  /** Runs that use a copy. */
  users(): string[];
  /** Bytes of the copies in use, once for each run. */
  usedBytes(): number;
  pathOf(copy: string): string;
  entriesOf(copy: string): Promise<AppEntry[]>;
  /** Whether the files of the copy are unchanged. No further run gets a changed copy. */
  isIntact(copy: string): Promise<boolean>;
  /** A new path for incomplete things. */
  tmp(): string;
  /**
   * Moves a complete directory in and resolves with its name. An unchanged copy of that name stays
   * instead.
   */
  add(name: string, from: string, copy: Omit<Copy, 'usedAt' | 'isChanged'> & { entries: AppEntry[] }): Promise<string>;
  /** Removes unused copies that belong to this execution alone. */
  removeExecution(execution: string): Promise<void>;
  /** Whether the copy exists and is unchanged. Deletes the entry of a missing one. */
  has(name: string): Promise<boolean>;
  /**
   * Writes the index; calls during a write share the next one. Ignores a full disk, which costs a
   * download later.
   */
  save(): Promise<void>;
  /** Removes copies that are too old or too many. True: it removed one. */
  trim(): Promise<boolean>;
}

/** The directories of the cache, and its index in memory. */
interface CacheState {
  directory: string;
  copies: string;
  entries: string;
  index: Index;
  /** A new path for incomplete things. */
  tmp(): string;
}

export async function openArtifactCache(directory: string, clock: Clock, limits: ArtifactLimits): Promise<ArtifactCache> {
  const state = await openState(directory);
  const { copies, index, tmp } = state;
  const trees = createTrees(state, clock);

  const removeSources = (name: string) => {
    for (const [url, source] of Object.entries(index.sources)) if (source.copy === name) delete index.sources[url];
  };
  const removeCopy = async (name: string) => {
    delete index.copies[name];
    removeSources(name);
    await trees.remove(name);
  };

  return {
    ...usesOf(index, clock),
    copy: name => index.copies[name],
    source: url => index.sources[url],
    setSource(url, source) {
      index.sources[url] = source;
    },
    pathOf: copy => join(copies, copy),
    entriesOf: trees.entriesOf,
    async isIntact(name) {
      const isIntact = await trees.isIntact(name);
      const known = index.copies[name];
      if (!isIntact && known) {
        known.isChanged = true;
        removeSources(name);
      }
      return isIntact;
    },
    tmp,
    async add(wanted, from, { entries, ...copy }) {
      // Beside one that was changed and is in use.
      let name = wanted;
      for (let next = 1; index.copies[name]?.isChanged; next++) name = `${wanted}.${next}`;
      if (index.copies[name] && (await exists(join(copies, name)))) await removeTree(from);
      else await trees.add(name, from, entries);
      index.copies[name] = { ...copy, isChanged: false, usedAt: clock.now() };
      return name;
    },
    async removeExecution(execution) {
      const busy = inUse(index);
      for (const [name, copy] of Object.entries(index.copies)) if (copy.execution === execution && !busy.has(name)) await removeCopy(name);
    },
    async has(name) {
      if (!index.copies[name] || index.copies[name].isChanged) return false;
      if (await exists(join(copies, name))) return true;
      await removeCopy(name);
      return false;
    },
    save: createSave(state),
    async trim() {
      const busy = inUse(index);
      const expired = expiredOf(Object.entries(index.copies), clock.now(), {
        bytesMax: limits.cacheBytes,
        unusedMs: limits.cacheMs,
        freshMs: limits.freshMs,
        isBusy: name => busy.has(name),
        isOver: (_, copy) => copy.isChanged || copy.execution !== null,
      });
      for (const name of expired) await removeCopy(name);
      return expired.length > 0;
    },
  };
}

const inUse = (index: Index) => new Set(Object.values(index.uses).map(({ copy }) => copy));

function usesOf(index: Index, clock: Clock): Pick<ArtifactCache, 'used' | 'use' | 'unuse' | 'users' | 'usedBytes'> {
  return {
    used: (execution, url) => Object.values(index.uses).findLast(use => use.execution === execution && use.url === url)?.copy,
    use(run, use) {
      index.uses[run] = use;
      const known = index.copies[use.copy];
      if (known) known.usedAt = clock.now();
    },
    unuse(run) {
      const known = Object.hasOwn(index.uses, run);
      delete index.uses[run];
      return known;
    },
    users: () => Object.keys(index.uses),
    usedBytes: () => Object.values(index.uses).reduce((sum, { copy }) => sum + (index.copies[copy]?.bytes ?? 0), 0),
  };
}

/** Creates the directories, and removes files that a crash left in them. */
async function openState(directory: string): Promise<CacheState> {
  const [copies, entries, temporary] = [join(directory, 'copies'), join(directory, 'entries'), join(directory, 'tmp')];
  await removeTree(temporary);
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  await mkdir(entries, { recursive: true, mode: 0o700 });
  await mkdir(copies, { recursive: true });
  // Users of runs may pass through to the apps that they share.
  for (const path of [directory, copies]) await chmod(path, 0o711);
  const index = await readIndex(join(directory, INDEX_FILE));
  // A copy without an entry was moved in just before a crash: nothing would count or remove it.
  for (const name of await readdir(copies)) if (!index.copies[name]) await removeTree(join(copies, name));
  for (const name of await readdir(entries)) if (!index.copies[name]) await rm(join(entries, name), { force: true });
  let numbers = 0;
  return { directory, copies, entries, index, tmp: () => join(temporary, String(++numbers)) };
}

/** Lists of entries in memory; others are read again. */
const TREES_MAX = 32;

/** The unpacked copies on the disk, with the expected entries of each. */
function createTrees({ copies, entries, tmp }: CacheState, clock: Clock) {
  const trees = createBoundedMap<string, { expected: AppEntry[]; stamps: Stamps | undefined }>({ max: TREES_MAX });
  const treeOf = async (name: string) => {
    const known = trees.get(name);
    if (known) return known;
    const tree = { expected: Entries.parse(JSON.parse(await readFile(join(entries, name), 'utf8'))), stamps: undefined };
    trees.set(name, tree);
    return tree;
  };
  const verifyCopy = (name: string, expected: AppEntry[], stamps: Stamps | 'fresh' | undefined) =>
    verify(join(copies, name), expected, { stamps, clock });

  return {
    entriesOf: async (name: string) => (await treeOf(name)).expected,
    async isIntact(name: string): Promise<boolean> {
      const tree = await treeOf(name).catch(() => undefined);
      const stamps = tree && (await verifyCopy(name, tree.expected, tree.stamps));
      if (tree && stamps) trees.set(name, { ...tree, stamps });
      return stamps !== undefined;
    },
    async add(name: string, from: string, expected: AppEntry[]): Promise<void> {
      await removeTree(join(copies, name));
      await writeFile(join(entries, name), JSON.stringify(expected), { mode: 0o600 });
      await rename(from, join(copies, name));
      await syncDirectory(copies);
      trees.set(name, { expected, stamps: await verifyCopy(name, expected, 'fresh') });
    },
    async remove(name: string): Promise<void> {
      const removed = tmp();
      // Renamed first: a partly removed directory must not be a copy.
      trees.delete(name);
      await rename(join(copies, name), removed).catch(() => undefined);
      await rm(join(entries, name), { force: true });
      await removeTree(removed);
    },
  };
}

function createSave({ directory, index, tmp }: CacheState): () => Promise<void> {
  const saving = createMutex();
  let nextSave: Promise<void> | undefined;
  return () => {
    nextSave ??= saving(async () => {
      nextSave = undefined;
      const next = tmp();
      try {
        // URLs in it may have credentials.
        await writeFile(next, JSON.stringify(index), { mode: 0o600 });
        const handle = await open(next, 'r+');
        await handle.sync().finally(() => handle.close());
        await rename(next, join(directory, INDEX_FILE));
        await syncDirectory(directory);
      } catch {
        await rm(next, { force: true }).catch(() => undefined);
      }
    });
    return nextSave;
  };
}

async function readIndex(file: string): Promise<Index> {
  try {
    return Index.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return { index: 1, copies: {}, sources: {}, uses: {} };
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
