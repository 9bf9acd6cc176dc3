/**
 * The handshake of a session: its first frame, up to the welcome or a refusal.
 *
 *   frame --> queue --+-- hello: proved -> host found or enrolled -> epochs raised -> connected
 *                     \-- alive notice of a keeper: passed on, socket closed
 */
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import { type Hello, readEpochs } from '../protocol/agent.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createAdmission } from './admission.ts';
import type { HostSessions } from './host-sessions.ts';
import { HandshakeRejected, type Identities } from './identity.ts';
import type { HubLimits, HubLog } from './limits.ts';
import { type AgentSession, decode } from './session.ts';

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
  const { runtime, identities, hostSessions, log } = parts;
  const admission = createAdmission(parts.limits);
  /** One handshake per key at a time: two hellos of one new key must not create two hosts. */
  const inTurn = createKeyedMutex();
  /** Hosts that have been connected to this center. */
  const served = new Set<string>();

  /**
   * An agent with higher epochs than this center has served a later state of its data.
   * Throws HandshakeRejected and Unavailable.
   */
  const raiseEpochsAbove = async (host: string, hello: Hello): Promise<void> => {
    const known = readEpochs(hello.epochs);
    if (!known)
      throw new HandshakeRejected('invalid', 'epochs of the hello must be "partition:epoch" pairs with a space between two of them');
    // Before this center has commanded a host, equal epochs are from a later state, too.
    const more = served.has(host) ? 0 : 1;
    const by = await runtime.raiseEpochs(known.map(([partition, epoch]) => [partition, epoch + more]));
    served.add(host);
    if (by === 0) return;
    const text =
      'agents have served a later state of this data: an earlier copy was put back by hand. Its epochs were raised by ' +
      `${by}, and what was acknowledged after the copy was made is lost`;
    log('error', text, { name: hello.name });
    parts.onEarlierState(text);
  };

  const connect = async (session: AgentSession, hello: Hello): Promise<void> => {
    await identities.prove(hello, session.nonce);
    await inTurn(hello.publicKey, async () => {
      const host = await identities.hostOf(hello, session.peer.address);
      // Before any command is sent: the agent would refuse it.
      await raiseEpochsAbove(host, hello);
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
    log('warn', 'a handshake cannot be finished now', { name: hello.name, address: session.peer.address, problem });
    session.refuse('unavailable', 'the center cannot look up this agent now; try again later', 1013);
  };

  const handshake = async (session: AgentSession, text: string): Promise<void> => {
    const decoded = decode(text);
    if ('problem' in decoded) return session.refuse('malformed', decoded.problem, 1008);
    const { frame } = decoded;
    if (frame.type === 'agentLost') {
      const isKnown = await hostSessions.reportAgentLost(frame.livenessToken).catch(() => false);
      return session.close(isKnown ? 1000 : 1008, isKnown ? 'accepted' : 'unknown liveness token');
    }
    if (frame.type !== 'hello') return session.refuse('unexpected', 'the first frame of an agent is its hello', 1008);
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
      if (!isAdmitted) session.refuse('busy', 'too many agents come at once; try again later', 1013);
    },
  };
}
