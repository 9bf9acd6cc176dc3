/** A host as its agent describes it, and what its actor keeps. */

export interface HostCapabilities {
  os: string;
  arch: string;
  cpus: number;
  memoryMB: number;
  labels: Record<string, string>;
  agentVersion: string;
  hostname: string;
  treeKill: string;
  /** How files that runs write into their apps are kept apart. */
  appIsolation: string;
  /**
   * `user`: user of the jobs that name none; null: the agent's own. `allowed`: the users that jobs
   * may name.
   */
  runAs: { user: string | null; allowed: string[] };
}

/**
 * How a session ended. `closed`: the socket closed without a closing frame, as when a host is
 * switched off or its agent is killed. `away`: any other way; the agent may be running.
 */
export type DisconnectKind = 'closed' | 'away';

/**
 * How long a host may be without a session before it is lost, ms: `closedGraceMs` after its socket
 * closed without a closing frame, `graceMs` after any other end of a session.
 */
export interface GracePeriods {
  graceMs: number;
  closedGraceMs: number;
}

/**
 * Why a host, not a run, refused a start: nothing of the run began there, and the host would refuse
 * the next run, too. `epoch`: its agent has served a newer center. `journal`, `disk`: not writable.
 * `keeper`: none can be opened. `spawn`: the system gives no process. `runs`: the agent is at its
 * limit of runs.
 */
export type StartFault = 'epoch' | 'journal' | 'disk' | 'keeper' | 'spawn' | 'runs';

export interface HostContext {
  id: string;
  name: string;
  pool: string;
  publicKey: string;
  graceMs: number;
  closedGraceMs: number;
  session: string | null;
  /** Number of sessions so far: the number of the present or last one. */
  sessions: number;
  /** Without a session: the last one, and the instant of its last frame. */
  lastDisconnect: { session: string; at: number } | null;
  /** The session whose keeper reported that only the agent is gone. */
  agentLost: string | null;
  /** When it is lost unless it comes back. */
  graceUntil: number | null;
  /** Why its pool does not take it. */
  rejectedByPool: string | null;
  address: string;
  bootId: string | null;
  capabilities: HostCapabilities | null;
  /** Survives the end of a session. */
  draining: boolean;
  createdAt: number;
  connectedAt: number | null;
  /** When the last session ended. */
  lastSeenAt: number | null;
}
