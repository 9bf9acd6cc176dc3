/**
 * The copies on this host and who uses them: `index.json` beside them. What it says is a saving,
 * not a truth: when it is lost, apps are fetched again.
 *
 *   copies/<digest>…   one directory per content, moved here whole, written by nobody
 *   entries/<digest>…  what is in it: a copy that is not so any more serves no run
 *   runs/              what runs see of them (see app-directories.ts)
 *   tmp/               half-made things; emptied at start
 */
import { chmod, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { createBoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import { createMutex } from '../../lib/keyed-mutex.ts';
import { removeTree } from '../remove-tree.ts';
import type { ArtifactLimits } from './limits.ts';
import { type Entry, syncDirectory } from './tree.ts';
import { type Stamps, verify } from './verify.ts';

const Copy = z.object({
  digest: z.string(),
  script: z.string().nullable(),
  bytes: z.number(),
  usedAt: z.number(),
  /** Whose the files are, when they are not the agent's own. */
  owner: z.object({ uid: z.number(), gid: z.number() }).nullable().default(null),
  /** Its runs share it, so its modes let nobody write. */
  isShared: z.boolean().default(false),
  /** Of an app with `cache: false`: fetched for this execution alone. */
  execution: z.string().nullable().default(null),
  /**
   * It is not any more what was unpacked: no further run gets it, and it goes with the last one
   * that has it.
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
  /** Epoch ms at which the app host last said that this is it. */
  validatedAt: z.number(),
  /** Why it could not be asked at the last attempt; null: it could. */
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

export interface Shelf {
  copy(name: string): Copy | undefined;
  source(url: string): Source | undefined;
  setSource(url: string, source: Source): void;
  /** The copy that a run of this execution has. */
  used(execution: string, url: string): string | undefined;
  use(run: string, use: Use): void;
  /** False: it used none. */
  unuse(run: string): boolean;
  /** Runs that use a copy. */
  users(): string[];
  /** Bytes of the copies in use, once for each run. */
  usedBytes(): number;
  pathOf(copy: string): string;
  entriesOf(copy: string): Promise<Entry[]>;
  /** Whether the copy is what was unpacked. One that is not serves no further run. */
  isIntact(copy: string): Promise<boolean>;
  /** A fresh path for half-made things. */
  tmp(): string;
  /**
   * Moves a finished directory in and resolves to the name that it has now. A copy of that name
   * that is there already stays, unless it is changed.
   */
  add(name: string, from: string, copy: Omit<Copy, 'usedAt' | 'isChanged'> & { entries: Entry[] }): Promise<string>;
  /** Removes what was fetched for this execution alone. */
  drop(execution: string): Promise<void>;
  /** Forgets copies whose directory is gone; true when it is there and not changed. */
  has(name: string): Promise<boolean>;
  /**
   * Writes the index; whoever asks while one write goes on shares the next. A disk that does not
   * take it costs a download later.
   */
  save(): Promise<void>;
  /** Removes what is too old or too much; true when there was any. */
  trim(): Promise<boolean>;
}

export async function openShelf(directory: string, clock: Clock, limits: ArtifactLimits): Promise<Shelf> {
  const file = join(directory, 'index.json');
  const copies = join(directory, 'copies');
  const entries = join(directory, 'entries');
  const tmp = join(directory, 'tmp');
  await removeTree(tmp);
  await mkdir(tmp, { recursive: true, mode: 0o700 });
  await mkdir(entries, { recursive: true, mode: 0o700 });
  await mkdir(copies, { recursive: true });
  // Users of runs may pass through to what they share.
  for (const path of [directory, copies]) await chmod(path, 0o711);
  const index = await readIndex(file);
  let numbers = 0;
  const saving = createMutex();
  let nextSave: Promise<void> | undefined;
  // A copy that the index does not know was moved in just before a crash: it would never be counted
  // nor removed.
  for (const name of await readdir(copies)) if (!index.copies[name]) await removeTree(join(copies, name));
  for (const name of await readdir(entries)) if (!index.copies[name]) await rm(join(entries, name), { force: true });
  const trees = createBoundedMap<string, { expected: Entry[]; stamps: Stamps | undefined }>({ max: TREES_MAX });

  const inUse = () => new Set(Object.values(index.uses).map(({ copy }) => copy));

  const drop = async (name: string) => {
    delete index.copies[name];
    for (const [url, source] of Object.entries(index.sources)) if (source.copy === name) delete index.sources[url];
    const gone = join(tmp, String(++numbers));
    // Renamed first: a directory that is being removed is not a copy any more.
    trees.delete(name);
    await rename(join(copies, name), gone).catch(() => undefined);
    await rm(join(entries, name), { force: true });
    await removeTree(gone);
  };

  const remember = (name: string, tree: { expected: Entry[]; stamps: Stamps | undefined }) => {
    trees.set(name, tree);
    return tree;
  };
  const treeOf = async (name: string) => {
    const known = trees.get(name);
    if (known) return known;
    const expected = Entries.parse(JSON.parse(await readFile(join(entries, name), 'utf8')));
    return remember(name, { expected, stamps: undefined });
  };

  const save = () => {
    nextSave ??= saving(async () => {
      nextSave = undefined;
      const next = join(tmp, String(++numbers));
      try {
        // Addresses in it may have credentials.
        await writeFile(next, JSON.stringify(index), { mode: 0o600 });
        const handle = await open(next, 'r+');
        await handle.sync().finally(() => handle.close());
        await rename(next, file);
        await syncDirectory(directory);
      } catch {
        await rm(next, { force: true }).catch(() => undefined);
      }
    });
    return nextSave;
  };

  return {
    copy: name => index.copies[name],
    source: url => index.sources[url],
    setSource(url, source) {
      index.sources[url] = source;
    },
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
    pathOf: copy => join(copies, copy),
    entriesOf: async name => (await treeOf(name)).expected,
    async isIntact(name) {
      const tree = await treeOf(name).catch(() => undefined);
      const stamps = tree && (await verify(join(copies, name), tree.expected, { stamps: tree.stamps, clock }));
      const known = index.copies[name];
      if (tree && stamps) remember(name, { ...tree, stamps });
      else if (known) {
        known.isChanged = true;
        for (const [url, source] of Object.entries(index.sources)) if (source.copy === name) delete index.sources[url];
      }
      return stamps !== undefined;
    },
    tmp: () => join(tmp, String(++numbers)),
    async add(wanted, from, { entries: expected, ...copy }) {
      // Beside one that was changed and is in use.
      let name = wanted;
      for (let next = 1; index.copies[name]?.isChanged; next++) name = `${wanted}.${next}`;
      if (index.copies[name] && (await exists(join(copies, name)))) await removeTree(from);
      else {
        await removeTree(join(copies, name));
        await writeFile(join(entries, name), JSON.stringify(expected), { mode: 0o600 });
        await rename(from, join(copies, name));
        await syncDirectory(copies);
        remember(name, { expected, stamps: await verify(join(copies, name), expected, { stamps: 'fresh', clock }) });
      }
      index.copies[name] = { ...copy, isChanged: false, usedAt: clock.now() };
      return name;
    },
    async drop(execution) {
      const busy = inUse();
      for (const [name, copy] of Object.entries(index.copies)) if (copy.execution === execution && !busy.has(name)) await drop(name);
    },
    async has(name) {
      if (!index.copies[name] || index.copies[name].isChanged) return false;
      if (await exists(join(copies, name))) return true;
      await drop(name);
      return false;
    },
    save,
    async trim() {
      let busy: Set<string> | undefined;
      let trimmed = false;
      const now = clock.now();
      let bytes = Object.values(index.copies).reduce((sum, copy) => sum + copy.bytes, 0);
      for (const [name, copy] of Object.entries(index.copies).sort(([, a], [, b]) => a.usedAt - b.usedAt)) {
        const age = now - copy.usedAt;
        const isOver = copy.isChanged || copy.execution !== null;
        if (age < limits.freshMs || (bytes <= limits.cacheBytes && age <= limits.cacheMs && !isOver)) continue;
        busy ??= inUse();
        if (busy.has(name)) continue;
        bytes -= copy.bytes;
        trimmed = true;
        await drop(name);
      }
      return trimmed;
    },
  };
}

async function readIndex(file: string): Promise<Index> {
  try {
    return Index.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return { index: 1, copies: {}, sources: {}, uses: {} };
  }
}

/** Lists of entries remembered; of others they are read again. */
const TREES_MAX = 32;

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
