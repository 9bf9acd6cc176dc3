/** What a job is when nobody says otherwise; every door to the product starts from here. */
import type { JobConfig } from '../../../actors/job/types.ts';

/** Due times that may wait under `queue`, executions that may be open under `allow`. */
export const overlapLimitOf = (overlap: JobConfig['overlap']): number => (overlap === 'allow' ? 10 : 1);

/**
 * How long a run that shall stop without its center goes on without it, ms: `stop` alone must not
 * mean never.
 */
export const disconnectMsOf = (disconnect: JobConfig['disconnect']): number => (disconnect === 'stop' ? 60_000 : 0);

/** Missed due times that `all` still runs. */
export const MISFIRE_LIMIT = 10;

export const jobDefaults: Omit<JobConfig, 'name' | 'id' | 'pool' | 'timeZone'> = {
  kind: 'transient',
  app: null,
  command: null,
  shell: false,
  env: {},
  parameter: '',
  shards: { total: 1, parameters: {} },
  schedules: [],
  runAs: null,
  resources: { cpus: 0.1, memoryMB: 64 },
  placement: 'pack',
  partial: false,
  overlap: 'skip',
  overlapLimit: 1,
  misfire: { policy: 'once', limit: MISFIRE_LIMIT },
  misfireGraceMs: 60_000,
  retry: { attempts: 1, backoffMs: 1_000, maxBackoffMs: 300_000, jitter: 'equal' },
  failover: false,
  failoverLimit: 3,
  failoverOnFailure: false,
  disconnect: 'continue',
  disconnectMs: 0,
  timeoutMs: 0,
  startWithinMs: 0,
  killGraceMs: 10_000,
  shardingContext: false,
  description: '',
  dialect: {},
};
