/** Sockets, their handlers, and listeners, whichever runtime carries them. */
import type { Clock } from '../../lib/clock.ts';

/** Who is at the other end. */
export interface Peer {
  /** IP address as the listener sees it; empty when it cannot be told. */
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
  /** Bytes not yet handed to the network. */
  buffered(): number;
  /** Does the work at once; where the carrier can, what it sends leaves in one write. */
  together?(work: () => void): void;
}

/** What one socket is served with. */
export interface SocketHandlers {
  /** Largest frame taken; a larger one closes the socket with 1009. */
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
  /** Port 0 takes any free one; `Listening.addresses` names it. */
  addresses: { host: string; port: number }[];
  /** Answers what is not a socket. `peer` comes as the environment of Hono's `app.fetch`. */
  fetch(request: Request, peer: Peer): Response | Promise<Response>;
  /**
   * Asked for each WebSocket handshake: the handlers, a refusal, or undefined when the path serves
   * no sockets (`fetch` then answers).
   */
  upgrade(request: Request, peer: Peer): SocketHandlers | Response | undefined | Promise<SocketHandlers | Response | undefined>;
  clock: Clock;
  /** Default: what the program runs on. */
  using?: 'bun' | 'deno' | 'ws';
}

export interface Listening {
  /** Where it really listens, in the order asked for. */
  addresses: { host: string; port: number }[];
  /**
   * Takes nothing new, closes sockets with 1001, waits for open answers, and after `graceMs` cuts
   * them. Stopping twice is fine.
   */
  stop(graceMs: number): Promise<void>;
}

/** One bound address. */
export interface Bound {
  port: number;
  /** Resolves when the last answer is given. */
  stop(): Promise<void>;
  /** Cuts what is open. */
  cut(): void;
}
export type Bind = (at: { host: string; port: number }, parts: ListenParts, connections: SocketConnections) => Promise<Bound>;

/** A socket as the carrier gives it. */
export interface RawSocket {
  send(text: string): void;
  buffered(): number;
  /** Does the work at once and sends its frames in one write. Undefined: not supported here. */
  together?(work: () => void): void;
  close(code: number, reason: string): void;
  terminate(): void;
  /** Asks for a sign of life; undefined where the carrier does so by itself. */
  ping?(): void;
}

/** The carrier's side of one socket. */
export interface SocketConnection {
  text(frame: string): void;
  binary(): void;
  /** A sign of life. */
  alive(): void;
  ended(code: number, reason: string): void;
}

export interface SocketConnections {
  open(raw: RawSocket, handlers: SocketHandlers): SocketConnection;
  /** Closes all with 1001; nothing new is opened. */
  stop(): void;
}
