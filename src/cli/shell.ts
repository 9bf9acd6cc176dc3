/** The terminal of a verb as a port: tests have their own. */
import process from 'node:process';
import { type Clock, systemClock } from '../lib/clock.ts';
import { dropSecrets } from '../lib/process-secrets.ts';
import { visibleLines } from '../lib/visible.ts';
import { exitOf } from './failure.ts';

export interface Shell {
  env: Record<string, string | undefined>;
  /** Writes a result. Resolves when it is written. A closed reader (`| head`) aborts `signal`. */
  write(text: string): Promise<void>;
  /** The same to standard error, for output of processes. */
  writeError(text: string): Promise<void>;
  /**
   * Writes a line to standard error: an error, a hint, progress. Begins with a line feed where the
   * line before is open.
   */
  notify(line: string): void;
  /**
   * Ends an open line on a terminal: the prompt of the shell would follow it otherwise.
   */
  endLine(): void;
  /** Whether `write` writes to a terminal. */
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

/** Handles signals only after `signal` was read: agent and keeper handle them in their own way. */
export function systemShell(): Shell {
  let signal: AbortSignal | undefined;
  // One state for both streams: they usually share one terminal or one file.
  let isLineOpen = false;
  const writeTo = (stream: NodeJS.WriteStream, text: string): Promise<void> => {
    if (text !== '') isLineOpen = !text.endsWith('\n');
    return new Promise(resolve => void stream.write(text, () => resolve()));
  };
  return {
    env: process.env,
    write: text => writeTo(process.stdout, text),
    writeError: text => writeTo(process.stderr, text),
    notify: line => void writeTo(process.stderr, `${isLineOpen ? '\n' : ''}${visibleLines(line)}\n`),
    endLine: () => {
      if (isLineOpen && process.stdout.isTTY) void writeTo(process.stdout, '\n');
    },
    isTerminal: process.stdout.isTTY === true,
    isErrorTerminal: process.stderr.isTTY === true,
    columns: process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY,
    readInput,
    readSecret: async prompt => (await import('./terminal.ts')).readSecretFromTerminal(prompt),
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
      // A second signal ends the process without waiting for pending work.
      if (ending.signal.aborted) process.exit(exitOf(name));
      ending.abort(name);
    });
  }
  // A reader that closes the pipe early is no error.
  process.stdout.on('error', () => ending.abort('EPIPE'));
  return ending.signal;
}

async function readInput(): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of process.stdin) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces).toString('utf8');
}
