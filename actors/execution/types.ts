/** An execution, its shards and their runs: the context of its actor, and the requests to hosts. */
import type { KnownApp } from '../app/types.ts';
import type { StartFault } from '../host/types.ts';
import type { JobConfig, JobTrigger } from '../job/types.ts';

/** Where runs of a job work, and what they find there. */
interface RunDirectory {
  /** The id of the job, which is unique and stays for its life. */
  job: string;
  /** The content of the file store that is unpacked there; null: the directory begins empty. */
  file: { name: string; sha256: string; size: number } | null;
}

/** What an execution keeps of its job's configuration. Edits of the job do not change it. */
export interface RunConfig
  extends Pick<
    JobConfig,
    | 'name'
    | 'pool'
    | 'servers'
    | 'app'
    | 'command'
    | 'shell'
    | 'env'
    | 'runAs'
    | 'parameter'
    | 'shards'
    | 'resources'
    | 'placement'
    | 'partial'
    | 'retry'
    | 'failover'
    | 'failoverLimit'
    | 'failoverOnFailure'
    | 'disconnect'
    | 'disconnectMs'
    | 'timeoutMs'
    | 'startWithinMs'
    | 'killGraceMs'
    | 'shardingContext'
  > {
  /** The directory that its runs on a host share. Absent: each has its own, or its app's. */
  directory?: RunDirectory;
}

/** One attempt of one shard. */
export interface RunName {
  execution: string;
  item: number;
  attempt: number;
}

/** The start of a process: the agent's `ProcessSpec` without the fields that the host adds. */
export interface RunSpec {
  command: string | string[];
  shell: boolean;
  lastArgument?: string;
  env: Record<string, string>;
  artifact?: { app: string; url: string; sha256?: string; cache: boolean; version: number };
  /** `asOf`: when its execution was created, epoch ms. The latest has the job's present file. */
  directory?: RunDirectory & { asOf: number };
  runAs?: string;
  timeoutMs: number;
  killGraceMs: number;
  disconnect: 'continue' | 'stop';
  disconnectMs: number;
}

export type ShardOutcome = 'succeeded' | 'failed' | 'timedOut' | 'cancelled' | 'lost';

export interface ShardAttempt {
  attempt: number;
  host: string | null;
  hostName: string | null;
  outcome: ShardOutcome;
  exitCode: number | null;
  signal: string | null;
  startedAt: number | null;
  finishedAt: number | null;
  reason: string | null;
}

/**
 * One shard of an execution: one process at a time, attempts one after the other.
 *
 *   waiting --> starting --> running --> done
 *      ^            |           |
 *      +-- retry ---+-----------+        ending: asked to stop, its end not yet reported
 */
export interface ShardState {
  item: number;
  parameter: string;
  status: 'waiting' | 'starting' | 'running' | 'ending' | 'done';
  outcome: ShardOutcome | null;
  host: string | null;
  hostName: string | null;
  /** The session of its host, counted from 1, that reported its start. */
  session: number | null;
  /** Why its host was asked to give it back unless it has begun. */
  withdrawReason: string | null;
  /** Its host refused an earlier run; this run tries the host. */
  trial?: true;
  /** Attempts in a row that hosts refused for reasons of their own. Absent: none. */
  refusals?: number;
  /** When its host was ordered to start it, epoch ms. */
  orderedAt?: number | null;
  /**
   * Its host reported neither start nor end in time, so the center asked it back. If the host gives
   * it back, it fails.
   */
  isOverdue?: boolean;
  /** 1 for the first. The number of the attempt that waits, runs, or ended last. */
  attempt: number;
  /**
   * Two budgets: attempts spent by failures of the process, and by loss of the host or another
   * reason to fail over.
   */
  failures: number;
  losses: number;
  /** The next attempt may not ask for capacity before this instant. */
  notBefore: number | null;
  exitCode: number | null;
  signal: string | null;
  startedAt: number | null;
  finishedAt: number | null;
  reason: string | null;
  output: { stdoutBytes: number; stderrBytes: number } | null;
  /** The directory of its job on the host that it ran in last. Absent: not known, or none. */
  directory?: string;
  /** Earlier attempts, oldest first, the last ten. */
  past: ShardAttempt[];
}

/** Where a pool has placed a run. */
export interface RunPlacement {
  item: number;
  attempt: number;
  host: string;
  hostName: string;
  /** The host refused the run before; its pool waits for the outcome of this one. */
  trial?: true;
}

/** How a run ended, as its host reports it. */
export interface RunEnd {
  item: number;
  attempt: number;
  host: string;
  outcome: ShardOutcome;
  exitCode: number | null;
  signal: string | null;
  startedAt: number | null;
  finishedAt: number;
  reason: string | null;
  output: ShardState['output'];
  /** Processes that it left running when it ended by itself, and that its host ended. */
  leftRunning?: number;
  /** No further attempt under any policy: the run ended more than one agent. */
  parked?: boolean;
  /** The host refused it for a reason of its own, and nothing of it began there. */
  hostFault?: StartFault;
}

export interface ExecutionContext {
  id: string;
  job: string;
  trigger: JobTrigger;
  dueAt: number | null;
  retryOf: string | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  config: RunConfig;
  app: KnownApp | null;
  /** Why its job keeps it from starting; null: it is not blocked. */
  blockedReason: string | null;
  /** Why it waits, was cancelled, or did not succeed. */
  reason: string | null;
  cancelled: boolean;
  /** Of a sticky job: the host of each shard; null: it has none. Absent: any host. */
  allocatedHosts?: string[] | null;
  /** Why it has none. */
  unallocated?: string | null;
  /** Shards that run elsewhere than that proposal says, as its job has them. */
  held?: { serial: number; items: number[] } | undefined;
  /** Why its job gave up its place: nothing new begins. */
  deallocated?: string;
  /** Why it is given up: it has started no process within the limit of its job. */
  expired?: string;
  shards: ShardState[];
  outcome: ShardOutcome | null;
}
