/**
 * A job in the words of `/v1`: the shape that is told, and the schema that it is taken by. Both
 * name every field of a JobConfig but `dialect`.
 */
import { z } from 'zod';
import { MISFIRE_GRACE_MAX_MS } from '../../../actors/job/due-times.ts';
import { statusOf } from '../../../actors/job/machine.ts';
import type { JobConfig } from '../../../actors/job/types.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import type { Schedule } from '../../../actors/schedule/index.ts';
import { choice, command, cpus, flag, iso, memoryMB, name, span, text, whole } from '../../protocol/rest/fields.ts';
import { quarantineOf } from '../../protocol/rest/quarantine.ts';
import { secret } from '../../protocol/rest/secrets.ts';
import type { View } from '../../runtime/document.ts';
import { disconnectMsOf, jobDefaults, overlapLimitOf } from '../commands/job-defaults.ts';
import { LEAVE_OUT, type ReadOnly, taking } from './patch.ts';

/** Schedules of one job. */
const SCHEDULES_MAX = 100;
const ENV_MAX = 500;
/** A shard as a key: "00" would be a shard that nobody asks for. */
const SHARD = /^(0|[1-9]\d{0,3})$/;

export const Cron = z.strictObject({ type: z.literal('cron'), cron: text(1_000, 1), timeZone: text(100).optional() });
export const Crontab = z.strictObject({ type: z.literal('crontab'), crontab: text(1_000, 1), timeZone: text(100).optional() });
/** Types only; what they mean together the schedule itself judges. */
export const Calendar = z.strictObject({
  type: z.literal('calendar'),
  id: text(100).optional(),
  enabled: z.union([z.literal(0), z.literal(1)], '0 or 1').optional(),
  turnmode: whole(1, 6),
  interval: whole(0, 2 ** 31 - 1).optional(),
  startdate: text(20, 1),
  enddate: text(20).optional(),
  starttime: text(20).optional(),
  endtime: text(20).optional(),
  selectat: text(100).optional(),
  monthlyof: z.strictObject({ day: whole(-31, 31), week: text(20) }, 'an object {day, week}').optional(),
  timeZone: text(100).optional(),
});

/** `undefined` and absent are two things to a Schedule; JSON knows only absent. */
export const ScheduleBody = z
  .discriminatedUnion('type', [Cron, Crontab, Calendar], 'an object whose type is "cron", "crontab" or "calendar"')
  .transform(schedule => schedule as Schedule);

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/;
/** Longest part of a wrong name that a refusal repeats. */
const NAME_SHOWN = 60;

/** No refusal repeats a value. */
const env = () => {
  const rule = `an object of at most ${ENV_MAX} texts by name`;
  return secret(
    z
      .record(z.string(), text(), rule)
      .superRefine((entries, context) => {
        const wrong = Object.keys(entries).find(key => !VARIABLE.test(key));
        if (wrong === undefined) return;
        const shown = wrong.length > NAME_SHOWN ? `${wrong.slice(0, NAME_SHOWN)}…` : wrong;
        const message = `env.${shown} cannot be the name of a variable: letters, digits and "_" make one, at most 200, and no digit begins it.`;
        context.addIssue({ code: 'custom', path: [shown], message });
      })
      .refine(entries => Object.keys(entries).length <= ENV_MAX, rule),
  );
};

const { retry, misfire, resources } = jobDefaults;

