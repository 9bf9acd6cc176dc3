/**
 * Contents of files beside the database. A file gets its name once its bytes are on the disk:
 *
 *   files/tmp/<n>   incomplete; emptied when the store opens
 *   files/<key>     whole, never changed
 */
import { rmSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Blobs, type BlobWriter, FileRefused } from '../file-port.ts';
import { fileDirectoryIn } from './database-file.ts';

/** Bytes that one read takes; each open response holds so many. */
const PIECE_BYTES = 64 * 1024;

/** `directory`: of the database, which this process has locked. Creates nothing before a write. */
export function openFileDirectory(directory: string): Blobs {
  const files = fileDirectoryIn(directory);
  const incomplete = join(files, 'tmp');
  rmSync(incomplete, { recursive: true, force: true });
  let begun = 0;

  return {
    write: () =>
      asked(async () => {
        await mkdir(incomplete, { recursive: true, mode: 0o700 });
        begun += 1;
        const path = join(incomplete, String(begun));
        return writerOf(await open(path, 'wx', 0o600), path, files);
      }),
    read: (key, range) => piecesOf(join(files, key), range),
    size: key => stat(join(files, key)).then(({ size }) => size, undefinedWhereMissing),
    async list(prefix) {
      const names = (await readdir(files).catch(undefinedWhereMissing)) ?? [];
      const found = await Promise.all(
        names
          .filter(name => name !== 'tmp' && name.startsWith(prefix))
          .map(async key => {
            const known = await stat(join(files, key)).catch(undefinedWhereMissing);
            return known && { key, bytes: known.size, at: Math.round(known.mtimeMs) };
          }),
      );
      return found.filter(each => each !== undefined);
    },
    async remove(key) {
      await rm(join(files, key), { force: true });
    },
    // Those of this process are under way; opening removed all others.
    async sweepIncomplete() {},
  };
}

function writerOf(handle: FileHandle, path: string, files: string): BlobWriter {
  let isOver = false;
  return {
    write: bytes => asked(() => handle.writeFile(bytes)),
    keep: key =>
      asked(async () => {
        await handle.sync();
        await handle.close();
        await rename(path, join(files, key));
        isOver = true;
        await syncDirectory(files);
      }),
    async discard() {
      if (isOver) return;
      isOver = true;
      await handle.close().catch(() => {});
      // What stays is removed at the next start.
      await rm(path, { force: true }).catch(() => {});
    },
  };
}

async function* piecesOf(path: string, { from, to }: { from: number; to: number }): AsyncGenerator<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    for (let at = from; at < to; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, to - at));
      const { bytesRead } = await handle.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw new Error(`"${path}" has fewer bytes than were stored`);
      at += bytesRead;
      yield piece.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

/** A new name is durable only after a sync of its directory. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const codeOf = (error: unknown): unknown => (error instanceof Error && 'code' in error ? error.code : undefined);

function undefinedWhereMissing(error: unknown): undefined {
  if (codeOf(error) !== 'ENOENT') throw error;
  return undefined;
}

/** Failures of the disk that may pass, each as a predicate for the caller. */
const PASSING = new Map<unknown, string>([
  ['ENOSPC', 'is full'],
  ['EDQUOT', 'is full'],
  ['EFBIG', 'is full'],
  ['EROFS', 'is read-only'],
  ['EIO', 'cannot be read or written (I/O error)'],
  ['EMFILE', 'has too many open files'],
]);

async function asked<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const why = PASSING.get(codeOf(cause));
    if (why === undefined) throw cause;
    throw new FileRefused('unavailable', `the disk of the center ${why}: the file was not stored; try again later`, { cause });
  }
}
