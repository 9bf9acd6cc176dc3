/** Sessions whose socket is open, each with its host once that is known. */
import type { AgentSession } from './session.ts';

interface OpenSessions {
  /** False: `socketsMax` are open. */
  add(session: AgentSession): boolean;
  setHost(session: AgentSession, host: string): void;
  host(session: AgentSession): string | undefined;
  remove(session: AgentSession): void;
  /** Sessions that have their welcome. */
  up(): AgentSession[];
  /** Number of open sockets, and of hosts that are up. */
  counts(): { sockets: number; hosts: number };
  /** Closes all. */
  close(code: number, reason: string): void;
}

export function createOpenSessions(socketsMax: number): OpenSessions {
  const sessions = new Map<AgentSession, string | undefined>();
  const up = () => [...sessions.keys()].filter(session => session.isUp());

  return {
    add(session) {
      if (sessions.size >= socketsMax) return false;
      sessions.set(session, undefined);
      return true;
    },
    setHost: (session, host) => void sessions.set(session, host),
    host: session => sessions.get(session),
    remove: session => void sessions.delete(session),
    up,
    counts: () => ({ sockets: sessions.size, hosts: up().length }),
    close(code, reason) {
      for (const session of [...sessions.keys()]) session.close(code, reason);
    },
  };
}
