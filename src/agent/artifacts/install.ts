/** Installs an app: downloads, unpacks and moves it into the cache. */
import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import type { Artifact } from '../../protocol/agent.ts';
import { ArtifactError } from '../ports.ts';
import { removeTree } from '../remove-tree.ts';
import { type AppDirectories, makeReadOnly } from './app-directories.ts';
import type { ArtifactCache, Copy, Source } from './artifact-cache.ts';
import { type Downloader, download, isDiskProblem, shown } from './download.ts';
import { type Format, HEAD_BYTES, recognise } from './format.ts';
import type { ArtifactLimits } from './limits.ts';
import { unpacked } from './packing.ts';
import { broken, unpackTar } from './tar.ts';
import { createGuardedTree, type Owner, type Unpacked } from './tree.ts';
import { unpackZip } from './zip.ts';

export interface CopyConditions {
  owner: Owner | undefined;
  shares: AppDirectories['shares'];
}

interface Installation extends CopyConditions {
  by: Downloader;
  cache: ArtifactCache;
  artifact: Artifact;
  /** The cached copy; the app host is asked whether it is still valid. */
  known: Source | undefined;
  /** For this one alone; null: for all. */
  execution: string | null;
  signal: AbortSignal;
}

/**
 * Downloads, unpacks into a temporary directory, moves it into the cache. A failure leaves no
 * files.
 */
export async function install({ by, cache, artifact, known, owner, execution, shares, signal }: Installation): Promise<string> {
  const file = cache.tmp();
  const directory = cache.tmp();
  const remember = (source: Source) => {
    if (!artifact.cache) return;
    cache.setSource(sourceKey(artifact.url, owner), { ...source, version: Math.max(source.version, artifact.version) });
  };
  try {
    const wanted = {
      url: artifact.url,
      sha256: artifact.sha256,
      etag: known?.etag ?? undefined,
      lastModified: known?.lastModified ?? undefined,
    };
    const got = await download(by, wanted, file, signal);
    if (!got.changed && known) {
      const { etag = known.etag, lastModified = known.lastModified } = got;
      remember({ ...known, etag, lastModified, validatedAt: by.clock.now(), failing: null });
      return known.copy;
    }
    if (!got.changed)
      throw new ArtifactError('status', `${shown(artifact.url)} was answered with 304 (not modified), and this host has no copy`, {
        transient: true,
      });
    const format = recognise(got.name === undefined ? artifact.url : `troupe:files/${got.name}`, await headOf(file));
    await mkdir(directory, 0o700);
    const { bytes, entries } = await unpack({ file, directory, format, packedBytes: got.bytes, limits: by.limits, owner, signal });
    const isShared = shares({ bytes, entries: entries.length });
    if (isShared) await makeReadOnly(directory, entries);
    const copy = await cache.add(copyName(got.sha256, format, { owner, execution, isShared }), directory, {
      digest: got.sha256,
      script: 'name' in format ? format.name : null,
      bytes,
      entries,
      owner: owner ?? null,
      isShared,
      execution,
    });
    const { etag = null, lastModified = null } = got;
    remember({ copy, version: 0, etag, lastModified, validatedAt: by.clock.now(), failing: null });
    return copy;
  } finally {
    await rm(file, { force: true });
    await removeTree(directory);
  }
}

/** Each user has copies of its own. */
export const sourceKey = (url: string, owner: Owner | undefined): string => (owner ? `${owner.uid} ${url}` : url);

/** Another name, way of unpacking or owner of the same bytes is another directory. */
function copyName(
  digest: string,
  format: Format,
  { owner, execution, isShared }: Pick<Copy, 'execution' | 'isShared'> & { owner: Owner | undefined },
): string {
  const short = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
  const parts = [digest, format.kind];
  if ('name' in format) parts.push(short(format.name));
  if (owner) parts.push(`u${owner.uid}`);
  if (isShared) parts.push('shared');
  if (execution !== null) parts.push(short(execution));
  return parts.join('-');
}

const PACKINGS = { tar: 'none', 'tar.gz': 'gz', 'tar.bz2': 'bz2', 'tar.xz': 'xz' } as const;

interface Unpacking {
  file: string;
  directory: string;
  format: Format;
  packedBytes: number;
  limits: ArtifactLimits;
  owner: Owner | undefined;
  signal: AbortSignal;
}

/** Resolves once all of it is on the disk. */
async function unpack({ file, directory, format, packedBytes, limits, owner, signal }: Unpacking): Promise<Unpacked> {
  const tree = createGuardedTree({ root: directory, packedBytes, limits, owner });
  switch (format.kind) {
    case 'file':
      await tree.file(format.name, 0o755, unpacked(file, 'none'));
      break;
    case 'gz':
      await tree.file(format.name, 0o755, until(signal, unpacked(file, 'gz'))).catch(problem => {
        signal.throwIfAborted();
        throw problem instanceof ArtifactError || isDiskProblem(problem) ? problem : broken(problem);
      });
      break;
    case 'zip':
      await unpackZip(file, tree, limits, signal);
      break;
    default:
      await unpackTar(file, PACKINGS[format.kind], tree, limits, signal);
  }
  return tree.finish();
}

async function* until(signal: AbortSignal, pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    signal.throwIfAborted();
    yield piece;
  }
}

async function headOf(file: string): Promise<Uint8Array> {
  const handle = await open(file, 'r');
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}
