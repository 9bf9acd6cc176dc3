/**
 * The agent hub, `/v1/agents`: agents dial in, prove their identity, receive commands, and send
 * reports and output. It uses no network itself: sockets, clock, ids and the check of signatures
 * are parameters, so that the simulation runs this code.
 *
 *   socket --challenge, hello--> queue --> identity --> `host.connected` --> welcome --> ready
 */

import { PAST_MAX } from '../../actors/execution/shard.ts';
import type { Peer, SocketHandlers } from '../http/websocket/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { AppRules } from '../lib/host-policy.ts';
import type { Ids } from '../lib/ids.ts';
import type { Run } from '../protocol/agent.ts';
import type { Fleet } from '../runtime/fleet.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import type { TakenChunk } from '../services/output/index.ts';
import type { CredentialStore } from '../store/port.ts';
import { type CommandResults, createCommandResults } from './command-results.ts';
import type { WorkFrame } from './decode.ts';
import { createHandshakes } from './handshake.ts';
import { startHeartbeat } from './heartbeat.ts';
import { createHostSessions } from './host-sessions.ts';
import { createIdentities, type IdentityParts } from './identity.ts';
import { type HubLimits, type HubLog, hubLimits } from './limits.ts';
import { createOpenSessions } from './open-sessions.ts';
import { createOutputIntake, type OutputIntake } from './output.ts';
import { createReportIntake, type ReportIntake } from './reports.ts';
import { type AgentSession, createSession, type SessionEvents } from './session.ts';
import { restartAllGraces } from './startup-grace.ts';
import { createUndelivered } from './undelivered.ts';

export interface HubParts extends Pick<IdentityParts, 'verify' | 'readJoinToken' | 'spendJoinToken' | 'auth'> {
  runtime: Pick<Runtime, 'ask' | 'tell' | 'raiseEpochs' | 'epoch'>;
  views: Pick<Views, 'get' | 'list'>;
  store: Pick<CredentialStore, 'credential' | 'putCredential'>;
  /** Stores output; resolves when it is durable. */
  output: { keep(chunks: TakenChunk[]): Promise<void> };
  clock: Clock;
  ids: Ids;
  heartbeatMs: number;
  /** From the last frame of a host to its loss, ms. */
  hostGraceMs: number;
  /**
   * The same for a host whose socket closed without a close frame, unless its keeper reports that
   * only the agent ended.
   */
  closedGraceMs: number;
  onLog: HubLog;
  /** The store holds an earlier state than an agent has served; a sentence for the operator. */
  onEarlierState?(text: string): void;
  /** The key by which agents know this installation. */
  installation(): { publicKey: string; sign(text: string): string };
  /** Hosts from which agents may fetch apps. Default: each agent decides. */
  apps?: AppRules;
  limits?: Partial<HubLimits>;
}

export interface AgentHub extends Fleet {
  /** Serves one socket of an agent. */
  accept(peer: Peer): SocketHandlers;
  /**
   * Restarts the grace of every host: the center was silent, not the hosts. Resolves when all have
   * committed it. Await it before timers are armed and listeners open. Throws what the store
   * throws.
   */
  restartGrace(): Promise<void>;
  /**
   * Epoch ms of the last frame of a host; undefined when it has no session (its actor then knows
   * when the last one ended).
   */
  lastSeen(host: string): number | undefined;
  /** The host whose session has this token; undefined: no session that is up has it. */
  hostOfToken(fileToken: string): string | undefined;
  /** Number of open sockets, and of hosts that are up. */
  counts(): { sockets: number; hosts: number };
  /**
   * Closes every socket and accepts no further one. Sends nothing to the actors: the next center
   * restarts the grace of every host. Idempotent.
   */
  stop(): void;
}

