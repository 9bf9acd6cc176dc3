/**
 * The agent hub, `/v1/agents`: agents dial in, prove who they are, take commands and bring news and
 * output. No network in here: it is given sockets, a clock, ids and a way to check signatures, so
 * that the simulation runs this very code.
 *
 *   socket --challenge, hello--> line --> identity --> `host.connected` --> welcome --> ready
 */

import { PAST_MAX } from '../../actors/execution/shard.ts';
import type { DisconnectKind, HostFault } from '../../actors/host/types.ts';
import type { Address, Events } from '../../actors/types.ts';
import type { Peer, SocketHandlers } from '../http/websocket/index.ts';
import type { Clock } from '../lib/clock.ts';
import type { AppRules } from '../lib/host-policy.ts';
import type { Ids } from '../lib/ids.ts';
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import { type Command, type Hello, type Run, readEpochs } from '../protocol/agent.ts';
import { NoSuchActor, Refused } from '../runtime/errors.ts';
import type { Fleet } from '../runtime/fleet.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import type { TakenChunk } from '../services/output/index.ts';
import type { CredentialStore } from '../store/port.ts';
import { createAdmission } from './admission.ts';
import { beat } from './heartbeat.ts';
import { createLinks } from './host-sessions.ts';
import { createIdentities, type IdentityParts, Unwelcome } from './identity.ts';
import { type HubLimits, type HubLog, hubLimits } from './limits.ts';
import { createOutputIntake } from './output.ts';
import { createReportIntake } from './reports.ts';
import { createSession, decode, type Session, type WorkFrame } from './session.ts';
import { createUndelivered } from './undelivered.ts';

/**
 * Hosts told of a center's beginning at the same time. Many of a pool then go into one commit of
 * it, and its document holds every host.
 */
const REPRIEVED_AT_ONCE = 200;

export interface HubParts extends Pick<IdentityParts, 'verify' | 'readJoinToken' | 'spendJoinToken' | 'auth'> {
  runtime: Pick<Runtime, 'ask' | 'tell' | 'raiseEpochs' | 'epoch'>;
  views: Pick<Views, 'get' | 'list'>;
  store: Pick<CredentialStore, 'credential' | 'putCredential'>;
  /** Where output goes; resolves once it is durable. */
  output: { keep(chunks: TakenChunk[]): Promise<void> };
  clock: Clock;
  ids: Ids;
  heartbeatMs: number;
  /** From the last word of a host to its loss. */
  hostGraceMs: number;
  /**
   * The same for a host whose socket closed without a word, unless its keeper says that only the
   * agent is gone.
   */
  closedGraceMs: number;
  onLog: HubLog;
  /** The store holds an earlier state than an agent has served; a sentence for the operator. */
  onEarlierState?(text: string): void;
  /** The key by which agents know this installation. */
  installation(): { publicKey: string; sign(text: string): string };
  /** Where agents may fetch apps from; left to them when absent. */
  apps?: AppRules;
  limits?: Partial<HubLimits>;
}

export interface AgentHub extends Fleet {
  /** Serves one socket of an agent. */
  accept(peer: Peer): SocketHandlers;
  /**
   * Begins the grace of every host anew, because the silence was ours. Resolves when all are told;
   * to be awaited before timers are armed and before the listeners open. Throws what the store
   * throws.
   */
  restartGrace(): Promise<void>;
  /**
   * Epoch ms of the last frame of a host that has a session; undefined when it has none (its actor
   * then knows when it left).
   */
  lastSeen(host: string): number | undefined;
  /** How many sockets are open, and how many hosts are up. */
  counts(): { sockets: number; hosts: number };
  /**
   * Closes every socket and takes no further one. The actors are not told: the next center's
   * start restarts the grace of every host. Idempotent.
   */
  stop(): void;
}

