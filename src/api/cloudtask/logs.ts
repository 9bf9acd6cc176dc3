/** `POST logs` keeps a log; `GET jobs/{jobid}/logs` shows them beside the executions of the job. */
import { decidingShard } from '../../../actors/execution/shard.ts';
import type { ExecutionContext } from '../../../actors/execution/types.ts';
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import type { View } from '../../runtime/document.ts';
import { outputEnds } from '../../services/output/ends.ts';
import { LOG_TAIL_BYTES } from '../../store/posted-log-port.ts';
import { presentFields } from '../lookup.ts';
import type { RouteContext } from '../route-context.ts';
import { ACCEPTED_ALONE, succeeded } from './answers.ts';
import { findJob } from './find-job.ts';
import type { JobLog } from './log-answers.ts';
import { cloudtaskLogEndpoints } from './log-endpoints.ts';
import { executionLog, FAILED, FINE, postedJson, postedLog } from './log-json.ts';
import { mergedPage, type Ordered } from './merged-page.ts';
import { ipaddrOf } from './server-json.ts';

const on = serving(cloudtaskLogEndpoints);

/** One of both kinds, before the output of an execution is read. */
type Found = { execution: ExecutionContext } | { log: JobLog };
interface Filter {
  stat?: number;
  from?: number;
  to?: number;
}

export function cloudtaskLogRoutes(center: RouteContext): Route[] {
  const { views, store, clock, postings } = center;

  /**
   * Those of an earlier job of this name ended before this one began: a deletion waits for them.
   */
  async function executionsOf(job: View<'job'>, { stat, from, to }: Filter): Promise<Ordered<Found>> {
    const { config, createdAt } = job.context;
    const query = {
      ...{ parent: config.name, order: 'ended' as const, from: Math.max(createdAt, from ?? createdAt) },
      ...presentFields({ to, outcome: stat === undefined ? undefined : stat === 0 ? FINE : FAILED }),
    };
    return {
      total: (await store.list({ ...query, kind: 'execution', limit: 0, total: true })).total ?? 0,
      instantAt: async offset => (await store.list({ ...query, kind: 'execution', limit: 1, offset })).items[0]?.index.endedAt ?? undefined,
      page: async (offset, limit) =>
        (await views.list('execution', { ...query, limit, offset })).items.map(({ context }) => ({
          at: context.finishedAt ?? 0,
          item: { execution: context },
        })),
    };
  }

  async function postedOf(job: string, filter: Filter): Promise<Ordered<Found>> {
    const query = { job, ...filter };
    return {
      total: await store.countPostedLogs(query),
      instantAt: async offset => (await store.postedLogs({ ...query, limit: 1, offset }))[0]?.at,
      page: async (offset, limit) =>
        (await store.postedLogs({ ...query, limit, offset })).map(log => ({ at: log.at, item: { log: postedJson(log) } })),
    };
  }

  /** Addresses of hosts that are still known, by id. */
  async function addressesOf(executions: ExecutionContext[]): Promise<Map<string, string>> {
    const hosts = new Set(executions.map(execution => decidingShard(execution)?.host ?? null).filter(host => host !== null));
    const known = await Promise.all([...hosts].map(async host => [host, await views.get(`host/${host}`).catch(() => undefined)] as const));
    return new Map(known.map(([host, view]) => [host, view ? ipaddrOf(view.context) : '']));
  }

  async function logsOf(found: Found[], { context: { config } }: View<'job'>): Promise<JobLog[]> {
    const executions = found.flatMap(each => ('execution' in each ? [each.execution] : []));
    const written = executions.map(({ id, shards }) => ({ id, written: writtenBy(shards) }));
    const [addresses, ends] = await Promise.all([
      addressesOf(executions),
      outputEnds(store, { executions: written, bytes: LOG_TAIL_BYTES }),
    ]);
    return found.map(each => {
      if ('log' in each) return each.log;
      const ipaddr = addresses.get(decidingShard(each.execution)?.host ?? '') ?? '';
      const output = ends.get(each.execution.id) ?? { stdout: '', stderr: '', isWhole: true };
      return executionLog(each.execution, { jobid: config.id, group: config.group ?? '', ipaddr, output });
    });
  }

  return [
    on('POST /cloudtask/v2/logs', async ({ body }) => {
      const waitMs = postings.take(body.jobid);
      if (waitMs > 0) throw tooMany(body.jobid, waitMs);
      await postings.keepLog(postedLog(body, clock.now()));
      return ACCEPTED_ALONE;
    }),
    on('GET /cloudtask/v2/jobs/:jobid/logs', async ({ params, query: { from, to, stat, pageIndex, pageSize } }) => {
      const job = await findJob(views, params.jobid);
      // Both bounds are inclusive.
      const filter = presentFields({ stat, from, to: to === undefined ? undefined : to + 1 });
      const [executions, posted] = await Promise.all([executionsOf(job, filter), postedOf(job.context.config.id, filter)]);
      const found = await mergedPage(executions, posted, { offset: (pageIndex - 1) * pageSize, limit: pageSize });
      return succeeded({ logs: await logsOf(found, job), total: executions.total + posted.total, pageIndex, pageSize });
    }),
  ];
}

/** `subject`: what posts too often. */
export const tooMany = (subject: string, waitMs: number): Problem =>
  new Problem('tooMany', `${subject} has more than 100 logs and messages within a second; send it again later`, { retryAfterMs: waitMs });

const writtenBy = (shards: ExecutionContext['shards']) => ({
  stdout: shards.reduce((sum, { output }) => sum + (output?.stdoutBytes ?? 0), 0),
  stderr: shards.reduce((sum, { output }) => sum + (output?.stderrBytes ?? 0), 0),
});
