/**
 * One socket to a center, from the dial to its end.
 *
 *   dialling --challenge--> proving --proof--> greeting --welcome--> up --closed, silent--> over
 *                              |                  |
 *                              | not trusted      | refused
 *                              v                  v
 *                             over               over
 *
 * A half-open socket reports no close, so three heartbeats without a frame end the session.
 */
import type { Clock, Disarm } from '../../lib/clock.ts';
import type { Connection, Dialer } from '../../lib/dialer.ts';
import { type AppRules, STRICT_RULES } from '../../lib/host-policy.ts';
import type { Ids } from '../../lib/ids.ts';
import type { Log } from '../../lib/log.ts';
import { AGENT_FRAME_MAX, centerText, GOODBYE, type Hello, PROTOCOL } from '../../protocol/agent.ts';
import type { AliveNotice } from '../../protocol/keeper.ts';
import type { AgentSpans } from '../limits.ts';
import { type CenterFrame, type Challenge, decodeFrame, encodeFrame, type OutgoingFrame, type Welcome } from './frames.ts';

/** Heartbeats without any frame that end a session. */
const SILENT_HEARTBEATS = 3;
/** Refusals that need an operator: soon retries do not change them. */
const FINAL = new Set(['unknownKey', 'joinTokenInvalid', 'identityInUse', 'retired', 'rejectedByPool', 'protocol']);
/** Close codes of the agent. */
const SILENT = 4000;
const NO_WELCOME = 4001;
const NOT_TRUSTED = 4002;
/** Characters of an unreadable frame in the log. */
const LOGGED_MAX = 200;

/** A welcomed session. */
export interface CenterSession {
  send(frame: OutgoingFrame): void;
  /** Bytes not yet handed to the network. */
  buffered(): number;
  /** For the keeper, while the session is up. */
  notice: AliveNotice | undefined;
  apps: AppRules;
}

