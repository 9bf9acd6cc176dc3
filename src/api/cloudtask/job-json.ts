/**
 * A job as a response of Cloudtask, in its order of fields. Schedules, environment, misfire and
 * notifications are given back as they were written while they still mean what the job does.
 */
import { isDeepStrictEqual } from 'node:util';
import type { ExecutionContext } from '../../../actors/execution/types.ts';
import { isUnallocated, statusOf } from '../../../actors/job/kind.ts';
import type { JobConfig } from '../../../actors/job/types.ts';
import { joinWords } from '../../lib/command-words.ts';
import { MISFIRE_LIMIT } from '../../protocol/rest/job.ts';
import type { View } from '../../runtime/document.ts';
import { toIso } from '../iso.ts';
import { entriesOf } from './env-list.ts';
import { execErr } from './execerr.ts';
import type { JobBase, JobDocument } from './job-answers.ts';
import type { Misfire } from './job-body.ts';
import { NO_FILE } from './job-file.ts';
import { type NotifySetting, notifySettingOf } from './notify-setting.ts';
import { itemsOf, type ScheduleItem } from './schedule-item.ts';

/** What a request said beyond the configuration of the job. */
export interface JobText {
  schedule: ScheduleItem[];
  /** Undefined: as the configuration has it. */
  env?: string[] | undefined;
  misfire?: Misfire;
  /** Undefined: as the configuration has it. */
  notifysetting?: NotifySetting | undefined;
}

/** A job with its switch, which is no part of its configuration. */
export interface SwitchedJob {
  config: JobConfig;
  enabled: boolean;
}

/** Written by `job-meaning.ts` alone, so its shape is known. */
export const jobTextOf = ({ dialect }: Pick<JobConfig, 'dialect'>): JobText =>
  (dialect.cloudtask as JobText | undefined) ?? { schedule: [] };

/** The value of a time that is not there. */
const NO_TIME = '0001-01-01T00:00:00Z';
export const timeOf = (at: number | null | undefined): string => toIso(at ?? null) ?? NO_TIME;

const LOST_OR_FAILED = ['failed', 'timedOut', 'lost'];

/**
 * 200 an execution is open, 202 no host is allocated to it, -1 its last run failed or it is in
 * quarantine, 0 none of these.
 */
type Stat = JobDocument['stat'];
function statIn({ context, value, quarantine }: Pick<View<'job'>, 'context' | 'value' | 'quarantine'>): Stat {
  if (quarantine) return -1;
  if (statusOf(context, value) === 'running') return 200;
  if (isUnallocated(context, value)) return 202;
  return LOST_OR_FAILED.includes(context.lastOutcome ?? '') ? -1 : 0;
}

const RESTING = ['idle', 'disabled', 'deleting'];
/** The states of the index in which jobs have this `stat`. */
export function statesWith(stat: Stat): { status: string; outcome?: (string | null)[] }[] {
  const resting = (outcome: (string | null)[]) => RESTING.map(status => ({ status, outcome }));
  if (stat === 200) return [{ status: 'running' }];
  if (stat === -1) return [...resting(LOST_OR_FAILED), { status: 'quarantined' }];
  return stat === 202 ? [{ status: 'unallocated' }] : resting([null, 'succeeded', 'cancelled']);
}

export const misfireOf = (misfire: Misfire): JobConfig['misfire'] =>
  typeof misfire === 'string' ? { policy: misfire, limit: MISFIRE_LIMIT } : misfire;

function misfireJson(misfire: JobConfig['misfire'], given: Misfire | undefined): Misfire {
  if (given !== undefined && isDeepStrictEqual(misfireOf(given), misfire)) return given;
  return misfire.limit === MISFIRE_LIMIT ? misfire.policy : misfire;
}

export const cmdOf = ({ command }: Pick<JobConfig, 'command'>): string => (Array.isArray(command) ? joinWords(command) : (command ?? ''));
const secondsOf = ({ timeoutMs }: JobConfig): number => Math.ceil(timeoutMs / 1_000);

/** `execution`: the last one, where it failed; undefined: it is not kept any more. */
export interface LastRuns {
  failed?: Pick<ExecutionContext, 'shards' | 'reason'> | undefined;
  /** The newest open one. */
  open?: Pick<ExecutionContext, 'startedAt'> | undefined;
}

/** The fields of an answer that a request may hold: a PUT is compared with them. */
export function configJson({ config, enabled }: SwitchedJob) {
  const given = jobTextOf(config);
  return {
    jobid: config.id,
    name: config.name,
    location: config.pool,
    groupid: config.group ?? '',
    servers: config.servers ?? [],
    filename: config.file?.name ?? '',
    files: (config.files ?? []).map(({ name, at, md5 }) => ({ name, createat: at, filecode: md5 })),
    cmd: cmdOf(config),
    env: entriesOf(config.env, given.env),
    description: config.description,
    timeout: secondsOf(config),
    enabled: enabled ? (1 as const) : (0 as const),
    schedule: itemsOf(config.schedules, given.schedule),
    notifysetting: notifySettingOf(config.notify, given.notifysetting),
    timezone: config.timeZone,
    misfire: misfireJson(config.misfire, given.misfire),
    failover: config.failover,
    cpus: config.resources.cpus,
    memorymb: config.resources.memoryMB,
  };
}

export function jobDocument(view: View<'job'>, { failed, open }: LastRuns = {}): JobDocument {
  const { context, value, quarantine } = view;
  const { config } = context;
  const isEnabled = isSwitchedOn(view);
  const { timezone, misfire, failover, cpus, memorymb, ...own } = configJson({ config, enabled: isEnabled });
  const outcome = statusOf(context, value) === 'running' ? null : context.lastOutcome;
  return {
    ...own,
    stat: statIn(view),
    execerr: quarantine ? quarantine.reason : execErr(outcome, failed),
    execat: timeOf(open?.startedAt ?? context.lastStartedAt),
    nextat: quarantine || !isEnabled ? NO_TIME : timeOf(context.nextAt),
    createuser: context.createdBy ?? '',
    createat: timeOf(context.createdAt),
    edituser: context.updatedBy ?? '',
    editat: timeOf(context.updatedAt),
    filecode: config.file?.md5 ?? NO_FILE,
    version: context.version,
    timezone,
    misfire,
    failover,
    cpus,
    memorymb,
    cron: config.schedules.flatMap(schedule =>
      schedule.type === 'cron' ? [schedule.cron] : schedule.type === 'crontab' ? [schedule.crontab] : [],
    ),
  };
}

export const isSwitchedOn = ({ value }: Pick<View<'job'>, 'value'>): boolean => (value as { admin: string }).admin === 'enabled';

export const jobBase = ({ context: { config, version } }: Pick<View<'job'>, 'context'>): JobBase => {
  const given = jobTextOf(config);
  return {
    jobid: config.id,
    jobname: config.name,
    filename: config.file?.name ?? '',
    filecode: config.file?.md5 ?? NO_FILE,
    cmd: cmdOf(config),
    env: entriesOf(config.env, given.env),
    timeout: secondsOf(config),
    version,
    schedule: itemsOf(config.schedules, given.schedule),
  };
};
