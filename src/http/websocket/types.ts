/** Sockets, their handlers and listeners, independent of the runtime. */
import type { Clock } from '../../lib/clock.ts';

/** The other end of a connection. */
export interface Peer {
  /** IP address as the listener sees it; empty when unknown. */
  address: string;
}

/** One open socket. */
export interface Socket {
  /**
   * `buffered`: queued behind others. `dropped`: the frame would exceed `bufferMaxBytes`, or the
   * socket is closing; nothing was sent.
   */
  send(text: string): 'sent' | 'buffered' | 'dropped';
  /** Begins to close; `closed` follows within CLOSE_GRACE_MS. Idempotent. */
  close(code: number, reason: string): void;
  /** Bytes that wait for the network. */
  buffered(): number;
  /**
   * Runs the work synchronously; its frames go out in one write where the runtime supports that.
   */
  together?(work: () => void): void;
}

/** The handlers and limits of one socket. */
export interface SocketHandlers {
  /** Largest accepted frame; a larger one closes the socket with 1009. */
  frameMaxBytes: number;
  /** Outgoing bytes that may wait; see `Socket.send`. */
  bufferMaxBytes: number;
  open(socket: Socket): void;
  /** A text frame. Binary ones close the socket with 1003. */
  frame(text: string): void;
  /** Exactly once for each socket that was opened; no `frame` after it. */
  closed(code: number, reason: string): void;
}

export interface ListenParts {
  /** Port 0: any free one; `Listening.addresses` has it. */
  addresses: { host: string; port: number }[];
  /** Answers a request that opens no socket. `peer` is the environment of Hono's `app.fetch`. */
  fetch(request: Request, peer: Peer): Response | Promise<Response>;
  /**
   * Returns for a WebSocket handshake its handlers, a refusal, or undefined when the path serves no
   * sockets; `fetch` then answers.
   */
  upgrade(request: Request, peer: Peer): SocketHandlers | Response | undefined | Promise<SocketHandlers | Response | undefined>;
  clock: Clock;
  /**
   * Largest request body, bytes, where the listener has such a limit. Routes have lower ones.
   * Default: BODY_MAX_BYTES.
   */
  bodyMaxBytes?: number;
  /** Default: the runtime of this process. */
  using?: 'bun' | 'deno' | 'ws';
}

export interface Listening {
  /** The bound addresses, in the order of the request. */
  addresses: { host: string; port: number }[];
  /**
   * Accepts nothing new, closes sockets with 1001, waits for open responses, and cuts them after
   * `graceMs`. Idempotent.
   */
  stop(graceMs: number): Promise<void>;
}

/** One bound address. */
export interface Bound {
  port: number;
  /** Resolves after the last open response. */
  stop(): Promise<void>;
  /** Cuts open connections. */
  cut(): void;
}
export type Bind = (at: { host: string; port: number }, parts: ListenParts, connections: SocketConnections) => Promise<Bound>;

/** A socket of a runtime. */
export interface RawSocket {
  send(text: string): void;
  buffered(): number;
  /** Runs the work synchronously and sends its frames in one write. Undefined: not supported. */
  together?(work: () => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
  /** Sends a ping; undefined where the runtime does so by itself. */
  ping?(): void;
}

/** Events of one socket, from its runtime. */
export interface SocketConnection {
  text(frame: string): void;
  binary(): void;
  /** The peer sent a ping or a pong. */
  alive(): void;
  ended(code: number, reason: string): void;
}

export interface SocketConnections {
  open(raw: RawSocket, handlers: SocketHandlers): SocketConnection;
  /** Closes all with 1001, and later ones as soon as they open. Idempotent. */
  stop(): void;
}
