/**
 * A center in this process, for `troupe up` and `troupe center`. Loaded only there: no other verb
 * knows what a center is made of.
 */
import { type Config, ConfigError, readConfig } from '../config/center.ts';
import { systemIds } from '../lib/ids.ts';
import { createLog } from '../lib/log.ts';
import type { RunningCenter, StartupServer } from '../main.ts';
import { EXIT, type Exit, wrongUsage } from './failure.ts';
import type { Shell } from './shell.ts';

export interface Started {
  config: Config;
  center: RunningCenter;
  say(sentence: string, fields?: Record<string, unknown>): void;
  /** Resolves with the exit code once the shell is wanted back, or once the center cannot go on. */
  over(): Promise<Exit>;
  /** Stops the center. */
  stop(): Promise<void>;
}

/** Resolves once it serves and printed where. Throws Failure `usage` with every problem. */
export async function startHere(args: string[], shell: Shell): Promise<Started> {
  // Looked at before anything starts: from here on a signal ends us in order.
  const { signal } = shell;
  const json = args.includes('--json');
  const config = read(
    args.filter(arg => arg !== '--json'),
    shell,
    json,
  );
  // Takes them from the environment at once, which the threads inherit; the rest runs beside them.
  const dropped = shell.dropSecrets();
  const log = createLog(shell.clock, config.log, line => shell.say(line.trimEnd()));
  // In this order: the threads load theirs while this one loads the rest.
  const { beginThreads, patienceFor } = await import('../threads.ts');
  let startup: StartupServer | undefined;
  const patiently = patienceFor({ config, clock: shell.clock, log, signal, waits: problem => startup?.waits(problem) });
  const threads = beginThreads({ config, clock: shell.clock, ids: systemIds, patiently });
  await dropped;
  const { createStartupServer, greeting, startCenter } = await import('../main.ts');
  const server = createStartupServer({ config, clock: shell.clock });
  startup = server;
  const center = await startCenter({ config, log, threads, patiently, startup: server }).catch(async (error: unknown) => {
    await server.close();
    throw error;
  });
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
