/**
 * Removes directories whose modes lock their owner out: a run may leave such, and an archive may
 * have them.
 */
import { chmod, lstat, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Removes the tree, if there is one. Idempotent. Throws errors of the disk. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (problem) {
    if (!['EACCES', 'EPERM', 'ENOTEMPTY'].includes(String(Object(problem).code))) throw problem;
    await open(path);
    await rm(path, { recursive: true, force: true });
  }
}

/** Lets the owner into each directory. */
async function open(path: string): Promise<void> {
  await chmod(path, 0o700).catch(() => undefined);
  for (const name of await readdir(path).catch(() => [])) {
    const child = join(path, name);
    if ((await lstat(child).catch(() => undefined))?.isDirectory()) await open(child);
  }
}
