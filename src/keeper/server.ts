/**
 * The keeper's side of the socket: every connection is an agent of the same user; each is answered,
 * all hear the news.
 */
import { chmodSync, existsSync, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import type { Clock } from '../lib/clock.ts';
import type { LastWords } from './alive-notice.ts';
import type { KeeperCore } from './core.ts';
import { type Ask, carryOut, createLines, type FromKeeperFrame, KEEPER_PROTOCOL, parseFromAgent, socketPath } from './socket.ts';

/** An agent that leaves this much unread is cut off; it comes back and lists. Bytes. */
const UNREAD_BYTES_MAX = 32 * 1024 * 1024;

export interface KeeperServer {
  /**
   * Resolves when nobody was connected and nothing ran for `idleMs`; with the reason, when no agent
   * can find this keeper and its runs any more.
   */
  readonly idle: Promise<string | undefined>;
  /** Closes the socket and every connection. Twice is fine. */
  close(): Promise<void>;
}

/**
 * Resolves once agents can connect. The caller holds the lock of the directory: a socket file found
 * there is a dead keeper's.
 */
export async function serveKeeper(options: {
  core: KeeperCore;
  lastWords: LastWords;
  directory: string;
  clock: Clock;
  idleMs: number;
}): Promise<KeeperServer> {
  const { core, lastWords, directory, clock, idleMs } = options;
  const connections = new Set<Socket>();
  const greeted = new Set<Socket>();
  const { path, release } = socketPath(directory);

  /** Frames of one moment leave in one write: a short run has five of them. */
  const leaving = new Map<Socket, string[]>();
  function send(socket: Socket, frame: FromKeeperFrame): void {
    const line = `${JSON.stringify(frame)}\n`;
    const lines = leaving.get(socket);
    if (lines !== undefined) {
      lines.push(line);
      return;
    }
    leaving.set(socket, [line]);
    clock.soon(() => flush(socket));
  }

  function flush(socket: Socket): void {
    const lines = leaving.get(socket) ?? [];
    leaving.delete(socket);
    if (socket.destroyed) return;
    socket.write(lines.join(''));
    if (socket.writableLength > UNREAD_BYTES_MAX) socket.destroy();
  }

  function greet(socket: Socket, protocol: number): void {
    if (protocol !== KEEPER_PROTOCOL) {
      const refused = `this keeper speaks protocol ${KEEPER_PROTOCOL}, the agent ${protocol}; the keeper goes on for the runs it has and ends by itself`;
      send(socket, { refused });
      flush(socket);
      socket.end();
      return;
    }
    greeted.add(socket);
    send(socket, { keeper: KEEPER_PROTOCOL, pid: process.pid });
  }

  function carry(socket: Socket, id: number, ask: Ask): void {
    if (ask.ask === 'entrust') {
      lastWords.entrust(socket, ask.word);
      return send(socket, { id, answer: null });
    }
    carryOut(core, ask).then(
      answer => send(socket, { id, answer: answer ?? null }),
      (error: unknown) => send(socket, { id, error: error instanceof Error ? error.message : String(error) }),
    );
  }

  function take(socket: Socket, text: string): void {
    const frame = parseFromAgent(text);
    if (frame === undefined) socket.destroy();
    else if ('agent' in frame) greet(socket, frame.agent);
    else if (!greeted.has(socket)) socket.destroy();
    else if ('problem' in frame) send(socket, { id: frame.id, error: frame.problem });
    else carry(socket, frame.id, frame);
  }

  const server = createServer(socket => {
    connections.add(socket);
    const lines = createLines(text => take(socket, text));
    socket.on('data', (bytes: Uint8Array) => {
      try {
        lines(bytes);
      } catch {
        // Not JSON, or a line without end: no agent of ours.
        socket.destroy();
      }
    });
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      connections.delete(socket);
      greeted.delete(socket);
      lastWords.broke(socket);
    });
  });
  core.onNews(news => {
    for (const socket of greeted) send(socket, { news });
  });
  rmSync(path, { force: true });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  chmodSync(path, 0o600);

  // The directory itself, wherever it is moved to: removed, it has no name left. And the way in:
  // who removes a directory while it is written to may leave it.
  const place = openSync(directory, 'r');
  const door = existsSync('/proc/self/fd') ? `/proc/self/fd/${place}/socket` : path;
  const inode = () => statSync(door, { throwIfNoEntry: false })?.ino;
  const own = inode();
  const isGone = () => fstatSync(place).nlink === 0 || inode() !== own;

  const idle = new Promise<string | undefined>(resolve => {
    let quietSince = clock.monotonic();
    const look = () => {
      if (connections.size === 0 && isGone()) return resolve('the data directory of its agent was removed');
      if (connections.size > 0 || core.busy()) quietSince = clock.monotonic();
      const left = quietSince + idleMs - clock.monotonic();
      if (left <= 0) resolve(undefined);
      else clock.after(Math.min(left, 1_000), look);
    };
    look();
  });

  return {
    idle,
    async close() {
      for (const socket of connections) socket.destroy();
      // What has the socket's path by now is not ours to remove.
      if (!server.listening || isGone()) return;
      await new Promise(resolve => server.close(resolve));
      rmSync(path, { force: true });
      release();
    },
  };
}
