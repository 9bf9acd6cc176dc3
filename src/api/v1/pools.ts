/** `/v1/pools`, and the reservations of a pool. */
import type { z } from 'zod';
import { freeOf } from '../../../actors/pool/ledger.ts';
import type { LedgerHost } from '../../../actors/pool/types.ts';
import { rowsOf } from '../../../actors/table/entries.ts';
import { parse } from '../../http/parse.ts';
import { type Route, serving } from '../../http/route.ts';
import { type Pool, PoolFields, poolEndpoints } from '../../protocol/rest/pool.ts';
import type { View } from '../../runtime/document.ts';
import { askedBy } from '../asked-by.ts';
import { createPool, deletePool } from '../commands/pools.ts';
import { toIso } from '../iso.ts';
import { presentFields } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import { inUnits } from './hosts.ts';
import { pageOf } from './paging.ts';
import { LEAVE_OUT, patched, type ReadOnlyOf, taking } from './patch.ts';
import { quarantineOf } from './quarantine.ts';
import { released } from './release.ts';

/** Fields of responses alone. */
const READ_ONLY = {
  status: { instead: 'use DELETE /v1/pools/{name} to delete a pool' },
  hosts: { instead: 'set the pool in the configuration of the agent', moves: true },
  waiting: { instead: LEAVE_OUT, moves: true },
  quarantine: { instead: 'POST /v1/pools/{name}/release ends it' },
  total: { instead: 'set the capacity in the configuration of the agent', moves: true },
  free: { instead: LEAVE_OUT, moves: true },
  rev: { instead: LEAVE_OUT, moves: true },
  createdAt: { instead: LEAVE_OUT },
  updatedAt: { instead: LEAVE_OUT, moves: true },
} as const satisfies ReadOnlyOf<Pool, z.output<typeof PoolFields>>;

const PoolBody = taking(PoolFields, READ_ONLY);

const on = serving(poolEndpoints);

const sum = (hosts: LedgerHost[], of: (host: LedgerHost) => { cpu: number; memory: number }) =>
  inUnits(hosts.map(of).reduce((a, b) => ({ cpu: a.cpu + b.cpu, memory: a.memory + b.memory }), { cpu: 0, memory: 0 }));

function poolShape({ context, value, rev, quarantine }: View<'pool'>) {
  const hosts = Object.values(context.hosts);
  return {
    ...context.config,
    owners: context.config.owners ?? [],
    groups: context.config.groups ?? [],
    status: value as Pool['status'],
    hosts: hosts.length,
    waiting: context.waiting.length,
    quarantine: quarantineOf({ quarantine }),
    total: sum(hosts, host => host.total),
    free: sum(
      hosts.filter(host => host.open && !host.excluded),
      freeOf,
    ),
    rev,
    createdAt: toIso(context.createdAt),
    updatedAt: toIso(context.updatedAt),
  };
}

const allocationShape = ({ context, rev }: View<'pool'>, table: View<'table'> | undefined) => ({
  pool: context.config.name,
  hosts: Object.values(context.hosts).map(host => ({
    id: host.id,
    name: host.name,
    open: host.open && !host.excluded,
    total: inUnits(host.total),
    free: inUnits(freeOf(host)),
    apps: Object.entries(host.apps).map(([app, { cost, runs }]) => ({ app, runs, ...inUnits(cost) })),
    runs: Object.values(host.reservations).map(({ run, cost, app }) => ({ ...run, app, ...inUnits(cost) })),
  })),
  waiting: context.waiting.map(({ request, since, reason }) => ({
    execution: request.execution,
    shards: request.runs.map(run => run.item),
    since: toIso(since),
    reason,
  })),
  version: table?.context.version ?? 0,
  rows: table ? rowShapes(table) : [],
  rev,
});

function rowShapes({ context }: View<'table'>) {
  const named = (ids: string[]) => ids.map(id => context.hosts[id]?.name ?? id);
  return rowsOf(context).map(({ job, id, version, hosts, proposed }) => {
    return { job, id, version, hosts: named(hosts), next: proposed && named(proposed) };
  });
}

export function poolRoutes(center: RouteContext): Route[] {
  const { views, runtime } = center;
  const find = (poolName: string) => oneOrNearest(views, 'pool', poolName);
  const shapeOf = async (poolName: string) => poolShape(await find(poolName));
  return [
    on('GET /v1/pools', async ({ query }) => {
      const page = await views.list('pool', { ...presentFields(query), order: 'name' });
      return pageOf(page, poolShape);
    }),
    on(
      'POST /v1/pools',
      async ({ body, claim, user }) => {
        await createPool(center, body, { claim, user });
        return shapeOf(body.name);
      },
      { body: PoolBody },
    ),
    on('GET /v1/pools/:name', ({ params }) => shapeOf(params.name)),
    on('PATCH /v1/pools/:name', ({ body, params, user }) =>
      center.inTurn(`pool/${params.name}`, async () => {
        const { name: _, ...changes } = parse(PoolBody, patched(await shapeOf(params.name), body, READ_ONLY));
        await runtime.ask(`pool/${params.name}`, { type: 'pool.modify', changes, ...askedBy(user) });
        return shapeOf(params.name);
      }),
    ),
    on('DELETE /v1/pools/:name', ({ params }) => deletePool(center, params.name)),
    on('POST /v1/pools/:name/release', async ({ params }) => poolShape(await released(center, params.name, find))),
    on('GET /v1/pools/:name/allocation', async ({ params }) =>
      allocationShape(await find(params.name), await views.get(`table/${params.name}`)),
    ),
  ];
}
