/** `/api/job`: register, update, deregister, trigger, enable, disable, read. */

import { statusOf } from '../../../actors/job/kind.ts';
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import { Refused } from '../../runtime/errors.ts';
import type { JobFieldNames } from '../commands/job-checks.ts';
import { bareJob } from '../commands/job-defaults.ts';
import {
  defaultTimeZone,
  deregisterJob,
  disableJob,
  enableJob,
  jobOf,
  newJobId,
  registerJob,
  triggerJob,
  updateJob,
} from '../commands/jobs.ts';
import { all } from '../lookup.ts';
import type { RouteContext } from '../route-context.ts';
import { DONE } from './answers.ts';
import { cloudJobEndpoints } from './endpoints.ts';
import { jobJson } from './job-json.ts';
import { registered, updated } from './job-meaning.ts';

const fields: JobFieldNames = {
  app: 'appName',
  file: 'appName',
  pool: 'pool',
  command: 'props.script.command.line',
  env: null,
  parameter: 'jobParameter',
  shardParameters: 'shardingItemParameters',
  schedule: (_, issue) => (issue === 'timeZone' ? 'props.timeZone' : 'cron'),
};

const on = serving(cloudJobEndpoints);

async function deregister(center: RouteContext, jobName: string): Promise<typeof DONE> {
  await deregisterJob(center, jobName);
  return DONE;
}

/** This dialect has its own text for the refusal to trigger a resident job. */
async function trigger(center: RouteContext, jobName: string, key: string | undefined): Promise<typeof DONE> {
  try {
    await triggerJob(center, jobName, { key });
  } catch (cause) {
    if (cause instanceof Refused && (await jobOf(center, jobName)).context.config.kind === 'resident') {
      throw new Problem('conflict', `Daemon job '${jobName}' cannot support trigger.`, { cause });
    }
    throw cause;
  }
  return DONE;
}

export const cloudJobRoutes = (center: RouteContext): Route[] => [
  on('POST /api/job/register', async ({ body, claim, user }) => {
    const { pool } = center.config;
    const identity = { name: body.jobName, id: newJobId(center), pool, timeZone: await defaultTimeZone(center, pool) };
    await registerJob(center, registered(body, bareJob(identity)), fields, { claim, user });
    return DONE;
  }),
  on('PUT /api/job/update', ({ body, user }) =>
    center.inTurn(`job/${body.jobName}`, async () => {
      const before = await jobOf(center, body.jobName);
      await updateJob(center, updated(body, before.context.config), fields, { before, user });
      return DONE;
    }),
  ),
  on('DELETE /api/job/deregister', ({ body }) => deregister(center, body)),
  on('DELETE /api/job/:jobName/deregister', ({ params }) => deregister(center, params.jobName)),
  on('POST /api/job/trigger', ({ body, key }) => trigger(center, body, key)),
  on('GET /api/job/jobs', async () => (await all(center.views, 'job', { order: 'name' })).map(view => jobJson(view.context.config))),
  on('GET /api/job/jobs/:jobName', async ({ params }) => jobJson((await jobOf(center, params.jobName)).context.config)),
  on('GET /api/job/:jobName/disable', async ({ params }) => {
    const job = await jobOf(center, params.jobName);
    if (!['idle', 'running'].includes(statusOf(job.context, job.value))) return true;
    const { app } = job.context.config;
    return app !== null && (await center.views.get(`app/${app}`))?.value !== 'enabled';
  }),
  on('POST /api/job/:jobName/disable', async ({ params, query }) => {
    await disableJob(center, params.jobName, query);
    return DONE;
  }),
  on('POST /api/job/:jobName/enable', async ({ params }) => {
    await enableJob(center, params.jobName);
    return DONE;
  }),
];
