/**
 * The file store over blobs and rows, the same for every store. The content is durable before its
 * row, and the row is gone before its content: a crash leaves at most a content without a name,
 * which `sweep` removes.
 *
 *   put      bytes --digests--> incomplete blob --keep--> <sha256> --> row
 *   append   bytes ----------> incomplete blob --keep--> part.<sha256>.<offset>
 *   complete parts in order -> put -> parts removed
 */
import { createHash } from 'node:crypto';
import { createKeyedMutex, type KeyedMutex } from '../lib/keyed-mutex.ts';
import { type Blobs, FileRefused, type FileRows, type FileStore, type StoredFile } from './file-port.ts';

/** Parts of one upload. */
const PARTS_MAX = 2_000;

/** Before the keys of parts. */
const PART = 'part.';
const CONTENT = /^[0-9a-f]{64}$/;

interface FileStoreParts {
  rows: FileRows;
  blobs: Blobs;
}

export function createFileStore(parts: FileStoreParts): FileStore {
  const { rows, blobs } = parts;
  /** Of one content at a time: to keep it, to name it, to remove it. */
  const inTurn = createKeyedMutex();
  const put = createPut(parts, inTurn);
  const uploads = createUploads(parts, inTurn, put);
  const remove = async (file: Pick<StoredFile, 'sha256' | 'name'>): Promise<void> => {
    await rows.removeFileRow(file);
    if ((await rows.fileRows({ sha256: file.sha256, limit: 1 })).length === 0) await blobs.remove(file.sha256);
  };

  return {
    ...uploads,
    put,
    async read(sha256, range) {
      if ((await blobs.size(sha256)) === undefined)
        throw new FileRefused('notFound', `the content ${sha256} is gone from the file store; upload it again`);
      return blobs.read(sha256, range);
    },
    async stat(digest) {
      const [newest] = await rows.fileRows({ ...(CONTENT.test(digest) ? { sha256: digest } : { md5: digest }), limit: 1 });
      return newest;
    },
    list: query => rows.fileRows(query),
    async totals() {
      const { files, bytes } = await rows.fileTotals();
      const incomplete = await blobs.list(PART);
      return { files, bytes: incomplete.reduce((sum, part) => sum + part.bytes, bytes) };
    },
    delete: file => inTurn(file.sha256, () => remove(file)),
    deleteUnneeded: (file, before) =>
      inTurn(file.sha256, async () => {
        const [row] = await rows.fileRows({ sha256: file.sha256, name: file.name, limit: 1 });
        if (row === undefined || row.neededAt >= before) return false;
        await remove(file);
        return true;
      }),
    touch: (sha256, at) =>
      inTurn(sha256, async () => {
        const known = await namesOf(rows, sha256);
        for (const row of known) if (row.neededAt < at) await rows.putFileRow({ ...row, neededAt: at });
        return known.length > 0 && (await blobs.size(sha256)) !== undefined;
      }),
    async sweep(before) {
      await blobs.sweepIncomplete(before);
      for (const { key, at } of await blobs.list('')) {
        if (!CONTENT.test(key) || at >= before) continue;
        await inTurn(key, async () => {
          if ((await rows.fileRows({ sha256: key, limit: 1 })).length === 0) await blobs.remove(key);
        });
      }
      return uploads.sweepUploads(before);
    },
  };
}

/** Names of one content. */
const NAMES_MAX = 10_000;
const namesOf = (rows: FileRows, sha256: string): Promise<StoredFile[]> => rows.fileRows({ sha256, limit: NAMES_MAX });

function createPut({ rows, blobs }: FileStoreParts, inTurn: KeyedMutex): FileStore['put'] {
  return async ({ name, bytes, at, sha256: expected }) => {
    const writer = await blobs.write();
    try {
      const digests = createDigests();
      for await (const piece of bytes) {
        digests.add(piece);
        await writer.write(piece);
      }
      const content = digests.end();
      const { sha256 } = content;
      if (expected !== undefined && sha256 !== expected)
        throw new FileRefused('invalid', `the bytes have the sha256 ${sha256}, but must have ${expected}.`, { field: 'sha256' });
      return await inTurn(sha256, async () => {
        // Also where a row is there: its content may be gone or damaged.
        if (!(await isIntact(blobs, content))) await writer.keep(sha256);
        const known = await namesOf(rows, sha256);
        const [newest] = await rows.fileRows({ name, limit: 1 });
        // The newest content of a name is this one, also within one millisecond.
        const uploadedAt = newest === undefined || newest.sha256 === sha256 ? at : Math.max(at, newest.uploadedAt + 1);
        const file = { name, ...content, uploadedAt, neededAt: uploadedAt };
        await rows.putFileRow(file);
        return { file, isNew: !known.some(row => row.name === name) };
      });
    } finally {
      await writer.discard();
    }
  };
}

