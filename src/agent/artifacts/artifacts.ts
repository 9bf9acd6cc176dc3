/** Apps on this host: fetched once, checked, unpacked with care, kept by content. */
import { createHash } from 'node:crypto';
import { mkdir, open, rm } from 'node:fs/promises';
import type { AppRules } from '../../app-hosts.ts';
import type { Clock } from '../../clock.ts';
import { ArtifactError, type Artifacts, type PreparedApp } from '../ports.ts';
import type { Artifact } from '../protocol.ts';
import { checkUrl } from './addresses.ts';
import { addressOf, type Downloader, diskProblem, download, isDiskProblem, shown } from './download.ts';
import { createFlights } from './flights.ts';
import { type Format, HEAD_BYTES, recognise } from './format.ts';
import { type Fetch, fetchChecked } from './http.ts';
import { type ArtifactLimits, artifactLimits } from './limits.ts';
import { unpacked } from './packing.ts';
import { openShelf, type Shelf, type Source } from './shelf.ts';
import { broken, unpackTar } from './tar.ts';
import { createTree } from './tree.ts';
import { unpackZip } from './zip.ts';

export interface ArtifactsParts {
  /** Owned by one agent alone; made when it is not there. */
  directory: string;
  /** Hosts apps may come from, beside what the center says (see `AppRules`); undefined: any. */
  allowHosts: string[] | undefined;
  clock: Clock;
  /** Default: over the network, to checked addresses only. */
  fetch?: Fetch;
  limits?: Partial<ArtifactLimits>;
}

type Scope = Parameters<Artifacts['prepare']>[1];

/** A copy, and what is to be said with the runs that use it. */
interface Obtained {
  copy: string;
  note: string | undefined;
}

