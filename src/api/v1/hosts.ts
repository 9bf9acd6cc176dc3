/**
 * `/v1/hosts`. The free capacity of a host comes from the ledger of its pool, which alone reserves
 * it.
 */
import { freeOf } from '../../../actors/pool/ledger.ts';
import type { LedgerHost } from '../../../actors/pool/types.ts';
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import { type Host, hostEndpoints } from '../../protocol/rest/host.ts';
import { LIMIT_MAX } from '../../protocol/rest/lists.ts';
import type { View } from '../../runtime/document.ts';
import { Unreadable } from '../../runtime/errors.ts';
import type { ViewPage, Views } from '../../runtime/views.ts';
import { writeAgentKey } from '../../security/agent-keys.ts';
import { compareText } from '../../store/order.ts';
import { toIso } from '../iso.ts';
import { presentFields } from '../lookup.ts';
import type { Center } from '../route-context.ts';
import { findHost } from './find-host.ts';
import { pageOf } from './paging.ts';
import { quarantineOf } from './quarantine.ts';
import { released } from './release.ts';

const on = serving(hostEndpoints);

/** Converts thousandths into cores and MB. */
export const inUnits = ({ cpu, memory }: { cpu: number; memory: number }) => ({ cpus: cpu / 1000, memoryMB: memory / 1000 });

/** `now`: `lastSeenAt` of a connected host. */
function hostShape({ context, value, rev, quarantine }: View<'host'>, pool: View<'pool'> | undefined, now: number): Host {
  const { capabilities: can } = context;
  const ledger = pool?.context.hosts[context.id];
  return {
    id: context.id,
    name: context.name,
    pool: context.pool,
    status: value as Host['status'],
    address: context.address,
    os: can?.os ?? '',
    arch: can?.arch ?? '',
    cpus: can?.cpus ?? 0,
    memoryMB: can?.memoryMB ?? 0,
    free: ledger ? inUnits(freeOf(ledger)) : { cpus: 0, memoryMB: 0 },
    labels: can?.labels ?? {},
    agentVersion: can?.agentVersion ?? '',
    hostname: can?.hostname ?? '',
    treeKill: (can?.treeKill ?? '') as Host['treeKill'],
    appIsolation: (can?.appIsolation ?? '') as Host['appIsolation'],
    runAs: can?.runAs.user ?? null,
    runAsAllowed: can?.runAs.allowed ?? [],
    running: Object.keys(ledger?.reservations ?? {}).length,
    draining: context.draining,
    rejectedByPool: context.rejectedByPool ?? null,
    excluded: ledger?.excluded ?? false,
    refusing: refusingOf(ledger),
    quarantine: quarantineOf({ quarantine }),
    lastSeenAt: toIso(context.session === null ? context.lastSeenAt : now),
    connectedAt: toIso(context.connectedAt),
    rev,
    createdAt: toIso(context.createdAt),
  };
}

/** Null for a host that is not ready: its status is the reason then. */
function refusingOf(ledger: LedgerHost | undefined): Host['refusing'] {
  const refusing = ledger?.open ? ledger.refusing : undefined;
  if (!refusing) return null;
  const { fault, reason, since, tries, until } = refusing;
  return { fault, reason, since: toIso(since), times: tries, triedAt: toIso(until) };
}

/**
 * A page of hosts by name, then by id. The stores order by id, so this reads all hosts, some
 * thousands in a large fleet.
 */
async function hostsByName(views: Views, query: { limit: number; cursor?: string; parent?: string; status?: string[] }) {
  const { limit, cursor, ...filter } = query;
  const behind = cursor === undefined ? undefined : readCursor(cursor);
  const keyOf = ({ context }: View<'host'>): HostKey => [context.name, context.id];
  const found: View<'host'>[] = [];
  const unreadable: ViewPage<'host'>['unreadable'] = [];
  let next: string | null = null;
  do {
    const page: ViewPage<'host'> = await views.list('host', {
      ...filter,
      limit: LIMIT_MAX,
      order: 'name',
      ...(next === null ? {} : { cursor: next }),
    });
    found.push(...page.items.filter(host => behind === undefined || compareKeys(keyOf(host), behind) > 0));
    if (behind === undefined) unreadable.push(...page.unreadable);
    next = page.next;
  } while (next !== null);
  const sorted = found.sort((a, b) => compareKeys(keyOf(a), keyOf(b)));
  const last = sorted.length > limit ? sorted[limit - 1] : undefined;
  return { items: sorted.slice(0, limit), next: last ? writeCursor(keyOf(last)) : null, unreadable };
}

type HostKey = [name: string, id: string];
const compareKeys = (a: HostKey, b: HostKey): number => compareText(a[0], b[0]) || compareText(a[1], b[1]);
const writeCursor = (key: HostKey): string => Buffer.from(JSON.stringify(key)).toString('base64url');

/** Throws Problem. */
function readCursor(cursor: string): HostKey {
  try {
    const [name, id, ...more]: unknown[] = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    if (typeof name === 'string' && typeof id === 'string' && more.length === 0) return [name, id];
  } catch {
    // Not JSON: refused below.
  }
  throw new Problem('invalid', 'cursor is not a cursor of this list.', { field: 'cursor' });
}

export function hostRoutes(center: Center): Route[] {
  const { views, runtime, clock, store } = center;
  /** Undefined for an unreadable pool: its hosts stay visible. */
  const poolOf = (pool: string) =>
    views.get(`pool/${pool}`).catch(error => {
      if (error instanceof Unreadable) return undefined;
      throw error;
    });
  const shapeOf = async (host: View<'host'>) => hostShape(host, await poolOf(host.context.pool), clock.now());
  const turn = async (id: string, type: 'host.drain' | 'host.resume' | 'host.retire') => {
    // Of several hosts of one name a lost one is retired.
    const { address, context } = await findHost(views, id, type === 'host.retire' ? 'lost' : undefined);
    await runtime.ask(address, { type });
    return shapeOf(await findHost(views, context.id));
  };

  return [
    on('GET /v1/hosts', async ({ query: { pool, ...query } }) => {
      const page = await hostsByName(views, presentFields({ ...query, parent: pool }));
      const names = [...new Set(page.items.map(host => host.context.pool))];
      const pools = new Map(await Promise.all(names.map(async each => [each, await poolOf(each)] as const)));
      const now = clock.now();
      return pageOf(page, host => hostShape(host, pools.get(host.context.pool), now));
    }),
    on('GET /v1/hosts/:id', async ({ params }) => shapeOf(await findHost(views, params.id))),
    on('POST /v1/hosts/:id/drain', ({ params }) => turn(params.id, 'host.drain')),
    on('POST /v1/hosts/:id/resume', ({ params }) => turn(params.id, 'host.resume')),
    on('POST /v1/hosts/:id/retire', ({ params }) => turn(params.id, 'host.retire')),
    on('DELETE /v1/hosts/:id', async ({ params }) => {
      const { address, context } = await findHost(views, params.id, 'retired');
      const { id: host, name, pool, publicKey } = context;
      if (String((await views.get(address))?.value) === 'retired') {
        await writeAgentKey(store, publicKey, { host, name, pool, retired: true });
      }
      await runtime.ask(address, { type: 'host.delete' });
    }),
    on('POST /v1/hosts/:id/release', async ({ params }) => shapeOf(await released(center, params.id, id => findHost(views, id)))),
  ];
}
