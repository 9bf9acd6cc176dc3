/**
 * The handshake of a session: its first frame, up to the welcome or a refusal.
 *
 *   frame --> queue --+-- hello: proved -> host found or enrolled -> epochs raised -> connected
 *                     \-- alive notice of a keeper: passed on, socket closed
 */
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import type { Hello } from '../protocol/agent.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createAdmission } from './admission.ts';
import { decodeAgentFrame } from './decode.ts';
import { createEpochCheck } from './epoch-check.ts';
import { HandshakeRejected } from './handshake-rejected.ts';
import type { HostSessions } from './host-sessions.ts';
import type { Identities } from './identity.ts';
import type { HubLimits, HubLog } from './limits.ts';
import type { AgentSession } from './session.ts';

export interface Handshakes {
  /** Queues the handshake; a session beyond the limit of the queue is refused `busy`. */
  start(session: AgentSession, text: string): void;
}

export function createHandshakes(parts: {
  runtime: Pick<Runtime, 'raiseEpochs'>;
  identities: Identities;
  hostSessions: Pick<HostSessions, 'connect' | 'reportAgentLost'>;
  /** The host of this session is known, and connects next. */
  onHost(session: AgentSession, host: string): void;
  /** The store holds an earlier state than an agent has served; a sentence for the operator. */
  onEarlierState(text: string): void;
  limits: HubLimits;
  log: HubLog;
}): Handshakes {
  const { identities, hostSessions, log } = parts;
  const epochCheck = createEpochCheck(parts);
  const admission = createAdmission(parts.limits);
  /** One handshake per key at a time: two hellos of one new key must not create two hosts. */
  const inTurn = createKeyedMutex();
  const connect = async (session: AgentSession, hello: Hello): Promise<void> => {
    await identities.prove(hello, session.nonce);
    await inTurn(hello.publicKey, async () => {
      const host = await identities.hostOf(hello, session.peer.address);
      // Before the first command: the agent would reject it.
      await epochCheck.raiseAbove(host, hello);
      if (!session.isOpen()) return;
      parts.onHost(session, host);
      await hostSessions.connect(host, session, hello);
    });
  };

  const reject = (session: AgentSession, hello: Hello, problem: unknown): void => {
    if (problem instanceof HandshakeRejected) {
      log('warn', `an agent was refused: ${problem.message}`, {
        ...(['signature', 'identityInUse'].includes(problem.code) ? { security: true as const } : {}),
        code: problem.code,
        name: hello.name,
        address: session.peer.address,
      });
      return session.refuse(problem.code, problem.message, 1008);
    }
    log('warn', 'a handshake cannot be finished now, the agent tries again', { name: hello.name, address: session.peer.address, problem });
    session.refuse('unavailable', 'the center cannot look up this agent now; try again later', 1013);
  };

  const handshake = async (session: AgentSession, text: string): Promise<void> => {
    const decoded = decodeAgentFrame(text);
    if ('problem' in decoded) return session.refuse('malformed', decoded.problem, 1008);
    const { frame } = decoded;
    if (frame.type === 'agentLost') {
      const isKnown = await hostSessions.reportAgentLost(frame.livenessToken).catch(() => false);
      return session.close(isKnown ? 1000 : 1008, isKnown ? 'accepted' : 'unknown liveness token');
    }
    if (frame.type !== 'hello') return session.refuse('unexpected', 'the first frame of an agent must be its hello', 1008);
    try {
      await connect(session, frame);
    } catch (problem) {
      reject(session, frame, problem);
    }
  };

  return {
    start(session, text) {
      const isAdmitted = admission.admit(
        text.length,
        () => handshake(session, text),
        () => session.isOpen(),
      );
      if (!isAdmitted) session.refuse('busy', 'too many agents connect at once; try again later', 1013);
    },
  };
}
