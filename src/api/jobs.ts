/** What every door does with a job: look whether its app and pool are there, check its schedules, then ask the job itself. */
import { createHash } from 'node:crypto';
import type { JobConfig } from '../../actors/config.ts';
import { compileCached, type Schedule, ScheduleError } from '../../actors/schedule.ts';
import type { View } from '../runtime/document.ts';
import type { Center } from './center.ts';
import { createdBy } from './created.ts';
import { Problem } from './errors.ts';
import { oneOrNearest } from './nearest-name.ts';

/** Largest configuration of a job, bytes of its JSON: each of its executions carries a copy. */
export const CONFIG_MAX = 256 * 1024;

/** Largest sum of what the starts of one execution carry: command, environment and parameter, once per shard. They are owed in one document. */
export const STARTS_MAX = 4 * 1024 * 1024;

/** How a door calls the fields that are judged here. */
export interface FieldNames {
  app: string;
  pool: string;
  command: string;
  /** `issue` is the schedule's own field. */
  schedule(place: number, issue: string): string;
}

/** Throws Problem for what cannot be, Refused for a name that is taken. Resolves when the job is registered. `enabled`: default true. */
export async function registerJob(
  center: Center,
  config: JobConfig,
  fields: FieldNames,
  { claim, enabled = true }: { claim?: string | undefined; enabled?: boolean } = {},
): Promise<void> {
  await check(center, config, fields);
  const address = `job/${config.name}` as const;
  await createdBy(center, address, claim, claimed => center.runtime.ask(address, { type: 'job.register', config, enabled, ...claimed }));
}

/** `enabled`: default as before. */
export async function updateJob(center: Center, config: JobConfig, fields: FieldNames, enabled?: boolean): Promise<void> {
  await check(center, config, fields);
  await center.runtime.ask(`job/${config.name}`, { type: 'job.update', config, ...(enabled === undefined ? {} : { enabled }) });
}

async function check(center: Center, config: JobConfig, fields: FieldNames): Promise<void> {
  if (config.command === null && config.app === null) {
    const sentence = `${fields.command} is missing, but must be a command, unless ${fields.app} names an app that brings one.`;
    throw new Problem('invalid', sentence, { field: fields.command });
  }
  for (const [place, schedule] of config.schedules.entries()) {
    checkSchedule(schedule, config.timeZone, issue => fields.schedule(place, issue));
  }
  const bytes = Buffer.byteLength(JSON.stringify(config));
  if (bytes > CONFIG_MAX) {
    throw new Problem('invalid', `the job takes ${bytes} bytes, but must be at most ${CONFIG_MAX}.`, { field: 'body' });
  }
  const carried = Buffer.byteLength(JSON.stringify([config.command, config.env, config.parameter])) * config.shards.total;
  if (carried > STARTS_MAX) {
    const sentence = `command, environment and parameter take ${carried} bytes over ${config.shards.total} shards, but must take at most ${STARTS_MAX}.`;
    throw new Problem('invalid', sentence, { field: 'body' });
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
