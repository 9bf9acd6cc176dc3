/** What `/v1` tells of a job, of its due times, and of what became of them. */
import { z } from 'zod';
import { VERDICTS } from '../../../actors/job/occurrence.ts';
import { Calendar, Cron, Crontab } from '../../api/v1/job-body.ts';
import { Outcome } from './execution.ts';
import { Quarantine } from './quarantine.ts';
import { count, moment } from './responses.ts';

export const Job = z
  .object({
    name: z.string(),
    id: z.string().describe('24 hex digits; drawn once, stays for the life of the job'),
    description: z.string(),
    pool: z.string(),
    kind: z.enum(['transient', 'resident']),
    app: z.string().nullable(),
    command: z
      .union([z.string(), z.array(z.string())])
      .nullable()
      .describe('null: the command of its app'),
    shell: z.boolean(),
    env: z.record(z.string(), z.string().nullable()).describe('null: a value that is shown only to who may change the job'),
    runAs: z.string().nullable().describe('the user of its hosts that its processes run as; null: whom each host says'),
    parameter: z.string(),
    shards: z.object({ total: count(), parameters: z.record(z.string(), z.string()) }),
    schedules: z.array(z.union([Cron, Crontab, Calendar])),
    timeZone: z.string().describe('of schedules that name none'),
    resources: z.object({ cpus: z.number(), memoryMB: z.number() }).describe('of each shard'),
    placement: z.enum(['pack', 'sticky', 'spread']),
    partial: z.boolean(),
    overlap: z.enum(['skip', 'queue', 'allow', 'replace']),
    overlapLimit: count(),
    misfire: z.object({ policy: z.enum(['skip', 'once', 'all']), limit: count() }),
    misfireGraceMs: count(),
    retry: z.object({
      attempts: count(),
      backoffMs: count(),
      maxBackoffMs: count(),
      jitter: z
        .enum(['none', 'equal', 'full'])
        .describe('of a step the wait takes: none the whole; equal half to the whole; full nothing to the whole'),
    }),
    failover: z.boolean(),
    failoverLimit: count(),
    failoverOnFailure: z.boolean().describe('with failover: a shard that failed is sent again so, too, once its retries are spent'),
    disconnect: z.enum(['continue', 'stop']),
    disconnectMs: count(),
    timeoutMs: count().describe('0: none'),
    startWithinMs: count().describe('an execution that has started no process by then has failed; 0: no limit'),
    killGraceMs: count(),
    shardingContext: z.boolean(),
    enabled: z.boolean(),
    status: z.enum(['idle', 'running', 'disabled', 'deleting', 'deleted', 'quarantined']),
    nextAt: moment().nullable(),
    lastOutcome: Outcome.nullable(),
    lastExecution: z.string().nullable(),
    lastFinishedAt: moment().nullable(),
    quarantine: Quarantine,
    rev: count(),
    version: count(),
    createdAt: moment(),
    updatedAt: moment(),
  })
  .meta({ id: 'Job' });

/** The answer of create and update: the job, its schedules in words, next due times, warnings. */
export const SavedJob = Job.extend({
  warnings: z
    .array(z.object({ field: z.string(), message: z.string() }))
    .describe('what is allowed and probably not meant, each with the field that it is about'),
  scheduleText: z.array(z.string()).describe('the schedules in words, in their order'),
  nextDue: z.array(moment()).describe('the next three due times; none while the job is disabled'),
}).meta({ id: 'SavedJob' });

export const DueTime = z
  .object({ dueAt: moment(), local: z.string().describe('the same instant as the clocks of its zone show it') })
  .meta({ id: 'DueTime' });

export const Occurrence = z
  .object({
    dueAt: moment(),
    until: moment().optional().describe('only of a stretch that is told as a whole: its last due time'),
    count: count().optional().describe('only of such a stretch: how many due times it has'),
    verdict: z
      .enum(VERDICTS)
      .describe(
        'waiting: its execution has started no process yet; ran: one began; notStarted: the execution ended without one; unknown: a host that was lost may have begun one',
      ),
    execution: z.string().nullable(),
    reason: z.string().nullable(),
    decidedAt: moment(),
  })
  .meta({ id: 'Occurrence' });

/** Due times per verdict. */
export const Summary = z.object(Object.fromEntries(VERDICTS.map(verdict => [verdict, count()]))).meta({ id: 'OccurrenceSummary' });
