/**
 * A center in this process, for `troupe up` and `troupe center`. Only these verbs load it.
 */
import { hostname } from 'node:os';
import { ConfigError, readConfig } from '../config/center.ts';
import type { Config } from '../config/types.ts';
import { trimHeap } from '../lib/heap.ts';
import { systemIds } from '../lib/ids.ts';
import { createLog } from '../lib/log.ts';
import type { RunningCenter, StartupServer } from '../main.ts';
import { EXIT, type Exit, wrongUsage } from './failure.ts';
import type { Shell } from './shell.ts';

interface ServingCenter {
  host: string;
  pid: number;
}

export interface StartedCenter {
  config: Config;
  center: RunningCenter;
  say(sentence: string, fields?: Record<string, unknown>): void;
  /** Resolves with the exit code at a signal, or when the center cannot go on. */
  over(): Promise<Exit>;
  /** Stops the center. */
  stop(): Promise<void>;
}

/**
 * Resolves when the center serves and has printed its address; undefined if it stopped as a
 * standby. Throws Failure `usage` with every problem.
 */
export async function startHere(args: string[], shell: Shell): Promise<StartedCenter | undefined> {
  // Read before anything starts: from here on a signal stops the center in order.
  const { signal } = shell;
  const json = args.includes('--json');
  const config = read(
    args.filter(arg => arg !== '--json'),
    shell,
    json,
  );
  // Removes them from the environment at once, because threads inherit it.
  const dropped = shell.dropSecrets();
  trimHeap(shell.clock);
  const log = createLog(shell.clock, config.log, line => shell.notify(line.trimEnd()));
  // In this order: the threads load their modules while this one loads the rest.
  const { beginThreads, startupRetryOf } = await import('../threads.ts');
  let startup: StartupServer | undefined;
  /** The center whose end this standby awaits. */
  let active: string | undefined;
  const waits = (problem: string) => startup?.waits(problem);
  const createRetry = (forever: boolean) => startupRetryOf({ config, clock: shell.clock, log, signal, waits, forever });
  const standby = {
    signal,
    waitsFor(center: ServingCenter) {
      active = nameOf(center);
      log.info('this center is a standby', { of: active });
      startup?.standbyOf(active);
    },
  };
  const startupRetry = createRetry(config.standby);
  const threads = beginThreads({
    config,
    clock: shell.clock,
    ids: systemIds,
    startupRetry,
    standby: config.standby ? standby : undefined,
  });
  await dropped;
  const { createWaitingServer, greeting, startCenter } = await import('../main.ts');
  const server = createWaitingServer({ config, log, threads, clock: shell.clock });
  startup = server;
  if (active !== undefined) server.standbyOf(active);
  const start = async () => {
    if (!config.standby) return startCenter({ config, log, threads, startupRetry, startup: server });
    await threads.opened;
    if (active !== undefined) log.info('this standby takes over', { from: active });
    // Its own time limit begins now, however long it was a standby.
    return startCenter({ config, log, threads, startupRetry: createRetry(false), startup: server });
  };
  const center = await start().catch(async (error: unknown) => {
    await server.close();
    if (active !== undefined && signal.aborted) return undefined;
    throw error;
  });
  if (!center) return undefined;
  const { urls, password } = center;
  if (json) await shell.write(`${JSON.stringify({ urls, user: 'root', ...(password === null ? {} : { password }) })}\n`);
  else await shell.write(greeting(center, config));
  return {
    config,
    center,
    say: log.info,
    async over() {
      const problem = await Promise.race([center.gaveUp, untilAborted(signal)]);
      if (problem) log.error('the center cannot go on', { problem: problem.message });
      else log.info('the center stops', { signal: signal.reason });
      return problem ? EXIT.failed : EXIT.done;
    },
    async stop() {
      const left = await center.stop();
      if (left.length > 0) log.warn('left behind', { left });
    },
  };
}

/** The name of the serving center, as in the responses of a standby. */
const nameOf = ({ host, pid }: ServingCenter): string => (host === hostname() ? `${host} (process ${pid})` : host);

function read(argv: string[], shell: Shell, json: boolean): Config {
  try {
    const config = readConfig({ env: shell.env, argv });
    return json ? { ...config, log: { ...config.log, format: 'json' } } : config;
  } catch (error) {
    throw error instanceof ConfigError ? wrongUsage(error.message) : error;
  }
}

const untilAborted = (signal: AbortSignal): Promise<undefined> =>
  new Promise(resolve => {
    if (signal.aborted) resolve(undefined);
    else signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
