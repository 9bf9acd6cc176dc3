/** An agent beside a center: a child process, restarted when it ends by itself. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createGrowingDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { isSingleFile } from '../lib/single-file.ts';

const BACKOFF = { baseMs: 500, capMs: 30_000 };
/** Run time of an agent after which the back-off starts again, ms. */
const HEALTHY_MS = 60_000;
/** Time from SIGTERM to SIGKILL, ms. */
const STOP_MS = 10_000;
/** The settings are wrong: a restart would not help. */
const WRONG_USAGE = 2;
/** The center refused the agent for good, for example because its host is retired. */
const REFUSED = 3;

export interface LocalAgent {
  /**
   * Ends the agent by SIGTERM, after STOP_MS by SIGKILL. Resolves when it has ended. Its runs go
   * on. Idempotent.
   */
  stop(): Promise<void>;
  /** Resolves when it cannot run with these settings; it has logged the reason. */
  cannotRun: Promise<void>;
}

export function startLocalAgent(parts: {
  args: string[];
  env: Record<string, string | undefined>;
  clock: Clock;
  /** Called for each start. Only a new agent uses the token. */
  createJoinToken(): Promise<string>;
  say(sentence: string, fields?: Record<string, unknown>): void;
}): LocalAgent {
  const { args, env, clock, createJoinToken, say } = parts;
  let child: ChildProcess | undefined;
  let ended: Promise<void> = Promise.resolve();
  let disarm = () => {};
  let stopped = false;
  const backoff = createGrowingDelay(BACKOFF);
  let giveUp = () => {};
  const cannotRun = new Promise<void>(resolve => {
    giveUp = resolve;
  });

  const again = (sentence: string) => {
    if (stopped) return;
    const backoffMs = backoff.next();
    say(`the agent ${sentence}; it is started again`, { inMs: backoffMs });
    disarm = clock.after(backoffMs, () => void start());
  };

  const start = async (): Promise<void> => {
    const startedAt = clock.monotonic();
    let token: string;
    try {
      token = await createJoinToken();
    } catch (error) {
      return again(`gets no join token: ${(error as Error).message}`);
    }
    if (stopped) return;
    const [program = '', ...before] = ownCommand('agent');
    // The pipe carries the token, which jobs could read as a variable. The end of the pipe stops
    // the agent when this process ends.
    const started = spawn(program, [...before, ...args, '--with-parent'], {
      env: agentEnvironment(env),
      stdio: ['pipe', 'inherit', 'inherit'],
    });
    child = started;
    started.stdin?.on('error', () => {});
    started.stdin?.write(`${token}\n`);
    ended = new Promise(resolve => {
      started.on('error', error => {
        resolve();
        again(`cannot be started: ${error.message}`);
      });
      started.on('exit', (code, signal) => {
        resolve();
        if (code === WRONG_USAGE) return giveUp();
        if (code === REFUSED) return say('the agent was refused for good; the center goes on without it');
        if (clock.monotonic() - startedAt > HEALTHY_MS) backoff.reset();
        again(signal ? `was ended by ${signal}` : `ended with ${code}`);
      });
    });
  };
  void start();

  return {
    cannotRun,
    async stop() {
      stopped = true;
      disarm();
      child?.kill('SIGTERM');
      const disarmKill = clock.after(STOP_MS, () => child?.kill('SIGKILL'));
      await ended;
      disarmKill();
    },
  };
}

/** Variables of `troupe up` for its agent: settings, and those of jobs, runtime and downloads. */
const AGENT_VARIABLES = [
  ...[
    'TROUPE_NAME',
    'TROUPE_CPUS',
    'TROUPE_MEMORY',
    'TROUPE_LABELS',
    'TROUPE_APP_ISOLATION',
    'TROUPE_ARTIFACT_HOSTS',
    'TROUPE_JOB_DIRECTORIES_MAX_MB',
    'TROUPE_KEEP_JOB_DIRECTORIES_DAYS',
    'TROUPE_RUN_AS',
    'TROUPE_RUN_AS_ALLOWED',
    'TROUPE_LOG',
  ],
  ...['PATH', 'HOME', 'LANG', 'LANGUAGE', 'TZ', 'TMPDIR', 'USER', 'LOGNAME', 'SHELL', 'JAVA_HOME'],
  ...['SSL_CERT_FILE', 'SSL_CERT_DIR', 'NODE_EXTRA_CA_CERTS', 'DENO_DIR', 'LD_LIBRARY_PATH', 'LD_PRELOAD'],
];

/** Only AGENT_VARIABLES and LC_*: jobs of the same user can read the environment of the agent. */
export function agentEnvironment(env: Record<string, string | undefined>): Record<string, string> {
  const passed = Object.entries(env).filter(([name]) => AGENT_VARIABLES.includes(name) || name.startsWith('LC_'));
  return Object.fromEntries(passed.filter((pair): pair is [string, string] => pair[1] !== undefined));
}

/** The command that starts this program with a verb: single file, Bun or Deno. */
export function ownCommand(verb: string): string[] {
  const here = import.meta.url;
  if (isSingleFile(here)) return [process.execPath, verb];
  const script = fileURLToPath(new URL('./main.ts', here));
  return process.versions.bun === undefined ? [process.execPath, 'run', '--quiet', '-A', script, verb] : [process.execPath, script, verb];
}
