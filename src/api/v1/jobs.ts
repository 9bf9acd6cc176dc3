/** `/v1/jobs`: the resource and its commands. */
import type { JobConfig } from '../../../actors/job/types.ts';
import { isTimeZone } from '../../../actors/schedule/index.ts';
import { Problem } from '../../http/errors.ts';
import { parse } from '../../http/parse.ts';
import { type Route, serving } from '../../http/route.ts';
import { jobEndpoints } from '../../protocol/rest/job.ts';
import { visibleExecution } from '../commands/executions.ts';
import type { JobFieldNames } from '../commands/job-checks.ts';
import { configOf } from '../commands/job-defaults.ts';
import { naming } from '../commands/job-files.ts';
import {
  defaultTimeZone,
  deregisterJob,
  disableJob,
  enableJob,
  jobOf,
  newJobId,
  registerJob,
  stopJob,
  triggerJob,
  updateJob,
} from '../commands/jobs.ts';
import { withOwnId } from '../commands/own-id.ts';
import { presentFields } from '../lookup.ts';
import type { RouteContext } from '../route-context.ts';
import { JobBody, jobShape, READ_ONLY, RegisterBody } from './job-body.ts';
import { askedFiles } from './job-files.ts';
import { pageOf } from './paging.ts';
import { patched } from './patch.ts';
import { released } from './release.ts';
import { adviceOf } from './warnings.ts';

const fields: JobFieldNames = {
  app: 'app',
  file: 'file',
  pool: 'pool',
  command: 'command',
  env: 'env',
  parameter: 'parameter',
  shardParameters: 'shards.parameters',
  schedule: (index, issue) => `schedules[${index}].${issue}`,
};

const on = serving(jobEndpoints);

/**
 * Throws Problem for an unknown zone. Runs before the schedules, which would name another field.
 */
function checkZone(timeZone: string | undefined): void {
  if (timeZone === undefined || isTimeZone(timeZone)) return;
  const sentence = `timeZone is ${JSON.stringify(timeZone)}, but must be an IANA time zone such as "Europe/Berlin".`;
  throw new Problem('invalid', sentence, { field: 'timeZone' });
}

export function jobRoutes(center: RouteContext): Route[] {
  const { views, config } = center;
  const shapeOf = async (jobName: string) => jobShape(await jobOf(center, jobName));
  const savedOf = async (jobName: string) => {
    const view = await jobOf(center, jobName);
    const shape = jobShape(view);
    return { ...shape, ...(await adviceOf({ config: view.context.config, enabled: shape.enabled, center })) };
  };
  /** The configuration of a body, with defaults of the pool and the center. */
  const whole = async (body: JobBody, { id, dialect, ...before }: Pick<JobConfig, 'id' | 'dialect' | 'file' | 'files'>) => {
    checkZone(body.timeZone);
    const pool = body.pool ?? config.pool;
    const timeZone = body.timeZone ?? (await defaultTimeZone(center, pool));
    return configOf(body, { id, dialect, pool, timeZone, ...(await askedFiles(center, body, before)) });
  };

  return [
    on('GET /v1/jobs', async ({ query: { app, status, ...query } }) => {
      // The index tells idle jobs without a host apart.
      const states = status?.includes('idle') ? [...status, 'unallocated'] : status;
      const page = await views.list('job', { ...presentFields({ ...query, status: states, parent: app }), order: 'name' });
      return pageOf(page, jobShape);
    }),
    on(
      'POST /v1/jobs',
      async ({ body, claim, user }) => {
        const { id, ...settings } = body;
        const { name: jobName, enabled } = settings;
        const register = async (ownId: string) => {
          const created = await whole(settings, { id: ownId, dialect: {} });
          await naming(center, { after: created, field: 'file' }, () => registerJob(center, created, fields, { claim, enabled, user }));
        };
        await (id === undefined ? register(newJobId(center)) : withOwnId(center, { id, name: jobName, field: 'id' }, register));
        return savedOf(jobName);
      },
      { body: RegisterBody },
    ),
    on('GET /v1/jobs/:name', ({ params }) => shapeOf(params.name)),
    on('PATCH /v1/jobs/:name', ({ body: patch, params, user }) =>
      center.inTurn(`job/${params.name}`, async () => {
        const view = await jobOf(center, params.name);
        const before = jobShape(view);
        const body = parse(JobBody, withDependentDefaults(before, patch, patched(withoutMerge(before, patch), patch, READ_ONLY)));
        const enabled = 'enabled' in patch ? body.enabled : undefined;
        const after = await whole(body, view.context.config);
        await naming(center, { after, before: view.context.config, field: 'file' }, () =>
          updateJob(center, after, fields, { before: view, enabled, user }),
        );
        return savedOf(params.name);
      }),
    ),
    on('DELETE /v1/jobs/:name', ({ params }) => deregisterJob(center, params.name)),
    on('POST /v1/jobs/:name/trigger', async ({ params, key, query }) =>
      visibleExecution(center, await triggerJob(center, params.name, { key, ...query })),
    ),
    on('POST /v1/jobs/:name/stop', async ({ params, user }) => {
      await stopJob(center, params.name, user?.name);
      return shapeOf(params.name);
    }),
    on('POST /v1/jobs/:name/enable', async ({ params }) => {
      await enableJob(center, params.name);
      return shapeOf(params.name);
    }),
    on('POST /v1/jobs/:name/disable', async ({ params, query }) => {
      await disableJob(center, params.name, query);
      return shapeOf(params.name);
    }),
    on('POST /v1/jobs/:name/release', async ({ params }) =>
      jobShape(await released(center, params.name, jobName => jobOf(center, jobName))),
    ),
  ];
}

/** The name of another content does not go with the digest of the present one. */
const withoutMerge = (before: ReturnType<typeof jobShape>, patch: Record<string, unknown>) =>
  'file' in patch ? { ...before, file: null } : before;

/** Numbers whose default depends on a policy. */
const DEPENDENT = [
  ['overlap', 'overlapLimit'],
  ['disconnect', 'disconnectMs'],
] as const;

/** A patch that changes such a policy without its number resets the number to its default. */
function withDependentDefaults(before: ReturnType<typeof jobShape>, patch: Record<string, unknown>, whole: Record<string, unknown>) {
  const dropped = DEPENDENT.filter(
    ([policy, number]) => patch[policy] !== undefined && patch[policy] !== before[policy] && patch[number] === undefined,
  );
  return Object.fromEntries(Object.entries(whole).filter(([field]) => !dropped.some(([, number]) => number === field)));
}
