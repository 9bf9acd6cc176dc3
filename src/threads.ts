/**
 * Starts the threads of a center first: they load their modules while the main thread loads its
 * own, which takes half of a start. Hence this file imports little.
 */

import { centerRoles, type Standby } from './cluster/index.ts';
import type { Config } from './config/types.ts';
import type { Clock } from './lib/clock.ts';
import type { Ids } from './lib/ids.ts';
import type { Log } from './lib/log.ts';
import { createStartupRetry, STARTUP_RETRY_MS, type StartupRetry } from './runtime/startup-retry.ts';
import { inWorkers } from './runtime/workers/threads.ts';
import type { WorkerHosts } from './runtime/workers/worker-host.ts';
import { type OpenStore, openStore } from './store/open.ts';
import type { EarlyReads } from './store/port.ts';

export interface Threads {
  /** Names this center in the store. */
  owner: string;
  /** Rejects with an Error that names the obstacle; the threads have ended then. */
  opened: Promise<OpenStore>;
  /** Reads that a waiting standby may do; undefined: none yet. */
  early(): EarlyReads | undefined;
  /** Usable once the store is open. */
  workerHosts: WorkerHosts;
}

export function beginThreads({
  config,
  clock,
  ids,
  workerScript,
  startupRetry,
  standby,
}: {
  config: Config;
  clock: Clock;
  ids: Ids;
  /** The program of the workers; for tests. */
  workerScript?: string | undefined;
  startupRetry: StartupRetry;
  /** Absent: the start fails while another center serves the database. */
  standby?: Standby | undefined;
}): Threads {
  const owner = ids.uuid();
  let open: OpenStore | undefined;
  const { workerHosts, giveUp } = inWorkers({
    count: config.workers,
    owner,
    connect: () => (open as OpenStore).connect(),
    ...(workerScript === undefined ? {} : { script: workerScript }),
  });
  const cluster = centerRoles({ clock, drawId: ids.uuid, center: owner, standby });
  let early: EarlyReads | undefined;
  const whileWaiting = (reads: EarlyReads) => {
    early = reads;
  };
  const opened = startupRetry(() => openStore(config, { clock, drawId: ids.uuid, cluster, early: whileWaiting })).then(
    store => {
      open = store;
      return store;
    },
    (error: unknown) => {
      giveUp();
      throw error;
    },
  );
  // The caller awaits it later: an earlier rejection must not count as unhandled.
  opened.catch(() => {});
  return { owner, opened, workerHosts, early: () => early };
}

/** Between log lines about the same problem, ms. */
const LOG_AGAIN_MS = 60_000;

/**
 * Retries of the start. On MongoDB they end after STARTUP_RETRY_MS, half a minute. On SQLite they
 * have no end: a full or read-only disk waits for an operator.
 */
export function startupRetryOf({
  config,
  clock,
  log,
  signal,
  waits = () => {},
  forever = false,
}: {
  config: Config;
  clock: Clock;
  log: Log;
  /** Ends the retries. */
  signal?: AbortSignal;
  /** Called at each failure. */
  waits?(problem: string): void;
  /** A standby retries without an end on MongoDB, too. */
  forever?: boolean;
}): StartupRetry {
  let logged: { problem: string; at: number } | undefined;
  return createStartupRetry({
    clock,
    signal,
    limitMs: config.store.kind === 'mongodb' && !forever ? STARTUP_RETRY_MS : null,
    waits(problem) {
      waits(problem);
      if (logged?.problem === problem && clock.monotonic() < logged.at + LOG_AGAIN_MS) return;
      logged = { problem, at: clock.monotonic() };
      log.warn('the start waits for the store', { problem });
    },
  });
}