export function createAgentHub(parts: HubParts): AgentHub {
  const { runtime, views, clock, heartbeatMs, onLog: log } = parts;
  const limits = { ...hubLimits, ...parts.limits };
  const base = { runtime, clock, limits, log };
  const sessions = createOpenSessions(limits.socketsMax);
  let isStopped = false;

  const hostSessions = createHostSessions({
    ...base,
    heartbeatMs,
    graces: { graceMs: parts.hostGraceMs, closedGraceMs: parts.closedGraceMs },
    undeliverable: (host, command, why) => undelivered.take(host, command, why),
  });
  const undelivered = createUndelivered({ ...base, acknowledge: hostSessions.acknowledge });
  const output = createOutputIntake({ ...base, keep: chunks => parts.output.keep(chunks), isRunOf: runOf(views) });
  const handshakes = createHandshakes({
    ...base,
    identities: createIdentities(parts),
    hostSessions,
    onHost: sessions.setHost,
    onEarlierState: text => parts.onEarlierState?.(text),
  });
  const onWork = createWork({
    commands: createCommandResults({ ...base, hostSessions, undelivered }),
    reports: createReportIntake(base),
    output,
  });
  const disarmHeartbeat = startHeartbeat({
    clock,
    heartbeatMs,
    sessions: sessions.up,
    onHeartbeat: hostSessions.reportUnanswered,
    onSleep: ms => log('warn', `the center stood still for ${Math.round(ms)} ms; the silence of agents in that time does not count`, {}),
  });
  const on: SessionEvents = {
    hello: handshakes.start,
    work(session, frame) {
      const host = sessions.host(session);
      if (host !== undefined) onWork(session, host, frame);
    },
    closed(session, reason, disconnectKind) {
      const host = sessions.host(session);
      sessions.remove(session);
      output.drop(session);
      if (host === undefined) return;
      log('info', `host/${host} lost its session: ${reason}`, { session: session.id });
      hostSessions.disconnect(host, session, reason, disconnectKind);
    },
  };

  return {
    accept: createAccept(parts, { limits, on, opened: session => !isStopped && sessions.add(session) }),
    send(host, command) {
      if (command.type === 'start') output.sent(host, command.run);
      return hostSessions.send(host, command);
    },
    onReady: hostSessions.onReady,
    closeSession: (host, code, reason) => hostSessions.session(host)?.refuse(code, reason, 4003),
    restartGrace: () => restartAllGraces({ runtime, views, hostSessions, log }),
    lastSeen(host) {
      const session = hostSessions.session(host);
      return session ? Math.round(clock.now() - (clock.monotonic() - session.lastFrameAt)) : undefined;
    },
    hostOfToken: sessions.hostOfToken,
    counts: sessions.counts,
    stop() {
      if (isStopped) return;
      isStopped = true;
      disarmHeartbeat();
      hostSessions.stop();
      undelivered.stop();
      sessions.close(1001, 'the center stops');
    },
  };
}

/** Serves one socket with a session of its own. */
function createAccept(
  { clock, ids, apps, runtime, installation }: HubParts,
  { limits, on, opened }: { limits: HubLimits; on: SessionEvents; opened(session: AgentSession): boolean },
): AgentHub['accept'] {
  const instanceId = ids.uuid();
  return peer =>
    createSession({
      clock,
      ids,
      limits,
      apps,
      state: () => ({ instanceId, epoch: runtime.epoch() }),
      proof(text) {
        const { publicKey, sign } = installation();
        return { key: publicKey, signature: sign(text) };
      },
      peer,
      on,
      opened,
    });
}

/** Hands the frames of a connected host to the part that they concern. */
function createWork({
  commands,
  reports,
  output,
}: {
  commands: CommandResults;
  reports: ReportIntake;
  output: OutputIntake;
}): (session: AgentSession, host: string, frame: WorkFrame) => void {
  return (session, host, frame) => {
    switch (frame.type) {
      case 'commandsAcknowledged':
        return commands.acknowledged(host, frame);
      case 'rejected':
        return commands.rejected(host, frame);
      case 'report':
        if (!reports.take(session, host, frame)) session.refuse('busy', 'too many reports wait to be committed', 1013);
        return;
      case 'output':
        if (!output.take(session, host, frame)) session.refuse('busy', 'too much output waits to be stored', 1013);
    }
  };
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
