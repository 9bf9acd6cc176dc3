/**
 * The agent's side of the socket, and the door: it finds the living keeper of a data directory or
 * starts one, a program of its own that outlives the agent.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, truncateSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Ask,
  createLines,
  type FromKeeperFrame,
  KEEPER_PROTOCOL,
  keeperDirectory,
  parseFromKeeper,
  socketPath,
} from '../keeper/socket.ts';
import { createBatch } from '../lib/batch.ts';
import { type Clock, pause } from '../lib/clock.ts';
import { createPendingRequests } from '../lib/request-map.ts';
import { type Keeper, KeeperGone, type KeeperNews, type KeptRun, type SpooledChunk } from '../protocol/keeper.ts';
import type { KeeperDoor } from './ports.ts';

const OPEN_MS_MAX = 15_000;
const KNOCK_MS = 10;
const LOG_BYTES_MAX = 1024 * 1024;
/** All a keeper needs of its environment; it gets nothing else, such as tokens. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TROUPE_RUN_MARK', 'DENO_DIR'];

export interface KeeperClient extends Keeper {
  readonly pid: number;
  /** Hangs up; the keeper and its runs go on. Twice is fine. */
  close(): void;
}

export interface DoorOptions {
  /** The agent's data directory; made if need be. */
  directory: string;
  clock: Clock;
  /**
   * The command that runs `keeperMain`, `--data <directory>` is added; default: this program, from
   * source or compiled.
   */
  launch?: string[];
  /** See `keeperMain`; default there. */
  idleMs?: number;
}

export interface OpenDoor extends KeeperDoor {
  /** Rejects when no keeper answers within 15 s, or when it speaks another protocol. */
  open(): Promise<KeeperClient>;
}

export function createKeeperDoor({ directory: data, clock, launch = defaultLaunch(), idleMs }: DoorOptions): OpenDoor {
  const directory = keeperDirectory(data);
  const command = [...launch, '--data', data, ...(idleMs === undefined ? [] : ['--idle-ms', String(idleMs)])];
  return {
    async open() {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const until = clock.monotonic() + OPEN_MS_MAX;
      let child: ChildProcess | undefined;
      for (;;) {
        const keeper = await tryConnect(directory, clock);
        if (keeper !== undefined) return keeper;
        if (clock.monotonic() > until)
          throw new Error(`no keeper answers in ${directory} and none could be started; see ${join(directory, 'log')}`);
        // One that lost the race for the directory has ended again; the winner may be about to
        // listen, or about to end.
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) child = launchKeeper(command, directory);
        await pause(clock, KNOCK_MS);
      }
    },
  };
}

/** `<program> [script] keeper`, in each of the ways this program can be running. */
function defaultLaunch(): string[] {
  const here = import.meta.url;
  // A single-file program holds its sources in a file system of its own and is told what to be by
  // its first argument.
  if (here.includes('/$bunfs/') || here.includes('/~BUN/') || here.includes('/deno-compile-')) return [process.execPath, 'keeper'];
  const script = fileURLToPath(new URL('../keeper/main.ts', here));
  const flags = process.versions.bun === undefined ? ['run', '--quiet', '-A'] : ['--smol'];
  return [process.execPath, ...flags, script, 'keeper'];
}

function launchKeeper([program = '', ...args]: string[], directory: string): ChildProcess {
  const path = join(directory, 'log');
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) truncateSync(path);
  const log = openSync(path, 'a', 0o600);
  const env = Object.fromEntries(ENVIRONMENT.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  const child = spawn(program, args, { cwd: directory, env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  // The caller's deadline tells about a program that cannot be started.
  child.on('error', () => {});
  child.unref();
  return child;
}

/** undefined: nobody listens there. */
async function tryConnect(directory: string, clock: Clock): Promise<KeeperClient | undefined> {
  const { path, release } = socketPath(directory);
  try {
    const socket = connect(path);
    const open = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    return open ? await talk(socket, clock) : undefined;
  } finally {
    release();
  }
}

/** undefined: the keeper went away before it greeted. */
function talk(socket: Socket, clock: Clock): Promise<KeeperClient | undefined> {
  const waiting = createPendingRequests<unknown>();
  let listener: (news: KeeperNews) => void = () => {};
  let settleGone = () => {};
  const gone = new Promise<void>(resolve => {
    settleGone = resolve;
  });
  /** Questions of one moment leave in one write: a busy agent asks thousands a second. */
  const leaving = createBatch<string>({
    schedule: clock.soon,
    send(lines) {
      if (!socket.destroyed) socket.write(lines.join(''));
    },
  });
  const write = (frame: object) => leaving.add(`${JSON.stringify(frame)}\n`);

  /**
   * Answers have the type their question promises: both ends are this program, and the greeting saw
   * to the version.
   */
  function ask<T>(question: Ask): Promise<T> {
    if (socket.destroyed) return Promise.reject(new KeeperGone('the keeper is gone'));
    return waiting.request(id => write({ id, ...question })) as Promise<T>;
  }

  const client = (pid: number): KeeperClient => ({
    pid,
    start: order => ask<KeptRun>({ ask: 'start', order }),
    stop: (run, graceMs) => ask<null>({ ask: 'stop', run, graceMs }).then(() => {}),
    list: () => ask<KeptRun[]>({ ask: 'list' }),
    read: (run, afterSeq, maxBytes) => ask<SpooledChunk[]>({ ask: 'read', run, afterSeq, maxBytes }),
    forget: run => ask<null>({ ask: 'forget', run }).then(() => {}),
    entrust: word => ask<null>({ ask: 'entrust', word }).then(() => {}),
    onNews(next) {
      listener = next;
    },
    gone,
    close: () => void socket.destroy(),
  });

  return new Promise((resolve, reject) => {
    function take(frame: FromKeeperFrame): void {
      if ('news' in frame) listener(frame.news);
      else if ('refused' in frame) reject(new Error(frame.refused));
      else if ('keeper' in frame) resolve(client(frame.pid));
      else settle(frame);
    }
    function settle(frame: { id: number; answer: unknown } | { id: number; error: string }): void {
      if ('error' in frame) waiting.reject(frame.id, new Error(frame.error));
      else waiting.resolve(frame.id, frame.answer);
    }
    const lines = createLines(text => {
      const frame = parseFromKeeper(text);
      // Another program, or a keeper whose memory is damaged: its runs are found by the next one.
      if (frame) take(frame);
      else socket.destroy();
    });
    socket.on('data', (bytes: Uint8Array) => lines(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      waiting.rejectAll(() => new KeeperGone('the keeper is gone'));
      resolve(undefined);
      settleGone();
    });
    write({ agent: KEEPER_PROTOCOL });
  });
}
