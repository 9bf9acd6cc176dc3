/**
 * Directories of jobs on this host: one per job, content and user, made at the first run and kept
 * with what runs leave there.
 *
 *   none --fetch, check, unpack in .tmp, rename--> used by runs <--> unused --> removed
 *
 * Unused ones leave when a later execution had other content, by age, and by the bytes of all.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import type { Log } from '../../lib/log.ts';
import { createSingleFlight } from '../../lib/single-flight.ts';
import type { JobDirectory } from '../../protocol/agent.ts';
import { ArtifactError, type JobDirectories } from '../ports.ts';
import { diskProblem, isDiskProblem } from './disk-problem.ts';
import { diskUsage } from './disk-usage.ts';
import { expiredOf } from './expiry.ts';
import { archiveFamily } from './format.ts';
import { type Fetch, fetchUnchecked } from './http.ts';
import { type DirectoryState, type DirectoryStore, openDirectoryStore } from './job-directory-store.ts';
import { type ArtifactLimits, artifactLimits } from './limits.ts';
import { contentName, makeDirectory } from './make-directory.ts';
import type { Owner } from './tree.ts';

export interface JobDirectoriesParts {
  /** Owned by one agent alone; absolute, created when missing. */
  directory: string;
  clock: Clock;
  log: Pick<Log, 'warn'>;
  /** Bytes of all directories; beyond, unused ones leave, the least recently used first. */
  bytesMax: number;
  /** An unused directory leaves after this. */
  unusedMs: number;
  /** Fetches files of the center; default: over the network. */
  fetchFromCenter?: Fetch;
  limits?: Partial<ArtifactLimits>;
}

export function createJobDirectories(parts: JobDirectoriesParts): JobDirectories {
  const { clock, log, fetchFromCenter = fetchUnchecked } = parts;
  const limits = { ...artifactLimits, ...parts.limits };
  const flights = createSingleFlight<void>();
  const registry = createRegistry(parts);

  const trim = () =>
    void registry.trim().catch(problem => log.warn('the removal of directories of jobs failed', { problem: String(problem) }));

  return {
    async prepare(wanted, { run, owner, center, signal }) {
      const key = keyOf(wanted, owner);
      try {
        const store = await registry.claim(run, key);
        const by = { clock, limits, center, fetchFromCenter };
        const ensure = async (flight: AbortSignal) => {
          if (await isThere(store.workOf(key))) return;
          // Removed by hand.
          if (store.directories.has(key)) await store.remove(key);
          await makeDirectory({ by, store, key, wanted, owner, signal: flight });
        };
        await flights.join(key, ensure, signal);
        await registry.use(run, wanted.asOf);
        trim();
        return store.workOf(key);
      } catch (problem) {
        await registry.release(run).catch(() => undefined);
        throw inWords(problem, wanted);
      }
    },
    async release(run) {
      if (await registry.release(run)) trim();
    },
    settle: registry.settle,
    async sweep() {
      await registry.measure();
      await registry.trim();
    },
  };
}

