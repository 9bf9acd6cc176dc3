/**
 * The keeper's decisions, over ports alone: the same code runs real processes on a host and
 * simulated ones in tests. A known run is never started again, not even by a later keeper: it is
 * known from its first record until it is removed.
 */
import type { Clock } from '../lib/clock.ts';
import type { Keeper, KeeperEvent } from '../protocol/keeper.ts';
import type { Spawner, Spool } from './ports.ts';
import { recoverRun } from './recovered-runs.ts';
import { type KeeperRun, type RunPorts, startRun } from './run.ts';

/** Between two passes that reap orphans while a run is alive, ms; each end of a run reaps too. */
const REAP_MS = 5_000;
/** Most text of one `read`, bytes. */
const READ_BYTES_MAX = 1024 * 1024;

/** Connections and their notices belong to the server. */
export interface KeeperCore extends Omit<Keeper, 'registerNotice'> {
  /** Whether a process of any run may be alive. */
  busy(): boolean;
  /**
   * Ends all runs, each with its own grace, and resolves when none is left; new starts are refused.
   * The runs end with the cause `keeperDied`.
   */
  shutdown(reason: string): Promise<void>;
}

export function createKeeperCore({ clock, spawner, spool }: { clock: Clock; spawner: Spawner; spool: Spool }): KeeperCore {
  let listener: (event: KeeperEvent) => void = () => {};
  const ports: RunPorts = { clock, spawner, spool, emit: event => listener(event) };
  const runs = new Map<string, { run: KeeperRun; started: Promise<void> }>();
  const alive = new Set<KeeperRun>();
  let shutdownReason: string | undefined;
  let reaping = false;

  function add(key: string, run: KeeperRun, started: Promise<void>): void {
    runs.set(key, { run, started });
    if (run.status().state === 'ended') return;
    alive.add(run);
    void run.ended.then(() => alive.delete(run));
    if (!reaping) reap();
  }

  function reap(): void {
    reaping = alive.size > 0;
    if (!reaping) return;
    spawner.reapOrphans();
    clock.after(REAP_MS, reap);
  }

  for (const record of spool.records()) add(record.status.run, recoverRun(ports, record), Promise.resolve());

  return {
    async start(request) {
      const known = runs.get(request.run);
      if (known !== undefined) {
        await known.started;
        return known.run.status();
      }
      if (shutdownReason !== undefined) throw new Error(`the keeper shuts down (${shutdownReason}) and starts no more runs`);
      const { run, started } = startRun(ports, request);
      add(request.run, run, started);
      await started;
      return run.status();
    },
    async stop(key, graceMs) {
      await runs.get(key)?.run.stop('stop', graceMs, null);
    },
    list: async () => [...runs.values()].map(({ run }) => run.status()),
    async read(key, afterSeq, maxBytes) {
      const run = runs.get(key)?.run;
      run?.rearm();
      return run?.output().read(afterSeq, Math.min(maxBytes, READ_BYTES_MAX)) ?? [];
    },
    async remove(key) {
      const run = runs.get(key)?.run;
      if (run?.status().state !== 'ended') return;
      runs.delete(key);
      spool.remove(run.record());
    },
    onEvent(next) {
      listener = next;
    },
    lost: new Promise(() => {}),
    busy: () => alive.size > 0,
    async shutdown(reason) {
      shutdownReason = reason;
      await Promise.all([...alive].map(run => run.stop('keeperDied', run.record().killGraceMs, reason)));
      await Promise.all([...alive].map(run => run.ended));
    },
  };
}
