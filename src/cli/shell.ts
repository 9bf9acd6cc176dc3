/** The terminal that a verb speaks to, as a port: tests give one of their own. */
import process from 'node:process';
import { type Clock, systemClock } from '../clock.ts';
import { exitOf } from './failure.ts';

export interface Shell {
  env: Record<string, string | undefined>;
  /** What was asked for. Resolves when it has left; a reader that went away (`| head`) ends `signal`. */
  write(text: string): Promise<void>;
  /** Everything else: errors, hints, progress. One line. */
  say(line: string): void;
  /** Is somebody looking at what `write` gives? */
  isTerminal: boolean;
  /** Width of the terminal; infinite where there is none. */
  columns: number;
  /** All of standard input, as text. */
  readInput(): Promise<string>;
  /** One line that is not shown while it is typed. */
  readSecret(prompt: string): Promise<string>;
  /** Aborts at the first SIGINT or SIGTERM; the reason is the signal's name. */
  signal: AbortSignal;
  clock: Clock;
}

/** Listens to signals from the first look at `signal` on: agent and keeper have their own ways to end. */
export function systemShell(): Shell {
  let signal: AbortSignal | undefined;
  return {
    env: process.env,
    write: text => new Promise(resolve => void process.stdout.write(text, () => resolve())),
    say: line => void process.stderr.write(`${line}\n`),
    isTerminal: process.stdout.isTTY === true,
    columns: process.stdout.isTTY ? process.stdout.columns || 80 : Number.POSITIVE_INFINITY,
    readInput,
    readSecret,
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

const ENTER = /[\r\n]/;
const INTERRUPT = '\u0003';
const END_OF_INPUT = '\u0004';
const RUB_OUT = ['\u007f', '\b'];

async function readSecret(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) return (await readInput()).split(/\r?\n/, 1)[0] ?? '';
  process.stderr.write(prompt);
  process.stdin.setRawMode(true);
  let typed = '';
  try {
    for await (const piece of process.stdin) {
      for (const key of String(piece)) {
        if (ENTER.test(key) || key === END_OF_INPUT) return typed;
        if (key === INTERRUPT) {
          process.kill(process.pid, 'SIGINT');
          return '';
        }
        typed = RUB_OUT.includes(key) ? [...typed].slice(0, -1).join('') : typed + key;
      }
    }
    return typed;
  } finally {
    process.stdin.setRawMode(false);
    process.stderr.write('\n');
  }
}
