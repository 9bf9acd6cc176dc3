/**
 * The agent's calls to its keeper: connects, listens, connects to the next keeper process when one
 * is lost, and repeats the interrupted calls there.
 */
import { type Clock, pause } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { type Keeper, type KeeperEvent, KeeperLostError, type RunStatus } from '../protocol/keeper.ts';
import { HostFaultError } from './host-fault.ts';
import type { AgentSpans } from './limits.ts';
import type { KeeperConnector } from './ports.ts';

export interface KeeperClient {
  /** Keeps a connection open until the signal aborts; the keeper continues. */
  run(signal: AbortSignal, on: KeeperListener): Promise<void>;
  /**
   * Calls the keeper, and its successor when it is lost meanwhile: for idempotent calls only. Waits
   * while there is none; where `mayRefuse` returns true it throws HostFaultError instead, once no
   * keeper could be started.
   */
  call<T>(method: (keeper: Keeper) => Promise<T>, mayRefuse?: () => boolean): Promise<T>;
}

export interface KeeperListener {
  /** A keeper is connected and has these runs. No call is made before this has returned. */
  connected(runs: RunStatus[]): void;
  event(event: KeeperEvent): void;
}

interface Waiting {
  resolve(keeper: Keeper): void;
  reject(problem: HostFaultError): void;
  mayRefuse(): boolean;
}

export function createKeeperClient(parts: { clock: Clock; connector: KeeperConnector; log: Log; spans: AgentSpans }): KeeperClient {
  const { clock, connector, log, spans } = parts;
  let current: Keeper | undefined;
  let waiting: Waiting[] = [];
  /** Why the last attempt to connect failed; undefined once connected. */
  let failure: HostFaultError | undefined;

  const connectFailed = (problem: unknown) => {
    const text = problem instanceof Error ? problem.message : String(problem);
    log.error('no keeper can be started', { problem: text });
    const refusal = new HostFaultError('keeper', `this host has no keeper for its processes: ${text}`);
    failure = refusal;
    const refused = waiting.filter(one => one.mayRefuse());
    waiting = waiting.filter(one => !refused.includes(one));
    for (const one of refused) one.reject(refusal);
  };

  const session = async (stopped: Promise<void>, on: KeeperListener) => {
    const keeper = await connector.connect();
    let isCurrent = true;
    // Before `list`: an event in between then comes twice rather than never.
    keeper.onEvent(event => {
      if (isCurrent) on.event(event);
    });
    try {
      on.connected(await keeper.list());
      current = keeper;
      failure = undefined;
      const ready = waiting;
      waiting = [];
      for (const one of ready) one.resolve(keeper);
      await Promise.race([keeper.lost, stopped]);
    } finally {
      isCurrent = false;
      if (current === keeper) current = undefined;
    }
  };

  return {
    async run(signal, on) {
      const stopped = new Promise<void>(resolve => {
        if (signal.aborted) return resolve();
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
      while (!signal.aborted) {
        try {
          // A keeper that does not answer must not delay the stop.
          await Promise.race([session(stopped, on), stopped]);
          if (!signal.aborted) log.warn('the keeper is lost, connecting to the next one');
        } catch (problem) {
          connectFailed(problem);
        }
        if (!signal.aborted) await pause(clock, spans.keeperRetryMs, signal);
      }
    },
    async call(method, mayRefuse = () => false) {
      for (;;) {
        if (!current && failure && mayRefuse()) throw failure;
        const keeper = current ?? (await new Promise<Keeper>((resolve, reject) => waiting.push({ resolve, reject, mayRefuse })));
        try {
          return await method(keeper);
        } catch (problem) {
          if (!(problem instanceof KeeperLostError)) throw problem;
          if (current === keeper) current = undefined;
        }
      }
    },
  };
}
