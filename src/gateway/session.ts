/**
 * One socket of an agent, from the challenge to its end. It knows frames and their order; the hub
 * decides what they mean.
 *
 *   greeting --hello--> waiting --welcome--> up
 *       \                  \                  \----> closed: by the agent, by silence, by a newer
 *                                                    session, or by an invalid frame
 */

import type { DisconnectKind } from '../../actors/host/types.ts';
import type { Peer, Socket, SocketHandlers } from '../http/websocket/types.ts';
import { createBatch } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import type { AppRules } from '../lib/host-policy.ts';
import type { Ids } from '../lib/ids.ts';
import {
  AGENT_FRAME_MAX,
  CENTER_FRAME_MAX,
  centerText,
  FromAgent,
  type FromCenter,
  fitsIn,
  GOODBYE,
  type Hello,
  PROTOCOL,
} from '../protocol/agent.ts';
import type { HubLimits } from './limits.ts';

export type DecodedFrame = ReturnType<typeof FromAgent.parse>;
type CenterFrame = ReturnType<typeof FromCenter.parse>;
/** What comes after the welcome and concerns more than the socket itself. */
export type WorkFrame = Exclude<DecodedFrame, Hello | { type: 'ping' | 'pong' | 'agentLost' | 'prove' }>;

/** How the one frame begins that may come before the hello. */
const PROVE = '{"type":"prove"';
/** Longest list of ids in one `reported` frame. */
const REPORTED_MAX = 1_000;

export interface AgentSession {
  readonly id: string;
  readonly peer: Peer;
  readonly nonce: string;
  /** What the keeper of this agent presents when the agent ends. */
  readonly livenessToken: string;
  /** The sessions of its host, counted, once it is up. */
  number: number;
  /**
   * Monotonic ms of the last frame, or of the welcome when that was later. A late heartbeat
   * adds the time for which this process slept.
   */
  lastFrameAt: number;
  isOpen(): boolean;
  isUp(): boolean;
  /** The frames after this one are work. */
  welcome(host: string, heartbeatMs: number): void;
  /** False: it is larger than an agent takes, so it is not sent. */
  send(frame: CenterFrame): boolean;
  /** Whether a frame arrives within so many ms, after a ping. */
  isResponsive(ms: number): Promise<boolean>;
  /** Sends the reason, then closes. */
  refuse(code: string, message: string, closeCode: number): void;
  close(code: number, reason: string): void;
  /** Acknowledges a committed report; several share one frame. */
  reported(id: number): void;
}

export interface SessionEvents {
  /** The one hello, not parsed yet. */
  hello(session: AgentSession, text: string): void;
  work(session: AgentSession, frame: WorkFrame): void;
  /** Exactly once. */
  closed(session: AgentSession, reason: string, disconnectKind: DisconnectKind): void;
}

