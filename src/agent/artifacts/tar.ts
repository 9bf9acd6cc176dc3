/** Tar archives, plain or gzipped, entry by entry into a guarded tree. */
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { type Extract, extract } from 'tar-stream';
import { ArtifactError } from '../ports.ts';
import { isDiskProblem } from './download.ts';
import { pour } from './pour.ts';
import { type Tree, unsafe } from './tree.ts';

type Entry = Extract extends AsyncIterable<infer One> ? One : never;

export async function unpackTar(file: string, gzipped: boolean, tree: Tree, signal: AbortSignal): Promise<void> {
  const source = createReadStream(file);
  const plain = gzipped ? source.pipe(createGunzip()) : source;
  source.on('error', problem => plain.destroy(problem));
  const sink = extract();
  // What the reader of a destroyed stream is told is not why it was destroyed.
  let failure: unknown;
  const fed = feed(plain, sink).catch(problem => {
    failure = problem;
    sink.destroy();
  });
  try {
    for await (const entry of sink) {
      signal.throwIfAborted();
      await take(entry, tree);
    }
    if (failure !== undefined) throw failure;
  } catch (problem) {
    signal.throwIfAborted();
    const first = problem instanceof ArtifactError ? problem : (failure ?? problem);
    throw first instanceof ArtifactError || isDiskProblem(first) ? first : broken(first);
  } finally {
    sink.destroy();
    plain.destroy();
    source.destroy();
    await fed;
  }
}

async function take(entry: Entry, tree: Tree): Promise<void> {
  const { name, type, mode, linkname } = entry.header;
  switch (type) {
    case 'directory':
      await tree.directory(name);
      break;
    case 'file':
    case 'contiguous-file':
      // streamx types its chunks as unknown; those of an entry are buffers.
      return tree.file(name, mode ?? 0o644, entry as AsyncIterable<Uint8Array>);
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

async function feed(source: AsyncIterable<Uint8Array>, sink: Extract): Promise<void> {
  await pour(source, sink);
  if (!sink.destroyed) sink.end(null);
}

const broken = (cause: unknown): ArtifactError =>
  new ArtifactError('incomplete', `the archive is broken: ${cause instanceof Error ? cause.message : String(cause)}`, {
    transient: false,
    cause,
  });
