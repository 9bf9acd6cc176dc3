/**
 * Reads a secret from the terminal itself, not from standard input. Keys from before the prompt do
 * not count: a pasted block of commands would become the password. Whole lines of them go back into
 * the terminal for the shell, where the kernel allows it (TIOCSTI); the rest is dropped.
 */
import { constants, openSync, readSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import process from 'node:process';
import { ReadStream } from 'node:tty';
import { openLibc } from '../lib/libc.ts';
import { EXIT, Failure } from './failure.ts';

const TERMINAL = '/dev/tty';
/** Limit of input from before the prompt, bytes. The queue of a terminal holds 4,096. */
const AHEAD_MAX = 65_536;
const [INTERRUPT, END_OF_INPUT, BACKSPACE, LINE_FEED, RETURN, RUB_OUT, ERASE_LINE] = [3, 4, 8, 10, 13, 127, 21];

/**
 * One line, without its end, not shown while it is typed. Throws Failure `usage` without a
 * terminal; Ctrl-C interrupts this process.
 */
export async function readSecretFromTerminal(prompt: string): Promise<string> {
  let fd: number;
  try {
    fd = openSync(TERMINAL, constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch (error) {
    throw new Failure(EXIT.usage, 'there is no terminal to ask for the password; --password-stdin takes it from standard input', {
      cause: error,
    });
  }
  const terminal = new ReadStream(fd);
  const keys = await open(TERMINAL, constants.O_RDWR | constants.O_NOCTTY);
  let ahead = Buffer.alloc(0);
  try {
    terminal.setRawMode(true);
    ahead = takeWaiting(fd);
    await keys.write(prompt);
    return await readLine(keys);
  } finally {
    terminal.setRawMode(false);
    await keys.write('\n');
    await giveBack(fd, ahead);
    await keys.close();
    terminal.destroy();
  }
}

/** All input that is in the terminal now. */
function takeWaiting(fd: number): Buffer<ArrayBuffer> {
  const taken = Buffer.alloc(AHEAD_MAX);
  let length = 0;
  try {
    for (let read = -1; read !== 0 && length < taken.length; length += read)
      read = readSync(fd, taken, length, taken.length - length, null);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
  }
  return taken.subarray(0, length);
}

/** Reads key by key: input after the line stays in the terminal. */
async function readLine(keys: FileHandle): Promise<string> {
  const typed: number[] = [];
  const key = Buffer.alloc(1);
  for (;;) {
    const { bytesRead } = await keys.read(key, 0, 1);
    const [code = 0] = key;
    if (bytesRead === 0 || code === RETURN || code === LINE_FEED || code === END_OF_INPUT) return Buffer.from(typed).toString();
    if (code === INTERRUPT) {
      process.kill(process.pid, 'SIGINT');
      return '';
    }
    if (code === ERASE_LINE) typed.length = 0;
    else if (code === BACKSPACE || code === RUB_OUT) {
      // Removes a whole character of UTF-8: its continuation bytes and the byte before them.
      while (((typed.pop() ?? 0) & 0xc0) === 0x80);
    } else typed.push(code);
  }
}

async function giveBack(fd: number, ahead: Buffer): Promise<void> {
  const whole = ahead.subarray(0, Math.max(ahead.lastIndexOf(LINE_FEED), ahead.lastIndexOf(RETURN)) + 1);
  if (whole.length === 0) return;
  const simulate = await simulatedInput();
  if (simulate && whole.every(byte => simulate(fd, byte))) return;
  process.stderr.write(
    'troupe: lines typed before the prompt are dropped, because this terminal does not accept them again; type them once more\n',
  );
}

const TIOCSTI = 0x5412n;

/** Puts a byte into a terminal's input, as if typed. Undefined where libc cannot be called. */
async function simulatedInput(): Promise<((fd: number, byte: number) => boolean) | undefined> {
  const libc = await openLibc({ ioctl: ['i32', 'u64', 'bytes'] });
  return libc && ((fd, byte) => libc.ioctl(fd, TIOCSTI, Uint8Array.of(byte)) === 0);
}
