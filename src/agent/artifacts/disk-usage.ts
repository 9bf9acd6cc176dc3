/** Bytes that a tree takes on the disk. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Of `Stats.blocks`, on every system. */
const BLOCK_BYTES = 512;

/** 0 where there is none. Entries that disappear meanwhile or cannot be read count nothing. */
export async function diskUsage(path: string): Promise<number> {
  const linked = new Set<number>();
  const measure = async (at: string): Promise<number> => {
    const stat = await lstat(at).catch(() => undefined);
    if (stat === undefined) return 0;
    if (stat.nlink > 1 && !stat.isDirectory()) {
      if (linked.has(stat.ino)) return 0;
      linked.add(stat.ino);
    }
    let bytes = stat.blocks * BLOCK_BYTES;
    if (stat.isDirectory()) for (const name of await readdir(at).catch(() => [])) bytes += await measure(join(at, name));
    return bytes;
  };
  return measure(path);
}
