/** A job as operators configure it, and what its actor keeps. */
import type { KnownApp, Resources } from '../app/types.ts';
import type { NotifySettings } from '../notice/types.ts';
import type { JobSchedule } from '../schedule/index.ts';

export type Overlap = 'skip' | 'queue' | 'allow' | 'replace';
type MisfirePolicy = 'skip' | 'once' | 'all';
type Jitter = 'none' | 'equal' | 'full';
export type Placement = 'pack' | 'sticky' | 'spread';

/** A content of the file store under one of its names. No upload of that name changes it. */
export interface JobFile {
  name: string;
  /** 64 lower-case hex digits; it alone decides which content a run gets. */
  sha256: string;
  /** 32 lower-case hex digits; clients of Cloudtask know it as `filecode`. */
  md5: string;
  /** Bytes. */
  size: number;
}

/** A content that a job had before. `at`: when another one took its place, epoch ms. */
export type EarlierFile = Omit<JobFile, 'size'> & { at: number };

/** The API has checked it and filled in every default. */
export interface JobConfig {
  /** Unique in the center. */
  name: string;
  /** 24 hex digits, the name of the job in the Cloudtask dialect. */
  id: string;
  pool: string;
  /** Business group that lists find it by. Absent or null: none. */
  group?: string | null;
  /** Hosts that may run it, as `pool/admission.ts` reads them. Absent or empty: any of its pool. */
  servers?: string[];
  kind: 'transient' | 'resident';
  app: string | null;
  /** What its runs find in their directory; not beside an app. Absent or null: none. */
  file?: JobFile | null;
  /** Its earlier contents, newest first, without the present one. At most 60. Absent: none. */
  files?: EarlierFile[];
  /**
   * Without an app: its runs on a host share a directory that stays. Absent: false. A job with a
   * file always keeps it.
   */
  keepDirectory?: boolean;
  /** argv, or a string that is split without a shell; null: the app's command. */
  command: string | string[] | null;
  shell: boolean;
  env: Record<string, string>;
  /** User of its processes; null: each host's own setting. */
  runAs: string | null;
  parameter: string;
  shards: { total: number; parameters: Record<string, string> };
  schedules: JobSchedule[];
  /** IANA zone of the schedules that name none. */
  timeZone: string;
  resources: Resources;
  placement: Placement;
  /** true: what fits starts; false: all shards or none. */
  partial: boolean;
  overlap: Overlap;
  /** How many executions may wait (`queue`), or be open at once (`allow`). */
  overlapLimit: number;
  misfire: { policy: MisfirePolicy; limit: number };
  /** A due time later than this counts as missed, ms. */
  misfireGraceMs: number;
  retry: { attempts: number; backoffMs: number; maxBackoffMs: number; jitter: Jitter };
  failover: boolean;
  /** How many times a shard may move to another host. */
  failoverLimit: number;
  /** With `failover`: a shard that failed moves, too, once its retries are spent. */
  failoverOnFailure: boolean;
  disconnect: 'continue' | 'stop';
  disconnectMs: number;
  timeoutMs: number;
  /** An execution that has started no process after this has failed, ms; 0: no limit. */
  startWithinMs: number;
  killGraceMs: number;
  /** Append the sharding context as the last argument (ElasticJob scripts). */
  shardingContext: boolean;
  /** Who is notified of the end of its executions. Absent: nobody. */
  notify?: NotifySettings;
  description: string;
  /** Fields of a dialect that only this dialect reads (handler types, props, …). */
  dialect: Record<string, unknown>;
}

export type JobTrigger = 'schedule' | 'api' | 'misfire' | 'retry';

/** Messages of Cloudtask about a job. */
type JobMessage = 'JobExecute' | 'JobSelect';

/** What such a message says, in its own words; null: nothing of it. Instants are ISO 8601. */
export interface ReportedState {
  message: JobMessage;
  state: number | null;
  execerr: string | null;
  execat: string | null;
  nextat: string | null;
  /** Of the host. */
  key: string | null;
  ipaddr: string | null;
}

export interface OpenExecution {
  id: string;
  /** What it waits for: its turn, or the app's answer; null: it is not blocked. */
  blocked: 'turn' | 'app' | null;
}

export interface JobContext {
  config: JobConfig;
  /** +1 with each edit. */
  version: number;
  /** Idempotency key of the request that created it, if it had one: a repeat finds the actor. */
  claim?: string;
  createdAt: number;
  updatedAt: number;
  /** Names of the users whose requests created it and changed it last. Absent: not known. */
  createdBy?: string;
  updatedBy?: string;
  /** Its copy of the app; null until the app has answered. */
  app: KnownApp | null;
  /** Every due time up to here has its verdict. Epoch ms. */
  watermark: number;
  nextAt: number | null;
  open: (OpenExecution & { trigger: JobTrigger; since: number })[];
  /** Of a sticky job: the host to which each shard is allocated; null: it has none. */
  allocatedHosts: string[] | null;
  /** Why it has none; null: it has, or is not sticky. */
  unallocated: string | null;
  /**
   * Hosts that its table proposes and that it has not taken for every shard. `closed`: its hosts
   * that take no work any more. `holders`: open execution -> shards that it runs elsewhere.
   */
  proposal: { serial: number; hosts: string[]; name: string | null; closed: string[]; holders: Record<string, number[]> } | null;
  lastExecution: string | null;
  lastOutcome: string | null;
  lastFinishedAt: number | null;
  /** Start of the last execution's first process, epoch ms; absent or null: none started. */
  lastStartedAt?: number | null;
  /** End of the last execution that succeeded; absent or null: none has. Epoch ms. */
  lastSucceededAt?: number | null;
  /** It has sent a notice: its notice actor is there. */
  notified?: true;
  /** The last finding of the schedule audit, repaired since; absent: there was none. Epoch ms. */
  unarmed?: { at: number; dueAt: number; reason: string };
  /** Timestamps of the last messages of other systems about it, by message; absent: none. */
  reported?: Partial<Record<JobMessage, string>>;
  /** Idempotency keys of the latest triggers -> execution, oldest first. */
  keys: [string, string][];
}
