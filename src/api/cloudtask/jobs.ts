/** `/cloudtask/v2/jobs`: list, create, read, change, delete. */
import type { JobConfig } from '../../../actors/job/types.ts';
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import type { View } from '../../runtime/document.ts';
import { Unreadable } from '../../runtime/errors.ts';
import type { JobFieldNames } from '../commands/job-checks.ts';
import { bareJob } from '../commands/job-defaults.ts';
import { boundTo, naming } from '../commands/job-files.ts';
import { defaultTimeZone, deregisterJob, jobOf, newJobId, registerJob, updateJob } from '../commands/jobs.ts';
import { withOwnId } from '../commands/own-id.ts';
import { presentFields } from '../lookup.ts';
import type { RouteContext } from '../route-context.ts';
import { SUCCEEDED_ALONE, succeeded } from './answers.ts';
import { cloudtaskJobEndpoints } from './endpoints.ts';
import { findJob } from './find-job.ts';
import type { JobDocument } from './job-answers.ts';
import type { JobChangeBody } from './job-body.ts';
import { askedFile } from './job-file.ts';
import { isSwitchedOn, jobBase, jobDocument, type LastRuns, statesWith } from './job-json.ts';
import { changedJob, newJob } from './job-meaning.ts';

const on = serving(cloudtaskJobEndpoints);

/** Names of the checked fields. `schedules`: those of the job, of which some are no calendars. */
const fieldsFor = (schedules: readonly { type: string }[]): JobFieldNames => ({
  app: 'app',
  file: 'filename',
  pool: 'location',
  command: 'cmd',
  env: 'env',
  parameter: 'parameter',
  shardParameters: 'shards.parameters',
  schedule: (index, issue) => {
    if (schedules[index]?.type !== 'calendar') return 'cron';
    const item = schedules.slice(0, index).filter(({ type }) => type === 'calendar').length;
    return issue === 'timeZone' ? 'timezone' : `schedule[${item}].${issue}`;
  },
});

/** `q` that is an id, whole. */
const JOB_ID = /^[0-9a-fA-F]{24}$/;

/** Damaged state: the rest of the answer is there. Throws every other error. */
function unlessUnreadable(error: unknown): undefined {
  if (!(error instanceof Unreadable)) throw error;
}

export function cloudtaskJobRoutes(center: RouteContext): Route[] {
  const { views, ids, inTurn } = center;
  const drawId = () => ids.short(12);

  /** Undefined for an unreadable one: its job stays visible. */
  const executionOf = async (id: string | null | undefined) =>
    id ? (await views.get(`execution/${id}`).catch(unlessUnreadable))?.context : undefined;
  /** Read only where the answer shows them. */
  const lastRuns = async ({ context }: View<'job'>): Promise<LastRuns> => {
    const hasFailed = context.lastOutcome === 'failed' || context.lastOutcome === 'lost';
    const [failed, open] = await Promise.all([
      context.open.length === 0 && hasFailed ? executionOf(context.lastExecution) : undefined,
      executionOf(context.open.at(-1)?.id),
    ]);
    return { failed, open };
  };
  const documentOf = async (view: View<'job'>): Promise<JobDocument> => jobDocument(view, await lastRuns(view));
  const answerOf = async (jobName: string) => succeeded({ job: await documentOf(await jobOf(center, jobName)) });
  /** Throws Problem `notFound`. */
  const checkRuntime = async (location: string) => {
    if (!(await views.get(`pool/${location}`)))
      throw new Problem('notFound', `runtime not found: ${location}; create it first`, { field: 'location' });
  };

  /** Throws Problem `invalid`. */
  const withFile = async (body: JobChangeBody, config: JobConfig, before: Pick<JobConfig, 'file' | 'files'>): Promise<JobConfig> => {
    const file = await askedFile(center, body, before);
    return file === undefined ? config : { ...config, ...boundTo(file, before, center.clock.now()) };
  };

  return [
    on('GET /cloudtask/v2/jobs', async ({ query: { runtime, group, stat, q = '', pageIndex, pageSize } }) => {
      const sought = JOB_ID.test(q) ? { alias: q.toLowerCase() } : { text: q || undefined };
      const filter = presentFields({
        pool: runtime || undefined,
        group: group || undefined,
        states: stat === undefined ? undefined : statesWith(stat),
        ...sought,
      });
      const page = await views.list('job', { ...filter, order: 'name', limit: pageSize, offset: (pageIndex - 1) * pageSize, total: true });
      const jobs = await Promise.all(page.items.map(view => documentOf(view).catch(unlessUnreadable)));
      return succeeded({ jobs: jobs.filter(job => job !== undefined), total: page.total ?? 0 });
    }),
    on('POST /cloudtask/v2/jobs', async ({ body, claim, user }) => {
      const { name, location, jobid = newJobId(center) } = body;
      await checkRuntime(location);
      const zone = await defaultTimeZone(center, location);
      const mapped = newJob(body, bareJob({ name, id: jobid, pool: location, timeZone: zone }), { drawId, zone });
      const { config, enabled } = { ...mapped, config: await withFile(body, mapped.config, {}) };
      await withOwnId(center, { id: jobid, name, field: 'jobid' }, () =>
        naming(center, { after: config, field: 'filename' }, () =>
          registerJob(center, config, fieldsFor(config.schedules), { claim, enabled, user }),
        ),
      );
      return answerOf(name);
    }),
    on('GET /cloudtask/v2/jobs/:jobid', async ({ params }) => succeeded({ job: await documentOf(await findJob(views, params.jobid)) })),
    on('GET /cloudtask/v2/jobs/:jobid/base', async ({ params }) => jobBase(await findJob(views, params.jobid))),
    on('PUT /cloudtask/v2/jobs/:jobid', async ({ params, body, user }) => {
      const { name } = (await findJob(views, params.jobid)).context.config;
      return inTurn(`job/${name}`, async () => {
        const before = await jobOf(center, name);
        const was = { config: before.context.config, enabled: isSwitchedOn(before) };
        const { location = was.config.pool } = body;
        if (location !== was.config.pool) await checkRuntime(location);
        const mapped = changedJob(body, was, { drawId, zone: await defaultTimeZone(center, location) });
        const { config, enabled } = { ...mapped, config: await withFile(body, mapped.config, was.config) };
        const switched = enabled === was.enabled ? {} : { enabled };
        await naming(center, { after: config, before: was.config, field: 'filename' }, () =>
          updateJob(center, config, fieldsFor(config.schedules), { before, ...switched, user }),
        );
        return answerOf(name);
      });
    }),
    on('DELETE /cloudtask/v2/jobs/:jobid', async ({ params }) => {
      await deregisterJob(center, (await findJob(views, params.jobid)).context.config.name);
      return SUCCEEDED_ALONE;
    }),
  ];
}
