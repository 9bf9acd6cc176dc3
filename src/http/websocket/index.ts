/**
 * WebSockets as the rest of the front door sees them, and the listeners that carry them beside
 * HTTP. Three ways to the same port: the runtime's own sockets on Bun and on Deno, the `ws` package
 * elsewhere.
 */
import type { Clock } from '../../lib/clock.ts';
import { listenOnBun } from './bun.ts';
import { listenOnDeno } from './deno.ts';
import { createLines, type Lines } from './lines.ts';
import { listenWithWs } from './ws.ts';

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
interface Bound {
  port: number;
  /** Resolves when the last answer is given. */
  stop(): Promise<void>;
  /** Cuts what is open. */
  cut(): void;
}
export type Bind = (at: { host: string; port: number }, parts: ListenParts, lines: Lines) => Promise<Bound>;

/**
 * An answer with this header stays open as long as it likes (proxies understand it too: pass on at
 * once what comes); all others are cut after ANSWER_IDLE_SECONDS without a byte.
 */
export const STREAMED = { 'x-accel-buffering': 'no' } as const;
export const isStreamed = (answer: Response): boolean => answer.headers.get('x-accel-buffering') === 'no';

const WAYS = { bun: listenOnBun, deno: listenOnDeno, ws: listenWithWs } as const;

/** Listens on all addresses or none. Throws an Error that names the address it did not get. */
export async function listen(parts: ListenParts): Promise<Listening> {
  const lines = createLines(parts.clock);
  const bind: Bind = WAYS[parts.using ?? ownWay()];
  const bound: Bound[] = [];
  try {
    for (const at of parts.addresses) bound.push(await bindOne(bind, at, parts, lines));
  } catch (problem) {
    lines.stop();
    for (const one of bound) one.cut();
    throw problem;
  }
  let stopping: Promise<void> | undefined;
  return {
    addresses: parts.addresses.map(({ host }, index) => ({ host, port: bound[index]?.port ?? 0 })),
    stop: graceMs => {
      stopping ??= stop(bound, lines, parts.clock, graceMs);
      return stopping;
    },
  };
}

function ownWay(): 'bun' | 'deno' | 'ws' {
  if (typeof Bun !== 'undefined') return 'bun';
  return 'Deno' in globalThis ? 'deno' : 'ws';
}

async function bindOne(bind: Bind, at: { host: string; port: number }, parts: ListenParts, lines: Lines): Promise<Bound> {
  try {
    return await bind(at, parts, lines);
  } catch (problem) {
    throw new Error(`cannot listen on ${at.host}:${at.port}: ${whyNot(problem)}`, { cause: problem });
  }
}

function whyNot(problem: unknown): string {
  const { code, name, message } = problem as { code?: string; name?: string; message?: string };
  if (code === 'EADDRINUSE' || name === 'AddrInUse')
    return 'another program listens there already; stop it, or choose another address with --listen or TROUPE_LISTEN';
  if (code === 'EADDRNOTAVAIL' || name === 'AddrNotAvailable') return 'this machine does not have that address';
  if (code === 'EACCES' || name === 'PermissionDenied') return 'this user may not listen there; ports below 1024 are often reserved';
  return message ?? String(problem);
}

async function stop(bound: Bound[], lines: Lines, clock: Clock, graceMs: number): Promise<void> {
  const answered = Promise.all(bound.map(one => one.stop()));
  lines.stop();
  let disarm = () => {};
  const late = new Promise<'late'>(resolve => {
    disarm = clock.after(graceMs, () => resolve('late'));
  });
  const first = await Promise.race([answered, late]);
  disarm();
  if (first === 'late') for (const one of bound) one.cut();
}
