/**
 * The threads of a center, begun before anything else: they load what they run while the main
 * thread still loads what it serves with, which is half of a start. Hence this file imports little.
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
  /** Rejects with a sentence that says what is in the way; nothing of it runs any more then. */
  opened: Promise<OpenStore>;
  /** What may be read before it is open; undefined: nothing. */
  early(): EarlyReads | undefined;
  /** For when the store is open. */
  workerHosts: WorkerHosts;
}

export function beginThreads({
  config,
  clock,
  ids,
  workerScript,
  patiently,
  standby,
}: {
  config: Config;
  clock: Clock;
  ids: Ids;
  /** The program of the workers. Tests give one that can be broken. */
  workerScript?: string | undefined;
  patiently: StartupRetry;
  /** Absent: a database that another center serves is refused. */
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
  const opened = patiently(() => openStore(config, { clock, drawId: ids.uuid, cluster, early: whileWaiting })).then(
    store => {
      open = store;
      return store;
    },
    (error: unknown) => {
      giveUp();
      throw error;
    },
  );
  // The caller awaits it a little later: until then a rejection is not unhandled.
  opened.catch(() => {});
  return { owner, opened, workerHosts, early: () => early };
}

/** A problem that lasts is logged again so often, ms. */
const SAY_AGAIN_MS = 60_000;

/**
 * A server may be on its way, and is waited for half a minute; a disk that is full or read-only
 * needs an operator, who is waited for. The signal ends the wait. `waits` is called with each
 * failure.
 */
export function patienceFor({
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
  signal?: AbortSignal;
  waits?(problem: string): void;
  /** Of a standby: its database is waited for without an end. */
  forever?: boolean;
}): StartupRetry {
  let said: { problem: string; at: number } | undefined;
  return createStartupRetry({
    clock,
    signal,
    limitMs: config.store.kind === 'mongodb' && !forever ? STARTUP_RETRY_MS : null,
    waits(problem) {
      waits(problem);
      if (said?.problem === problem && clock.monotonic() < said.at + SAY_AGAIN_MS) return;
      said = { problem, at: clock.monotonic() };
      log.warn('the start waits for the store', { problem });
    },
  });
}