export interface SessionListener {
  hello(challenge: Challenge): Hello;
  /** Why the center with that proof is not trusted; undefined: it is. */
  refusal(proof: { key: string; text: string; signature: string }): string | undefined;
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
  const { clock, dialer, log, spans } = parts;
  return new Promise(resolve => {
    let socket: Connection | undefined;
    let state: 'opening' | 'up' | 'over' = 'opening';
    let lastFrameAt = clock.monotonic();
    let disarmHeartbeat: Disarm = () => {};

    const end = (code: number, reason: string, warning?: string, refusal = { final: false, forGood: false }) => {
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
    const handshake = createHandshake(parts, { url, on, write });

    const welcome = (frame: Welcome) => {
      if (!handshake.isProven()) return end(NOT_TRUSTED, 'not trusted', `the center at ${url} is not trusted: it welcomes without a proof`);
      if (state === 'up' || socket === undefined) return;
      disarmWelcome();
      state = 'up';
      log.info('the center welcomed this agent', { center: url, host: frame.host });
      disarmHeartbeat = startHeartbeat(clock, frame.heartbeatMs, {
        silentMs: () => clock.monotonic() - lastFrameAt,
        ping: nonce => write({ type: 'ping', nonce }),
        silent: ms => end(SILENT, 'silent', `the center was silent for ${Math.round(ms)} ms; the agent dials again`),
      });
      on.up(createSession(clock, socket, url, frame, () => state === 'up'));
    };

    const receive = (frame: Exclude<ReturnType<typeof decodeFrame>, { problem: string }>['frame']) => {
      switch (frame.type) {
        case 'challenge':
          return handshake.challenged(frame);
        case 'proof': {
          const refusal = handshake.proof(frame);
          return refusal === undefined ? undefined : end(NOT_TRUSTED, 'not trusted', `the center at ${url} is not trusted: ${refusal}`);
        }
        case 'welcome':
          return welcome(frame);
        case 'refused': {
          // Any server could send a refusal, so one without a proof is not final.
          const final = handshake.isProven() && FINAL.has(frame.code);
          const advice = final ? '; an operator must act' : '';
          const warning = `the center refused this agent: ${frame.message} (${frame.code})${advice}`;
          return end(1000, 'refused', warning, { final, forGood: final && on.refused(frame.code) });
        }
        case 'ping':
          return write({ type: 'pong', nonce: frame.nonce });
        case 'pong':
          return;
        default:
          if (state === 'up') on.frame(frame);
      }
    };

    const disarmWelcome = clock.after(spans.welcomeMs, () => end(NO_WELCOME, 'no welcome', `no welcome within ${spans.welcomeMs} ms`));
    signal.addEventListener('abort', stop, { once: true });
    dialer.dial(url, {
      open(connection) {
        // It opened after the end: nobody else would close it.
        if (state === 'over') return connection.close(NO_WELCOME, 'too late');
        socket = connection;
      },
      frame(text) {
        if (state === 'over') return;
        lastFrameAt = clock.monotonic();
        if (state === 'up') on.alive();
        const decoded = decodeFrame(text);
        if ('frame' in decoded) return receive(decoded.frame);
        log.warn(`a frame of the center cannot be read: ${decoded.problem}`, { center: url, frame: text.slice(0, LOGGED_MAX) });
        // The center waits for the outcome of a command: without a response its shard would wait
        // for ever.
        if (decoded.rejected && state === 'up') write(decoded.rejected);
      },
      closed: (code, reason) => end(1000, '', `the link to the center closed (${code}${reason ? `, ${reason}` : ''})`),
    });
  });
}

interface Handshake {
  challenged(challenge: Challenge): void;
  /** Why the center is not trusted. Undefined: it is, or it sent the proof twice. */
  proof(proof: { key: string; signature: string }): string | undefined;
  isProven(): boolean;
}

/** The agent sends its hello only to a center that has proved its key. */
function createHandshake(
  { ids, log }: SessionParts,
  { url, on, write }: { url: string; on: SessionListener; write(frame: OutgoingFrame): void },
): Handshake {
  let challenge: Challenge | undefined;
  let nonce: string | undefined;
  let isProven = false;
  return {
    challenged(received) {
      if (received.protocol < PROTOCOL)
        log.warn('the center has an older protocol', { center: url, protocol: received.protocol, ours: PROTOCOL });
      if (challenge) return;
      challenge = received;
      nonce = ids.secret(32);
      write({ type: 'prove', nonce });
    },
    proof({ key, signature }) {
      if (!challenge || nonce === undefined) return undefined;
      const text = centerText(nonce, challenge.nonce);
      nonce = undefined;
      const refusal = on.refusal({ key, text, signature });
      if (refusal !== undefined) return refusal;
      isProven = true;
      write(on.hello(challenge));
      return undefined;
    },
    isProven: () => isProven,
  };
}

/** Pings at each heartbeat until disarmed; calls `silent` once instead when no frame arrives. */
function startHeartbeat(
  clock: Clock,
  heartbeatMs: number,
  on: { silentMs(): number; ping(nonce: string): void; silent(ms: number): void },
): Disarm {
  let disarm: Disarm = () => {};
  let pings = 0;
  const arm = () => {
    disarm = clock.after(heartbeatMs, () => {
      const silentMs = on.silentMs();
      if (silentMs >= SILENT_HEARTBEATS * heartbeatMs) return on.silent(silentMs);
      on.ping(String(++pings));
      arm();
    });
  };
  arm();
  return () => disarm();
}

/**
 * Sends single frames, or where the center takes them, those of one event-loop turn in a message.
 */
function createSession(clock: Clock, socket: Connection, center: string, welcome: Welcome, isUp: () => boolean): CenterSession {
  let batch: string[] = [];
  let batchBytes = 0;

  const flush = () => {
    // Frames of an ended session are sent again in the next one.
    if (!isUp() || batch.length === 0) return;
    const text = batch.join('\n');
    batch = [];
    batchBytes = 0;
    socket.send(text);
  };

  const add = (text: string) => {
    // At most three bytes of UTF-8 for each UTF-16 unit, and one for the line break.
    const bytes = text.length * 3 + 1;
    if (batchBytes + bytes > AGENT_FRAME_MAX) flush();
    batch.push(text);
    batchBytes += bytes;
    if (batch.length === 1) clock.soon(flush);
  };

  const { livenessToken, apps = STRICT_RULES } = welcome;
  return {
    send(frame) {
      const text = encodeFrame(frame);
      if (welcome.batching) add(text);
      else socket.send(text);
    },
    buffered: () => socket.buffered() + batchBytes,
    notice: livenessToken === undefined ? undefined : { center, livenessToken },
    apps,
  };
}
