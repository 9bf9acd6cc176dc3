/**
 * Commands to jobs, the same for every API. The configuration is checked here; the machine of the
 * job accepts or refuses the command.
 */
import { createHash } from 'node:crypto';
import type { JobConfig } from '../../../actors/job/types.ts';
import type { View } from '../../runtime/document.ts';
import { NoSuchActor } from '../../runtime/errors.ts';
import type { User } from '../../security/can.ts';
import { askedBy } from '../asked-by.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { Center, RouteContext } from '../route-context.ts';
import { createOnce } from './create-once.ts';
import { checkJob, type JobFieldNames } from './job-checks.ts';

/** Names of jobs that `triggerJob` need not look up; the oldest is removed beyond this number. */
export const KNOWN_JOBS_MAX = 10_000;

/** Answer of a job to `job.trigger` and `job.retry`. `joined`: the execution existed before. */
export interface StartAnswer {
  execution: string;
  joined: boolean;
}

/**
 * Resolves when the job is registered. `enabled`: default true. `user`: who asks for it. Throws
 * Problem for an invalid configuration, Refused for a name in use.
 */
export async function registerJob(
  center: Center,
  config: JobConfig,
  fields: JobFieldNames,
  { claim, enabled = true, user }: { claim?: string | undefined; enabled?: boolean; user?: User | undefined } = {},
): Promise<void> {
  await checkJob(center, config, fields, { enabled, schedules: [] });
  const address = `job/${config.name}` as const;
  await createOnce(center, address, claim, claimed =>
    center.runtime.ask(address, { type: 'job.register', config, enabled, ...claimed, ...askedBy(user) }),
  );
}

/**
 * `before`: the stored job. `enabled`: default unchanged. `user`: who asks for it. Throws Problem
 * and Refused.
 */
export async function updateJob(
  center: Center,
  config: JobConfig,
  fields: JobFieldNames,
  { before, enabled, user }: { before: View<'job'>; enabled?: boolean | undefined; user?: User | undefined },
): Promise<void> {
  const { context, value } = before;
  const isEnabled = enabled ?? (value as { admin: string }).admin === 'enabled';
  await checkJob(center, config, fields, { enabled: isEnabled, schedules: context.config.schedules });
  await center.runtime.ask(`job/${config.name}`, {
    type: 'job.update',
    config,
    ...(enabled === undefined ? {} : { enabled }),
    ...askedBy(user),
  });
}

/** `key`: the same gives the same execution, as long as it is among the last 200 of the job. */
interface Trigger {
  key?: string | undefined;
  /** Refused while an execution of the job is open, whatever its overlap. Default: the overlap. */
  onlyIdle?: boolean;
}

/** Starts the job now. Throws Problem `notFound` and Refused. */
export async function triggerJob(center: RouteContext, name: string, { key, onlyIdle = false }: Trigger = {}): Promise<StartAnswer> {
  const { knownJobs, runtime } = center;
  const command = { type: 'job.trigger', ...(key === undefined ? {} : { key }), ...(onlyIdle && { onlyIdle }) } as const;
  if (!knownJobs.has(name)) {
    await jobOf(center, name);
    knownJobs.add(name);
  }
  try {
    return (await runtime.ask(`job/${name}`, command)) as StartAnswer;
  } catch (problem) {
    if (!(problem instanceof NoSuchActor)) throw problem;
    // Deleted in the meantime. The look-up suggests a similar name.
    knownJobs.delete(name);
    await jobOf(center, name);
    throw problem;
  }
}

/**
 * Ends every open execution of the job, also one that waits; their outcome is `cancelled`. The job
 * stays enabled or disabled. `by`: name of the user. Idempotent. Throws Problem `notFound` and
 * Refused.
 */
export async function stopJob(center: Center, name: string, by: string | undefined): Promise<void> {
  const { address } = await jobOf(center, name);
  await center.runtime.ask(address, { type: 'job.kill', reason: `stopped by ${by ?? 'nobody'}` });
}

/** Idempotent. Throws Problem `notFound` and Refused. */
export async function enableJob(center: Center, name: string): Promise<void> {
  const { address } = await jobOf(center, name);
  await center.runtime.ask(address, { type: 'job.enable' });
}

/** `kill`: cancels open executions. Idempotent. Throws Problem `notFound` and Refused. */
export async function disableJob(center: Center, name: string, { kill }: { kill: boolean }): Promise<void> {
  const { address } = await jobOf(center, name);
  await center.runtime.ask(address, { type: 'job.disable', kill });
}

/** Deletes the job and cancels its open executions. Throws Problem `notFound`. */
export async function deregisterJob(center: Center, name: string): Promise<void> {
  const { address } = await jobOf(center, name);
  await center.runtime.ask(address, { type: 'job.deregister' });
}

/** The default zone of schedules: the pool's, else the center's. */
export async function defaultTimeZone(center: Center, pool: string): Promise<string> {
  return (await center.views.get(`pool/${pool}`))?.context.config.timeZone ?? center.config.timeZone;
}

/** 24 hex digits, drawn once per job. */
export const newJobId = ({ ids }: Pick<Center, 'ids'>): string => createHash('sha256').update(ids.secret(16)).digest('hex').slice(0, 24);

/** Throws Problem `notFound`. */
export const jobOf = (center: Center, name: string): Promise<View<'job'>> => oneOrNearest(center.views, 'job', name);
