/**
 * Whether the files of an unpacked app are unchanged. The first check of an agent process reads all
 * of them. Later ones compare the stamp of each entry (inode, size, mode, instant of the last
 * change) and read only files whose stamp differs.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, createReadStream, lstatSync } from 'node:fs';
import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { AppEntry } from './tree.ts';

/** Stamps that the file system had for the unchanged entries, by path. */
export type Stamps = Map<string, string>;

/** Entries checked before the event loop continues. */
const ENTRIES_AT_ONCE = 500;
const PERMISSIONS = 0o777n;
const RUN_BITS = 0o111n;

/**
 * Returns the stamps of a tree that equals `entries`, else undefined. `stamps`: of the last check,
 * or `fresh` for a tree that was unpacked just now.
 */
export async function verify(
  root: string,
  entries: AppEntry[],
  { stamps, clock }: { stamps: Stamps | 'fresh' | undefined; clock: Pick<Clock, 'soon'> },
): Promise<Stamps | undefined> {
  const found: Stamps = new Map();
  const namesIn = childrenOf(entries);
  for (const [at, entry] of entries.entries()) {
    if (at > 0 && at % ENTRIES_AT_ONCE === 0) await new Promise<void>(resolve => clock.soon(resolve));
    const path = join(root, entry.path);
    const stat = lstatSync(path, { bigint: true, throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    const stamp = `${stat.ino} ${stat.size} ${stat.mode} ${stat.ctimeNs}`;
    const isKnown = stamps === 'fresh' || stamps?.get(entry.path) === stamp;
    if (!isKnown && !(await isSame(path, entry, stat, namesIn.get(entry.path) ?? []).catch(() => false))) return undefined;
    found.set(entry.path, stamp);
  }
  return found;
}

async function isSame(path: string, entry: AppEntry, stat: BigIntStats, names: string[]): Promise<boolean> {
  switch (entry.kind) {
    case 'link':
      return stat.isSymbolicLink() && (await readlink(path)) === entry.target;
    case 'directory':
      return stat.isDirectory() && isMode(stat, entry) && sorted(await readdir(path)) === sorted(names);
    case 'file':
      return stat.isFile() && isMode(stat, entry) && (await sha256Of(path)) === entry.sha256;
  }
}

/** The run bit is given to a program that was packed without it. */
const isMode = (stat: BigIntStats, { mode }: AppEntry): boolean =>
  (stat.mode & PERMISSIONS & ~RUN_BITS) === (BigInt(mode) & ~RUN_BITS) &&
  (stat.mode & BigInt(mode) & RUN_BITS) === (BigInt(mode) & RUN_BITS);

const sorted = (names: string[]): string => JSON.stringify([...names].sort());

function childrenOf(entries: AppEntry[]): Map<string, string[]> {
  const names = new Map<string, string[]>();
  for (const { path } of entries) {
    if (path === '') continue;
    const cut = path.lastIndexOf('/');
    const parent = path.slice(0, Math.max(0, cut));
    const known = names.get(parent);
    if (known) known.push(path.slice(cut + 1));
    else names.set(parent, [path.slice(cut + 1)]);
  }
  return names;
}

async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(path)) hash.update(piece as Uint8Array);
  return hash.digest('hex');
}
