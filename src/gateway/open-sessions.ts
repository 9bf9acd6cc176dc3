/** Sessions whose socket is open, each with its host once that is known. */
import type { AgentSession } from './session.ts';

interface OpenSessions {
  /** False: `socketsMax` are open. */
  add(session: AgentSession): boolean;
  setHost(session: AgentSession, host: string): void;
  host(session: AgentSession): string | undefined;
  /** The host of the session that is up with this token. */
  hostOfToken(fileToken: string): string | undefined;
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
  const byToken = new Map<string, AgentSession>();
  const up = () => [...sessions.keys()].filter(session => session.isUp());

  return {
    add(session) {
      if (sessions.size >= socketsMax) return false;
      sessions.set(session, undefined);
      byToken.set(session.fileToken, session);
      return true;
    },
    setHost: (session, host) => void sessions.set(session, host),
    host: session => sessions.get(session),
    hostOfToken(fileToken) {
      const session = byToken.get(fileToken);
      return session?.isUp() ? sessions.get(session) : undefined;
    },
    remove(session) {
      sessions.delete(session);
      byToken.delete(session.fileToken);
    },
    up,
    counts: () => ({ sockets: sessions.size, hosts: up().length }),
    close(code, reason) {
      for (const session of [...sessions.keys()]) session.close(code, reason);
    },
  };
}
