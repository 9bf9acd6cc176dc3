/** `/api/job`: register, update, deregister, trigger, enable, disable, look. */

import { z } from 'zod';
import { statusOf } from '../../../actors/job/machine.ts';
import { Problem } from '../../http/errors.ts';
import { type Route, route } from '../../http/route.ts';
import { name } from '../../protocol/rest/fields.ts';
import { done } from '../../protocol/rest/responses.ts';
import { bareJob } from '../commands/job-defaults.ts';
import { type FieldNames, jobOf, newJobId, registerJob, updateJob, zoneOf } from '../commands/jobs.ts';
import { all } from '../lookup.ts';
import type { Center, RouteContext } from '../route-context.ts';
import { Job } from './answers.ts';
import { KillQuery } from './apps.ts';
import { JobBody, NamedBody } from './job-body.ts';
import { jobJson } from './job-json.ts';
import { registered, updated } from './job-meaning.ts';

const fields: FieldNames = {
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

async function deregister(center: Center, jobName: string): Promise<true> {
  const { address } = await jobOf(center, jobName);
  await center.runtime.ask(address, { type: 'job.deregister' });
  return true;
}

export const jobRoutes = (center: RouteContext): Route[] => [
  route({
    method: 'POST',
    path: '/api/job/register',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'Registers a job of a published app.',
    answers: done(),
    takesKey: true,
    body: JobBody,
    async handle({ body, claim }) {
      const { pool } = center.config;
      const identity = { name: body.jobName, id: newJobId(center), pool, timeZone: await zoneOf(center, pool) };
      await registerJob(center, registered(body, bareJob(identity)), fields, { claim });
      return true;
    },
  }),
  route({
    method: 'PUT',
    path: '/api/job/update',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'Registers a job anew under its name; what only /v1 can set stays, and a field that equals the answer of GET changes nothing.',
    answers: done(),
    body: NamedBody,
    bodyTold: JobBody,
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
    says: 'Forgets the job named by the body and ends what of it runs.',
    answers: done(),
    body: NameBody,
    bodyIsName: true,
    handle: ({ body }) => deregister(center, body),
  }),
  route({
    method: 'DELETE',
    path: '/api/job/:jobName/deregister',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'Forgets a job and ends what of it runs.',
    answers: done(),
    handle: ({ params }) => deregister(center, params.jobName),
  }),
  route({
    method: 'POST',
    path: '/api/job/trigger',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'Runs the job named by the body now; while it runs, once more afterwards.',
    answers: done(),
    takesKey: true,
    body: NameBody,
    bodyIsName: true,
    async handle({ body, key }) {
      const job = await jobOf(center, body);
      if (job.context.config.kind === 'resident') throw new Problem('conflict', `Daemon job '${body}' cannot support trigger.`);
      await center.runtime.ask(job.address, { type: 'job.trigger', ...(key === undefined ? {} : { key }) });
      return true;
    },
  }),
  route({
    method: 'GET',
    path: '/api/job/jobs',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'All jobs, by name.',
    answers: z.array(Job),
    handle: async () => (await all(center.views, 'job', { order: 'name' })).map(view => jobJson(view.context.config)),
  }),
  route({
    method: 'GET',
    path: '/api/job/jobs/:jobName',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'One job.',
    answers: Job,
    handle: async ({ params }) => jobJson((await jobOf(center, params.jobName)).context.config),
  }),
  route({
    method: 'GET',
    path: '/api/job/:jobName/disable',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'Is the job, or its app, disabled?',
    answers: z.boolean(),
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
    says: 'The job starts nothing new.',
    answers: done(),
    query: KillQuery,
    async handle({ params, query }) {
      const { address } = await jobOf(center, params.jobName);
      await center.runtime.ask(address, { type: 'job.disable', kill: query.kill ?? false });
      return true;
    },
  }),
  route({
    method: 'POST',
    path: '/api/job/:jobName/enable',
    tag: 'elasticjob jobs',
    access: 'user',
    says: 'The job starts again when it is due.',
    answers: done(),
    async handle({ params }) {
      const { address } = await jobOf(center, params.jobName);
      await center.runtime.ask(address, { type: 'job.enable' });
      return true;
    },
  }),
];
