/** The terminal that a verb speaks to, as a port: tests give one of their own. */
import process from 'node:process';
import { type Clock, systemClock } from '../lib/clock.ts';
import { dropSecrets } from '../lib/process-secrets.ts';
import { visibleLines } from '../lib/visible.ts';
import { exitOf } from './failure.ts';
import { readSecretFromTerminal } from './terminal.ts';

export interface Shell {
  env: Record<string, string | undefined>;
  /** Writes a result. Resolves when it has left; a closed reader (`| head`) ends `signal`. */
  write(text: string): Promise<void>;
  /** The same for standard error: what a process wrote there. */
  writeError(text: string): Promise<void>;
  /**
   * Everything else on standard error: errors, hints, progress. One line, behind a line feed where
   * what was written has not ended its own.
   */
  say(line: string): void;
  /**
   * Ends a line that a process left open where somebody looks at it: the prompt of the shell would
   * follow it.
   */
  endLine(): void;
  /** Is somebody looking at what `write` gives? */
  isTerminal: boolean;
  /** Whether `writeError` writes to a terminal. */
  isErrorTerminal: boolean;
  /** Width of the terminal; infinite where there is none. */
  columns: number;
  /** All of standard input, as text. */
  readInput(): Promise<string>;
  /**
   * One line from the terminal, not shown while it is typed; standard input is left alone. Throws
   * Failure `usage` where there is no terminal.
   */
  readSecret(prompt: string): Promise<string>;
  /** Drops the secrets of environment and command line; call it after reading them. */
  dropSecrets(): Promise<void>;
  /** Aborts at the first SIGINT or SIGTERM; the reason is the signal's name. */
  signal: AbortSignal;
  clock: Clock;
}

/**
 * Listens to signals from the first look at `signal` on: agent and keeper have their own ways to
 * end.
 */
export function systemShell(): Shell {
  let signal: AbortSignal | undefined;
  // Both streams are one terminal, or one file, more often than not.
  let isLineOpen = false;
  const writeTo = (stream: NodeJS.WriteStream, text: string): Promise<void> => {
    if (text !== '') isLineOpen = !text.endsWith('\n');
    return new Promise(resolve => void stream.write(text, () => resolve()));
  };
  return {
    env: process.env,
    write: text => writeTo(process.stdout, text),
    writeError: text => writeTo(process.stderr, text),
    say: line => void writeTo(process.stderr, `${isLineOpen ? '\n' : ''}${visibleLines(line)}\n`),
    endLine: () => {
      if (isLineOpen && process.stdout.isTTY) void writeTo(process.stdout, '\n');
    },
    isTerminal: process.stdout.isTTY === true,
    isErrorTerminal: process.stderr.isTTY === true,
    columns: process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY,
    readInput,
    readSecret: readSecretFromTerminal,
    async dropSecrets() {
      await dropSecrets();
    },
    get signal() {
      signal ??= listen();
      return signal;
    },
    clock: systemClock,
  };
}

function listen(): AbortSignal {
  const ending = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      // Whoever asks twice does not want to wait for the end of what is under way.
      if (ending.signal.aborted) process.exit(exitOf(name));
      ending.abort(name);
    });
  }
  // A reader that has seen enough is no error of ours.
  process.stdout.on('error', () => ending.abort('EPIPE'));
  return ending.signal;
}

async function readInput(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString('utf8');
}
