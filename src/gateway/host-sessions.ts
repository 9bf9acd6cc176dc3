/**
 * The session of each host: one at most, the newest. The host actor receives the beginning and the
 * end of each session, in that order. A host is ready only after its `host.connected` is committed.
 */
import type { DisconnectKind, GracePeriods } from '../../actors/host/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Command, Hello } from '../protocol/agent.ts';
import { Busy } from '../runtime/errors.ts';
import { HostAway } from '../runtime/fleet.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { createDisconnects } from './disconnects.ts';
import { fenceOlder, refuseCopy } from './fencing.ts';
import { createHostRecord, dataDirOf, type HostRecord } from './host-record.ts';
import type { HubLimits, HubLog } from './limits.ts';
import type { AgentSession } from './session.ts';

/** A host counts as lost at most this long after its grace, ms: timers fire once a second. */
const LOST_BY_MS = 5_000;

/** Reason for which a host does not carry out a command. */
export type Undeliverable = { because: 'tooLarge' | 'unanswered' } | { because: 'unreadable' | 'failed'; message: string };

export interface HostSessions {
  /**
   * Gives the host to this session; resolves once it is up, or was closed meanwhile. Throws
   * HandshakeRejected when a living agent has the host.
   */
  connect(host: string, session: AgentSession, hello: Hello): Promise<void>;
  /** This session is over. Has no effect for one that was replaced. */
  disconnect(host: string, session: AgentSession, reason: string, disconnectKind: DisconnectKind): void;
  /**
   * A keeper reports that its agent ended and the host lives. False: no session has this token.
   * Throws what the runtime throws.
   */
  reportAgentLost(livenessToken: string): Promise<boolean>;
  /** As `CommandQueue.send`. Rejects with HostAway also when the host has no session. */
  send(host: string, command: Command): Promise<void>;
  acknowledge(host: string, key: string): void;
  /** A command that this host has not acknowledged. */
  command(host: string, key: string): Command | undefined;
  /** Reports each command that a connected host has not acknowledged in time. */
  reportUnanswered(stalledMs: number): void;
  session(host: string): AgentSession | undefined;
  onReady(listener: (host: string) => void): void;
  /** Ends of sessions are not sent any more: the next center restarts the grace of all hosts. */
  stop(): void;
}

interface HostSessionsParts {
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  limits: HubLimits;
  heartbeatMs: number;
  graces: GracePeriods;
  log: HubLog;
  /** The host does not accept this command, or does not acknowledge it. */
  undeliverable(host: string, command: Command, why: Undeliverable): void;
}

export function createHostSessions(parts: HostSessionsParts): HostSessions {
  const { clock, limits, log } = parts;
  const records = createRecords(parts);
  const disconnects = createDisconnects({ ...parts, onCommitted: records.deleteIdle });
  const listeners: ((host: string) => void)[] = [];

  const occupy = (record: HostRecord, session: AgentSession, hello: Hello) => {
    disconnects.reconnected(record.host);
    records.begin(record, session, hello);
  };

  return {
    async connect(host, session, hello) {
      const record = records.of(host);
      await fenceOlder(record, session, hello, { limits, log, onEnded: records.ended });
      refuseCopy(record, hello, parts.graces.graceMs);
      if (!session.isOpen()) {
        if (!record.session && record.announced)
          disconnects.report(record, record.announced, { reason: 'a newer session replaced it, and ended', disconnectKind: 'away' });
        return;
      }
      occupy(record, session, hello);
      if (!(await announce(parts, session, host, hello))) return;
      if (record.session !== session || !session.isOpen()) return;
      session.welcome(host, parts.heartbeatMs);
      log('info', `host/${host} is connected`, { session: session.id, address: session.peer.address, runs: hello.runs.length });
      record.commands.connect(command => {
        if (!session.send(command)) parts.undeliverable(host, command, { because: 'tooLarge' });
      });
      for (const listener of listeners) listener(host);
    },

    disconnect(host, session, reason, disconnectKind) {
      const record = records.get(host);
      if (!record || record.session !== session) return;
      record.session = undefined;
      records.ended();
      records.remember(record);
      record.commands.abandon(reason);
      clock.after(parts.graces.graceMs, () => records.deleteToken(session.livenessToken));
      if (record.announced === session) disconnects.report(record, session, { reason, disconnectKind });
      else records.deleteIdle(record);
      if (disconnectKind === 'closed') disconnects.closed(host, records.connected());
    },

    async reportAgentLost(livenessToken) {
      const known = records.byToken(livenessToken);
      if (!known) return false;
      await parts.runtime.tell(`host/${known.host}`, { type: 'host.agentLost', session: known.session });
      return true;
    },

    send(host, command) {
      const record = records.get(host);
      // Commands are accepted while `host.connected` is being committed: effects of that commit may
      // precede the welcome.
      if (!record?.session) return Promise.reject(new HostAway(`host/${host} has no session`));
      return record.commands.send(command);
    },

    acknowledge: (host, key) => records.get(host)?.commands.acknowledge(key),
    command: (host, key) => records.get(host)?.commands.get(key),
    reportUnanswered(stalledMs) {
      for (const { host, commands, session } of records.all()) {
        if (!session?.isUp()) continue;
        for (const command of commands.overdue(limits.commandAnswerMs, stalledMs))
          parts.undeliverable(host, command, { because: 'unanswered' });
      }
    },
    session: host => records.get(host)?.session,
    onReady: listener => void listeners.push(listener),
    stop: disconnects.stop,
  };
}

