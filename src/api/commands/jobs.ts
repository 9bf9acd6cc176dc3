/**
 * What every door does with a job: look whether its app and pool are there, check its schedules,
 * then ask the job itself.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { JobConfig } from '../../../actors/job/types.ts';
import { quotedValue } from '../../../actors/schedule/error.ts';
import { compileCached, endFieldOf, isOver, lastDueOf, type Schedule, ScheduleError } from '../../../actors/schedule/index.ts';
import { Problem } from '../../http/errors.ts';
import { CommandProblem, splitCommand } from '../../lib/command-words.ts';
import type { View } from '../../runtime/document.ts';
import { iso } from '../iso.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { Center } from '../route-context.ts';
import { createdBy } from './create-once.ts';
import { checkStart, type StartFields } from './start-limits.ts';

/** Largest configuration of a job, bytes of its JSON: each of its executions carries a copy. */
const CONFIG_MAX = 256 * 1024;

/** How a door calls the fields that are judged here. */
export interface FieldNames extends StartFields {
  app: string;
  pool: string;
  /** `issue` is the schedule's own field. */
  schedule(place: number, issue: string): string;
}

/**
 * Throws Problem for what cannot be, Refused for a name that is taken. Resolves when the job is
 * registered. `enabled`: default true.
 */
export async function registerJob(
  center: Center,
  config: JobConfig,
  fields: FieldNames,
  { claim, enabled = true }: { claim?: string | undefined; enabled?: boolean } = {},
): Promise<void> {
  await check(center, config, fields, { enabled, schedules: [] });
  const address = `job/${config.name}` as const;
  await createdBy(center, address, claim, claimed => center.runtime.ask(address, { type: 'job.register', config, enabled, ...claimed }));
}

/** `before`: the job as it is. `enabled`: default as before. */
export async function updateJob(
  center: Center,
  config: JobConfig,
  fields: FieldNames,
  { before, enabled }: { before: View<'job'>; enabled?: boolean | undefined },
): Promise<void> {
  const { context, value } = before;
  const isEnabled = enabled ?? (value as { admin: string }).admin === 'enabled';
  await check(center, config, fields, { enabled: isEnabled, schedules: context.config.schedules });
  await center.runtime.ask(`job/${config.name}`, { type: 'job.update', config, ...(enabled === undefined ? {} : { enabled }) });
}

/** What of the job as it is decides whether a configuration is refused. */
interface Standing {
  enabled: boolean;
  /** Schedules that were taken before: they may be over by now. */
  schedules: readonly Schedule[];
}

async function check(center: Center, config: JobConfig, fields: FieldNames, standing: Standing): Promise<void> {
  if (config.command === null && config.app === null) {
    const sentence = `${fields.command} is missing, but must be a command, unless ${fields.app} names an app that brings one.`;
    throw new Problem('invalid', sentence, { field: fields.command });
  }
  if (!config.shell) checkCommand(config.command, fields.command, { needsProgram: config.app === null });
  for (const [place, schedule] of config.schedules.entries()) {
    checkSchedule(schedule, config.timeZone, issue => fields.schedule(place, issue));
    const isKnown = standing.schedules.some(known => isDeepStrictEqual(known, schedule));
    if (standing.enabled && !isKnown)
      refuseOver(schedule, config.timeZone, center.clock.now(), fields.schedule(place, endFieldOf(schedule)));
  }
  checkStart(config, fields);
  const bytes = Buffer.byteLength(JSON.stringify(config));
  if (bytes > CONFIG_MAX) {
    throw new Problem('invalid', `the job takes ${bytes} bytes, but must be at most ${CONFIG_MAX}.`, { field: 'body' });
  }
  if (config.app !== null) {
    const app = await center.views.get(`app/${config.app}`);
    if (!app) throw new Problem('invalid', `app ${config.app} is not published; publish it first.`, { field: fields.app });
    if (app.value === 'deleting') throw new Problem('conflict', `app ${config.app} is being deleted`, { field: fields.app });
  }
  const pool = await center.views.get(`pool/${config.pool}`);
  if (!pool) throw new Problem('invalid', `there is no pool ${config.pool}; create it first.`, { field: fields.pool });
  if (pool.value === 'deleting') throw new Problem('conflict', `pool ${config.pool} is being deleted`, { field: fields.pool });
  if (config.kind === 'resident') {
    const sentence = `job ${config.name} is to be kept running on its hosts (DAEMON, resident); that comes with resident jobs in a later version`;
    throw new Problem('conflict', sentence);
  }
}

/**
 * Throws Problem for a command that no agent can split into words. `needsProgram`: no app brings a
 * script that the words could be arguments of, so the first of them must name a program.
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

function refuseOver(schedule: Schedule, timeZone: string, now: number, field: string): void {
  const compiled = compileCached(schedule, timeZone);
  if (!isOver(compiled, now)) return;
  const { [endFieldOf(schedule)]: written } = schedule as unknown as Record<string, unknown>;
  const last = lastDueOf(compiled, now);
  const sentence = `${field} is ${quotedValue(written)}, which is over: it was due for the last time at ${iso(last ?? null)}. Name a time to come, or create the job disabled.`;
  throw new Problem('invalid', sentence, { field });
}

/** Throws Problem naming the field. */
export function checkSchedule(schedule: Schedule, timeZone: string, fieldOf: (issue: string) => string): void {
  try {
    compileCached(schedule, timeZone);
  } catch (error) {
    if (error instanceof ScheduleError) throw new Problem('invalid', error.message, { field: fieldOf(error.field), cause: error });
    throw error;
  }
}

/** The zone of schedules that name none: the pool's, else the center's. */
export async function zoneOf(center: Center, pool: string): Promise<string> {
  return (await center.views.get(`pool/${pool}`))?.context.config.timeZone ?? center.config.timeZone;
}

/** 24 hex digits, drawn once per job. */
export const newJobId = ({ ids }: Pick<Center, 'ids'>): string => createHash('sha256').update(ids.secret(16)).digest('hex').slice(0, 24);

export const jobOf = (center: Center, name: string): Promise<View<'job'>> => oneOrNearest(center.views, 'job', name);