/** Which runs use which directories. */
function createRegistry({ directory, clock, bytesMax, unusedMs }: JobDirectoriesParts) {
  /** Directory of each run. It is not removed, whether it exists yet or not. */
  const claims = new Map<string, string>();
  /** Runs of an earlier agent, until it is known which of them live. */
  const inherited = new Set<string>();
  /** Changed by runs since they were measured. */
  const touched = new Set<string>();
  let live: ReadonlySet<string> | undefined;
  let opening: Promise<DirectoryStore> | undefined;

  const opened = (): Promise<DirectoryStore> => {
    // Tried again after a failure: a disk that was full then may have space now.
    opening ??= openDirectoryStore(directory, clock).then(
      store => {
        for (const [key, { runs }] of store.directories) for (const run of runs) if (!claims.has(run)) inherit(run, key);
        return store;
      },
      problem => {
        opening = undefined;
        throw problem;
      },
    );
    return opening;
  };
  const inherit = (run: string, key: string) => {
    inherited.add(run);
    claims.set(run, key);
  };

  const release = async (run: string): Promise<boolean> => {
    const store = await opened();
    const key = claims.get(run);
    inherited.delete(run);
    claims.delete(run);
    const state = key === undefined ? undefined : store.directories.get(key);
    if (key === undefined || !state?.runs.includes(run)) return false;
    state.runs = state.runs.filter(each => each !== run);
    state.usedAt = clock.now();
    touched.add(key);
    await store.save(key);
    return true;
  };

  const trim = async (): Promise<void> => {
    if (live === undefined) return;
    const store = await opened();
    for (const run of [...inherited]) if (!live.has(run)) await release(run);
    inherited.clear();
    const isBusy = (key: string) => [...claims.values()].includes(key);
    const isOver = replacedIn(store.directories);
    const expired = expiredOf(store.directories, clock.now(), { bytesMax, unusedMs, freshMs: 0, isBusy, isOver });
    // A run may have come meanwhile.
    for (const key of expired) if (!isBusy(key)) await store.remove(key);
  };

  return {
    release,
    trim,
    async claim(run: string, key: string): Promise<DirectoryStore> {
      const store = await opened();
      inherited.delete(run);
      claims.set(run, key);
      return store;
    },
    /** Resolves once the next agent knows of it: nothing may remove the directory under the run. */
    async use(run: string, asOf: number): Promise<void> {
      const store = await opened();
      const key = claims.get(run);
      const state = key === undefined ? undefined : store.directories.get(key);
      if (key === undefined || state === undefined) throw new Error(`the directory of ${run} is not there`);
      state.asOf = Math.max(state.asOf, asOf);
      state.usedAt = clock.now();
      state.runs = [...new Set([...state.runs, run])];
      touched.add(key);
      await store.save(key);
    },
    async settle(runs: ReadonlySet<string>): Promise<void> {
      live = runs;
      await trim();
    },
    async measure(): Promise<void> {
      const store = await opened();
      for (const key of [...touched]) {
        touched.delete(key);
        const bytes = await diskUsage(store.workOf(key));
        const state = store.directories.get(key);
        if (state === undefined || state.bytes === bytes) continue;
        state.bytes = bytes;
        await store.save(key);
      }
    },
  };
}

const shortHash = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16);
const EMPTY = createHash('sha256').digest('hex');

/**
 * `<id of the job>/<sha256>-<how it lies there>-<user>`. A content that is unpacked in another way,
 * or lies there under another name, is another directory; so is that of another user, who could not
 * write into the first one.
 */
function keyOf({ job, file }: JobDirectory, owner: Owner | undefined): string {
  const folder = /^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$/.test(job) ? job : shortHash(job);
  const parts = file ? [file.sha256, archiveFamily(file.name) ?? shortHash(file.name)] : [EMPTY];
  return `${folder}/${[...parts, ...(owner ? [`u${owner.uid}`] : [])].join('-')}`;
}

/** Whether a later execution of the same job and user had other content. */
function replacedIn(directories: ReadonlyMap<string, DirectoryState>): (key: string, state: DirectoryState) => boolean {
  const lineOf = (key: string) => `${dirname(key)} ${/-u(\d+)$/.exec(key)?.[1] ?? ''}`;
  const latest = new Map<string, number>();
  for (const [key, { asOf }] of directories) latest.set(lineOf(key), Math.max(asOf, latest.get(lineOf(key)) ?? 0));
  return (key, { asOf }) => asOf < (latest.get(lineOf(key)) ?? 0);
}

/** The reason names the file. */
function inWords(problem: unknown, wanted: JobDirectory): unknown {
  const what = contentName(wanted);
  if (isDiskProblem(problem)) return diskProblem(problem, what);
  if (!(problem instanceof ArtifactError) || problem.code === 'disk' || problem.message.includes(what)) return problem;
  const { code, message, transient } = problem;
  return new ArtifactError(code, `${what} cannot be used: ${message}`, { transient, cause: problem });
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    info => info.isDirectory(),
    () => false,
  );