export function createSession(parts: {
  clock: Clock;
  ids: Ids;
  limits: HubLimits;
  /** Sent with the welcome. */
  apps: AppRules | undefined;
  /** Sent with the challenge. */
  state(): { instanceId: string; epoch: number };
  /** Proves that this center holds the installation's key. */
  proof(text: string): { key: string; signature: string };
  peer: Peer;
  on: SessionEvents;
  opened(session: AgentSession): boolean;
}): SocketHandlers {
  const { clock, ids, limits, apps, on } = parts;
  let socket: Socket | undefined;
  let state: 'greeting' | 'waiting' | 'up' | 'closed' = 'greeting';
  let disarmHello = () => {};
  const committed = createBatch<number>({
    schedule: clock.soon,
    send(ids) {
      for (let from = 0; from < ids.length; from += REPORTED_MAX) {
        session.send({ type: 'reportsAcknowledged', ids: ids.slice(from, from + REPORTED_MAX) });
      }
    },
  });

  /** The first end counts; the close of the socket afterwards is its echo. */
  const end = (reason: string, disconnectKind: DisconnectKind) => {
    if (state === 'closed') return;
    state = 'closed';
    disarmHello();
    onFrame();
    on.closed(session, reason, disconnectKind);
  };
  let onFrame = () => {};

  const session: AgentSession = {
    id: ids.uuid(),
    peer: parts.peer,
    nonce: ids.secret(32),
    livenessToken: ids.secret(32),
    number: 0,
    lastFrameAt: clock.monotonic(),
    isOpen: () => state !== 'closed',
    isUp: () => state === 'up',
    welcome(host, heartbeatMs) {
      if (state !== 'waiting') return;
      state = 'up';
      // An agent sends nothing while it waits for the welcome: its silence begins now.
      session.lastFrameAt = clock.monotonic();
      session.send({
        type: 'welcome',
        host,
        heartbeatMs,
        batching: true,
        livenessToken: session.livenessToken,
        ...(apps && { apps: { ...apps, hosts: apps.hosts && [...apps.hosts] } }),
      });
    },
    send(frame) {
      if (state === 'closed') return true;
      const text = JSON.stringify(frame);
      if (!fitsIn(CENTER_FRAME_MAX, text)) return false;
      if (socket?.send(text) === 'dropped') session.close(1013, 'the agent does not read what it is sent');
      return true;
    },
    isResponsive(ms) {
      if (state !== 'up') return Promise.resolve(false);
      return new Promise(resolve => {
        const settle = () => {
          disarm();
          onFrame = () => {};
          resolve(state === 'up');
        };
        const disarm = clock.after(ms, () => {
          onFrame = () => {};
          resolve(false);
        });
        onFrame = settle;
        session.send({ type: 'ping', nonce: 'there?' });
      });
    },
    refuse(code, message, closeCode) {
      if (state === 'closed') return;
      socket?.send(JSON.stringify({ type: 'refused', code, message: message.slice(0, 1_000) } satisfies CenterFrame));
      session.close(closeCode, message);
    },
    close(code, reason) {
      if (state === 'closed') return;
      socket?.close(code, reason);
      end(reason, 'away');
    },
    reported(id) {
      committed.add(id);
    },
  };

  let isProved = false;
  const prove = (text: string) => {
    const decoded = decode(text);
    if ('problem' in decoded) return session.refuse('malformed', decoded.problem, 1008);
    // Each signature costs: one for a session.
    if (decoded.frame.type !== 'prove' || isProved) return session.refuse('unexpected', 'a session has one proof', 1008);
    isProved = true;
    session.send({ type: 'proof', ...parts.proof(centerText(decoded.frame.nonce, session.nonce)) });
  };

  const work = (text: string) => {
    const decoded = decode(text);
    if ('problem' in decoded) return session.refuse('malformed', decoded.problem, 1008);
    const { frame } = decoded;
    if (frame.type === 'ping') return void session.send({ type: 'pong', nonce: frame.nonce });
    if (frame.type === 'pong') return;
    if (frame.type === 'hello' || frame.type === 'agentLost' || frame.type === 'prove')
      return session.refuse('unexpected', 'a session has one hello', 1008);
    on.work(session, frame);
  };

  return {
    frameMaxBytes: AGENT_FRAME_MAX,
    bufferMaxBytes: limits.bufferMaxBytes,
    open(opened) {
      socket = opened;
      if (!parts.opened(session)) return session.refuse('busy', 'the center has as many sockets as it can hold; try again later', 1013);
      disarmHello = clock.after(limits.helloMs, () => session.refuse('noHello', `no hello within ${limits.helloMs} ms`, 1008));
      session.send({ type: 'challenge', nonce: session.nonce, protocol: PROTOCOL, ...parts.state() });
    },
    frame(text) {
      if (state === 'closed') return;
      session.lastFrameAt = clock.monotonic();
      onFrame();
      if (state === 'up') {
        // An agent sends the frames of one moment in one message; JSON has no raw line break.
        for (const line of text.split('\n')) if (session.isUp()) work(line);
        return;
      }
      if (state === 'greeting' && text.startsWith(PROVE)) return prove(text);
      if (state === 'waiting') return session.refuse('unexpected', 'after its hello an agent waits for the welcome', 1008);
      state = 'waiting';
      disarmHello();
      on.hello(session, text);
    },
    closed(code, reason) {
      if (code === 1000 && reason === GOODBYE) return end('its agent was stopped, what it runs goes on', 'away');
      end(reason || `the socket closed (${code})`, isOnPurpose(code) ? 'away' : 'closed');
    },
  };
}

/** A peer that sends a close code of its own is alive. */
const isOnPurpose = (code: number): boolean => code === 1000 || (code >= 3000 && code < 5000);

/** The frame, or a sentence that says what is wrong with it. */
export function decode(text: string): { frame: DecodedFrame } | { problem: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { problem: 'the frame is not JSON' };
  }
  const parsed = FromAgent.safeParse(value);
  if (parsed.success) return { frame: parsed.data };
  const [issue] = parsed.error.issues;
  const type = typeof value === 'object' && value !== null && 'type' in value ? String(value.type).slice(0, 40) : 'untyped';
  return { problem: `the "${type}" frame does not fit the protocol: ${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'unknown'}` };
}
