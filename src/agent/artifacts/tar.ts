/** Tar archives, plain or packed, entry by entry into a guarded tree. */
import { type Extract, extract } from 'tar-stream';
import { ArtifactError } from '../ports.ts';
import { isDiskProblem } from './disk-problem.ts';
import type { ArtifactLimits } from './limits.ts';
import { type Packing, unpacked } from './packing.ts';
import { pipe } from './pipe.ts';
import { type SparseFile, sparseFile } from './sparse.ts';
import { type GuardedTree, unsafe } from './tree.ts';

const BLOCK_BYTES = 512;

type Entry = Extract extends AsyncIterable<infer One> ? One : never;

export async function unpackTar(
  file: string,
  packing: Packing,
  tree: GuardedTree,
  limits: ArtifactLimits,
  signal: AbortSignal,
): Promise<void> {
  // Also the tar of Unix v7, which has no mark; its checksum is verified too. The published types
  // do not know the option.
  const sink = extract({ allowUnknownFormat: true } as Parameters<typeof extract>[0]);
  // The reader of a destroyed stream does not get the reason.
  let failure: unknown;
  const gap = createGap(limits);
  const fed = feed(gap.watch(unpacked(file, packing)), sink).catch(problem => {
    failure = problem;
    // With the problem: after a destruction without one, a reader that requests the next entry
    // later never gets an answer.
    sink.destroy(problem instanceof Error ? problem : new Error(String(problem)));
  });
  try {
    for await (const entry of sink) {
      signal.throwIfAborted();
      gap.entry(entry.header);
      await take(entry, tree);
    }
    if (failure !== undefined) throw failure;
  } catch (problem) {
    signal.throwIfAborted();
    const first = problem instanceof ArtifactError ? problem : (failure ?? problem);
    throw first instanceof ArtifactError || isDiskProblem(first) ? first : broken(first);
  } finally {
    sink.destroy();
    await fed;
  }
}

async function take(entry: Entry, tree: GuardedTree): Promise<void> {
  const { name, type, mode, linkname, pax } = entry.header;
  switch (type) {
    case 'directory':
      await tree.directory(name, mode ?? 0);
      break;
    case 'file':
    case 'contiguous-file':
      return takeFile({ name, mode: mode ?? 0, sparse: sparseFile(pax as Record<string, string> | null | undefined) }, entry, tree);
    case 'symlink':
      tree.symlink(name, linkname ?? '');
      break;
    case 'link':
      await tree.hardlink(name, linkname ?? '');
      break;
    default:
      throw unsafe(`the archive has "${name}", a ${type ?? 'thing of unknown kind'}; files, directories and links are taken`);
  }
  entry.resume();
}

function takeFile(file: { name: string; mode: number; sparse: SparseFile | undefined }, entry: Entry, tree: GuardedTree): Promise<void> {
  // streamx types its chunks as unknown; those of an entry are buffers.
  const packed = entry as AsyncIterable<Uint8Array>;
  return file.sparse ? tree.file(file.sparse.name, file.mode, file.sparse.content(packed)) : tree.file(file.name, file.mode, packed);
}

/**
 * Bytes between the entries, which are headers. The reader collects long ones in memory. Computed
 * from the bytes read and the entries returned, so no second parser is needed. The tree counts
 * contents.
 */
function createGap(limits: ArtifactLimits) {
  let received = 0;
  let content = 0;
  let lastEnd = 0;
  return {
    entry({ byteOffset = 0, size = 0, type }: Entry['header'] & Position) {
      const bytes = isFile(type) ? Math.ceil(size / BLOCK_BYTES) * BLOCK_BYTES : 0;
      content += bytes;
      lastEnd = byteOffset + bytes;
    },
    async *watch(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const piece of source) {
        received += piece.byteLength;
        if (received - lastEnd > limits.headerBytes) throw tooLong(`more than ${limits.headerBytes} bytes between two entries`);
        if (received - content > limits.headersBytes) throw tooLong(`headers of more than ${limits.headersBytes} bytes`);
        yield piece;
      }
    },
  };
}

/** Where the content begins; the published types leave it out. */
type Position = { byteOffset?: number };

const isFile = (type: Entry['header']['type']): boolean => type === 'file' || type === 'contiguous-file';

async function feed(source: AsyncIterable<Uint8Array>, sink: Extract): Promise<void> {
  await pipe(source, sink);
  if (!sink.destroyed) sink.end(null);
}

const tooLong = (what: string): ArtifactError => new ArtifactError('tooLarge', `the archive has ${what}`, { transient: false });

export const broken = (cause: unknown): ArtifactError =>
  new ArtifactError('incomplete', `the archive is broken: ${cause instanceof Error ? cause.message : String(cause)}`, {
    transient: false,
    cause,
  });
