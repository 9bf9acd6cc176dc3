/** `/api/job`: register, update, deregister, trigger, enable, disable, look. */

import { z } from 'zod';
import { statusOf } from '../../../actors/job/machine.ts';
import { Problem } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { name } from '../../protocol/rest/fields.ts';
import { done } from '../../protocol/rest/responses.ts';
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
import { CloudJob } from './answers.ts';
import { CloudKillQuery } from './apps.ts';
import { CloudJobBody, NamedJobBody } from './job-body.ts';
import { jobJson } from './job-json.ts';
import { registered, updated } from './job-meaning.ts';

const fields: JobFieldNames = {
  app: 'appName',
  pool: 'pool',
  command: 'props.script.command.line',
  env: null,
  parameter: 'jobParameter',
  shardParameters: 'shardingItemParameters',
  schedule: (_, issue) => (issue === 'timeZone' ? 'props.timeZone' : 'cron'),
};

/** The name as raw body. */
const NameBody = name();

async function deregister(center: RouteContext, jobName: string): Promise<true> {
  await deregisterJob(center, jobName);
  return true;
}

/** The refusal to trigger a resident job has words of its own in this dialect. */
async function trigger(center: RouteContext, jobName: string, key: string | undefined): Promise<true> {
  try {
    await triggerJob(center, jobName, key);
  } catch (cause) {
    if (cause instanceof Refused && (await jobOf(center, jobName)).context.config.kind === 'resident') {
      throw new Problem('conflict', `Daemon job '${jobName}' cannot support trigger.`, { cause });
    }
    throw cause;
  }
  return true;
}

export const cloudJobRoutes = (center: RouteContext): Route[] => [
  route({
    method: 'POST',
    path: '/api/job/register',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Registers a job of a published app.',
    answers: done,
    takesKey: true,
    body: CloudJobBody,
    async handle({ body, claim }) {
      const { pool } = center.config;
      const identity = { name: body.jobName, id: newJobId(center), pool, timeZone: await defaultTimeZone(center, pool) };
      await registerJob(center, registered(body, bareJob(identity)), fields, { claim });
      return true;
    },
  }),
  route({
    method: 'PUT',
    path: '/api/job/update',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Registers a job anew under its name; what only /v1 can set stays, and a field that equals the answer of GET changes nothing.',
    answers: done,
    body: NamedJobBody,
    documentedBody: CloudJobBody,
    handle: ({ body }) =>
      center.inTurn(`job/${body.jobName}`, async () => {
        const before = await jobOf(center, body.jobName);
        const { config } = before.context;
        await updateJob(center, updated(body, config, jobJson(config)), fields, { before });
        return true;
      }),
  }),
  route({
    method: 'DELETE',
    path: '/api/job/deregister',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Forgets the job named by the body and ends what of it runs.',
    answers: done,
    body: NameBody,
    bodyIsName: true,
    handle: ({ body }) => deregister(center, body),
  }),
  route({
    method: 'DELETE',
    path: '/api/job/:jobName/deregister',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Forgets a job and ends what of it runs.',
    answers: done,
    handle: ({ params }) => deregister(center, params.jobName),
  }),
  route({
    method: 'POST',
    path: '/api/job/trigger',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Runs the job named by the body now; while it runs, once more afterwards.',
    answers: done,
    takesKey: true,
    body: NameBody,
    bodyIsName: true,
    handle: ({ body, key }) => trigger(center, body, key),
  }),
  route({
    method: 'GET',
    path: '/api/job/jobs',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'All jobs, by name.',
    answers: () => z.array(CloudJob()),
    handle: async () => (await all(center.views, 'job', { order: 'name' })).map(view => jobJson(view.context.config)),
  }),
  route({
    method: 'GET',
    path: '/api/job/jobs/:jobName',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'One job.',
    answers: CloudJob,
    handle: async ({ params }) => jobJson((await jobOf(center, params.jobName)).context.config),
  }),
  route({
    method: 'GET',
    path: '/api/job/:jobName/disable',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'Is the job, or its app, disabled?',
    answers: () => z.boolean(),
    async handle({ params }) {
      const job = await jobOf(center, params.jobName);
      if (!['idle', 'running'].includes(statusOf(job.context, job.value))) return true;
      const { app } = job.context.config;
      return app !== null && (await center.views.get(`app/${app}`))?.value !== 'enabled';
    },
  }),
  route({
    method: 'POST',
    path: '/api/job/:jobName/disable',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'The job starts nothing new.',
    answers: done,
    query: CloudKillQuery,
    async handle({ params, query }) {
      await disableJob(center, params.jobName, { kill: query.kill ?? false });
      return true;
    },
  }),
  route({
    method: 'POST',
    path: '/api/job/:jobName/enable',
    tag: 'elasticjob jobs',
    access: 'user',
    summary: 'The job starts again when it is due.',
    answers: done,
    async handle({ params }) {
      await enableJob(center, params.jobName);
      return true;
    },
  }),
];
