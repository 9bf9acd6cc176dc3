/**
 * Supervises one partition worker: starts it, pings it, replaces it when it ends or hangs, and
 * gives it up, with a log line, when that happens too often. Its partitions get a new epoch with
 * every start; the other workers continue.
 *
 *   starting --started--> serving --ended, hung--> down --wait--> starting ...
 *                                                     +--too often--> given up
 */
import { createGrowingDelay } from '../../lib/backoff.ts';
import type { Clock, Disarm } from '../../lib/clock.ts';
import { createRestartPolicy } from '../../lib/restart-policy.ts';
import { createSingleFlight } from '../../lib/single-flight.ts';
import type { PartitionRange } from '../../store/port.ts';
import { LIMITS, STORE_RETRY, WORKER_RESTARTS } from '../limits.ts';
import type { FromPartitions, ToPartitions } from './messages.ts';
import type { WorkerHost, WorkerHosts } from './worker-host.ts';

export interface PartitionWorker {
  readonly partitions: PartitionRange;
  /** Why it does not serve now; undefined when it does. */
  readonly down: string | undefined;
  /** It will not be started again. */
  readonly isGivenUp: boolean;
  /**
   * Resolves once it serves for the first time. Rejects with the cause; then it may be called
   * again.
   */
  start(): Promise<void>;
  arm(): void;
  /** Of its partitions, from the first on; empty before it has served. */
  readonly epochs: readonly number[];
  /** Raises them, durably. Rejects when it does not serve, or may not raise them. */
  raise(by: number): Promise<void>;
  /**
   * False, without effect, when no worker runs. A message that needs a turn is accepted only by an
   * owner with its epoch.
   */
  post(message: ToPartitions): boolean;
  /** Addresses that had work under way when the time was up. */
  stop(graceMs: number): Promise<string[]>;
}

export interface PartitionWorkerDependencies {
  clock: Clock;
  /** `reply` reaches the worker that sent the message, and has no effect once that one ended. */
  receive(message: FromPartitions, reply: (message: ToPartitions) => void): void;
  log(level: 'warn' | 'error', text: string): void;
  /** It is down: open requests get no answer. */
  lost(reason: string): void;
  /** It serves, for the first time or again: returned messages may be sent again. */
  back(): void;
  /** It was down too often. */
  gaveUp(reason: string): void;
}

const NEEDS_OWNER: ReadonlySet<ToPartitions['type']> = new Set(['questions', 'messages']);

