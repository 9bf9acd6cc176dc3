/**
 * Long-running parts of a program as services. They start in order, each after the one before it is
 * ready, and stop in reverse order, each within its grace. A failed service restarts; after too
 * many failures the supervisor gives it up and reports it.
 */
import { type Clock, pause } from './clock.ts';
import { createRestartPolicy, type RestartLimits } from './restart-policy.ts';

export interface Service {
  name: string;
  /** Runs until the signal aborts; calls `ready` once it serves. An end before is a failure. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  /** How long it may take to stop, ms. */
  graceMs: number;
  /** Whether it restarts after a failure. Default false: its failure ends the program. */
  restart?: boolean;
}

export interface SupervisorLog {
  level: 'info' | 'warn' | 'error';
  text: string;
  cause?: unknown;
}

/** Restarts of one service. */
const RESTARTS: RestartLimits = { restarts: 5, windowMs: 30_000, delay: { baseMs: 200, capMs: 10_000 } };

export interface Supervisor {
  /**
   * Resolves when every service is ready. Throws the first failure, after the services before it
   * have stopped.
   */
  start(): Promise<void>;
  /**
   * Stops in reverse order; resolves with the names of services that did not stop in time.
   * Idempotent, also during a start.
   */
  stop(): Promise<string[]>;
  /** Resolves with the reason when a service was given up and the program should end. */
  readonly gaveUp: Promise<Error>;
}

interface Running {
  service: Service;
  abort: AbortController;
  ended: Promise<void>;
}

export function createSupervisor({
  services,
  clock,
  log,
}: {
  services: Service[];
  clock: Clock;
  log(line: SupervisorLog): void;
}): Supervisor {
  const running: Running[] = [];
  let stopping: Promise<string[]> | null = null;
  let giveUp: (error: Error) => void = () => {};
  const gaveUp = new Promise<Error>(resolve => {
    giveUp = resolve;
  });

  function launch(service: Service): Promise<void> {
    const abort = new AbortController();
    return new Promise((resolve, reject) => {
      const ended = keepGoing(service, abort.signal, resolve, reject);
      running.push({ service, abort, ended });
    });
  }

  /** Runs the service again after each failure, within the limits. Never rejects. */
  async function keepGoing(service: Service, signal: AbortSignal, ready: () => void, failedFirst: (error: Error) => void): Promise<void> {
    const restarts = createRestartPolicy(clock, RESTARTS);
    let wasReady = false;
    while (!signal.aborted) {
      let error: Error;
      try {
        await service.run(signal, () => {
          wasReady = true;
          ready();
        });
        error = new Error(`${service.name} ended by itself`);
      } catch (cause) {
        error = cause instanceof Error ? cause : new Error(String(cause));
      }
      if (signal.aborted) return;
      if (!wasReady) return failedFirst(error);
      const delayMs = service.restart ? restarts.failed() : null;
      if (delayMs === null) {
        log({ level: 'error', text: `${service.name} is given up`, cause: error });
        giveUp(new Error(`${service.name} was given up: ${error.message}`, { cause: error }));
        return;
      }
      log({ level: 'warn', text: `${service.name} failed and is started again`, cause: error });
      await pause(clock, delayMs, signal);
    }
  }

  async function halt(): Promise<string[]> {
    const left: string[] = [];
    for (const { service, abort, ended } of [...running].reverse()) {
      abort.abort();
      let timeUp = false;
      const grace = new AbortController();
      await Promise.race([
        ended,
        pause(clock, service.graceMs, grace.signal).then(() => {
          timeUp = !grace.signal.aborted;
        }),
      ]);
      grace.abort();
      if (timeUp) left.push(service.name);
    }
    if (left.length > 0) log({ level: 'warn', text: `stopped; left behind: ${left.join(', ')}` });
    return left;
  }

  return {
    async start() {
      for (const service of services) {
        if (stopping) throw new Error('stopped while starting');
        try {
          await launch(service);
        } catch (error) {
          await this.stop();
          throw error;
        }
      }
    },
    stop() {
      stopping ??= halt();
      return stopping;
    },
    gaveUp,
  };
}
