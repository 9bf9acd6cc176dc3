/**
 * The keeper's decisions, over ports alone: the same code keeps real processes on a host and
 * imagined ones in the simulation. A run it knows is never started again, not even by a successor:
 * it is known from its first record until it is forgotten.
 */
import type { Clock } from '../lib/clock.ts';
import type { Keeper, KeeperNews } from '../protocol/keeper.ts';
import type { Spawner, Spool } from './ports.ts';
import { formerLife } from './recovered-runs.ts';
import { beginLife, type Life, type LifePorts } from './run.ts';

/**
 * Dead processes that were left to the keeper are cleared away this often while something runs; at
 * each end it happens anyway.
 */
const TIDY_MS = 5_000;
/** Most text one `read` gives, bytes. */
const READ_BYTES_MAX = 1024 * 1024;

/** Lines to agents, and what is entrusted over them, are its server's. */
export interface KeeperCore extends Omit<Keeper, 'entrust'> {
  /** Whether a process of any run may be alive. */
  busy(): boolean;
  /**
   * Ends all runs, each with its own grace, and resolves when none is left; new orders are refused.
   * They count as ended by their keeper's death.
   */
  shutdown(reason: string): Promise<void>;
}

export function createKeeperCore({ clock, spawner, spool }: { clock: Clock; spawner: Spawner; spool: Spool }): KeeperCore {
  let listener: (news: KeeperNews) => void = () => {};
  const ports: LifePorts = { clock, spawner, spool, news: news => listener(news) };
  const lives = new Map<string, { life: Life; started: Promise<void> }>();
  const alive = new Set<Life>();
  let closing: string | undefined;
  let tidying = false;

  function keep(run: string, life: Life, started: Promise<void>): void {
    lives.set(run, { life, started });
    if (life.kept().state === 'ended') return;
    alive.add(life);
    void life.over.then(() => alive.delete(life));
    if (!tidying) tidy();
  }

  function tidy(): void {
    tidying = alive.size > 0;
    if (!tidying) return;
    spawner.tidy();
    clock.after(TIDY_MS, tidy);
  }

  for (const record of spool.records()) keep(record.kept.run, formerLife(ports, record), Promise.resolve());

  return {
    async start(order) {
      const known = lives.get(order.run);
      if (known !== undefined) {
        await known.started;
        return known.life.kept();
      }
      if (closing !== undefined) throw new Error(`the keeper is going (${closing}) and starts nothing more`);
      const { life, started } = beginLife(ports, order);
      keep(order.run, life, started);
      await started;
      return life.kept();
    },
    async stop(run, graceMs) {
      await lives.get(run)?.life.stop('stop', graceMs, null);
    },
    list: async () => [...lives.values()].map(({ life }) => life.kept()),
    async read(run, afterSeq, maxBytes) {
      const life = lives.get(run)?.life;
      life?.heard();
      return life?.output().read(afterSeq, Math.min(maxBytes, READ_BYTES_MAX)) ?? [];
    },
    async forget(run) {
      const life = lives.get(run)?.life;
      if (life?.kept().state !== 'ended') return;
      lives.delete(run);
      spool.forget(life.record());
    },
    onNews(next) {
      listener = next;
    },
    gone: new Promise(() => {}),
    busy: () => alive.size > 0,
    async shutdown(reason) {
      closing = reason;
      await Promise.all([...alive].map(life => life.stop('keeperDied', life.record().killGraceMs, reason)));
      await Promise.all([...alive].map(life => life.over));
    },
  };
}