export function createPartitionWorker(
  workerHosts: WorkerHosts,
  partitions: PartitionRange,
  around: PartitionWorkerDependencies,
): PartitionWorker {
  const { clock } = around;
  const name = `partitions ${partitions.from} to ${partitions.to}`;
  let host: WorkerHost | undefined;
  let down: string | undefined = `${name} are being taken over`;
  let isGivenUp = false;
  let isArmed = false;
  let isStopping = false;
  let unanswered = 0;
  let pings = 0;
  const replacements = createRestartPolicy(clock, WORKER_RESTARTS);
  let disarmBeat: Disarm = () => {};
  let disarmNext: Disarm = () => {};
  let first: { resolve(): void; reject(error: Error): void } | undefined;
  const starting = createSingleFlight<void>();
  let stopped: ((left: string[]) => void) | undefined;
  const retry = createGrowingDelay(STORE_RETRY);
  let epochs: readonly number[] = [];
  let raising: { resolve(): void; reject(error: Error): void }[] = [];

  function raised(problem?: string): void {
    const waiting = raising;
    raising = [];
    for (const { resolve, reject } of waiting) problem === undefined ? resolve() : reject(new Error(problem));
  }

  function begin(): void {
    const opened: WorkerHost = workerHosts.open({
      partitions,
      receive: message => {
        if (host === opened) receive(message, opened);
      },
      died: reason => {
        if (host === opened) died(reason);
      },
    });
    host = opened;
    unanswered = 0;
    opened.post({ type: 'start' });
    if (workerHosts.mayDie) beat();
  }

  function receive(message: FromPartitions, opened: WorkerHost): void {
    switch (message.type) {
      case 'started':
        epochs = message.epochs;
        serve(opened);
        break;
      case 'raised':
        epochs = message.epochs;
        raised();
        break;
      case 'raiseFailed':
        raised(message.reason);
        break;
      case 'startFailed':
        if (first) {
          first.reject(new Error(message.reason));
          first = undefined;
        } else again(opened, message.reason);
        break;
      case 'pong':
        unanswered = 0;
        break;
      case 'stopped':
        stopped?.(message.left);
        break;
      default:
        around.receive(message, answer => {
          if (host === opened) opened.post(answer);
        });
    }
  }

  function serve(opened: WorkerHost): void {
    down = undefined;
    retry.reset();
    if (isArmed) opened.post({ type: 'arm' });
    if (first) {
      first.resolve();
      first = undefined;
    } else around.log('warn', `${name} are served again`);
    around.back();
  }

  /** The store rejected the start: retries. */
  function again(opened: WorkerHost, reason: string): void {
    const retryMs = retry.next();
    around.log('warn', `${name} could not be taken over, trying again in ${retryMs} ms: ${reason}`);
    disarmNext = clock.after(retryMs, () => {
      if (host === opened) opened.post({ type: 'start' });
    });
  }

  function beat(): void {
    disarmBeat();
    disarmBeat = clock.after(LIMITS.heartbeatMs, () => {
      if (unanswered >= LIMITS.heartbeatsMissed) return died(`it did not answer for ${LIMITS.heartbeatsMissed * LIMITS.heartbeatMs} ms`);
      unanswered += 1;
      pings += 1;
      host?.post({ type: 'ping', id: pings });
      beat();
    });
  }

  function died(reason: string): void {
    const ended = host;
    host = undefined;
    disarmBeat();
    disarmNext();
    raised(`the worker of ${name} ended: ${reason}`);
    if (isStopping) return stopped?.([]);
    if (first) {
      first.reject(new Error(`the worker of ${name} ended: ${reason}`));
      first = undefined;
      return;
    }
    const waitMs = replacements.failed();
    const tooOften = waitMs === null;
    down = tooOften
      ? `${name} were given up after ${LIMITS.replacements} replacements of their worker within ${LIMITS.replacementWindowMs} ms, the last because ${reason}; restart the center`
      : `${name} are being taken over by a new worker, because ${reason}`;
    around.log('error', down);
    around.lost(down);
    if (tooOften) {
      isGivenUp = true;
      void ended?.end();
      around.gaveUp(down);
      return;
    }
    void ended?.end().then(() => {
      disarmNext = clock.after(waitMs, () => {
        if (!isStopping) begin();
      });
    });
  }

  return {
    partitions,
    get down() {
      return down;
    },
    get isGivenUp() {
      return isGivenUp;
    },
    get epochs() {
      return epochs;
    },
    raise: by =>
      new Promise((resolve, reject) => {
        if (!host || down !== undefined) return reject(new Error(down ?? `${name} are not served`));
        raising.push({ resolve, reject });
        host.post({ type: 'raise', by });
      }),
    start() {
      if (down === undefined) return Promise.resolve();
      const begun = () =>
        new Promise<void>((resolve, reject) => {
          first = { resolve, reject };
          if (host) host.post({ type: 'start' });
          else begin();
        });
      return starting.join(name, begun);
    },
    arm() {
      isArmed = true;
      if (down === undefined) host?.post({ type: 'arm' });
    },
    post(message) {
      if (!host || (down !== undefined && NEEDS_OWNER.has(message.type))) return false;
      host.post(message);
      return true;
    },
    stop(graceMs) {
      isStopping = true;
      disarmBeat();
      disarmNext();
      return new Promise(resolve => {
        if (!host) return resolve([]);
        stopped = left => {
          const last = host;
          host = undefined;
          void (last?.end() ?? Promise.resolve()).then(() => resolve(left));
        };
        host.post({ type: 'stop', graceMs });
        // A worker that does not answer the stop is ended.
        if (workerHosts.mayDie) disarmNext = clock.after(graceMs + LIMITS.heartbeatMs, () => stopped?.([name]));
      });
    },
  };
}
