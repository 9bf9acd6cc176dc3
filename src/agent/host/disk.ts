/** Small durable files in the data directory. */
import { writeSync } from 'node:fs';
import { type FileHandle, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Disk } from '../ports.ts';

/** `directory` exists. Files are the owner's alone. */
export function createDisk(directory: string): Disk & { close(): Promise<void> } {
  // Kept open between appends: opening costs as much as writing.
  const open_ = new Map<string, FileHandle>();

  const close = async (path: string) => {
    const handle = open_.get(path);
    open_.delete(path);
    await handle?.close();
  };

  const appender = async (path: string): Promise<FileHandle> => {
    const known = open_.get(path);
    if (known) return known;
    const handle = await open(join(directory, path), 'a', 0o600);
    open_.set(path, handle);
    // The name of a new file is only durable with its directory.
    await syncDirectory(dirname(join(directory, path)));
    return handle;
  };

  return {
    async read(path) {
      try {
        return await readFile(join(directory, path), 'utf8');
      } catch (problem) {
        if (problem instanceof Error && 'code' in problem && problem.code === 'ENOENT') return undefined;
        throw problem;
      }
    },
    async append(path, text, { sync }) {
      const handle = await appender(path);
      // In this thread: the page cache takes it at once, and no fsync of this agent is running.
      // Another thread would cost more than the write.
      writeWhole(handle.fd, Buffer.from(text));
      if (sync) await handle.datasync();
    },
    async replace(path, text) {
      await close(path);
      const next = join(directory, `${path}.next`);
      try {
        await writeDurably(next, text);
      } catch (problem) {
        // A half-written file would occupy the full disk.
        await rm(next, { force: true });
        throw problem;
      }
      await rename(next, join(directory, path));
      await syncDirectory(dirname(join(directory, path)));
    },
    async remove(path) {
      await close(path);
      await rm(join(directory, path), { force: true });
    },
    async close() {
      for (const path of [...open_.keys()]) await close(path);
    },
  };
}

function writeWhole(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
}

async function writeDurably(path: string, text: string): Promise<void> {
  const handle = await open(path, 'w', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
