/** Apps on this host: fetched once, checked, unpacked, cached by content. */
import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { AppRules } from '../../lib/host-policy.ts';
import { createSingleFlight, type SingleFlight } from '../../lib/single-flight.ts';
import type { AppIsolation, Artifact } from '../../protocol/agent.ts';
import { ArtifactError, type Artifacts } from '../ports.ts';
import { removeTree } from '../remove-tree.ts';
import { checkUrl } from './addresses.ts';
import { type AppDirectories, createAppDirectories, type IsolationMethod, makeReadOnly } from './app-directories.ts';
import { type ArtifactCache, type Copy, openArtifactCache, type Source } from './artifact-cache.ts';
import { addressOf, type Downloader, diskProblem, download, isDiskProblem, shown } from './download.ts';
import { type Format, HEAD_BYTES, recognise } from './format.ts';
import { type Fetch, fetchChecked } from './http.ts';
import { type ArtifactLimits, artifactLimits } from './limits.ts';
import { unpacked } from './packing.ts';
import { broken, unpackTar } from './tar.ts';
import { createGuardedTree, type Owner, type Unpacked } from './tree.ts';
import { unpackZip } from './zip.ts';

export interface ArtifactsParts {
  /** Owned by one agent alone; absolute, made when it is not there. */
  directory: string;
  /** Allowed app hosts, beside the center's rules (see `AppRules`); undefined: any. */
  allowHosts: string[] | undefined;
  clock: Clock;
  /** How apps of runs are kept apart; default: copies. */
  method?: IsolationMethod;
  /** Default: over the network, to checked addresses only. */
  fetch?: Fetch;
  limits?: Partial<ArtifactLimits>;
}

type Scope = Parameters<Artifacts['prepare']>[1];

/** A copy, and a note for the runs that use it. */
interface Obtained {
  copy: string;
  note: string | undefined;
}

export function createArtifacts(parts: ArtifactsParts): Artifacts {
  const { clock, method = { isolation: 'copy' } } = parts;
  const limits = { ...artifactLimits, ...parts.limits };
  const { fetch = fetchChecked } = parts;
  const by = (center: AppRules): Downloader => ({ clock, limits, fetch, rules: { center, own: parts.allowHosts } });
  const flights = createSingleFlight<Obtained>();
  let own: AppDirectories | undefined;
  const appDirectories = () => {
    own ??= createAppDirectories(join(parts.directory, 'runs'), method, limits);
    return own;
  };
  let swept: Promise<unknown> = Promise.resolve();
  let opening: Promise<ArtifactCache> | undefined;
  /** Opened at the first need; a disk that was full then may have room now. */
  const open = () => {
    opening ??= openArtifactCache(parts.directory, clock, limits).catch(problem => {
      opening = undefined;
      throw problem;
    });
    return opening;
  };

  const obtainIntact = createObtaining({ clock, limits, by, flights, shares: app => appDirectories().shares(app) });

  /** The run's own directory, or the one that it shares with others. */
  const directoryFor = async (cache: ArtifactCache, copy: string, { run, owner, signal }: Scope): Promise<string> => {
    const { bytes = 0, isShared = false } = cache.copy(copy) ?? {};
    if (isShared) return cache.pathOf(copy);
    if (method.isolation === 'copy' && cache.usedBytes() > limits.copiesBytesMax) {
      throw new ArtifactError('disk', `copies of apps for the runs on this host take more than ${limits.copiesBytesMax} bytes together`, {
        transient: true,
      });
    }
    return appDirectories().make(run, { path: cache.pathOf(copy), bytes, entries: await cache.entriesOf(copy), owner }, signal);
  };

  return {
    async prepare(artifact, scope) {
      const { run, execution, owner, rules, signal } = scope;
      // What is made now would be taken for something that was left.
      await swept;
      try {
        // Also what is here already: what is not allowed any more is not run any more.
        checkUrl(addressOf(artifact.url), by(rules).rules, 0);
        const cache = await open();
        const { url, version, sha256 } = artifact;
        const key = [artifact.cache ? '' : execution, url, version, sha256, owner?.uid].join(' ');
        const work = (flight: AbortSignal) => obtainIntact(cache, artifact, { execution, owner, rules, signal: flight });
        const { copy, note } = await flights.join(key, work, signal);
        cache.use(run, { execution, url, copy });
        const directory = await directoryFor(cache, copy, scope);
        await cache.trim();
        await cache.save();
        const known = cache.copy(copy);
        const notes = [note, known?.isShared ? shared(method.isolation, limits) : undefined].filter(Boolean).join('; ');
        return { directory, script: known?.script ?? undefined, note: notes || undefined };
      } catch (problem) {
        throw isDiskProblem(problem) ? diskProblem(problem) : problem;
      }
    },
    async release(run, execution) {
      const cache = await open();
      const used = cache.unuse(run);
      if (used) await appDirectories().remove(run);
      if (used && execution !== undefined) await cache.removeExecution(execution);
      const trimmed = await cache.trim();
      // Most runs have no app: they cost no write.
      if (used || trimmed) await cache.save();
    },
    sweep(runs) {
      const sweeping = async () => {
        await appDirectories().sweep(runs);
        const cache = await open();
        const kept = new Set(runs);
        const gone = cache.users().filter(run => !kept.has(run) && cache.unuse(run));
        if ((await cache.trim()) || gone.length > 0) await cache.save();
      };
      const result = sweeping();
      swept = result.catch(() => undefined);
      return result;
    },
  };
}

