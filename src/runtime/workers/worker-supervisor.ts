/**
 * One set of partitions and its life: begun, asked now and then whether it is there, replaced when
 * it dies or hangs, given up, visibly, when that happens too often. Its partitions get a new epoch
 * with every beginning; the other sets go on.
 *
 *   starting --started--> serving --died, silent--> down --wait--> starting ...
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
  /** It will not be begun again. */
  readonly isGivenUp: boolean;
  /**
   * Resolves once it serves for the first time; rejects with what was in the way. Then it may be
   * asked again.
   */
  start(): Promise<void>;
  arm(): void;
  /** Of its partitions, from the first on; empty before it has served. */
  readonly epochs: readonly number[];
  /** Raises them, durably. Rejects when it does not serve, or may not raise them. */
  raise(by: number): Promise<void>;
  /**
   * False, and nothing happened, when nobody is there to take it. What asks for a turn is taken
   * only by an owner with its epoch.
   */
  post(message: ToPartitions): boolean;
  /** Addresses that had work under way when the time was up. */
  stop(graceMs: number): Promise<string[]>;
}

export interface PartitionWorkerDependencies {
  clock: Clock;
  /** `reply` reaches the very home that spoke, and nobody once that one is gone. */
  receive(message: FromPartitions, reply: (message: ToPartitions) => void): void;
  log(level: 'warn' | 'error', text: string): void;
  /** It is down: nobody answers what was under way. */
  lost(reason: string): void;
  /** It serves, for the first time or again: what was sent away may be sent once more. */
  back(): void;
  /** It was down too often. */
  gaveUp(reason: string): void;
}

const NEEDS_OWNER: ReadonlySet<ToPartitions['type']> = new Set(['questions', 'messages']);

export function createPartitionWorker(
  homes: WorkerHosts,
  partitions: PartitionRange,
  around: PartitionWorkerDependencies,
): PartitionWorker {
  const { clock } = around;
  const name = `partitions ${partitions.from} to ${partitions.to}`;
  let home: WorkerHost | undefined;
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
    const mine: WorkerHost = homes.open({
      partitions,
      receive: message => {
        if (home === mine) receive(message, mine);
      },
      died: reason => {
        if (home === mine) died(reason);
      },
    });
    home = mine;
    unanswered = 0;
    mine.post({ type: 'start' });
    if (homes.mayDie) beat();
  }

  function receive(message: FromPartitions, mine: WorkerHost): void {
    switch (message.type) {
      case 'started':
        epochs = message.epochs;
        serve(mine);
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
        } else again(mine, message.reason);
        break;
      case 'pong':
        unanswered = 0;
        break;
      case 'stopped':
        stopped?.(message.left);
        break;
      default:
        around.receive(message, answer => {
          if (home === mine) mine.post(answer);
        });
    }
  }

  function serve(mine: WorkerHost): void {
    down = undefined;
    retry.reset();
    if (isArmed) mine.post({ type: 'arm' });
    if (first) {
      first.resolve();
      first = undefined;
    } else around.log('warn', `${name} are served again`);
    around.back();
  }

  /** The store did not let it begin: it may later. */
  function again(mine: WorkerHost, reason: string): void {
    const retryMs = retry.next();
    around.log('warn', `${name} could not be taken over, trying again in ${retryMs} ms: ${reason}`);
    disarmNext = clock.after(retryMs, () => {
      if (home === mine) mine.post({ type: 'start' });
    });
  }

  function beat(): void {
    disarmBeat();
    disarmBeat = clock.after(LIMITS.heartbeatMs, () => {
      if (unanswered >= LIMITS.heartbeatsMissed) return died(`it did not answer for ${LIMITS.heartbeatsMissed * LIMITS.heartbeatMs} ms`);
      unanswered += 1;
      pings += 1;
      home?.post({ type: 'ping', id: pings });
      beat();
    });
  }

  function died(reason: string): void {
    const dead = home;
    home = undefined;
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
      void dead?.end();
      around.gaveUp(down);
      return;
    }
    void dead?.end().then(() => {
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
        if (!home || down !== undefined) return reject(new Error(down ?? `${name} are not served`));
        raising.push({ resolve, reject });
        home.post({ type: 'raise', by });
      }),
    start() {
      if (down === undefined) return Promise.resolve();
      const begun = () =>
        new Promise<void>((resolve, reject) => {
          first = { resolve, reject };
          if (home) home.post({ type: 'start' });
          else begin();
        });
      return starting.join(name, begun);
    },
    arm() {
      isArmed = true;
      if (down === undefined) home?.post({ type: 'arm' });
    },
    post(message) {
      if (!home || (down !== undefined && NEEDS_OWNER.has(message.type))) return false;
      home.post(message);
      return true;
    },
    stop(graceMs) {
      isStopping = true;
      disarmBeat();
      disarmNext();
      return new Promise(resolve => {
        if (!home) return resolve([]);
        stopped = left => {
          const last = home;
          home = undefined;
          void (last?.end() ?? Promise.resolve()).then(() => resolve(left));
        };
        home.post({ type: 'stop', graceMs });
        // Whoever does not even say what it leaves behind is ended all the same.
        if (homes.mayDie) disarmNext = clock.after(graceMs + LIMITS.heartbeatMs, () => stopped?.([name]));
      });
    },
  };
}
