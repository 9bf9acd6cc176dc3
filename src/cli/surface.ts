/**
 * The things of `/v1` as the command line reads them: fields it does not show are left out, and
 * newer ones are no trouble.
 */

export interface Page<T> {
  items: T[];
  next: string | null;
  /** Stored, and nothing that this center can read. */
  unreadable?: { name: string; reason: string }[];
}

/** Nothing is done for what is in it; null: it is in none. */
export type Quarantine = { reason: string; since: string } | null;

interface Resources {
  cpus: number;
  memoryMB: number;
}
type Command = string | string[] | null;
type Outcome = 'succeeded' | 'failed' | 'timedOut' | 'cancelled' | 'lost';

export interface Schedule {
  type: 'cron' | 'crontab' | 'calendar';
  cron?: string;
  crontab?: string;
  timeZone?: string;
  [setting: string]: unknown;
}

export interface Job {
  name: string;
  id: string;
  pool: string;
  kind: 'transient' | 'resident';
  app?: string | null;
  command?: Command;
  /** null: a value that is shown only to who may change the job. */
  env: Record<string, string | null>;
  parameter: string;
  shards: { total: number; parameters: Record<string, string> };
  schedules: Schedule[];
  resources: Resources;
  placement: string;
  partial: boolean;
  overlap: string;
  misfire: { policy: string; limit: number };
  retry: { attempts: number; backoffMs: number; maxBackoffMs: number; jitter?: string };
  failover: boolean;
  failoverLimit?: number;
  failoverOnFailure?: boolean;
  disconnect?: string;
  disconnectMs?: number;
  timeoutMs: number;
  startWithinMs?: number;
  killGraceMs?: number;
  shell?: boolean;
  runAs?: string | null;
  shardingContext?: boolean;
  overlapLimit?: number;
  misfireGraceMs?: number;
  version?: number;
  enabled: boolean;
  status: string;
  nextAt: string | null;
  lastOutcome: Outcome | null;
  lastExecution?: string | null;
  lastFinishedAt?: string | null;
  timeZone?: string;
  quarantine?: Quarantine;
  rev: number;
  createdAt: string;
  updatedAt: string;
  description?: string;
}

/** The answer of create and update. */
export interface SavedJob extends Job {
  warnings: { field: string; message: string }[];
  /** The schedules in words. */
  scheduleText: string[];
  /** The next three due times. */
  nextDue: string[];
}

export interface App {
  name: string;
  url: string;
  sha256?: string | null;
  command: Command;
  resources: Resources;
  cache: boolean;
  traceEvery: number;
  enabled: boolean;
  status: string;
  quarantine?: Quarantine;
  jobs: string[];
  createdAt: string;
  updatedAt: string;
}

export interface Shard {
  item: number;
  parameter: string;
  host: string | null;
  hostName?: string | null;
  attempt: number;
  status: string;
  outcome: Outcome | null;
  exitCode: number | null;
  signal: string | null;
  startedAt: string | null;
  finishedAt: string | null;
  reason: string | null;
}

export interface Execution {
  id: string;
  job: string;
  trigger: string;
  dueAt: string | null;
  createdAt: string;
  startedAt: string | null;
  finishedAt: string | null;
  status: 'pending' | 'running' | 'cancelling' | 'done';
  outcome: Outcome | null;
  reason: string | null;
  quarantine?: Quarantine;
  shards: Shard[];
}

export interface Host {
  id: string;
  name: string;
  pool: string;
  status: string;
  address: string;
  os: string;
  arch: string;
  cpus: number;
  memoryMB: number;
  free: Resources;
  labels: Record<string, string>;
  agentVersion: string;
  appIsolation: string;
  runAs: string | null;
  runAsAllowed: string[];
  running: number;
  quarantine?: Quarantine;
  /** It refused a run for a reason of its own, and takes nothing new. */
  refusing: { reason: string; since: string; triedAt: string | null } | null;
  lastSeenAt: string | null;
}

export interface Pool {
  name: string;
  description: string;
  timeZone: string | null;
  status: string;
  /** How many. */
  hosts: number;
  /** Executions that wait for room. */
  waiting: number;
  quarantine?: Quarantine;
  total: Resources;
  free: Resources;
  createdAt: string;
  updatedAt: string;
}

export interface Allocation {
  hosts: { name: string; open: boolean; total: Resources; free: Resources; runs: { execution: string; item: number }[] }[];
  waiting: { execution: string; shards: number[]; reason: string | null }[];
}

export interface Occurrence {
  dueAt: string;
  verdict: string;
  execution?: string | null;
  reason: string | null;
  decidedAt: string;
}

export interface LogLine {
  /** The shard. */
  item: number;
  attempt: number;
  /** Counts up within its shard. */
  seq: number;
  at: string;
  stream: 'stdout' | 'stderr';
  text: string;
  /** Bytes of the stream that are not kept, in place of a text. */
  leftOut?: number;
}

/** Why something runs, waits, or ended as it did. */
export interface Explanation {
  sentence: string;
  at: string;
  facts: { type: string; message: string; [value: string]: unknown }[];
}

export interface FeedFact {
  /** Absent where it is no fact but a notice of the feed. */
  cursor?: string;
  at: string;
  address: string;
  rev: number;
  type: string;
  data: Record<string, unknown>;
}

export interface ApiToken {
  name: string;
  scope: string;
  createdAt: string;
  expiresAt: string;
  lastUsedAt: string | null;
}
