/** The host's copy of an app: the cached one, validated, or one that is installed now. */
import type { Clock } from '../../lib/clock.ts';
import type { SingleFlight } from '../../lib/single-flight.ts';
import type { Artifact } from '../../protocol/agent.ts';
import { ArtifactError, type PrepareScope } from '../ports.ts';
import type { AppDirectories } from './app-directories.ts';
import type { ArtifactCache, Source } from './artifact-cache.ts';
import type { Downloader } from './download.ts';
import { type CopyConditions, install, sourceKey } from './install.ts';
import type { ArtifactLimits } from './limits.ts';

/** A copy, and a note for the runs that use it. */
export interface Obtained {
  copy: string;
  note: string | undefined;
}

interface Obtaining {
  clock: Clock;
  limits: ArtifactLimits;
  by(scope: Pick<PrepareScope, 'rules' | 'center'>): Downloader;
  flights: SingleFlight<Obtained>;
  shares: AppDirectories['shares'];
}

/**
 * Returns the host's copy of an app, fetched where needed. Every execution starts with the unpacked
 * files, without the changes of earlier ones.
 */
export function createObtaining({ clock, limits, by, flights, shares }: Obtaining) {
  /** Fetched and unpacked for runs of this kind. */
  const installation = (
    cache: ArtifactCache,
    artifact: Artifact,
    { execution, owner, rules, center, signal }: Omit<PrepareScope, 'run'>,
  ) => {
    const scope = artifact.cache ? null : execution;
    return (known?: Source) => install({ by: by({ rules, center }), cache, artifact, known, owner, execution: scope, shares, signal });
  };

  const obtain = async (cache: ArtifactCache, artifact: Artifact, scope: Omit<PrepareScope, 'run'>): Promise<Obtained> => {
    const { execution, owner, rules, center } = scope;
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
      if (clock.now() - known.validatedAt >= limits.validateMs) void validate(cache, artifact, known, { owner, rules, center, execution });
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
  const validate = async (cache: ArtifactCache, artifact: Artifact, known: Source, scope: Omit<PrepareScope, 'run' | 'signal'>) => {
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

  return async (cache: ArtifactCache, artifact: Artifact, scope: Omit<PrepareScope, 'run'>): Promise<Obtained> => {
    const first = await obtain(cache, artifact, scope);
    // Verified for this execution already, and its runs do not share a directory.
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

/** The host's copy of this URL, when it exists and matches the request. */
async function knownCopy(cache: ArtifactCache, artifact: Artifact, { owner, shares }: CopyConditions): Promise<Source | undefined> {
  const source = cache.source(sourceKey(artifact.url, owner));
  if (!source || !(await cache.has(source.copy))) return undefined;
  const copy = cache.copy(source.copy);
  if (artifact.sha256 !== undefined && copy?.digest !== artifact.sha256.toLowerCase()) return undefined;
  // Unpacked when this host could do more, or less, than now.
  const entries = await cache.entriesOf(source.copy).catch(() => []);
  return copy && copy.isShared === shares({ bytes: copy.bytes, entries: entries.length }) ? source : undefined;
}