/** Commits `host.connected`. False: the session was refused. */
async function announce({ runtime, graces, log }: HostSessionsParts, session: AgentSession, host: string, hello: Hello): Promise<boolean> {
  try {
    const answer = await runtime.tell(`host/${host}`, {
      type: 'host.connected',
      session: session.id,
      address: session.peer.address,
      capabilities: hello.capabilities,
      bootId: hello.bootId,
      runs: hello.runs.map(({ run }) => run),
      ...graces,
    });
    if (answer === undefined) {
      session.refuse('retired', `host ${hello.name} was retired; its key never serves again`, 4003);
      return false;
    }
    session.number = (answer as { session: number }).session;
    return true;
  } catch (problem) {
    const code = problem instanceof Busy ? 'busy' : 'unavailable';
    log('warn', `host/${host} cannot be connected now`, { session: session.id, problem });
    session.refuse(code, 'the center cannot accept this agent now; try again later', 1013);
    return false;
  }
}

/** Records of hosts and tokens of keepers, and how many hosts have a session. */
function createRecords({ clock, limits, graces }: Pick<HostSessionsParts, 'clock' | 'limits' | 'graces'>) {
  const records = new Map<string, HostRecord>();
  const tokens = new Map<string, { host: string; session: string }>();
  let connected = 0;

  const deleteIdle = (record: HostRecord): void => {
    const isIdle = !record.session && !record.lastServed && record.announced === undefined;
    if (isIdle && records.get(record.host) === record) records.delete(record.host);
  };

  return {
    get: (host: string) => records.get(host),
    all: () => records.values(),
    connected: () => connected,
    byToken: (token: string) => tokens.get(token),
    deleteToken: (token: string): void => void tokens.delete(token),
    deleteIdle,
    of(host: string): HostRecord {
      const record = records.get(host) ?? createHostRecord(host, limits.commandsMax, clock);
      records.set(host, record);
      return record;
    },
    begin(record: HostRecord, session: AgentSession, hello: Hello): void {
      if (!record.session) connected += 1;
      record.session = session;
      record.instanceId = hello.instanceId;
      record.dataDir = dataDirOf(hello);
      record.announced = session;
      if (record.livenessToken !== undefined) tokens.delete(record.livenessToken);
      record.livenessToken = session.livenessToken;
      tokens.set(session.livenessToken, { host: record.host, session: session.id });
    },
    /** A host has lost its session. */
    ended(): void {
      connected -= 1;
    },
    /** Keeps the data directory until the host is lost, and all of its runs with it. */
    remember(record: HostRecord): void {
      const lastServed = { dataDir: record.dataDir };
      record.lastServed = lastServed;
      clock.after(graces.graceMs + LOST_BY_MS, () => {
        if (record.session || record.lastServed !== lastServed) return;
        record.lastServed = undefined;
        deleteIdle(record);
      });
    },
  };
}
