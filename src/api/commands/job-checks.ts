/**
 * Checks a job's configuration before its actor receives it: command, schedules, size, and whether
 * app and pool exist.
 */
import { isDeepStrictEqual } from 'node:util';
import type { JobConfig } from '../../../actors/job/types.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import { compileCached, endFieldOf, isOver, type JobSchedule, lastDueOf, ScheduleError } from '../../../actors/schedule/index.ts';
import { Problem } from '../../http/errors.ts';
import { CommandProblem, splitCommand } from '../../lib/command-words.ts';
import { toIso } from '../iso.ts';
import type { Center } from '../route-context.ts';
import { checkStart, type StartFields } from './start-limits.ts';

/** Largest configuration of a job, bytes of its JSON: each of its executions stores a copy. */
const CONFIG_MAX = 256 * 1024;

/** Names that an API gives to the checked fields of a job. */
export interface JobFieldNames extends StartFields {
  app: string;
  /** The one of the two that excludes the other on this surface. */
  file: string;
  pool: string;
  /** `issue` is the schedule's own field. */
  schedule(index: number, issue: string): string;
}

/** State of the job on which a check depends. */
interface JobState {
  enabled: boolean;
  /** Already accepted schedules: these may be over. */
  schedules: readonly JobSchedule[];
}

/** Throws Problem naming the field. */
export async function checkJob(center: Center, config: JobConfig, fields: JobFieldNames, state: JobState): Promise<void> {
  if (config.command === null && config.app === null) {
    const sentence = `${fields.command} is missing; set it, or set ${fields.app} to an app with a command.`;
    throw new Problem('invalid', sentence, { field: fields.command });
  }
  if (config.app !== null && config.file) {
    const sentence = `${fields.file} cannot be beside an app: app ${config.app} brings the files of the job, and so does ${config.file.name}; leave one of them out.`;
    throw new Problem('invalid', sentence, { field: fields.file });
  }
  if (!config.shell) checkCommand(config.command, fields.command, { needsProgram: config.app === null });
  for (const [index, schedule] of config.schedules.entries()) {
    checkSchedule(schedule, config.timeZone, issue => fields.schedule(index, issue));
    const isKnown = state.schedules.some(known => isDeepStrictEqual(known, schedule));
    if (state.enabled && !isKnown) refuseOver(schedule, config.timeZone, center.clock.now(), fields.schedule(index, endFieldOf(schedule)));
  }
  checkStart(config, fields);
  const bytes = Buffer.byteLength(JSON.stringify(config));
  if (bytes > CONFIG_MAX) {
    throw new Problem('invalid', `the job takes ${bytes} bytes, but must be at most ${CONFIG_MAX}.`, { field: 'body' });
  }
  await checkAppAndPool(center, config, fields);
  if (config.kind === 'resident') {
    const sentence = `job ${config.name} is resident (DAEMON), which this version does not support; register it as a transient job`;
    throw new Problem('conflict', sentence);
  }
}

async function checkAppAndPool({ views }: Center, { app: appName, pool: poolName }: JobConfig, fields: JobFieldNames): Promise<void> {
  if (appName !== null) {
    const app = await views.get(`app/${appName}`);
    if (!app) throw new Problem('invalid', `app not found: ${appName}; publish it first.`, { field: fields.app });
    if (app.value === 'deleting') throw new Problem('conflict', `app ${appName} is being deleted`, { field: fields.app });
  }
  const pool = await views.get(`pool/${poolName}`);
  if (!pool) throw new Problem('invalid', `pool not found: ${poolName}; create it first.`, { field: fields.pool });
  if (pool.value === 'deleting') throw new Problem('conflict', `pool ${poolName} is being deleted`, { field: fields.pool });
}

/**
 * Throws Problem for a command that no agent can split into words. `needsProgram`: there is no app
 * whose script could take the words as arguments, so the first word must name a program.
 */
export function checkCommand(command: JobConfig['command'], field: string, { needsProgram }: { needsProgram: boolean }): void {
  if (typeof command !== 'string') return;
  let words: string[];
  try {
    words = splitCommand(command).words;
  } catch (error) {
    if (!(error instanceof CommandProblem)) throw error;
    throw new Problem('invalid', `${field} cannot be split into words: ${error.message}.`, { field, cause: error });
  }
  if (needsProgram && !words[0]) throw new Problem('invalid', `${field} names no program: its first word is empty.`, { field });
}

function refuseOver(schedule: JobSchedule, timeZone: string, now: number, field: string): void {
  const compiled = compileCached(schedule, timeZone);
  if (!isOver(compiled, now)) return;
  const { [endFieldOf(schedule)]: written } = schedule as unknown as Record<string, unknown>;
  const last = lastDueOf(compiled, now);
  const sentence = `${field} is ${quotedValue(written)}, which is over: its last due time was ${toIso(last ?? null)}. Name a future time, or create the job disabled.`;
  throw new Problem('invalid', sentence, { field });
}

/** Throws Problem naming the field. */
export function checkSchedule(schedule: JobSchedule, timeZone: string, fieldOf: (issue: string) => string): void {
  try {
    compileCached(schedule, timeZone);
  } catch (error) {
    if (error instanceof ScheduleError) throw new Problem('invalid', error.message, { field: fieldOf(error.field), cause: error });
    throw error;
  }
}
