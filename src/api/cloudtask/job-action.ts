/** `PUT /cloudtask/v2/jobs/action`: starts or stops a job. */
import { z } from 'zod';
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import { endpoints } from '../../protocol/rest/endpoint.ts';
import { field } from '../../protocol/rest/fields.ts';
import { stopJob, triggerJob } from '../commands/jobs.ts';
import type { RouteContext } from '../route-context.ts';
import { ACCEPTED_ALONE, Accepted } from './answers.ts';
import { findJob } from './find-job.ts';

const actionRule = 'start or stop';
const ActionBody = z.object(
  {
    runtime: field(z.string('a name'), 'the runtime of the job; absent or empty: not looked at', { example: 'myCluster' }).default(''),
    jobid: field(z.string('a jobid').min(1, 'a jobid'), 'which job, in any case', { example: '399d4b159c65c9b34d2a3c41' }),
    action: field(
      z
        .string(actionRule)
        .transform(action => action.toLowerCase())
        .pipe(z.enum(['start', 'stop'], actionRule)),
      'start or stop, in any case',
      { example: 'start' },
    ),
  },
  'a JSON object',
);

const jobActionEndpoints = endpoints({
  'PUT /cloudtask/v2/jobs/action': {
    tag: 'cloudtask jobs',
    access: 'user',
    summary: 'Starts a job, unless an execution of it is open, or ends every open execution of it.',
    body: ActionBody,
    answers: Accepted,
    status: 202,
  },
});

const on = serving(jobActionEndpoints);

export const jobActionRoutes = (center: RouteContext): Route[] => [
  on('PUT /cloudtask/v2/jobs/action', async ({ body: { runtime, jobid, action }, user }) => {
    const { name, pool } = (await findJob(center.views, jobid)).context.config;
    if (runtime !== '' && runtime !== pool)
      throw new Problem('notFound', `runtime is ${JSON.stringify(runtime.slice(0, 100))}, but job ${name} is in ${pool}`, {
        field: 'runtime',
      });
    if (action === 'start') await triggerJob(center, name, { onlyIdle: true });
    else await stopJob(center, name, user?.name);
    return ACCEPTED_ALONE;
  }),
];
