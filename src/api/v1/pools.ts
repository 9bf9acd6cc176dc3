/** `/v1/pools`, and who holds what of a pool. */
import { z } from 'zod';
import { freeOf } from '../../../actors/pool/placement.ts';
import type { LedgerHost } from '../../../actors/pool/types.ts';
import { isTimeZone } from '../../../actors/schedule/index.ts';
import { Problem } from '../../http/errors.ts';
import { parse } from '../../http/parse.ts';
import { type Route, route } from '../../http/route.ts';
import type { Desk } from '../../http/route-context.ts';
import { iso, name, text } from '../../protocol/rest/fields.ts';
import { quarantineOf } from '../../protocol/rest/quarantine.ts';
import { listOf } from '../../protocol/rest/responses.ts';
import { Allocation, Pool } from '../../protocol/rest/things.ts';
import type { View } from '../../runtime/document.ts';
import { createdBy } from '../commands/create-once.ts';
import { all, given } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import { amounts } from './hosts.ts';
import { type Page, pageOf, paging } from './paging.ts';
import { LEAVE_OUT, PatchBody, patched, type ReadOnly, taking } from './patch.ts';
import { releaseRoute } from './release.ts';

const SERVERS_MAX = 10_000;
const READ_ONLY = {
  status: { instead: 'DELETE /v1/pools/{name} removes a pool' },
  hosts: { instead: 'an agent names its pool', moves: true },
  waiting: { instead: LEAVE_OUT, moves: true },
  quarantine: { instead: 'POST /v1/pools/{name}/release ends it' },
  total: { instead: 'an agent says what its host has', moves: true },
  free: { instead: LEAVE_OUT, moves: true },
  rev: { instead: LEAVE_OUT, moves: true },
  createdAt: { instead: LEAVE_OUT },
  updatedAt: { instead: LEAVE_OUT, moves: true },
} as const satisfies ReadOnly;

const PoolBody = taking(
  z.strictObject(
    {
      name: name(),
      timeZone: z
        .string('an IANA time zone such as Europe/Berlin, or null')
        .refine(isTimeZone, 'an IANA time zone such as Europe/Berlin, or null')
        .nullable()
        .default(null),
      servers: z.array(text(253, 1), 'a list of host names or addresses').max(SERVERS_MAX).default([]),
      description: text(10_000).default(''),
    },
    'a JSON object',
  ),
  READ_ONLY,
);

const sum = (hosts: LedgerHost[], of: (host: LedgerHost) => { cpu: number; memory: number }) =>
  amounts(hosts.map(of).reduce((a, b) => ({ cpu: a.cpu + b.cpu, memory: a.memory + b.memory }), { cpu: 0, memory: 0 }));

function poolShape({ context, value, rev, quarantine }: View<'pool'>) {
  const hosts = Object.values(context.hosts);
  return {
    ...context.config,
    status: String(value),
    hosts: hosts.length,
    waiting: context.waiting.length,
    quarantine: quarantineOf({ quarantine }),
    total: sum(hosts, host => host.total),
    free: sum(
      hosts.filter(host => host.open),
      freeOf,
    ),
    rev,
    createdAt: iso(context.createdAt),
    updatedAt: iso(context.updatedAt),
  };
}

const allocationShape = ({ context, rev }: View<'pool'>) => ({
  pool: context.config.name,
  hosts: Object.values(context.hosts).map(host => ({
    id: host.id,
    name: host.name,
    open: host.open,
    total: amounts(host.total),
    free: amounts(freeOf(host)),
    apps: Object.entries(host.apps).map(([app, { cost, runs }]) => ({ app, runs, ...amounts(cost) })),
    runs: Object.values(host.reservations).map(({ run, cost, app }) => ({ ...run, app, ...amounts(cost) })),
  })),
  waiting: context.waiting.map(({ request, since, reason }) => ({
    execution: request.execution,
    shards: request.runs.map(run => run.item),
    since: iso(since),
    reason,
  })),
  rev,
});

export function poolRoutes(center: Desk): Route[] {
  const { views, runtime } = center;
  const shapeOf = async (poolName: string) => poolShape(await oneOrNearest(views, 'pool', poolName));
  return [
    route({
      method: 'GET',
      path: '/v1/pools',
      access: 'user',
      says: 'Pools by name.',
      answers: listOf(Pool),
      query: z.object(paging),
      async handle({ query }): Promise<Page<unknown>> {
        const page = await views.list('pool', { ...given(query), order: 'name' });
        return pageOf(page, poolShape);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/pools',
      access: 'user',
      says: 'Creates a pool.',
      answers: Pool,
      takesKey: true,
      body: PoolBody,
      status: 201,
      async handle({ body, claim }) {
        const address = `pool/${body.name}` as const;
        await createdBy(center, address, claim, claimed => runtime.ask(address, { type: 'pool.create', config: body, ...claimed }));
        return shapeOf(body.name);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/pools/:name',
      access: 'user',
      says: 'One pool.',
      answers: Pool,
      handle: ({ params }) => shapeOf(params.name),
    }),
    route({
      method: 'PATCH',
      path: '/v1/pools/:name',
      access: 'user',
      says: 'Changes the given fields; null puts one back to its default.',
      answers: Pool,
      body: PatchBody,
      patches: PoolBody,
      handle: ({ body, params }) =>
        center.inTurn(`pool/${params.name}`, async () => {
          const { name: _, ...changes } = parse(PoolBody, patched(await shapeOf(params.name), body, READ_ONLY));
          await runtime.ask(`pool/${params.name}`, { type: 'pool.modify', changes });
          return shapeOf(params.name);
        }),
    }),
    route({
      method: 'DELETE',
      path: '/v1/pools/:name',
      access: 'user',
      says: 'Forgets a pool that has neither hosts nor jobs.',
      answers: null,
      status: 204,
      async handle({ params }) {
        const { address } = await oneOrNearest(views, 'pool', params.name);
        if (params.name === center.config.pool)
          throw new Problem('conflict', `pool ${params.name} is always there: it takes the jobs that name none`);
        const jobs = await all(views, 'job', { order: 'name', pool: params.name });
        if (jobs.length > 0)
          throw new Problem(
            'conflict',
            `pool ${params.name} still has ${jobs.length} ${jobs.length === 1 ? 'job' : 'jobs'}, such as ${jobs[0]?.context.config.name}`,
          );
        await runtime.ask(address, { type: 'pool.delete' });
      },
    }),
    releaseRoute({
      center,
      path: '/v1/pools/:name',
      what: 'a pool',
      answers: Pool,
      find: poolName => oneOrNearest(views, 'pool', poolName),
      shape: poolShape,
    }),
    route({
      method: 'GET',
      path: '/v1/pools/:name/allocation',
      access: 'user',
      says: 'Who holds what of each host, and who waits for room.',
      answers: Allocation,
      handle: async ({ params }) => allocationShape(await oneOrNearest(views, 'pool', params.name)),
    }),
  ];
}
