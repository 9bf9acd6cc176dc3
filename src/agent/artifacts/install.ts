/** Installs an app: downloads, unpacks and moves it into the cache. */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import type { Artifact } from '../../protocol/agent.ts';
import { ArtifactError } from '../ports.ts';
import { removeTree } from '../remove-tree.ts';
import { type AppDirectories, makeReadOnly } from './app-directories.ts';
import type { ArtifactCache, Copy, Source } from './artifact-cache.ts';
import { type Downloader, download, shown } from './download.ts';
import { type Format, recognise } from './format.ts';
import type { Owner } from './tree.ts';
import { headOf, unpack } from './unpack.ts';

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
