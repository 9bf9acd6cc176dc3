/**
 * Always a keeper at hand: opens one, listens to it, opens the next when it is gone, and repeats
 * what was asked in between.
 */
import { type Clock, pause } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { type Keeper, KeeperGone, type KeeperNews, type KeptRun } from '../protocol/keeper.ts';
import { HostFaultError } from './host-fault.ts';
import type { AgentSpans } from './limits.ts';
import type { KeeperDoor } from './ports.ts';

export interface Keeping {
  /** Keeps a keeper open until the signal aborts; the keeper itself goes on. */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Asks the keeper, and the next one when this one goes away meanwhile: only for what may be asked
   * twice. Waits as long as there is none; where `mayRefuse` says so, it throws HostFaultError once
   * none can be opened.
   */
  ask<T>(question: (keeper: Keeper) => Promise<T>, mayRefuse?: () => boolean): Promise<T>;
}

export function createKeeping(parts: {
  clock: Clock;
  door: KeeperDoor;
  log: Log;
  spans: AgentSpans;
  on: {
    /** A keeper was opened and says what it has. No other question before this returns. */
    opened(kept: KeptRun[]): void;
    news(news: KeeperNews): void;
  };
}): Keeping {
  const { clock, door, log, spans } = parts;
  let current: Keeper | undefined;
  let waiting: { take(keeper: Keeper): void; refuse(problem: HostFaultError): void; mayRefuse: () => boolean }[] = [];
  /** Why the last attempt to open one failed; undefined once one is open. */
  let unopened: HostFaultError | undefined;

  const cannotOpen = (problem: unknown) => {
    const text = problem instanceof Error ? problem.message : String(problem);
    log.error('no keeper can be opened', { problem: text });
    const refusal = new HostFaultError('keeper', `this host has no keeper for its processes: ${text}`);
    unopened = refusal;
    const refused = waiting.filter(one => one.mayRefuse());
    waiting = waiting.filter(one => !refused.includes(one));
    for (const one of refused) one.refuse(refusal);
  };

  const session = async (stopped: Promise<void>) => {
    const keeper = await door.open();
    let listening = true;
    // Listening before listing: what happens in between is then told twice rather than never.
    keeper.onNews(news => {
      if (listening) parts.on.news(news);
    });
    try {
      parts.on.opened(await keeper.list());
      current = keeper;
      unopened = undefined;
      const ready = waiting;
      waiting = [];
      for (const one of ready) one.take(keeper);
      await Promise.race([keeper.gone, stopped]);
    } finally {
      listening = false;
      if (current === keeper) current = undefined;
    }
  };

  return {
    async run(signal) {
      const stopped = new Promise<void>(resolve => {
        if (signal.aborted) return resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      while (!signal.aborted) {
        try {
          // A keeper that answers nothing must not hold up the stop.
          await Promise.race([session(stopped), stopped]);
          if (!signal.aborted) log.warn('the keeper is gone, opening the next one');
        } catch (problem) {
          cannotOpen(problem);
        }
        if (!signal.aborted) await pause(clock, spans.keeperRetryMs, signal);
      }
    },
    async ask(question, mayRefuse = () => false) {
      for (;;) {
        if (!current && unopened && mayRefuse()) throw unopened;
        const keeper = current ?? (await new Promise<Keeper>((take, refuse) => waiting.push({ take, refuse, mayRefuse })));
        try {
          return await question(keeper);
        } catch (problem) {
          if (!(problem instanceof KeeperGone)) throw problem;
          if (current === keeper) current = undefined;
        }
      }
    },
  };
}