export function createArtifacts(parts: ArtifactsParts): Artifacts {
  const { clock } = parts;
  const limits = { ...artifactLimits, ...parts.limits };
  const { fetch = fetchChecked } = parts;
  const by = (center: AppRules): Downloader => ({ clock, limits, fetch, rules: { center, own: parts.allowHosts } });
  const flights = createFlights<Obtained>();
  let opening: Promise<Shelf> | undefined;
  /** Opened at the first need; a disk that was full then may have room now. */
  const open = () => {
    opening ??= openShelf(parts.directory, clock, limits).catch(problem => {
      opening = undefined;
      throw problem;
    });
    return opening;
  };

  const obtain = async (shelf: Shelf, artifact: Artifact, scope: Scope): Promise<Obtained> => {
    const { execution, rules, signal } = scope;
    const anew = (known?: Source) => install({ by: by(rules), shelf, artifact, known, signal });
    if (!artifact.cache) {
      const own = shelf.used(execution, artifact.url);
      if (own !== undefined && (await shelf.has(own))) return { copy: own, note: undefined };
      return { copy: await anew(), note: undefined };
    }
    const known = await knownCopy(shelf, artifact);
    // A digest says what the app is: there is nothing to ask anybody.
    if (known && artifact.sha256 !== undefined) return { copy: known.copy, note: undefined };
    if (known && known.version >= artifact.version) {
      if (clock.now() - known.validatedAt >= limits.validateMs) void validate(shelf, artifact, known, rules);
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

  /** In the background and at most once a minute, whatever comes of it; the runs that use the copy say what it was. */
  const validate = async (shelf: Shelf, artifact: Artifact, known: Source, rules: AppRules) => {
    known.validatedAt = clock.now();
    const { signal } = new AbortController();
    const work = async (flight: AbortSignal): Promise<Obtained> => {
      const copy = await install({ by: by(rules), shelf, artifact, known, signal: flight });
      return { copy, note: undefined };
    };
    await flights.join(`validate ${artifact.url}`, signal, work).catch(problem => {
      known.failing = problem instanceof Error ? problem.message : String(problem);
    });
    await shelf.save();
  };

  return {
    async prepare(artifact, { execution, rules, signal }) {
      try {
        // Also what is here already: what is not allowed any more is not run any more.
        checkUrl(addressOf(artifact.url), by(rules).rules, 0);
        const shelf = await open();
        const key = [artifact.cache ? '' : execution, artifact.url, artifact.version, artifact.sha256].join(' ');
        const { copy, note } = await flights.join(key, signal, flight => obtain(shelf, artifact, { execution, rules, signal: flight }));
        shelf.use(execution, artifact.url, copy);
        await shelf.trim();
        await shelf.save();
        return preparedApp(shelf, copy, note);
      } catch (problem) {
        throw isDiskProblem(problem) ? diskProblem(problem) : problem;
      }
    },
    async release(execution) {
      const shelf = await open();
      const used = shelf.unuse(execution);
      const trimmed = await shelf.trim();
      // Most runs have no app: they cost no write.
      if (used || trimmed) await shelf.save();
    },
  };
}

const older = (why: string): string => `an older copy of the app serves: ${why}`;

function preparedApp(shelf: Shelf, copy: string, note: string | undefined): PreparedApp {
  return { directory: shelf.pathOf(copy), script: shelf.copy(copy)?.script ?? undefined, note };
}

/** The host's copy of this URL, when it is there and has the content that is asked for. */
async function knownCopy(shelf: Shelf, artifact: Artifact): Promise<Source | undefined> {
  const source = shelf.source(artifact.url);
  if (!source || !(await shelf.has(source.copy))) return undefined;
  if (artifact.sha256 !== undefined && shelf.copy(source.copy)?.digest !== artifact.sha256.toLowerCase()) return undefined;
  return source;
}

interface Installation {
  by: Downloader;
  shelf: Shelf;
  artifact: Artifact;
  /** Asks the app host whether this is still it. */
  known: Source | undefined;
  signal: AbortSignal;
}

/** Downloads, unpacks beside, moves in. Nothing half-made stays. */
async function install({ by, shelf, artifact, known, signal }: Installation): Promise<string> {
  const file = shelf.tmp();
  const directory = shelf.tmp();
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
      remember(shelf, artifact, { ...known, etag, lastModified, validatedAt: by.clock.now(), failing: null });
      return known.copy;
    }
    if (!got.changed)
      throw new ArtifactError('status', `${shown(artifact.url)} is said to be unchanged, and there is no copy`, { transient: true });
    const format = recognise(artifact.url, await headOf(file));
    await mkdir(directory, 0o755);
    const bytes = await unpack({ file, directory, format, packedBytes: got.bytes, limits: by.limits, signal });
    const copy = copyName(got.sha256, format);
    await shelf.add(copy, directory, { digest: got.sha256, script: 'name' in format ? format.name : null, bytes });
    remember(shelf, artifact, {
      copy,
      version: 0,
      etag: got.etag ?? null,
      lastModified: got.lastModified ?? null,
      validatedAt: by.clock.now(),
      failing: null,
    });
    return copy;
  } finally {
    await rm(file, { force: true });
    await rm(directory, { recursive: true, force: true });
  }
}

function remember(shelf: Shelf, artifact: Artifact, source: Source): void {
  if (artifact.cache) shelf.setSource(artifact.url, { ...source, version: Math.max(source.version, artifact.version) });
}

/** The same bytes under another name, or unpacked another way, are another directory. */
function copyName(digest: string, format: Format): string {
  if (!('name' in format)) return `${digest}-${format.kind}`;
  return `${digest}-${format.kind}-${createHash('sha256').update(format.name).digest('hex').slice(0, 16)}`;
}

const PACKINGS = { tar: 'none', 'tar.gz': 'gz', 'tar.bz2': 'bz2', 'tar.xz': 'xz' } as const;

interface Unpacking {
  file: string;
  directory: string;
  format: Format;
  packedBytes: number;
  limits: ArtifactLimits;
  signal: AbortSignal;
}

/** Resolves to the bytes of all files, once they are on the disk. */
async function unpack({ file, directory, format, packedBytes, limits, signal }: Unpacking): Promise<number> {
  const tree = createTree(directory, packedBytes, limits);
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
