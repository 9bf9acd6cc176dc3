/**
 * One socket to a center, from the dial to its end.
 *
 *   dialling --challenge--> proving --proof--> greeting --welcome--> up --closed, silent--> over
 *                              |                  |
 *                              | not trusted      | refused
 *                              v                  v
 *                             over               over
 */
import type { Clock, Disarm } from '../../lib/clock.ts';
import type { Connection, Dialer } from '../../lib/dialer.ts';
import type { Ids } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { GOODBYE } from '../../protocol/agent.ts';
import type { AgentSpans } from '../limits.ts';
import { type CenterSession, createCenterSession } from './center-session.ts';
import { type AnyCenterFrame, type CenterFrame, decodeFrame, encodeFrame, type OutgoingFrame, type Welcome } from './frames.ts';
import { createHandshake, type HandshakeListener } from './handshake.ts';
import { armHeartbeat } from './heartbeat.ts';

/** Close codes of the agent. */
const SILENT = 4000;
const NO_WELCOME = 4001;
const NOT_TRUSTED = 4002;
/** Characters of an unreadable frame in the log. */
const LOGGED_MAX = 200;

export interface SessionListener extends HandshakeListener {
  up(session: CenterSession): void;
  frame(frame: CenterFrame): void;
  /** Called at each frame of a session that is up. */
  alive(): void;
  /** The session was up and has ended. */
  down(): void;
  /** A final refusal. True: further attempts at this center are of no use. */
  refused(code: string): boolean;
}

/** `final`: refused until an operator acts. `forGood`: `refused` returned true. */
export interface SessionEnd {
  wasUp: boolean;
  final: boolean;
  forGood: boolean;
}

export interface SessionParts {
  clock: Clock;
  ids: Ids;
  dialer: Dialer;
  log: Log;
  spans: AgentSpans;
}

/** Resolves at the end of the session, also when the signal aborts. */
export function runSession(parts: SessionParts, url: string, on: SessionListener, signal: AbortSignal): Promise<SessionEnd> {
  const { dialer, log } = parts;
  return new Promise(resolve => {
    const session = createSessionState(parts, { url, on, signal, resolve });
    const receive = createReceiver(parts, { url, on, session });
    dialer.dial(url, {
      open: session.open,
      frame(text) {
        if (!session.noteFrame()) return;
        const decoded = decodeFrame(text);
        if ('frame' in decoded) return receive(decoded.frame);
        log.warn(`a frame of the center cannot be read: ${decoded.problem}`, { center: url, frame: text.slice(0, LOGGED_MAX) });
        // The center waits for the outcome of a command: without a response its shard would never
        // end.
        if (decoded.rejected && session.isUp()) session.write(decoded.rejected);
      },
      closed: (code, reason) => session.end(1000, '', `the link to the center closed (${code}${reason ? `, ${reason}` : ''})`),
    });
  });
}

type SessionState = ReturnType<typeof createSessionState>;

/** The socket of a session with its timers, from the dial to its end. */
function createSessionState(
  { clock, log, spans }: SessionParts,
  { url, on, signal, resolve }: { url: string; on: SessionListener; signal: AbortSignal; resolve(end: SessionEnd): void },
) {
  let socket: Connection | undefined;
  let state: 'opening' | 'up' | 'over' = 'opening';
  let lastFrameAt = clock.monotonic();
  let disarmHeartbeat: Disarm = () => {};

  /** Idempotent. */
  const end = (code: number, reason: string, warning?: string, refusal = { final: false, forGood: false }): void => {
    if (state === 'over') return;
    const wasUp = state === 'up';
    state = 'over';
    disarmWelcome();
    disarmHeartbeat();
    signal.removeEventListener('abort', stop);
    if (warning) log.warn(warning, { center: url });
    socket?.close(code, reason);
    if (wasUp) on.down();
    resolve({ wasUp, ...refusal });
  };
  const stop = () => end(1000, GOODBYE);
  const write = (frame: OutgoingFrame) => socket?.send(encodeFrame(frame));
  const disarmWelcome = clock.after(spans.welcomeMs, () => end(NO_WELCOME, 'no welcome', `no welcome within ${spans.welcomeMs} ms`));
  signal.addEventListener('abort', stop, { once: true });

  return {
    end,
    write,
    isUp: () => state === 'up',
    open(connection: Connection): void {
      // It opened after the end: nobody else would close it.
      if (state === 'over') return connection.close(NO_WELCOME, 'too late');
      socket = connection;
    },
    /** A frame has arrived. False: the session is over. */
    noteFrame(): boolean {
      if (state === 'over') return false;
      lastFrameAt = clock.monotonic();
      if (state === 'up') on.alive();
      return true;
    },
    welcome(frame: Welcome): void {
      if (state === 'up' || socket === undefined) return;
      disarmWelcome();
      state = 'up';
      log.info('the center welcomed this agent', { center: url, host: frame.host });
      disarmHeartbeat = armHeartbeat(clock, frame.heartbeatMs, {
        silentMs: () => clock.monotonic() - lastFrameAt,
        ping: nonce => write({ type: 'ping', nonce }),
        silent: ms => end(SILENT, 'silent', `the center was silent for ${Math.round(ms)} ms; the agent dials again`),
      });
      on.up(createCenterSession(clock, socket, url, frame, () => state === 'up'));
    },
  };
}

/** What each frame of the center does to the session. */
function createReceiver(
  parts: SessionParts,
  { url, on, session }: { url: string; on: SessionListener; session: SessionState },
): (frame: AnyCenterFrame) => void {
  const handshake = createHandshake(parts, { url, on, write: session.write });
  const distrust = (why: string) => session.end(NOT_TRUSTED, 'not trusted', `the center at ${url} is not trusted: ${why}`);
  return frame => {
    switch (frame.type) {
      case 'challenge':
        return handshake.challenged(frame);
      case 'proof': {
        const refusal = handshake.proof(frame);
        return refusal === undefined ? undefined : distrust(refusal);
      }
      case 'welcome':
        return handshake.isProven() ? session.welcome(frame) : distrust('it welcomes without a proof');
      case 'refused': {
        const final = handshake.isFinal(frame.code);
        const advice = final ? '; an operator must act' : '';
        const warning = `the center refused this agent: ${frame.message} (${frame.code})${advice}`;
        return session.end(1000, 'refused', warning, { final, forGood: final && on.refused(frame.code) });
      }
      case 'ping':
        return void session.write({ type: 'pong', nonce: frame.nonce });
      case 'pong':
        return;
      default:
        if (session.isUp()) on.frame(frame);
    }
  };
}
