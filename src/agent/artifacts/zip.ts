/**
 * Zip archives into a guarded tree, by their central directory: only there are modes and links.
 * yauzl reads. It leaves these checks to its caller: names that differ between the two places they
 * are written, entries that share bytes, checksums that do not hold.
 */
import { crc32 } from 'node:zlib';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { ArtifactError } from '../ports.ts';
import { isDiskProblem } from './disk-problem.ts';
import type { ArtifactLimits } from './limits.ts';
import { type GuardedTree, unsafe } from './tree.ts';

const TARGET_MAX = 4_096;
const MADE_ON_UNIX = 3;
/** Fixed bytes of an entry in the list. */
const LISTED_BYTES = 46;

export async function unpackZip(file: string, tree: GuardedTree, limits: ArtifactLimits, signal: AbortSignal): Promise<void> {
  const options = { autoClose: false, lazyEntries: true, decodeStrings: true, validateEntrySizes: true };
  const zip = await openPromise(file, options).catch(explain);
  try {
    // Before the first entry is read this is where the list begins; the published type is mistaken.
    const end = Number(zip.readEntryCursor);
    let free = 0;
    // In the order of their bytes, so that entries that share some show.
    for (const entry of (await listOf(zip, limits)).sort((a, b) => a.relativeOffsetOfLocalHeader - b.relativeOffsetOfLocalHeader)) {
      signal.throwIfAborted();
      if (entry.relativeOffsetOfLocalHeader < free) throw unsafe('the archive has entries that share bytes');
      const local = await zip.readLocalFileHeaderPromise(entry);
      if (!local.fileName.equals(entry.fileNameRaw)) throw unsafe('the archive names an entry differently in two places');
      free = local.fileDataStart + entry.compressedSize;
      if (free > end) throw broken('an entry reaches into the list of entries');
      await take(entry, contentOf(zip, entry), tree);
    }
  } catch (problem) {
    signal.throwIfAborted();
    explain(problem);
  } finally {
    zip.close();
  }
}

async function listOf(zip: ZipFile, limits: ArtifactLimits): Promise<Entry[]> {
  if (zip.entryCount > limits.entries) throw tooLarge(`has more than ${limits.entries} entries`);
  const entries: Entry[] = [];
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    bytes += LISTED_BYTES + entry.fileNameLength + entry.extraFieldLength + entry.fileCommentLength;
    // Names and remarks of 64 KiB each would fill the memory long before they fill the disk.
    if (bytes > limits.headersBytes) throw tooLarge(`has a list of entries of more than ${limits.headersBytes} bytes`);
    if (entry.isEncrypted()) throw unsupported('the archive is encrypted');
    if (!entry.canDecodeFileData()) {
      throw unsupported(`the archive uses packing method ${entry.compressionMethod}; stored and deflated are taken`);
    }
    entries.push(entry);
  }
  return entries;
}

async function take(entry: Entry, content: AsyncIterable<Uint8Array>, tree: GuardedTree): Promise<void> {
  const name = entry.fileName;
  const mode = modeOf(entry);
  const type = mode & 0o170000;
  if (name.endsWith('/') || type === 0o040000) return tree.directory(name, mode & 0o777);
  if (type === 0 || type === 0o100000) return tree.file(name, mode & 0o7777, content);
  if (type !== 0o120000) throw unsafe(`the archive has "${name}", which is neither file nor directory nor link`);
  if (entry.uncompressedSize > TARGET_MAX) throw unsafe(`the link "${name}" has a target that is too long`);
  const parts: Uint8Array[] = [];
  for await (const part of content) parts.push(part);
  tree.symlink(name, Buffer.concat(parts).toString('utf8'));
}

/** Unix mode, 0 when the archive was made elsewhere. */
const modeOf = (entry: Entry): number => (entry.versionMadeBy >>> 8 === MADE_ON_UNIX ? entry.externalFileAttributes >>> 16 : 0);

/** yauzl checks the size of an entry, but not its checksum. */
async function* contentOf(zip: ZipFile, entry: Entry): AsyncGenerator<Uint8Array> {
  const pieces: AsyncIterable<Uint8Array> = await zip.openReadStreamPromise(entry);
  let crc = 0;
  for await (const piece of pieces) {
    crc = crc32(piece, crc);
    yield piece;
  }
  if (crc !== entry.crc32) throw broken('the checksum of an entry does not hold');
}

/** The errors of yauzl differ in their messages alone. */
function explain(problem: unknown): never {
  if (problem instanceof ArtifactError || isDiskProblem(problem) || !(problem instanceof Error)) throw problem;
  const { message } = problem;
  if (/^(absolute path|invalid relative path|invalid characters in fileName)/.test(message))
    throw unsafe(`the archive has a name that leads out of it: ${message}`);
  if (message.startsWith('too many bytes in the stream')) throw unsafe('an entry of the archive is larger than it says');
  if (message.startsWith('strong encryption')) throw unsupported('the archive is encrypted');
  if (message.startsWith('multi-disk')) throw unsupported('zip archives in parts are not taken');
  throw broken(message);
}

const tooLarge = (what: string): ArtifactError => new ArtifactError('tooLarge', `the archive ${what}`, { transient: false });
const unsupported = (sentence: string): ArtifactError => new ArtifactError('unsupported', sentence, { transient: false });
const broken = (what: string): ArtifactError => new ArtifactError('incomplete', `the zip archive is broken: ${what}`, { transient: false });