export function createAgentHub(parts: HubParts): AgentHub {
  const { runtime, views, clock, ids, heartbeatMs, onLog: log } = parts;
  const limits = { ...hubLimits, ...parts.limits };
  const identities = createIdentities(parts);
  const admission = createAdmission(limits);
  const graces = { graceMs: parts.hostGraceMs, closedGraceMs: parts.closedGraceMs };
  const links = createLinks({
    ...{ runtime, clock, limits, heartbeatMs, graces, log },
    undeliverable: (host, command, why) => undelivered.take(host, command, why),
  });
  const undelivered = createUndelivered({ runtime, clock, limits, log, settle: links.settle });
  const reports = createReportIntake({ runtime, clock, limits, log });
  const output = createOutputIntake({ keep: chunks => parts.output.keep(chunks), isRunOf: runOf(views), clock, limits, log });
  /** Open sessions; the host once it is known. */
  const sessions = new Map<Session, string | undefined>();
  /** Per key, the handshake under way: two hellos of one new key must not make two hosts. */
  const inTurn = createKeyedMutex();
  /** Hosts that have been connected to this center. */
  const served = new Set<string>();
  const instanceId = ids.uuid();
  let isStopped = false;

  const greet = async (session: Session, text: string): Promise<void> => {
    const decoded = decode(text);
    if ('problem' in decoded) return session.refuse('malformed', decoded.problem, 1008);
    if (decoded.frame.type === 'agentLost') {
      const isKnown = await links.attended(decoded.frame.livenessToken).catch(() => false);
      return session.close(isKnown ? 1000 : 1008, isKnown ? 'accepted' : 'unknown liveness token');
    }
    if (decoded.frame.type !== 'hello') return session.refuse('unexpected', 'the first frame of an agent is its hello', 1008);
    const hello: Hello = decoded.frame;
    try {
      await identities.prove(hello, session.nonce);
      await inTurn(hello.publicKey, async () => {
        const host = await identities.hostOf(hello, session.peer.address);
        // Before it is sent any command, which it would refuse.
        await raiseEpochsAbove(host, hello);
        if (!session.isOpen()) return;
        sessions.set(session, host);
        await links.connect(host, session, hello);
      });
    } catch (problem) {
      if (problem instanceof Unwelcome) {
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
    }
  };

  /**
   * An agent with higher epochs than this center has served a later state of its data.
   * Throws Unwelcome and Unavailable.
   */
  const raiseEpochsAbove = async (host: string, hello: Hello): Promise<void> => {
    const known = readEpochs(hello.epochs);
    if (!known) throw new Unwelcome('invalid', 'epochs of the hello must be "partition:epoch" pairs with a space between two of them');
    // Before this center has commanded a host, equal epochs are from a later state, too.
    const more = served.has(host) ? 0 : 1;
    const by = await runtime.raiseEpochs(known.map(([partition, epoch]) => [partition, epoch + more]));
    served.add(host);
    if (by === 0) return;
    const text =
      'agents have served a later state of this data: an earlier copy was put back by hand. Its epochs were raised by ' +
      `${by}, and what was acknowledged after the copy was made is lost`;
    log('error', text, { name: hello.name });
    parts.onEarlierState?.(text);
  };

  const work = (session: Session, frame: WorkFrame) => {
    const host = sessions.get(session);
    if (host === undefined) return;
    switch (frame.type) {
      case 'commandsAcknowledged':
        for (const key of frame.keys) links.settle(host, key);
        return;
      case 'rejected':
        log('warn', `host/${host} refused a command: ${frame.reason}`, { key: frame.key });
        if (frame.reason === 'lowerEpoch') return void refused(host, frame);
        if (frame.reason === 'unreadable' || frame.reason === 'failed') {
          const command = links.command(host, frame.key);
          return command && undelivered.take(host, command, { because: frame.reason, message: frame.message ?? 'no reason given' });
        }
        return links.settle(host, frame.key);
      case 'report':
        if (!reports.take(session, host, frame)) session.refuse('busy', 'too many reports wait to be committed', 1013);
        return;
      case 'output':
        if (!output.take(session, host, frame)) session.refuse('busy', 'too much output waits to be stored', 1013);
    }
  };

  /**
   * An agent that has served a newer center than this one (its data, or ours, comes from a copy)
   * takes no command of ours, now or later: the shard must not wait for it. What could not be told
   * stays owed and is refused again.
   */
  const refused = async (host: string, { key, run, known }: Extract<WorkFrame, { type: 'rejected' }>) => {
    const reason = 'its agent has served a newer center and takes no command of this one';
    // What the agent does not know has not begun there: it may go to another host at once.
    const hostFault = known === false ? ({ hostFault: 'epoch' } as const) : {};
    try {
      await lost(host, { run }, { reason, ...hostFault });
      links.settle(host, key);
    } catch (problem) {
      log('warn', `execution/${run.execution} does not hear that its command was refused`, { host, problem });
    }
  };

  /**
   * Tells the execution that this run is lost; one that is not there any more need not know. Throws
   * what the runtime throws.
   */
  async function lost(host: string, { run }: Pick<Command, 'run'>, why: { reason: string; hostFault?: HostFault }): Promise<void> {
    const { execution, item, attempt } = run;
    const nothing = { exitCode: null, signal: null, startedAt: null, output: null };
    const news = { type: 'shard.ended', item, attempt, host, outcome: 'lost', finishedAt: clock.now(), ...why, ...nothing } as const;
    await runtime.tell(`execution/${execution}`, news).catch((problem: unknown) => {
      if (!(problem instanceof NoSuchActor)) throw problem;
    });
  }

  const on = {
    hello(session: Session, text: string) {
      const admitted = admission.admit(
        text.length,
        () => greet(session, text),
        () => session.isOpen(),
      );
      if (!admitted) session.refuse('busy', 'too many agents come at once; try again later', 1013);
    },
    work,
    closed(session: Session, reason: string, disconnectKind: DisconnectKind) {
      const host = sessions.get(session);
      sessions.delete(session);
      output.drop(session);
      if (host === undefined) return;
      log('info', `host/${host} lost its session: ${reason}`, { session: session.id });
      links.leave(host, session, reason, disconnectKind);
    },
  };

  const disarmPulse = beat({
    clock,
    heartbeatMs,
    sessions: () => [...sessions.keys()].filter(session => session.isUp()),
    onBeat: links.lookForUnanswered,
    slept: ms => log('warn', `the center stood still for ${Math.round(ms)} ms; the silence of agents in that time does not count`, {}),
  });

  return {
    accept: peer =>
      createSession({
        clock,
        ids,
        limits,
        apps: parts.apps,
        state: () => ({ instanceId, epoch: runtime.epoch() }),
        proof(text) {
          const { publicKey, sign } = parts.installation();
          return { key: publicKey, signature: sign(text) };
        },
        peer,
        on,
        opened(session) {
          if (isStopped || sessions.size >= limits.socketsMax) return false;
          sessions.set(session, undefined);
          return true;
        },
      }),
    send(host, command) {
      if (command.type === 'start') output.sent(host, command.run);
      return links.send(host, command);
    },
    onReady: links.onReady,
    closeSession(host, code, reason) {
      links.session(host)?.refuse(code, reason, 4003);
    },
    async restartGrace() {
      const status = ['ready', 'draining', 'suspect'];
      for (let cursor: string | undefined, more = true; more; ) {
        const page = await views.list('host', {
          status,
          limit: REPRIEVED_AT_ONCE,
          order: 'name',
          ...(cursor === undefined ? {} : { cursor }),
        });
        await Promise.all(page.items.map(view => reprieveOne(view.context)));
        for (const { address, reason, parent } of page.unreadable) await giveUp(address.slice('host/'.length), reason, parent);
        cursor = page.next ?? undefined;
        more = page.next !== null;
      }
    },
    lastSeen(host) {
      const session = links.session(host);
      return session ? Math.round(clock.now() - (clock.monotonic() - session.heard)) : undefined;
    },
    counts() {
      const hosts = [...sessions.keys()].filter(session => session.isUp()).length;
      return { sockets: sessions.size, hosts };
    },
    stop() {
      if (isStopped) return;
      isStopped = true;
      disarmPulse();
      links.stop();
      undelivered.stop();
      for (const session of [...sessions.keys()]) session.close(1001, 'the center stops');
    },
  };

  /**
   * A host that takes nothing cannot be served: its pool must not place anything there, and what
   * ran there is lost to us.
   */
  async function giveUp(host: string, reason: string, pool: string | null): Promise<void> {
    log('error', `host/${host} ${reason}; its agent is not served until that is mended`, { pool });
    await told(`pool/${pool}`, { type: 'pool.hostLost', host, reason: `host ${host} ${reason}` });
  }

  async function reprieveOne({ id: host, pool }: { id: string; pool: string }): Promise<void> {
    // It found its way here already: its silence is over.
    if (links.session(host)) return;
    const refusal = await told(`host/${host}`, { type: 'host.restartGrace' });
    if (refusal) await giveUp(host, refusal, pool);
  }

  /**
   * The reason where it is in quarantine. One actor that takes nothing must not keep a center from
   * serving the others.
   */
  async function told<K extends 'host' | 'pool'>(to: Address<K>, event: Events[K]): Promise<string | undefined> {
    try {
      await runtime.tell(to, event);
    } catch (problem) {
      if (problem instanceof Refused) return problem.message.slice(to.length + 1);
      if (!(problem instanceof NoSuchActor)) throw problem;
    }
    return undefined;
  }
}

/** Whether an attempt was placed on a host. Late output of a deleted execution has no owner. */
const runOf =
  (views: Pick<Views, 'get'>) =>
  async (host: string, { execution, item, attempt }: Run): Promise<boolean> => {
    const shard = (await views.get(`execution/${execution}`))?.context.shards[item];
    if (!shard) return false;
    if (shard.attempt === attempt) return shard.host === host;
    return shard.past.some(each => each.attempt === attempt && each.host === host) || attempt <= shard.attempt - PAST_MAX;
  };
