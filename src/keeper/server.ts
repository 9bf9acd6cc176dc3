/** The keeper's socket: answers every connected agent of the same user, sends events to all. */
import { chmodSync, existsSync, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { type Batch, createBatch } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import { createLineSplitter } from '../lib/line-splitter.ts';
import { socketPath } from '../lib/socket-path.ts';
import { KEEPER_LINE_BYTES_MAX, KEEPER_PROTOCOL, type KeeperRequest, type KeeperToAgent, parseAgentFrame } from '../protocol/keeper.ts';
import type { NoticeSender } from './alive-notice.ts';
import type { KeeperCore } from './core.ts';

/** An agent with more unread bytes is disconnected; it connects again and lists the runs. */
const UNREAD_BYTES_MAX = 32 * 1024 * 1024;
/** Longest span between two checks of the directory, ms. */
const CHECK_MS = 1_000;

export interface KeeperServer {
  /**
   * Resolves when no agent was connected and no run was alive for `idleMs`; with a reason, when no
   * agent can find this keeper any more.
   */
  readonly idle: Promise<string | undefined>;
  /** Closes the socket and every connection. Idempotent. */
  close(): Promise<void>;
}

/**
 * Resolves once agents can connect. The caller holds the lock of the directory, so an existing
 * socket file is left from a keeper that has exited.
 */
export async function serveKeeper(options: {
  core: KeeperCore;
  notices: NoticeSender;
  directory: string;
  clock: Clock;
  idleMs: number;
}): Promise<KeeperServer> {
  const { core, notices, directory, clock, idleMs } = options;
  const connections = new Set<Socket>();
  const { path, release } = socketPath(directory);
  const writer = createFrameWriter(clock);
  const { accepted, receive } = createReceiver({ core, notices, writer });

  const server = createServer(socket => {
    connections.add(socket);
    const split = createLineSplitter(KEEPER_LINE_BYTES_MAX, text => receive(socket, text));
    socket.on('data', (bytes: Uint8Array) => {
      try {
        split(bytes);
      } catch {
        // Invalid JSON or an endless line: not one of our agents.
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      connections.delete(socket);
      accepted.delete(socket);
      notices.disconnected(socket);
    });
  });
  core.onEvent(event => {
    for (const socket of accepted) writer.send(socket, { event });
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  chmodSync(path, 0o600);
  const isReplaced = watchSocketFile(directory, path);

  return {
    idle: untilIdle(clock, idleMs, { connected: () => connections.size > 0, busy: core.busy, isReplaced }),
    async close() {
      for (const socket of connections) socket.destroy();
      // Another keeper's socket may have the path by now.
      if (!server.listening || isReplaced()) return;
      await new Promise(resolve => server.close(resolve));
      rmSync(path, { force: true });
      release();
    },
  };
}

type FrameWriter = ReturnType<typeof createFrameWriter>;

/** Greets agents and answers their requests. `accepted`: agents of this keeper's protocol. */
function createReceiver({ core, notices, writer }: { core: KeeperCore; notices: NoticeSender; writer: FrameWriter }) {
  const accepted = new Set<Socket>();

  function accept(socket: Socket, protocol: number): void {
    if (protocol !== KEEPER_PROTOCOL) {
      const refused = `this keeper has protocol ${KEEPER_PROTOCOL}, the agent ${protocol}; it finishes its runs and exits, then the agent can start its own`;
      writer.end(socket, { refused });
      return;
    }
    accepted.add(socket);
    writer.send(socket, { protocol: KEEPER_PROTOCOL, pid: process.pid });
  }

  function execute(socket: Socket, id: number, request: KeeperRequest): void {
    if (request.method === 'registerNotice') {
      notices.register(socket, request.notice);
      return writer.send(socket, { id, result: null });
    }
    callCore(core, request).then(
      result => writer.send(socket, { id, result: result ?? null }),
      (error: unknown) => writer.send(socket, { id, error: error instanceof Error ? error.message : String(error) }),
    );
  }

  function receive(socket: Socket, text: string): void {
    const frame = parseAgentFrame(text);
    if (frame === undefined) socket.destroy();
    else if ('protocol' in frame) accept(socket, frame.protocol);
    else if (!accepted.has(socket)) socket.destroy();
    else if ('problem' in frame) writer.send(socket, { id: frame.id, error: frame.problem });
    else execute(socket, frame.id, frame);
  }

  return { accepted, receive };
}

/** Sends the frames of one event-loop turn in one write: a short run has five of them. */
function createFrameWriter(clock: Clock) {
  const queued = new WeakMap<Socket, Batch<string>>();

  function write(socket: Socket, lines: string[]): void {
    if (socket.destroyed) return;
    socket.write(lines.join(''));
    if (socket.writableLength > UNREAD_BYTES_MAX) socket.destroy();
  }

  function send(socket: Socket, frame: KeeperToAgent): void {
    const batch = queued.get(socket) ?? createBatch<string>({ schedule: clock.soon, send: lines => write(socket, lines) });
    queued.set(socket, batch);
    batch.add(`${JSON.stringify(frame)}\n`);
  }

  return {
    send,
    end(socket: Socket, last: KeeperToAgent): void {
      send(socket, last);
      queued.get(socket)?.flush();
      socket.end();
    },
  };
}

function callCore(core: KeeperCore, request: Exclude<KeeperRequest, { method: 'registerNotice' }>): Promise<unknown> {
  switch (request.method) {
    case 'start':
      return core.start(request.request);
    case 'stop':
      return core.stop(request.run, request.graceMs);
    case 'list':
      return core.list();
    case 'read':
      return core.read(request.run, request.afterSeq, request.maxBytes);
    case 'remove':
      return core.remove(request.run);
  }
}

/**
 * Whether the directory was deleted or its socket file is another one by now. Through an open
 * descriptor, which follows the directory when it is renamed.
 */
function watchSocketFile(directory: string, path: string): () => boolean {
  const fd = openSync(directory, 'r');
  const file = existsSync('/proc/self/fd') ? `/proc/self/fd/${fd}/socket` : path;
  const inode = () => statSync(file, { throwIfNoEntry: false })?.ino;
  const own = inode();
  return () => fstatSync(fd).nlink === 0 || inode() !== own;
}

function untilIdle(
  clock: Clock,
  idleMs: number,
  is: { connected(): boolean; busy(): boolean; isReplaced(): boolean },
): Promise<string | undefined> {
  return new Promise(resolve => {
    let idleSince = clock.monotonic();
    const check = () => {
      if (!is.connected() && is.isReplaced()) return resolve('the data directory of its agent was deleted');
      if (is.connected() || is.busy()) idleSince = clock.monotonic();
      const left = idleSince + idleMs - clock.monotonic();
      if (left <= 0) resolve(undefined);
      else clock.after(Math.min(left, CHECK_MS), check);
    };
    check();
  });
}
