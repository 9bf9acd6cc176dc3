/**
 * Maps a job between its schema (`protocol/rest/job.ts`) and its configuration, which has the same
 * fields and `dialect`.
 */
import type { z } from 'zod';
import { statusOf } from '../../../actors/job/kind.ts';
import { type Job, JobFields, NewJobFields, type SavedJob } from '../../protocol/rest/job.ts';
import type { View } from '../../runtime/document.ts';
import { toIso } from '../iso.ts';
import { fileShapes } from './job-files.ts';
import { LEAVE_OUT, type ReadOnlyOf, taking } from './patch.ts';
import { quarantineOf } from './quarantine.ts';

/** Fields of responses alone. */
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
} as const satisfies ReadOnlyOf<SavedJob, z.output<typeof JobFields>>;

export const JobBody = taking(JobFields, READ_ONLY);
export type JobBody = z.output<typeof JobBody>;
export const RegisterBody = taking(NewJobFields, { ...READ_ONLY, id: { instead: LEAVE_OUT, given: true } });

export function jobShape({ context, value, rev, quarantine }: View<'job'>) {
  const { dialect: _, ...config } = context.config;
  const status = statusOf(context, value);
  const isUnscheduled = quarantine !== null || status === 'disabled' || status === 'deleting';
  return {
    ...config,
    group: config.group ?? null,
    servers: config.servers ?? [],
    ...fileShapes(config),
    keepDirectory: config.keepDirectory ?? false,
    notify: config.notify ?? { succeed: null, failed: null },
    enabled: status === 'idle' || status === 'running',
    status: quarantine ? ('quarantined' as const) : status,
    nextAt: isUnscheduled ? null : toIso(context.nextAt),
    lastOutcome: context.lastOutcome as Job['lastOutcome'],
    lastExecution: context.lastExecution,
    lastFinishedAt: toIso(context.lastFinishedAt),
    quarantine: quarantineOf({ quarantine }),
    rev,
    version: context.version,
    createdAt: toIso(context.createdAt),
    updatedAt: toIso(context.updatedAt),
  };
}
