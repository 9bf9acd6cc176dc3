/**
 * One socket of an agent, from the challenge to its end. It knows frames and their order; the hub
 * decides what they mean.
 *
 *   greeting --hello--> waiting --welcome--> up
 *       \                  \                  \----> closed: by the agent, by silence, by a newer
 *                                                    session, or by an invalid frame
 */

import type { DisconnectKind } from '../../actors/host/types.ts';
import type { Peer, SocketHandlers } from '../http/websocket/types.ts';
import { createBatch } from '../lib/batch.ts';
import type { Clock } from '../lib/clock.ts';
import type { AppRules } from '../lib/host-policy.ts';
import type { Ids } from '../lib/ids.ts';
import { plainAddress } from '../lib/ip-ranges.ts';
import { AGENT_FRAME_MAX, centerText, fileTokenOf, GOODBYE, PROTOCOL } from '../protocol/agent.ts';
import { decodeAgentFrame, type WorkFrame } from './decode.ts';
import type { HubLimits } from './limits.ts';
import { createResponsivenessCheck } from './responsiveness.ts';
import { createSessionSocket, type Sending } from './session-socket.ts';

/** Start of a `prove` frame, the only one that may precede the hello. */
const PROVE = '{"type":"prove"';
/** Longest list of ids in one `reportsAcknowledged` frame. */
const REPORTED_MAX = 1_000;

export interface AgentSession extends Sending {
  readonly id: string;
  /** Its IPv4 address is not written as IPv6. */
  readonly peer: Peer;
  readonly nonce: string;
  /** The keeper presents it when this agent ends. */
  readonly livenessToken: string;
  /** The agent presents it to fetch files of the center. */
  readonly fileToken: string;
  /** Number of this session among those of its host; 0 until `host.connected` is committed. */
  number: number;
  /**
   * Monotonic ms of the last frame, or of the welcome when that was later. A late heartbeat
   * adds the time for which this process slept.
   */
  lastFrameAt: number;
  isOpen(): boolean;
  isUp(): boolean;
  /** Sends the welcome; later frames are work. No effect on a session that does not wait for it. */
  welcome(host: string, heartbeatMs: number): void;
  /** Sends a ping. Resolves with whether a frame arrives within `ms`. */
  isResponsive(ms: number): Promise<boolean>;
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

interface SessionParts {
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
  /** False: the hub has no room for this session. */
  opened(session: AgentSession): boolean;
}

export function createSession(parts: SessionParts): SocketHandlers {
  const { clock, limits, on } = parts;
  let disarmHello = () => {};
  const socket = createSessionSocket((reason, disconnectKind) => {
    disarmHello();
    check.settle();
    on.closed(session, reason, disconnectKind);
  });
  const isUp = () => socket.state() === 'up';
  const check = createResponsivenessCheck({ clock, isUp, ping: () => void socket.send({ type: 'ping', nonce: 'there?' }) });
  const session: AgentSession = {
    ...identityOf(parts),
    isOpen: () => socket.state() !== 'closed',
    isUp,
    welcome(host, heartbeatMs) {
      if (socket.state() !== 'waiting') return;
      socket.advance('up');
      // An agent sends nothing while it waits for the welcome: its silence begins now.
      session.lastFrameAt = clock.monotonic();
      socket.send(welcomeFrame(session, host, heartbeatMs, parts.apps));
    },
    isResponsive: check.isResponsive,
    send: socket.send,
    refuse: socket.refuse,
    close: socket.close,
    reported: createAcknowledgements(clock, socket),
  };
  const prove = createProof(session, parts.proof);

  return {
    frameMaxBytes: AGENT_FRAME_MAX,
    bufferMaxBytes: limits.bufferMaxBytes,
    open(opened) {
      socket.open(opened);
      if (!parts.opened(session)) return socket.refuse('busy', 'the center has reached its limit of sockets; try again later', 1013);
      disarmHello = clock.after(limits.helloMs, () => socket.refuse('noHello', `no hello within ${limits.helloMs} ms`, 1008));
      socket.send({ type: 'challenge', nonce: session.nonce, protocol: PROTOCOL, ...parts.state() });
    },
    frame(text) {
      if (!session.isOpen()) return;
      session.lastFrameAt = clock.monotonic();
      check.settle();
      if (isUp()) {
        // An agent sends the frames of one moment in one message; JSON has no raw line break.
        for (const line of text.split('\n')) if (isUp()) receiveWork(session, line, on.work);
        return;
      }
      if (socket.state() === 'greeting' && text.startsWith(PROVE)) return prove(text);
      if (socket.state() === 'waiting') return socket.refuse('unexpected', 'after its hello an agent must wait for the welcome', 1008);
      socket.advance('waiting');
      disarmHello();
      on.hello(session, text);
    },
    closed(code, reason) {
      if (code === 1000 && reason === GOODBYE) return socket.end('its agent was stopped, its runs go on', 'away');
      socket.end(reason || `the socket closed (${code})`, isOnPurpose(code) ? 'away' : 'closed');
    },
  };
}

const identityOf = ({ ids, peer, clock }: SessionParts) => ({
  id: ids.uuid(),
  peer: { ...peer, address: plainAddress(peer.address) },
  nonce: ids.secret(32),
  livenessToken: ids.secret(32),
  fileToken: fileTokenOf(ids.secret(32)),
  number: 0,
  lastFrameAt: clock.monotonic(),
});

const welcomeFrame = ({ livenessToken, fileToken }: AgentSession, host: string, heartbeatMs: number, apps: AppRules | undefined) => ({
  type: 'welcome' as const,
  host,
  heartbeatMs,
  batching: true,
  livenessToken,
  fileToken,
  ...(apps && { apps: { ...apps, hosts: apps.hosts && [...apps.hosts] } }),
});

/** Acknowledges the reports of one tick in frames of at most REPORTED_MAX ids. */
function createAcknowledgements(clock: Clock, { send }: Pick<Sending, 'send'>): (id: number) => void {
  const { add } = createBatch<number>({
    schedule: clock.soon,
    send(ids) {
      for (let from = 0; from < ids.length; from += REPORTED_MAX) {
        send({ type: 'reportsAcknowledged', ids: ids.slice(from, from + REPORTED_MAX) });
      }
    },
  });
  return add;
}

/** Answers the one `prove` frame of a session: each signature costs. */
function createProof(session: AgentSession, proof: SessionParts['proof']): (text: string) => void {
  let isProved = false;
  return text => {
    const decoded = decodeAgentFrame(text);
    if ('problem' in decoded) return session.refuse('malformed', decoded.problem, 1008);
    if (decoded.frame.type !== 'prove' || isProved) return session.refuse('unexpected', 'a session has only one proof', 1008);
    isProved = true;
    session.send({ type: 'proof', ...proof(centerText(decoded.frame.nonce, session.nonce)) });
  };
}

function receiveWork(session: AgentSession, text: string, onWork: SessionEvents['work']): void {
  const decoded = decodeAgentFrame(text);
  if ('problem' in decoded) return session.refuse('malformed', decoded.problem, 1008);
  const { frame } = decoded;
  if (frame.type === 'ping') return void session.send({ type: 'pong', nonce: frame.nonce });
  if (frame.type === 'pong') return;
  if (frame.type === 'hello' || frame.type === 'agentLost' || frame.type === 'prove')
    return session.refuse('unexpected', 'a session has only one hello', 1008);
  onWork(session, frame);
}

/** A peer that sends a close code of its own is alive. */
const isOnPurpose = (code: number): boolean => code === 1000 || (code >= 3000 && code < 5000);
