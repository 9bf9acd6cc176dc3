/** Files in memory: rows and contents. */

import type { Blobs, FileRows, StoredFile } from '../file-port.ts';
import { compareText } from '../order.ts';
import { fileId } from '../record-ids.ts';

export function createMemoryFileRows(): FileRows {
  const rows = new Map<string, StoredFile>();
  return {
    async putFileRow(file) {
      rows.set(fileId(file), { ...file });
    },
    async removeFileRow(file) {
      rows.delete(fileId(file));
    },
    async fileRows({ sha256, md5, name, after, limit }) {
      return [...rows.values()]
        .filter(row => (sha256 ?? row.sha256) === row.sha256 && (md5 ?? row.md5) === row.md5 && (name ?? row.name) === row.name)
        .filter(row => after === undefined || newestFirst(row, after) > 0)
        .sort(newestFirst)
        .slice(0, limit)
        .map(row => ({ ...row }));
    },
    async fileTotals() {
      const contents = new Map([...rows.values()].map(({ sha256, bytes }) => [sha256, bytes]));
      return { files: rows.size, bytes: [...contents.values()].reduce((sum, bytes) => sum + bytes, 0) };
    },
  };
}

type FilePosition = Pick<StoredFile, 'uploadedAt' | 'sha256' | 'name'>;
const newestFirst = (a: FilePosition, b: FilePosition): number => b.uploadedAt - a.uploadedAt || compareText(fileId(b), fileId(a));

/** `now`: epoch ms, the age of a blob. */
export function createMemoryBlobs({ now }: { now: () => number }): Blobs {
  const kept = new Map<string, { bytes: Uint8Array; at: number }>();
  return {
    async write() {
      const pieces: Uint8Array[] = [];
      return {
        async write(bytes) {
          pieces.push(Uint8Array.from(bytes));
        },
        async keep(key) {
          kept.set(key, { bytes: Buffer.concat(pieces), at: now() });
        },
        async discard() {},
      };
    },
    async *read(key, { from, to }) {
      const blob = kept.get(key);
      if (blob === undefined) throw new Error(`there is no blob ${key}`);
      if (to > from) yield blob.bytes.slice(from, to);
    },
    size: async key => kept.get(key)?.bytes.length,
    list: async prefix =>
      [...kept].filter(([key]) => key.startsWith(prefix)).map(([key, { bytes, at }]) => ({ key, bytes: bytes.length, at })),
    async remove(key) {
      kept.delete(key);
    },
    async sweepIncomplete() {},
  };
}
