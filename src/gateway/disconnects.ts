/**
 * Ends of sessions, as events to the host actors: one `host.disconnected` per session, and a new
 * grace where many hosts lose their sockets at once.
 */
import type { DisconnectKind, GracePeriods } from '../../actors/host/types.ts';
import type { Clock } from '../lib/clock.ts';
import { NoSuchActor } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { HostRecord } from './host-record.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';
import { createMassDisconnect } from './mass-disconnect.ts';
import type { AgentSession } from './session.ts';

/** Longest list of hosts in one log line. */
const NAMED_MAX = 20;

export interface Disconnects {
  /**
   * Sends the end of a session until it is committed, or a newer session of the host makes it
   * obsolete.
   */
  report(record: HostRecord, session: AgentSession, how: { reason: string; disconnectKind: DisconnectKind }): void;
  /** The socket of this host closed without a close frame; `left` hosts still have one. */
  closed(host: string, left: number): void;
  /** The host has a session again. */
  reconnected(host: string): void;
  /** Sends no further event. Idempotent. */
  stop(): void;
}

export function createDisconnects(parts: {
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  limits: HubLimits;
  heartbeatMs: number;
  graces: GracePeriods;
  log: HubLog;
  /** The end of the session is committed. */
  onCommitted(record: HostRecord): void;
}): Disconnects {
  const { runtime, clock, limits, log } = parts;
  const massDisconnect = createMassDisconnect({ clock, withinMs: parts.graces.closedGraceMs });
  let isStopped = false;

  const send = async (record: HostRecord, session: AgentSession, how: { reason: string; disconnectKind: DisconnectKind }, failures = 0) => {
    if (isStopped || record.announced !== session) return;
    // A close after a silence points to the network, and the grace includes the silence.
    const silentMs = Math.max(0, Math.round(clock.monotonic() - session.lastFrameAt));
    const isSilent = silentMs > 2 * parts.heartbeatMs;
    const kind =
      how.disconnectKind === 'closed' && !isSilent
        ? ({ disconnectKind: 'closed', silentMs: 0 } as const)
        : ({ disconnectKind: 'away', silentMs } as const);
    try {
      await runtime.tell(`host/${record.host}`, { type: 'host.disconnected', session: session.id, reason: how.reason, ...kind });
    } catch (problem) {
      if (!(problem instanceof NoSuchActor)) {
        clock.after(retryDelay(limits, failures), () => void send(record, session, how, failures + 1));
        return;
      }
    }
    if (record.announced === session) record.announced = undefined;
    parts.onCommitted(record);
  };

  const restartGrace = (hosts: string[]) => {
    // The first hosts share one line; each that closes after them has its own, at level `info`.
    const level = hosts.length > 1 ? 'warn' : 'info';
    log(level, `the sockets of ${hosts.length} hosts closed at once, more than are left: their full grace begins`, {
      hosts: hosts.slice(0, NAMED_MAX),
    });
    for (const host of hosts) {
      runtime
        .tell(`host/${host}`, { type: 'host.restartGrace' })
        .catch(problem => log('warn', `host/${host} cannot restart its grace`, { problem }));
    }
  };

  return {
    report: (record, session, how) => void send(record, session, how),
    closed(host, left) {
      if (isStopped) return;
      const hosts = massDisconnect.record(host, left);
      if (hosts.length > 0) restartGrace(hosts);
    },
    reconnected: massDisconnect.reconnected,
    stop() {
      isStopped = true;
    },
  };
}