/** Whether a content is there as it was stored. What cannot be read is not. */
async function isIntact(blobs: Blobs, { sha256, bytes }: Pick<StoredFile, 'sha256' | 'bytes'>): Promise<boolean> {
  if ((await blobs.size(sha256)) !== bytes) return false;
  const digests = createDigests();
  try {
    for await (const piece of blobs.read(sha256, { from: 0, to: bytes })) digests.add(piece);
  } catch {
    return false;
  }
  return digests.end().sha256 === sha256;
}

function createDigests() {
  const sha256 = createHash('sha256');
  const md5 = createHash('md5');
  let bytes = 0;
  return {
    add(piece: Uint8Array): void {
      sha256.update(piece);
      md5.update(piece);
      bytes += piece.length;
    },
    end: () => ({ sha256: sha256.digest('hex'), md5: md5.digest('hex'), bytes }),
  };
}

type Uploads = Pick<FileStore, 'received' | 'append' | 'complete'> & { sweepUploads: FileStore['sweep'] };

function createUploads({ blobs }: FileStoreParts, inTurn: KeyedMutex, put: FileStore['put']): Uploads {
  const offsetOf = (key: string) => Number(key.slice(key.lastIndexOf('.') + 1));
  /** In order, up to the first gap. */
  const partsOf = async (sha256: string) => {
    const found = (await blobs.list(`${PART}${sha256}.`)).sort((a, b) => offsetOf(a.key) - offsetOf(b.key));
    let received = 0;
    const whole = found.filter(({ key, bytes }) => {
      const isNext = offsetOf(key) === received;
      if (isNext) received += bytes;
      return isNext;
    });
    return { found, whole, received };
  };
  const drop = async (sha256: string) => {
    for (const { key } of await blobs.list(`${PART}${sha256}.`)) await blobs.remove(key);
  };

  return {
    async received(sha256) {
      const { whole, received } = await partsOf(sha256);
      return whole.length === 0 ? undefined : received;
    },

    async append({ sha256, from, length, bytes }) {
      const checkOffset = async () => {
        const { received, whole } = await partsOf(sha256);
        if (received !== from) throw misplaced(from, received);
        if (whole.length >= PARTS_MAX)
          throw new FileRefused('conflict', `an upload has at most ${PARTS_MAX} parts; send this file in larger ones`);
      };
      await checkOffset();
      const writer = await blobs.write();
      try {
        const { count, broken } = await receive(bytes, length, piece => writer.write(piece));
        await inTurn(sha256, async () => {
          // Again: another request may have sent the same part meanwhile.
          await checkOffset();
          if (count > 0) await writer.keep(`${PART}${sha256}.${from}`);
        });
        if (broken !== undefined) throw broken.error;
        return from + count;
      } finally {
        await writer.discard();
      }
    },

    async complete({ sha256, name, at }) {
      const { whole } = await partsOf(sha256);
      const inOrder = async function* () {
        for (const { key, bytes } of whole) yield* blobs.read(key, { from: 0, to: bytes });
      };
      try {
        const stored = await put({ name, bytes: inOrder(), at, sha256 });
        await drop(sha256);
        return stored;
      } catch (error) {
        if (error instanceof FileRefused && error.code === 'invalid') await drop(sha256);
        throw error;
      }
    },

    async sweepUploads(before) {
      const newest = new Map<string, number>();
      for (const { key, at } of await blobs.list(PART)) {
        const sha256 = key.slice(PART.length, key.lastIndexOf('.'));
        newest.set(sha256, Math.max(at, newest.get(sha256) ?? 0));
      }
      const expired = [...newest].filter(([, at]) => at < before);
      for (const [sha256] of expired) await inTurn(sha256, () => drop(sha256));
      return expired.length;
    },
  };
}

const misplaced = (from: number, received: number): FileRefused =>
  new FileRefused('conflict', `Content-Range begins at ${from}, but must begin at ${received}: so many bytes of this upload are there`, {
    field: 'Content-Range',
  });

/**
 * Writes what arrives. `broken`: the source threw, which is the end of its client and no fault of
 * the store. Throws FileRefused for more than `length` bytes, and what `write` throws.
 */
async function receive(
  bytes: AsyncIterable<Uint8Array>,
  length: number,
  write: (piece: Uint8Array) => Promise<void>,
): Promise<{ count: number; broken: { error: unknown } | undefined }> {
  const source = bytes[Symbol.asyncIterator]();
  let count = 0;
  for (;;) {
    let next: IteratorResult<Uint8Array>;
    try {
      next = await source.next();
    } catch (error) {
      // Over a limit: it would not be let further another time either.
      if (error instanceof FileRefused) throw error;
      return { count, broken: { error } };
    }
    if (next.done) return { count, broken: undefined };
    count += next.value.length;
    if (count > length) {
      await source.return?.();
      throw new FileRefused('invalid', `the body has more than the ${length} bytes that Content-Range names.`, { field: 'Content-Range' });
    }
    await write(next.value);
  }
}
