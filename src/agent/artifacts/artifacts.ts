/** Apps on this host: fetched once, checked, unpacked, cached by content. */
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { createSingleFlight } from '../../lib/single-flight.ts';
import type { AppIsolation } from '../../protocol/agent.ts';
import { ArtifactError, type Artifacts, type PrepareScope } from '../ports.ts';
import { checkUrl } from './addresses.ts';
import { type AppDirectories, createAppDirectories, type IsolationMethod } from './app-directories.ts';
import { type ArtifactCache, openArtifactCache } from './artifact-cache.ts';
import { digestInUrl } from './center-file.ts';
import { diskProblem, isDiskProblem } from './disk-problem.ts';
import { addressOf, type Downloader } from './download.ts';
import { type Fetch, fetchChecked, fetchUnchecked } from './http.ts';
import { type ArtifactLimits, artifactLimits } from './limits.ts';
import { createObtaining, type Obtained } from './obtain.ts';

export interface ArtifactsParts {
  /** Owned by one agent alone; absolute, created when missing. */
  directory: string;
  /** Allowed app hosts, beside the center's rules (see `AppRules`); undefined: any. */
  allowHosts: string[] | undefined;
  clock: Clock;
  /** How apps of runs are kept apart; default: copies. */
  method?: IsolationMethod;
  /** Default: over the network, to checked addresses only. */
  fetch?: Fetch;
  /** Fetches files of the center; default: over the network. */
  fetchFromCenter?: Fetch;
  limits?: Partial<ArtifactLimits>;
}

export function createArtifacts(parts: ArtifactsParts): Artifacts {
  const { clock, method = { isolation: 'copy' } } = parts;
  const limits = { ...artifactLimits, ...parts.limits };
  const { fetch = fetchChecked, fetchFromCenter = fetchUnchecked } = parts;
  const by = ({ rules, center }: Pick<PrepareScope, 'rules' | 'center'>): Downloader => ({
    ...{ clock, limits, fetch, fetchFromCenter, center },
    rules: { center: rules, own: parts.allowHosts },
  });
  const flights = createSingleFlight<Obtained>();
  const { appDirectories, open } = createStorage(parts.directory, { clock, method, limits });
  let swept: Promise<unknown> = Promise.resolve();

  const obtainIntact = createObtaining({ clock, limits, by, flights, shares: app => appDirectories().shares(app) });

  /** The run's own directory, or the one that it shares with others. */
  const directoryFor = async (cache: ArtifactCache, copy: string, { run, owner, signal }: PrepareScope): Promise<string> => {
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
    async prepare(wanted, scope) {
      const { run, execution, owner, rules, center, signal } = scope;
      const fromCenter = digestInUrl(wanted.url);
      // Its URL names its content: no copy of it is ever out of date.
      const artifact = fromCenter === undefined ? wanted : { ...wanted, sha256: fromCenter };
      // The sweep would delete a directory that is created now.
      await swept;
      try {
        // Also for a cached app: an app that is not allowed any more does not run any more.
        if (fromCenter === undefined) checkUrl(addressOf(artifact.url), by(scope).rules, 0);
        const cache = await open();
        const { url, version, sha256 } = artifact;
        const key = [artifact.cache ? '' : execution, url, version, sha256, owner?.uid].join(' ');
        const work = (flight: AbortSignal) => obtainIntact(cache, artifact, { execution, owner, rules, center, signal: flight });
        const { copy, note } = await flights.join(key, work, signal);
        cache.use(run, { execution, url, copy });
        const directory = await directoryFor(cache, copy, scope);
        await cache.trim();
        await cache.save();
        const known = cache.copy(copy);
        const notes = [note, known?.isShared ? shared(method.isolation, limits) : undefined].filter(Boolean).join('; ');
        return { directory, script: known?.script ?? undefined, note: notes || undefined };
      } catch (problem) {
        throw isDiskProblem(problem) ? diskProblem(problem, 'the app') : problem;
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

/** The cache and the directories of runs, opened at the first need. */
function createStorage(
  directory: string,
  { clock, method, limits }: { clock: Clock; method: IsolationMethod; limits: ArtifactLimits },
): { appDirectories(): AppDirectories; open(): Promise<ArtifactCache> } {
  let directories: AppDirectories | undefined;
  let opening: Promise<ArtifactCache> | undefined;
  return {
    appDirectories() {
      directories ??= createAppDirectories(join(directory, 'runs'), method, limits);
      return directories;
    },
    open() {
      // Tried again after a failure: a disk that was full then may have space now.
      opening ??= openArtifactCache(directory, clock, limits).catch(problem => {
        opening = undefined;
        throw problem;
      });
      return opening;
    },
  };
}

const shared = (isolation: AppIsolation, { copyBytesMax, copyEntriesMax }: ArtifactLimits): string => {
  if (isolation === 'verified') return 'the app is shared by its runs on this host';
  return `the app is shared by its runs on this host: it has more than ${isolation === 'clone' ? '' : `${copyBytesMax} bytes or `}${copyEntriesMax} entries`;
};