interface Obtaining {
  clock: Clock;
  limits: ArtifactLimits;
  by(rules: AppRules): Downloader;
  flights: SingleFlight<Obtained>;
  shares: AppDirectories['shares'];
}

/**
 * Gives the host's copy of an app, fetched where need be. An execution begins with what was
 * unpacked, whatever an earlier one did to it.
 */
function createObtaining({ clock, limits, by, flights, shares }: Obtaining) {
  /** Fetched and unpacked for runs of this kind. */
  const installation = (cache: ArtifactCache, artifact: Artifact, { execution, owner, rules, signal }: Omit<Scope, 'run'>) => {
    const scope = artifact.cache ? null : execution;
    return (known?: Source) => install({ by: by(rules), cache, artifact, known, owner, execution: scope, shares, signal });
  };

  const obtain = async (cache: ArtifactCache, artifact: Artifact, scope: Omit<Scope, 'run'>): Promise<Obtained> => {
    const { execution, owner, rules } = scope;
    const anew = installation(cache, artifact, scope);
    if (!artifact.cache) {
      const used = cache.used(execution, artifact.url);
      if (used !== undefined && (await cache.has(used))) return { copy: used, note: undefined };
      return { copy: await anew(), note: undefined };
    }
    const known = await knownCopy(cache, artifact, { owner, shares });
    // The digest identifies the content: no validation is needed.
    if (known && artifact.sha256 !== undefined) return { copy: known.copy, note: undefined };
    if (known && known.version >= artifact.version) {
      if (clock.now() - known.validatedAt >= limits.validateMs) void validate(cache, artifact, known, { owner, rules, execution });
      return { copy: known.copy, note: known.failing === null ? undefined : older(known.failing) };
    }
    try {
      return { copy: await anew(known), note: undefined };
    } catch (problem) {
      // The app host is away: an older copy is better than none.
      if (!known || !(problem instanceof ArtifactError) || !problem.transient || problem.code === 'disk') throw problem;
      return { copy: known.copy, note: older(problem.message) };
    }
  };

  /**
   * Revalidates a cached copy in the background, at most once a minute. The runs that use the copy
   * report the result.
   */
  const validate = async (cache: ArtifactCache, artifact: Artifact, known: Source, scope: Omit<Scope, 'run' | 'signal'>) => {
    known.validatedAt = clock.now();
    const work = async (flight: AbortSignal): Promise<Obtained> => {
      const copy = await installation(cache, artifact, { ...scope, signal: flight })(known);
      return { copy, note: undefined };
    };
    await flights.join(`validate ${artifact.url}`, work).catch(problem => {
      known.failing = problem instanceof Error ? problem.message : String(problem);
    });
    await cache.save();
  };

  return async (cache: ArtifactCache, artifact: Artifact, scope: Omit<Scope, 'run'>): Promise<Obtained> => {
    const first = await obtain(cache, artifact, scope);
    // Verified for this execution already, and none of its runs sees what another one writes.
    const isKnown = cache.used(scope.execution, artifact.url) === first.copy;
    if (isKnown && cache.copy(first.copy)?.isShared === false) return first;
    if (await cache.isIntact(first.copy)) return first;
    const { copy } = await obtain(cache, artifact, scope);
    if (!(await cache.isIntact(copy)))
      throw new ArtifactError('disk', 'another process of this host changes the app as soon as it is unpacked', { transient: true });
    return { copy, note: 'the app on this host was changed by another process; it is fetched and unpacked anew' };
  };
}

const older = (why: string): string => `an older copy of the app serves: ${why}`;

const shared = (isolation: AppIsolation, { copyBytesMax, copyEntriesMax }: ArtifactLimits): string => {
  if (isolation === 'verified') return 'the app is shared by its runs on this host';
  return `the app is shared by its runs on this host: it has more than ${isolation === 'clone' ? '' : `${copyBytesMax} bytes or `}${copyEntriesMax} entries`;
};

interface For {
  owner: Owner | undefined;
  shares: AppDirectories['shares'];
}

/** The host's copy of this URL, when it is there and is what is asked for. */
async function knownCopy(cache: ArtifactCache, artifact: Artifact, { owner, shares }: For): Promise<Source | undefined> {
  const source = cache.source(sourceKey(artifact.url, owner));
  if (!source || !(await cache.has(source.copy))) return undefined;
  const copy = cache.copy(source.copy);
  if (artifact.sha256 !== undefined && copy?.digest !== artifact.sha256.toLowerCase()) return undefined;
  // Unpacked when this host could do more, or less, than now.
  const entries = await cache.entriesOf(source.copy).catch(() => []);
  return copy && copy.isShared === shares({ bytes: copy.bytes, entries: entries.length }) ? source : undefined;
}

/** Each user has copies of its own. */
const sourceKey = (url: string, owner: Owner | undefined): string => (owner ? `${owner.uid} ${url}` : url);

interface Installation extends For {
  by: Downloader;
  cache: ArtifactCache;
  artifact: Artifact;
  /** Asks the app host whether this is still it. */
  known: Source | undefined;
  /** For this one alone; null: for all. */
  execution: string | null;
  signal: AbortSignal;
}

/** Downloads, unpacks beside, moves in. Nothing half-made stays. */
async function install({ by, cache, artifact, known, owner, execution, shares, signal }: Installation): Promise<string> {
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
    const format = recognise(artifact.url, await headOf(file));
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
