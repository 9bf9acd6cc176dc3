/** Things of `/v1` with one difference; fields that nothing shows are left out. */
import type { Execution, Shard } from '../../../src/protocol/rest/execution.ts';
import type { Fact } from '../../../src/protocol/rest/fact.ts';
import type { Host } from '../../../src/protocol/rest/host.ts';
import type { Job, SavedJob } from '../../../src/protocol/rest/job.ts';

export const aJob = (different: Partial<Job> = {}): Job =>
  ({
    name: 'nightly',
    id: '0123456789abcdef01234567',
    pool: 'default',
    kind: 'transient',
    app: null,
    command: ['sh', '-c', 'echo hi'],
    env: {},
    parameter: '',
    shards: { total: 1, parameters: {} },
    schedules: [{ type: 'cron', cron: '0 0 8 * * ?' }],
    resources: { cpus: 0.1, memoryMB: 64 },
    placement: 'pack',
    partial: false,
    overlap: 'skip',
    misfire: { policy: 'skip', limit: 10 },
    retry: { attempts: 1, backoffMs: 1_000, maxBackoffMs: 300_000 },
    failover: false,
    timeoutMs: 0,
    enabled: true,
    status: 'idle',
    nextAt: '2026-11-22T08:00:00.000Z',
    lastOutcome: 'succeeded',
    rev: 1,
    createdAt: '2026-11-21T08:00:00.000Z',
    updatedAt: '2026-11-21T08:00:00.000Z',
    ...different,
  }) as Job;

/** A job as create and update answer it. */
export const aSavedJob = (different: Partial<SavedJob> = {}): SavedJob => ({
  ...aJob(),
  warnings: [],
  scheduleText: ['at 08:00, every day (UTC)'],
  nextDue: ['2026-11-22T08:00:00.000Z', '2026-11-23T08:00:00.000Z'],
  ...different,
});

export const aShard = (different: Partial<Shard> = {}): Shard =>
  ({
    item: 0,
    parameter: '',
    host: 'h1',
    attempt: 1,
    status: 'done',
    outcome: 'succeeded',
    exitCode: 0,
    signal: null,
    startedAt: '2026-11-22T08:00:00.100Z',
    finishedAt: '2026-11-22T08:00:00.500Z',
    reason: null,
    ...different,
  }) as Shard;

export const anExecution = (different: Partial<Execution> = {}): Execution =>
  ({
    id: 'nightly@20261122T080000.000Z',
    job: 'nightly',
    trigger: 'schedule',
    dueAt: '2026-11-22T08:00:00.000Z',
    createdAt: '2026-11-22T08:00:00.000Z',
    startedAt: '2026-11-22T08:00:00.100Z',
    finishedAt: '2026-11-22T08:00:00.500Z',
    status: 'done',
    outcome: 'succeeded',
    reason: null,
    shards: [aShard()],
    ...different,
  }) as Execution;

export const aHost = (different: Partial<Host> = {}): Host =>
  ({
    id: 'h1',
    name: 'west-1',
    pool: 'default',
    status: 'ready',
    address: '127.0.0.1',
    os: 'linux',
    arch: 'x64',
    cpus: 2,
    memoryMB: 4096,
    free: { cpus: 1.9, memoryMB: 4032 },
    labels: { disk: 'ssd' },
    agentVersion: '0.1.0',
    appIsolation: 'copy',
    refusing: null,
    runAs: null,
    runAsAllowed: [],
    running: 1,
    lastSeenAt: null,
    ...different,
  }) as Host;

export const aFact = (different: Partial<Fact> = {}): Fact => ({
  cursor: 'c1',
  at: '2026-11-22T08:00:00.000Z',
  address: 'job/nightly',
  rev: 3,
  type: 'job.triggered',
  data: { execution: 'nightly@x' },
  ...different,
});
