/**
 * What operators configure: jobs and apps, as the front door hands them over (checked, with every
 * default filled in).
 */
import type { Schedule } from './schedule/index.ts';

export interface Resources {
  /** Parts of a core; 0.001 is the smallest step. */
  cpus: number;
  memoryMB: number;
}

export type Overlap = 'skip' | 'queue' | 'allow' | 'replace';
type MisfirePolicy = 'skip' | 'once' | 'all';
type Jitter = 'none' | 'equal' | 'full';
export type Placement = 'pack' | 'sticky' | 'spread';

export interface JobConfig {
  /** Unique in the center. */
  name: string;
  /** 24 hex digits, the name by which the Cloudtask dialect knows it. */
  id: string;
  pool: string;
  kind: 'transient' | 'resident';
  app: string | null;
  /** argv or a string that is split without a shell; null: the app's command. */
  command: string | string[] | null;
  shell: boolean;
  env: Record<string, string>;
  /** The user of its hosts that its processes run as; null: whom each host says. */
  runAs: string | null;
  parameter: string;
  shards: { total: number; parameters: Record<string, string> };
  schedules: Schedule[];
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
  /** With `failover`: also a shard that failed is sent again so, once its retries are spent. */
  failoverOnFailure: boolean;
  disconnect: 'continue' | 'stop';
  disconnectMs: number;
  timeoutMs: number;
  /** An execution that has started no process after this has failed, ms; 0: no limit. */
  startWithinMs: number;
  killGraceMs: number;
  /** Append the sharding context as the last argument (ElasticJob scripts). */
  shardingContext: boolean;
  description: string;
  /** Words of another door that only that door reads back (handler types, props, …). */
  dialect: Record<string, unknown>;
}

export interface AppConfig {
  name: string;
  url: string;
  sha256: string | null;
  command: string | string[];
  /** What the app itself takes on a host, once per host whatever the number of shards. */
  resources: Resources;
  cache: boolean;
  traceEvery: number;
  description: string;
}

/** An app as its jobs know it. `version` grows with each edit. */
export interface KnownApp {
  config: AppConfig;
  version: number;
  enabled: boolean;
}
