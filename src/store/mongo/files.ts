/** Names of files as records, and their content in GridFS. */
import { once } from 'node:events';
import { GridFSBucket, type ObjectId } from 'mongodb';
import { FileEntity } from '../entities.ts';
import { type Blobs, type BlobWriter, FileRefused, type FileRows, type StoredFile } from '../file-port.ts';
import { StoreUnavailable } from '../port.ts';
import { fileId } from '../record-ids.ts';
import { managerOf, type Orm } from './connection.ts';
import { deleteMatching } from './delete-matching.ts';
import { asked } from './errors.ts';
import { upsert } from './upsert.ts';

export function createFileRows(orm: Orm): FileRows {
  return {
    async putFileRow(file) {
      await upsert(orm, FileEntity, fileId(file), { ...file });
    },
    async removeFileRow(file) {
      await deleteMatching(orm, FileEntity, { _id: fileId(file) });
    },
    async fileRows({ sha256, md5, name, after, limit }) {
      const filters = Object.entries({ sha256, md5, name }).filter(([, value]) => value !== undefined);
      const where = Object.fromEntries(filters);
      const older = after && {
        $or: [{ uploadedAt: { $lt: after.uploadedAt } }, { uploadedAt: after.uploadedAt, _id: { $lt: fileId(after) } }],
      };
      const orderBy = { uploadedAt: 'desc', _id: 'desc' } as const;
      const found = await asked(() => managerOf(orm).find(FileEntity, { ...where, ...older }, { orderBy, limit }));
      return found.map(asFile);
    },
    async fileTotals() {
      // Not every server of the protocol groups by a field and sums.
      const found = await asked(() => managerOf(orm).find(FileEntity, {}, { fields: ['sha256', 'bytes'] }));
      const contents = new Map(found.map(({ sha256, bytes }) => [sha256, bytes]));
      return { files: found.length, bytes: [...contents.values()].reduce((sum, bytes) => sum + bytes, 0) };
    },
  };
}

const asFile = ({ name, sha256, md5, bytes, uploadedAt, neededAt }: StoredFile): StoredFile => ({
  name,
  sha256,
  md5,
  bytes,
  uploadedAt,
  neededAt,
});

/** Collections `content.files` and `content.chunks`. */
const BUCKET = 'content';
/** Bytes of one document. Each one is a write that waits for a majority. */
const CHUNK_BYTES = 1024 * 1024;
/** Longest time of one upload or download; a server that went away ends it then. */
const STREAM_MS = 3_600_000;
/** The driver asks for a name before the digest is known; `keep` replaces it. */
const UNNAMED = 'unnamed';
/**
 * Prefixes of a key up to its first and its second dot. Some servers of the protocol answer only
 * equalities on the collections of GridFS.
 */
const prefixesOf = (key: string) => {
  const [first = '', second = ''] = key.match(/[^.]*\./g) ?? [];
  return { first, second: second && first + second };
};

/** Those with exactly this prefix, which is empty or ends with the first or second dot. */
function withPrefix(prefix: string): Record<string, string> {
  const { first, second } = prefixesOf(prefix);
  if (prefix === '') return {};
  return prefix === first ? { 'metadata.first': first } : { 'metadata.second': second };
}

export function createGridBlobs(orm: Orm): Blobs {
  const db = orm.driver.getConnection().getDb();
  const bucket = new GridFSBucket(db, { bucketName: BUCKET, chunkSizeBytes: CHUNK_BYTES, timeoutMS: STREAM_MS });
  const files = db.collection(`${BUCKET}.files`);
  const chunks = db.collection(`${BUCKET}.chunks`);
  const all = (where: object) => asked(() => bucket.find(where).toArray());

  return {
    write: async () => writerOf(bucket),
    async *read(key, { from, to }) {
      // The driver refuses an empty range.
      if (from === to) return;
      try {
        yield* bucket.openDownloadStreamByName(key, { start: from, end: to }) as AsyncIterable<Uint8Array>;
      } catch (error) {
        await asked(() => Promise.reject(error));
      }
    },
    async size(key) {
      return (await all({ filename: key }))[0]?.length;
    },
    async list(prefix) {
      const found = await all(withPrefix(prefix));
      return found.map(({ _id, filename, length }) => ({ key: filename, bytes: length, at: _id.getTimestamp().getTime() }));
    },
    async remove(key) {
      for (const { _id } of await all({ filename: key })) await asked(() => deleteBlob(bucket, _id));
    },
    async sweepIncomplete(before) {
      // A center that died during an upload leaves chunks without a file.
      const first = await asked(() => chunks.find({ n: 0 }, { projection: { files_id: 1 } }).toArray());
      for (const { files_id } of first) {
        const id = files_id as ObjectId;
        if (id.getTimestamp().getTime() >= before) continue;
        const file = await asked(() => files.findOne({ _id: id }));
        if (file === null) await asked(() => chunks.deleteMany({ files_id: id }));
      }
    },
  };
}

/** The file first, so that nobody reads it without its chunks. Idempotent. */
async function deleteBlob(bucket: GridFSBucket, id: ObjectId): Promise<void> {
  await bucket.delete(id).catch((error: unknown) => {
    // Another call has removed it.
    if (!(error instanceof Error) || !/file not found/i.test(error.message)) throw error;
  });
}

function writerOf(bucket: GridFSBucket): BlobWriter {
  const stream = bucket.openUploadStream(UNNAMED);
  let failure: Error | undefined;
  let isOver = false;
  // Each call reports it as well.
  stream.on('error', error => {
    failure = error;
  });
  const stored = <T>(work: () => Promise<T>) =>
    asked(work).catch((cause: unknown) => {
      if (!(cause instanceof StoreUnavailable)) throw cause;
      throw new FileRefused('unavailable', 'the database does not take the file: it was not stored; try again later', { cause });
    });

  return {
    write: bytes =>
      stored(async () => {
        if (failure) throw failure;
        if (!stream.write(bytes)) await once(stream, 'drain');
      }),
    keep: key =>
      stored(async () => {
        if (failure) throw failure;
        // The driver inserts the document of the file last, with this name.
        stream.filename = key;
        stream.options.metadata = prefixesOf(key);
        const finished = once(stream, 'finish');
        stream.end();
        await finished;
        isOver = true;
      }),
    async discard() {
      if (isOver) return;
      isOver = true;
      // What stays is swept after a day.
      await stream.abort().catch(() => {});
      stream.destroy();
    },
  };
}