const JobFields = z
  .strictObject(
    {
      name: name(),
      pool: name().optional(),
      kind: choice(['transient', 'resident']).default(jobDefaults.kind),
      app: name().nullable().default(null),
      command: command().nullable().default(null),
      shell: flag().default(false),
      env: env().default({}),
      runAs: z
        .string('a user of the hosts, or null')
        .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/, 'a user of the hosts: letters, digits, "_", "." and "-", at most 100')
        .nullable()
        .default(null),
      parameter: text().default(''),
      shards: z
        .strictObject(
          { total: whole(1, 1_000).default(1), parameters: z.record(z.string(), text(), 'an object of texts').default({}) },
          'an object {total, parameters}',
        )
        .prefault({}),
      schedules: z
        .array(ScheduleBody, `a list of at most ${SCHEDULES_MAX} schedules`)
        .max(SCHEDULES_MAX, `a list of at most ${SCHEDULES_MAX} schedules`)
        .default([]),
      timeZone: text(100, 1).optional(),
      resources: z
        .strictObject(
          { cpus: cpus().default(resources.cpus), memoryMB: memoryMB().default(resources.memoryMB) },
          'an object {cpus, memoryMB}',
        )
        .prefault({}),
      placement: choice(['pack', 'sticky', 'spread']).default(jobDefaults.placement),
      partial: flag().default(false),
      overlap: choice(['skip', 'queue', 'allow', 'replace']).default(jobDefaults.overlap),
      overlapLimit: whole(1, 1_000).optional(),
      misfire: z
        .strictObject(
          { policy: choice(['skip', 'once', 'all']).default(misfire.policy), limit: whole(1, 1_000).default(misfire.limit) },
          'an object {policy, limit}',
        )
        .prefault({}),
      misfireGraceMs: whole(0, MISFIRE_GRACE_MAX_MS).default(jobDefaults.misfireGraceMs),
      retry: z
        .strictObject(
          {
            attempts: whole(1, 1_000).default(retry.attempts),
            backoffMs: span().default(retry.backoffMs),
            maxBackoffMs: span().default(retry.maxBackoffMs),
            jitter: choice(['none', 'equal', 'full']).default(retry.jitter),
          },
          'an object {attempts, backoffMs, maxBackoffMs, jitter}',
        )
        .prefault({}),
      failover: flag().default(false),
      failoverLimit: whole(0, 1_000).default(jobDefaults.failoverLimit),
      failoverOnFailure: flag().default(false),
      disconnect: choice(['continue', 'stop']).default(jobDefaults.disconnect),
      disconnectMs: span().optional(),
      timeoutMs: span().default(0),
      startWithinMs: span().default(0),
      killGraceMs: span().default(jobDefaults.killGraceMs),
      shardingContext: flag().default(false),
      description: text(10_000).default(''),
      enabled: flag().default(true),
    },
    'a JSON object',
  )
  .superRefine((job, context) => {
    const say = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
    const beyond = Object.keys(job.shards.parameters).find(item => !SHARD.test(item) || Number(item) >= job.shards.total);
    if (beyond !== undefined) {
      const rule = `whole numbers from 0 to ${job.shards.total - 1}, written without leading zeros`;
      say(['shards', 'parameters'], `shards.parameters has a shard ${quotedValue(beyond)}, but its shards must be ${rule}.`);
    }
    if (job.retry.maxBackoffMs < job.retry.backoffMs) say(['retry', 'maxBackoffMs'], 'at least retry.backoffMs');
    if (job.shell && Array.isArray(job.command)) say(['shell'], 'false for a command that is a list: a shell takes one text');
  });

/** Told, but not taken. */
export const READ_ONLY = {
  id: { instead: LEAVE_OUT },
  status: { instead: 'set enabled to true or false', moves: ['idle', 'running'] },
  nextAt: { instead: 'set schedules', moves: true },
  lastOutcome: { instead: LEAVE_OUT, moves: true },
  lastExecution: { instead: LEAVE_OUT, moves: true },
  lastFinishedAt: { instead: LEAVE_OUT, moves: true },
  quarantine: { instead: 'POST /v1/jobs/{name}/release ends it' },
  rev: { instead: LEAVE_OUT, moves: true },
  version: { instead: LEAVE_OUT, moves: true },
  createdAt: { instead: LEAVE_OUT },
  updatedAt: { instead: LEAVE_OUT, moves: true },
  warnings: { instead: LEAVE_OUT, beside: true },
  scheduleText: { instead: LEAVE_OUT, beside: true },
  nextDue: { instead: LEAVE_OUT, beside: true },
} as const satisfies ReadOnly;

export const JobBody = taking(JobFields, READ_ONLY);
export type JobBody = z.output<typeof JobBody>;

/** `identity` is what a body does not say, or says only perhaps. */
export function configOf(body: JobBody, identity: Pick<JobConfig, 'id' | 'pool' | 'timeZone' | 'dialect'>): JobConfig {
  const { enabled: _, overlapLimit, disconnectMs, pool: _pool, timeZone: _zone, ...rest } = body;
  const { id, pool, timeZone, dialect } = identity;
  const natural = {
    overlapLimit: overlapLimit ?? overlapLimitOf(rest.overlap),
    disconnectMs: disconnectMs ?? disconnectMsOf(rest.disconnect),
  };
  return { ...rest, id, pool, timeZone, dialect, ...natural };
}

export function jobShape({ context, value, rev, quarantine }: View<'job'>) {
  const { dialect: _, ...config } = context.config;
  const status = statusOf(context, value);
  const isStill = quarantine !== null || status === 'disabled' || status === 'deleting';
  return {
    ...config,
    enabled: status === 'idle' || status === 'running',
    status: quarantine ? ('quarantined' as const) : status,
    nextAt: isStill ? null : iso(context.nextAt),
    lastOutcome: context.lastOutcome,
    lastExecution: context.lastExecution,
    lastFinishedAt: iso(context.lastFinishedAt),
    quarantine: quarantineOf({ quarantine }),
    rev,
    version: context.version,
    createdAt: iso(context.createdAt),
    updatedAt: iso(context.updatedAt),
  };
}
