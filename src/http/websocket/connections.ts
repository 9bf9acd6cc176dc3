/**
 * Rules for all sockets, whichever runtime carries them: limits of frames and buffers, exactly one
 * `closed`, a cut when the peer does not answer a close, and pings that find dead peers.
 */
import type { Clock, Disarm } from '../../lib/clock.ts';
import type { RawSocket, Socket, SocketConnection, SocketConnections, SocketHandlers } from './types.ts';

/** Wait for the peer's answer to a close before the socket is cut. */
const CLOSE_GRACE_MS = 5_000;
/** Between pings. A peer that sends nothing from one to the next is dead. */
export const PING_MS = 30_000;
/** Longest time without a byte of a response that is not streamed. */
export const ANSWER_IDLE_SECONDS = 120;
/** Default of the largest request body that the listeners accept; routes have lower limits. */
export const BODY_MAX_BYTES = 128 * 1024 * 1024;
/** Largest `frameMaxBytes` of any handlers. */
export const FRAME_MAX_BYTES = 256 * 1024;
/** Longest reason of a close frame, bytes of UTF-8 (RFC 6455). */
const REASON_MAX_BYTES = 123;

/**
 * A response with this header has no idle limit, and proxies such as nginx do not buffer it. All
 * others are cut after ANSWER_IDLE_SECONDS without a byte.
 */
export const STREAMED = { 'x-accel-buffering': 'no' } as const;
export const isStreamed = (answer: Response): boolean => answer.headers.get('x-accel-buffering') === 'no';

interface Connection extends SocketConnection {
  readonly raw: RawSocket;
  readonly socket: Socket;
  /** The peer sent something since the last ping. */
  isAlive: boolean;
}

export function createConnections(clock: Clock): SocketConnections {
  const connections = new Set<Connection>();
  const stopPings = startPings(clock, connections);
  let isStopped = false;

  return {
    open(raw, handlers) {
      const connection: Connection = createConnection(raw, handlers, { clock, onEnd: () => connections.delete(connection) });
      connections.add(connection);
      handlers.open(connection.socket);
      if (isStopped) connection.socket.close(1001, 'the center stops');
      return connection;
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      stopPings();
      for (const { socket } of [...connections]) socket.close(1001, 'the center stops');
    },
  };
}

/** Pings all peers every PING_MS; cuts off those that sent nothing since the last ping. */
function startPings(clock: Clock, connections: ReadonlySet<Connection>): Disarm {
  let disarm: Disarm = () => {};
  const arm = () => {
    const due = clock.monotonic() + PING_MS;
    disarm = clock.after(PING_MS, () => {
      // Late by half an interval: this process was suspended, and frames of the peers may be
      // unread.
      const isLate = clock.monotonic() - due > PING_MS / 2;
      for (const connection of [...connections]) {
        if (!connection.raw.ping) continue;
        if (!connection.isAlive && !isLate) connection.raw.terminate();
        connection.isAlive = false;
        connection.raw.ping();
      }
      arm();
    });
  };
  arm();
  return () => disarm();
}

function createConnection(raw: RawSocket, handlers: SocketHandlers, { clock, onEnd }: { clock: Clock; onEnd(): void }): Connection {
  let state: 'open' | 'closing' | 'closed' = 'open';
  let disarmCut: Disarm = () => {};

  const ended = (code: number, reason: string) => {
    if (state === 'closed') return;
    state = 'closed';
    disarmCut();
    onEnd();
    handlers.closed(code, reason);
  };
  const close = (code: number, reason: string) => {
    if (state !== 'open') return;
    state = 'closing';
    const brief = cutText(reason, REASON_MAX_BYTES);
    disarmCut = clock.after(CLOSE_GRACE_MS, () => {
      raw.terminate();
      ended(code, brief);
    });
    raw.close(code, brief);
  };
  const socket: Socket = {
    send(text) {
      if (state !== 'open') return 'dropped';
      const waiting = raw.buffered();
      if (waiting > 0 && waiting + text.length > handlers.bufferMaxBytes) return 'dropped';
      raw.send(text);
      return raw.buffered() > 0 ? 'buffered' : 'sent';
    },
    close,
    together: work => (raw.together && state === 'open' ? raw.together(work) : work()),
    buffered: () => (state === 'closed' ? 0 : raw.buffered()),
  };

  const connection: Connection = {
    raw,
    socket,
    isAlive: true,
    text(frame) {
      connection.isAlive = true;
      if (state !== 'open') return;
      if (exceeds(frame, handlers.frameMaxBytes)) return close(1009, `a frame may have ${handlers.frameMaxBytes} bytes`);
      handlers.frame(frame);
    },
    binary() {
      connection.isAlive = true;
      close(1003, 'text frames only');
    },
    alive() {
      connection.isAlive = true;
    },
    ended,
  };
  return connection;
}

/** Whether `text` exceeds `max` bytes of UTF-8; counts only where its length leaves it open. */
function exceeds(text: string, max: number): boolean {
  if (text.length * 3 <= max) return false;
  return text.length > max || Buffer.byteLength(text) > max;
}

function cutText(text: string, maxBytes: number): string {
  if (!exceeds(text, maxBytes)) return text;
  // A cut character becomes U+FFFD, which has three bytes.
  return Buffer.from(text)
    .subarray(0, maxBytes - 3)
    .toString();
}
