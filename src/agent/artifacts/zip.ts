/**
 * Zip archives into a guarded tree, by their central directory: only there are modes and links. A small reader of our own, because what matters is what
 * it refuses: names that differ between the two places they are written, entries that share bytes, sizes and checksums that do not hold.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { createInflateRaw, crc32 } from 'node:zlib';
import { ArtifactError } from '../ports.ts';
import type { ArtifactLimits } from './limits.ts';
import { pour } from './pour.ts';
import { type Tree, unsafe } from './tree.ts';

const END_BYTES = 22;
const COMMENT_MAX = 65_535;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const TARGET_MAX = 4_096;
const CHUNK = 64 * 1024;

interface Entry {
  name: Buffer;
  /** Unix mode, 0 when the archive was made elsewhere. */
  mode: number;
  method: number;
  crc: number;
  packed: number;
  size: number;
  at: number;
}

export async function unpackZip(file: string, tree: Tree, limits: ArtifactLimits, signal: AbortSignal): Promise<void> {
  const handle = await open(file, 'r');
  try {
    const { entries, end } = await readEntries(handle, limits);
    let free = 0;
    // In the order of their bytes, so that entries that share some show.
    for (const entry of entries.sort((a, b) => a.at - b.at)) {
      signal.throwIfAborted();
      if (entry.at < free) throw unsafe('the archive has entries that share bytes');
      const from = await dataOf(handle, entry);
      free = from + entry.packed;
      if (free > end) throw broken('an entry reaches into the list of entries');
      await take(entry, contentOf(handle, entry, from), tree);
    }
  } finally {
    await handle.close();
  }
}

async function take(entry: Entry, content: AsyncIterable<Uint8Array>, tree: Tree): Promise<void> {
  const name = new TextDecoder().decode(entry.name);
  const type = entry.mode & 0o170000;
  if (name.endsWith('/') || type === 0o040000) return tree.directory(name);
  if (type === 0 || type === 0o100000) return tree.file(name, entry.mode & 0o7777, content);
  if (type !== 0o120000) throw unsafe(`the archive has "${name}", which is neither file nor directory nor link`);
  if (entry.size > TARGET_MAX) throw unsafe(`the link "${name}" has a target that is too long`);
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  tree.symlink(name, Buffer.concat(parts).toString('utf8'));
}

async function readEntries(handle: FileHandle, limits: ArtifactLimits): Promise<{ entries: Entry[]; end: number }> {
  const { size } = await handle.stat();
  const tail = await readAt(handle, Math.max(0, size - END_BYTES - COMMENT_MAX), Math.min(size, END_BYTES + COMMENT_MAX));
  const found = tail.lastIndexOf(Buffer.from([0x50, 0x4b, 5, 6]));
  if (found < 0 || tail.length - found < END_BYTES) throw broken('it has no list of entries');
  const [disk, count] = [tail.readUInt16LE(found + 4), tail.readUInt16LE(found + 10)];
  const [bytes, at] = [tail.readUInt32LE(found + 12), tail.readUInt32LE(found + 16)];
  if (disk !== 0 || count === 0xffff || bytes === 0xffffffff || at === 0xffffffff) {
    throw new ArtifactError('unsupported', 'zip archives in parts or in the zip64 form are not taken', { transient: false });
  }
  if (count > limits.entries)
    throw new ArtifactError('tooLarge', `the archive has more than ${limits.entries} entries`, { transient: false });
  if (at + bytes > size) throw broken('its list of entries lies outside');
  const list = await readAt(handle, at, bytes);
  const entries: Entry[] = [];
  for (let from = 0; entries.length < count; ) {
    if (from + CENTRAL_BYTES > list.length || list.readUInt32LE(from) !== 0x02014b50) throw broken('its list of entries is cut short');
    const flags = list.readUInt16LE(from + 8);
    const nameBytes = list.readUInt16LE(from + 28);
    const name = list.subarray(from + CENTRAL_BYTES, from + CENTRAL_BYTES + nameBytes);
    if ((flags & 1) !== 0) throw new ArtifactError('unsupported', 'the archive is encrypted', { transient: false });
    const madeOnUnix = list.readUInt8(from + 5) === 3;
    entries.push({
      name,
      mode: madeOnUnix ? list.readUInt16LE(from + 40) : 0,
      method: list.readUInt16LE(from + 10),
      crc: list.readUInt32LE(from + 16),
      packed: list.readUInt32LE(from + 20),
      size: list.readUInt32LE(from + 24),
      at: list.readUInt32LE(from + 42),
    });
    from += CENTRAL_BYTES + nameBytes + list.readUInt16LE(from + 30) + list.readUInt16LE(from + 32);
  }
  return { entries, end: at };
}

/** Where the bytes of an entry begin. */
async function dataOf(handle: FileHandle, entry: Entry): Promise<number> {
  const head = await readAt(handle, entry.at, LOCAL_BYTES);
  if (head.length < LOCAL_BYTES || head.readUInt32LE(0) !== 0x04034b50) throw broken('an entry is not where the list says');
  const nameBytes = head.readUInt16LE(26);
  const name = await readAt(handle, entry.at + LOCAL_BYTES, nameBytes);
  if (!name.equals(entry.name)) throw unsafe('the archive names an entry differently in two places');
  return entry.at + LOCAL_BYTES + nameBytes + head.readUInt16LE(28);
}

async function* contentOf(handle: FileHandle, entry: Entry, from: number): AsyncGenerator<Uint8Array> {
  if (entry.method !== 0 && entry.method !== 8) {
    throw new ArtifactError('unsupported', `the archive uses packing method ${entry.method}; stored and deflated are taken`, {
      transient: false,
    });
  }
  const packed = piecesOf(handle, from, entry.packed);
  let size = 0;
  let crc = 0;
  for await (const piece of entry.method === 8 ? inflate(packed) : packed) {
    size += piece.byteLength;
    if (size > entry.size) throw unsafe('an entry of the archive is larger than it says');
    crc = crc32(piece, crc);
    yield piece;
  }
  if (size !== entry.size || crc !== entry.crc) throw broken('the checksum of an entry does not hold');
}

async function* inflate(packed: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const inflater = createInflateRaw();
  const fed = pour(packed, inflater).then(
    () => inflater.end(),
    problem => inflater.destroy(problem),
  );
  try {
    for await (const piece of inflater) yield piece;
  } catch (problem) {
    throw problem instanceof ArtifactError ? problem : broken(problem instanceof Error ? problem.message : String(problem));
  } finally {
    inflater.destroy();
    await fed;
  }
}

async function* piecesOf(handle: FileHandle, from: number, bytes: number): AsyncGenerator<Buffer> {
  for (let done = 0; done < bytes; ) {
    const piece = await readAt(handle, from + done, Math.min(CHUNK, bytes - done));
    if (piece.length === 0) throw broken('it is cut short');
    done += piece.length;
    yield piece;
  }
}

async function readAt(handle: FileHandle, at: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, at);
  return buffer.subarray(0, bytesRead);
}

const broken = (what: string): ArtifactError => new ArtifactError('incomplete', `the zip archive is broken: ${what}`, { transient: false });
