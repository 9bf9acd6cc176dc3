/** Valid things with one difference. */
import type { AppConfig } from '../../actors/app/types.ts';
import type { RunPlacement as Placement, RunEnd, RunName, ShardOutcome } from '../../actors/execution/types.ts';
import { runConfigOf } from '../../actors/job/run-config.ts';
import type { JobConfig, ReportedState } from '../../actors/job/types.ts';
import type { ReservationRequest } from '../../actors/pool/types.ts';
import type { ExecutionEvent } from '../../actors/types.ts';

export const aJob = (difference: Partial<JobConfig> = {}): JobConfig => ({
  name: 'nightly',
  id: '0123456789abcdef01234567',
  pool: 'default',
  kind: 'transient',
  app: null,
  command: ['true'],
  shell: false,
  env: {},
  runAs: null,
  parameter: '',
  shards: { total: 1, parameters: {} },
  schedules: [],
  timeZone: 'UTC',
  resources: { cpus: 0.1, memoryMB: 64 },
  placement: 'pack',
  partial: false,
  overlap: 'skip',
  overlapLimit: 1,
  misfire: { policy: 'skip', limit: 10 },
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
  ...difference,
});

export const anApp = (difference: Partial<AppConfig> = {}): AppConfig => ({
  name: 'my_app',
  url: 'http://apps.example/my_app.tar.gz',
  sha256: null,
  command: 'bin/start.sh',
  resources: { cpus: 0.1, memoryMB: 64 },
  cache: true,
  traceEvery: 0,
  description: '',
  ...difference,
});

/** Resources of one shard, half a core and 10 MB, without an app. */
export const aRequest = (difference: Partial<ReservationRequest> = {}): ReservationRequest => ({
  execution: 'e1',
  job: 'nightly',
  runs: [{ item: 0, attempt: 1 }],
  resources: { cpus: 0.5, memoryMB: 10 },
  app: null,
  partial: false,
  placement: 'pack',
  ...difference,
});

export const aRun = (execution = 'e1', item = 0, attempt = 1): RunName => ({ execution, item, attempt });

type Birth = Extract<ExecutionEvent, { type: 'execution.create' }>;

/** An execution of one shard that requests its resources at once. */
export const aCreate = ({ config, ...difference }: Partial<Omit<Birth, 'config'>> & { config?: Partial<JobConfig> } = {}): Birth => ({
  type: 'execution.create',
  id: 'nightly@x',
  trigger: 'api',
  dueAt: null,
  config: runConfigOf(aJob(config)),
  app: null,
  retryOf: null,
  blockedReason: null,
  ...difference,
});

export const aPlacement = (item: number, host: string, attempt = 1): Placement => ({ item, attempt, host, hostName: host });

/** The report that a process ended, one second after its start at 2026-11-22T08:00:00Z. */
export const anEnd = (item: number, host: string, outcome: ShardOutcome, attempt = 1): { type: 'shard.ended' } & RunEnd => ({
  type: 'shard.ended',
  item,
  attempt,
  host,
  outcome,
  exitCode: outcome === 'succeeded' ? 0 : 1,
  signal: null,
  startedAt: Date.UTC(2026, 10, 22, 8),
  finishedAt: Date.UTC(2026, 10, 22, 8, 0, 1),
  reason: null,
  output: null,
});

/** Of a run that has failed. */
export const aReportedState = (difference: Partial<ReportedState> = {}): ReportedState => ({
  message: 'JobExecute',
  state: -1,
  execerr: 'job execute exception:exit status 1',
  execat: '2026-11-22T08:00:00.000Z',
  nextat: null,
  key: '517ae088-779c-4520-b23f-e5f0c341081d',
  ipaddr: '192.168.2.80',
  ...difference,
});
