/**
 * The copies on this host and who uses them: `index.json` beside them. What it says is a saving, not a truth: when it is lost, apps are fetched again.
 *
 *   copies/<digest>…   one directory per content, shared, moved here whole
 *   tmp/               half-made things; emptied at start
 */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import type { ArtifactLimits } from './limits.ts';
import { syncDirectory } from './tree.ts';

const Copy = z.object({ digest: z.string(), script: z.string().nullable(), bytes: z.number(), usedAt: z.number() });
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
  /** Execution -> URL -> copy. A copy in use is never removed. */
  uses: z.record(z.string(), z.record(z.string(), z.string())),
});
type Index = z.infer<typeof Index>;
export type Copy = z.infer<typeof Copy>;
export type Source = z.infer<typeof Source>;

export interface Shelf {
  copy(name: string): Copy | undefined;
  source(url: string): Source | undefined;
  setSource(url: string, source: Source): void;
  used(execution: string, url: string): string | undefined;
  use(execution: string, url: string, copy: string): void;
  /** False: it used none. */
  unuse(execution: string): boolean;
  pathOf(copy: string): string;
  /** A fresh path for half-made things. */
  tmp(): string;
  /** Moves a finished directory in. A copy of that name that is there already stays. */
  add(name: string, from: string, copy: Omit<Copy, 'usedAt'>): Promise<void>;
  /** Forgets copies whose directory is gone; true when it is there. */
  has(name: string): Promise<boolean>;
  /** Writes the index; whoever asks while one write goes on shares the next. A disk that does not take it costs a download later. */
  save(): Promise<void>;
  /** Removes what is too old or too much; true when there was any. */
  trim(): Promise<boolean>;
}

export async function openShelf(directory: string, clock: Clock, limits: ArtifactLimits): Promise<Shelf> {
  const file = join(directory, 'index.json');
  const copies = join(directory, 'copies');
  const tmp = join(directory, 'tmp');
  await rm(tmp, { recursive: true, force: true });
  await mkdir(tmp, { recursive: true });
  await mkdir(copies, { recursive: true });
  const index = await readIndex(file);
  let numbers = 0;
  let saving = Promise.resolve();
  let nextSave: Promise<void> | undefined;
  // A copy that the index does not know was moved in just before a crash: it would never be counted nor removed.
  for (const name of await readdir(copies)) if (!index.copies[name]) await rm(join(copies, name), { recursive: true, force: true });

  const inUse = () => new Set(Object.values(index.uses).flatMap(urls => Object.values(urls)));

  const drop = async (name: string) => {
    delete index.copies[name];
    for (const [url, source] of Object.entries(index.sources)) if (source.copy === name) delete index.sources[url];
    const gone = join(tmp, String(++numbers));
    // Renamed first: a directory that is being removed is not a copy any more.
    await rename(join(copies, name), gone).catch(() => undefined);
    await rm(gone, { recursive: true, force: true });
  };

  const save = () => {
    nextSave ??= saving.then(async () => {
      nextSave = undefined;
      const next = join(tmp, String(++numbers));
      try {
        await writeFile(next, JSON.stringify(index));
        const handle = await open(next, 'r+');
        await handle.sync().finally(() => handle.close());
        await rename(next, file);
        await syncDirectory(directory);
      } catch {
        await rm(next, { force: true }).catch(() => undefined);
      }
    });
    saving = nextSave;
    return saving;
  };

  return {
    copy: name => index.copies[name],
    source: url => index.sources[url],
    setSource(url, source) {
      index.sources[url] = source;
    },
    used: (execution, url) => index.uses[execution]?.[url],
    use(execution, url, copy) {
      index.uses[execution] = { ...index.uses[execution], [url]: copy };
      const known = index.copies[copy];
      if (known) known.usedAt = clock.now();
    },
    unuse(execution) {
      const known = Object.hasOwn(index.uses, execution);
      delete index.uses[execution];
      return known;
    },
    pathOf: copy => join(copies, copy),
    tmp: () => join(tmp, String(++numbers)),
    async add(name, from, copy) {
      if (index.copies[name] && (await exists(join(copies, name)))) await rm(from, { recursive: true, force: true });
      else {
        await rm(join(copies, name), { recursive: true, force: true });
        await rename(from, join(copies, name));
        await syncDirectory(copies);
      }
      index.copies[name] = { ...copy, usedAt: clock.now() };
    },
    async has(name) {
      if (!index.copies[name]) return false;
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
        if (age < limits.freshMs || (bytes <= limits.cacheBytes && age <= limits.cacheMs)) continue;
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

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
