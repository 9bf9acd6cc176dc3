/** Logs of a job that other systems posted. */
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import { postedLogEndpoints } from '../../protocol/rest/posted-log.ts';
import { listCursor, listPosition } from '../../store/cursor.ts';
import type { PostedLog } from '../../store/posted-log-port.ts';
import { jobOf } from '../commands/jobs.ts';
import { toIso } from '../iso.ts';
import { presentFields } from '../lookup.ts';
import type { RouteContext } from '../route-context.ts';
import { unreadableOf } from './paging.ts';

const on = serving(postedLogEndpoints);

const STATS = { succeeded: 0, failed: -1 } as const;

export function postedLogRoutes(center: RouteContext): Route[] {
  const { store } = center;
  const idOf = async (name: string) => (await jobOf(center, name)).context.config.id;

  return [
    on('GET /v1/jobs/:name/posted-logs', async ({ params, query: { limit, cursor, from, to, outcome } }) => {
      const job = await idOf(params.name);
      const position = cursor === undefined ? undefined : listPosition('newest', cursor);
      const found = await store.postedLogs({
        ...{ job, limit: limit + 1 },
        ...presentFields({
          from,
          to: to === undefined ? undefined : to + 1,
          stat: outcome && STATS[outcome],
          after: position && { at: position.at, id: position.address },
        }),
      });
      const page = found.slice(0, limit);
      const last = found.length > limit ? page.at(-1) : undefined;
      const damaged = page.filter(({ damage }) => damage !== undefined);
      return {
        items: page.filter(({ damage }) => damage === undefined).map(itemOf),
        next: last ? listCursor('newest', { at: last.at, address: last.id }) : null,
        ...unreadableOf(damaged.map(({ id, damage = '' }) => ({ name: id, reason: damage }))),
      };
    }),
    on('GET /v1/jobs/:name/posted-logs/:id', async ({ params }) => {
      const log = await store.postedLog(await idOf(params.name), params.id);
      if (log?.damage !== undefined) throw new Problem('conflict', `${log.damage}: posted log ${log.id}`);
      if (log) return { ...itemOf(log), stdout: log.stdout, stderr: log.stderr };
      throw new Problem('notFound', `job ${params.name} has no posted log ${params.id.slice(0, 100)}`, { field: 'id' });
    }),
  ];
}

const itemOf = (log: PostedLog) => ({
  id: log.id,
  outcome: log.stat === 0 ? ('succeeded' as const) : ('failed' as const),
  startedAt: toIso(log.startedAt),
  finishedAt: toIso(log.at),
  durationMs: log.durationMs,
  receivedAt: toIso(log.receivedAt),
  pool: log.location,
  group: log.group,
  host: log.address,
  command: log.command,
  directory: log.workdir,
  event: log.event,
  reason: log.error,
  stdoutBytes: log.stdoutBytes,
  stderrBytes: log.stderrBytes,
});
