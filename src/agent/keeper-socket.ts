/**
 * The agent's side of the keeper's socket. Connects to the keeper of a data directory, or starts
 * one: a program of its own, which outlives the agent.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, statSync, truncateSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createBatch } from '../lib/batch.ts';
import { type Clock, pause } from '../lib/clock.ts';
import { createLineSplitter } from '../lib/line-splitter.ts';
import { createPendingRequests } from '../lib/request-map.ts';
import { isSingleFile } from '../lib/single-file.ts';
import { socketPath } from '../lib/socket-path.ts';
import {
  KEEPER_LINE_BYTES_MAX,
  KEEPER_PROTOCOL,
  type Keeper,
  type KeeperEvent,
  KeeperLostError,
  type KeeperRequest,
  type KeeperToAgent,
  keeperDirectory,
  parseKeeperFrame,
  type RunStatus,
  type SpooledChunk,
} from '../protocol/keeper.ts';
import type { KeeperConnector } from './ports.ts';

/** From the first attempt to the failure of `connect`, ms, and between two attempts. */
const CONNECT_MS_MAX = 15_000;
const RETRY_MS = 10;
const LOG_BYTES_MAX = 1024 * 1024;
/** The keeper gets only these variables: others of the agent may hold secrets. */
const ENVIRONMENT = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TROUPE_RUN_TAG', 'DENO_DIR'];

export interface KeeperConnection extends Keeper {
  readonly pid: number;
  /** Closes the connection; the keeper and its runs go on. Idempotent. */
  close(): void;
}

export interface KeeperSocketOptions {
  /** The agent's data directory; created if need be. */
  directory: string;
  clock: Clock;
  /**
   * The command that runs `keeperMain`; `--data DIR` is appended. Default: this program, from
   * source or compiled.
   */
  command?: string[];
  /** See `keeperMain`; default there. */
  idleMs?: number;
}

export interface KeeperSocketConnector extends KeeperConnector {
  /** Rejects when no keeper answers within 15 s, or when it has another protocol version. */
  connect(): Promise<KeeperConnection>;
}

export function createKeeperConnector(options: KeeperSocketOptions): KeeperSocketConnector {
  const { directory: data, clock, command = defaultCommand(), idleMs } = options;
  const directory = keeperDirectory(data);
  const words = [...command, '--data', data, ...(idleMs === undefined ? [] : ['--idle-ms', String(idleMs)])];
  return {
    async connect() {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      const deadline = clock.monotonic() + CONNECT_MS_MAX;
      let child: ChildProcess | undefined;
      for (;;) {
        const connection = await tryConnect(directory, clock);
        if (connection !== undefined) return connection;
        if (clock.monotonic() > deadline)
          throw new Error(`no keeper answers in ${directory} and none could be started; see ${join(directory, 'log')}`);
        // A keeper that did not get the lock has exited again; the one that has it may be about to
        // listen, or about to exit.
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) child = startKeeper(words, directory);
        await pause(clock, RETRY_MS);
      }
    },
  };
}

/** `<program> [script] keeper`, for each way this program can be running. */
function defaultCommand(): string[] {
  const here = import.meta.url;
  // The first argument of a single-file program selects what it runs.
  if (isSingleFile(here)) return [process.execPath, 'keeper'];
  const script = fileURLToPath(new URL('../keeper/main.ts', here));
  const flags = process.versions.bun === undefined ? ['run', '--quiet', '-A'] : ['--smol'];
  return [process.execPath, ...flags, script, 'keeper'];
}

function startKeeper([program = '', ...args]: string[], directory: string): ChildProcess {
  const path = join(directory, 'log');
  if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > LOG_BYTES_MAX) truncateSync(path);
  const log = openSync(path, 'a', 0o600);
  const env = Object.fromEntries(ENVIRONMENT.flatMap(name => (process.env[name] === undefined ? [] : [[name, process.env[name]]])));
  const child = spawn(program, args, { cwd: directory, env, detached: true, stdio: ['ignore', log, log] });
  closeSync(log);
  // The deadline of `connect` reports a program that cannot be started.
  child.on('error', () => {});
  child.unref();
  return child;
}

/** Undefined: no keeper listens there. */
async function tryConnect(directory: string, clock: Clock): Promise<KeeperConnection | undefined> {
  const { path, release } = socketPath(directory);
  try {
    const socket = connect(path);
    const isOpen = await new Promise<boolean>(resolve => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    return isOpen ? await handshake(socket, clock) : undefined;
  } finally {
    release();
  }
}

/** Undefined: the keeper closed before it answered. Rejects when it refuses this agent. */
function handshake(socket: Socket, clock: Clock): Promise<KeeperConnection | undefined> {
  // Frames of one event-loop turn in one write: a busy agent sends thousands a second.
  const queued = createBatch<string>({
    schedule: clock.soon,
    send(lines) {
      if (!socket.destroyed) socket.write(lines.join(''));
    },
  });
  const write = (frame: object) => queued.add(`${JSON.stringify(frame)}\n`);
  const calls = createPendingRequests<unknown>();
  let listener: (event: KeeperEvent) => void = () => {};
  const lost = new Promise<void>(resolve => socket.on('close', () => resolve()));

  /** Results have the type of their method: both ends are this program, in the same version. */
  function call<T>(request: KeeperRequest): Promise<T> {
    if (socket.destroyed) return Promise.reject(new KeeperLostError());
    return calls.request(id => write({ id, ...request })) as Promise<T>;
  }

  const connection = (pid: number): KeeperConnection => ({
    pid,
    start: request => call<RunStatus>({ method: 'start', request }),
    stop: (run, graceMs) => call<null>({ method: 'stop', run, graceMs }).then(() => {}),
    list: () => call<RunStatus[]>({ method: 'list' }),
    read: (run, afterSeq, maxBytes) => call<SpooledChunk[]>({ method: 'read', run, afterSeq, maxBytes }),
    remove: run => call<null>({ method: 'remove', run }).then(() => {}),
    registerNotice: notice => call<null>({ method: 'registerNotice', notice }).then(() => {}),
    onEvent(next) {
      listener = next;
    },
    lost,
    close: () => void socket.destroy(),
  });

  return new Promise((resolve, reject) => {
    function receive(frame: KeeperToAgent): void {
      if ('event' in frame) listener(frame.event);
      else if ('refused' in frame) reject(new Error(frame.refused));
      else if ('protocol' in frame) resolve(connection(frame.pid));
      else if ('error' in frame) calls.reject(frame.id, new Error(frame.error));
      else calls.resolve(frame.id, frame.result);
    }
    const split = createLineSplitter(KEEPER_LINE_BYTES_MAX, text => {
      const frame = parseKeeperFrame(text);
      // Another program, or a damaged keeper: its successor recovers the runs.
      if (frame) receive(frame);
      else socket.destroy();
    });
    socket.on('data', (bytes: Uint8Array) => split(bytes));
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      calls.rejectAll(() => new KeeperLostError());
      resolve(undefined);
    });
    write({ protocol: KEEPER_PROTOCOL });
  });
}
