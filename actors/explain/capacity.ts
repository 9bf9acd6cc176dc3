/** Why shards do not fit: a dry run of their pool's next pass, and its ledger host by host. */
import type { Resources } from '../app/types.ts';
import { runKeyOf } from '../execution/run-spec.ts';
import { costOf, fits, freeOf, priceOn, takesRuns } from '../pool/ledger.ts';
import { hostsFor, place } from '../pool/placement.ts';
import type { Cost, LedgerHost, ReservationRequest } from '../pool/types.ts';
import { placeWaiting, tryPlace } from '../pool/waiting.ts';
import { type ActorView, isoOf, isoOr, quarantined, type Reason, SHOWN_MAX } from './reason.ts';

const amounts = ({ cpu, memory }: Cost): Resources => ({ cpus: cpu / 1000, memoryMB: memory / 1000 });

export interface PoolViews {
  pool: ActorView<'pool'> | undefined;
  /** Hosts of the pool that are not ready; the reader limits their number. */
  hosts: ActorView<'host'>[];
  /** Actors that cannot be read. */
  unreadable: Extract<Reason, { type: 'unreadable' }>[];
}

/** For an execution whose shards wait for the pool. `reserveAgainAt`: its timer, epoch ms. */
export function whyNoCapacity(
  execution: Pick<ActorView<'execution'>['context'], 'id' | 'config' | 'reason' | 'shards'>,
  { pool, hosts, unreadable }: PoolViews,
  reserveAgainAt: number | null,
): { lead: Reason[]; more: Reason[] } {
  const { id, reason, shards } = execution;
  const name = execution.config.pool;
  const again: Reason[] =
    reserveAgainAt === null
      ? []
      : [{ type: 'reserveAgain', execution: id, pool: name, reason: pool ? reason : null, at: isoOf(reserveAgainAt) }];
  const shut = unreadable.filter(({ who }) => who === `pool/${name}`);
  if (shut.length > 0) return { lead: shut, more: again };
  if (!pool || pool.value === 'deleted') return { lead: [{ type: 'poolMissing', pool: name }, ...again], more: [] };
  if (pool.quarantine) return { lead: quarantined(pool), more: again };
  const position = pool.context.waiting.findIndex(each => each.request.execution === id);
  const entry = pool.context.waiting[position];
  if (!entry) {
    if (again.length > 0) return { lead: again, more: hostsOf(pool, hosts) };
    // Only reservations of the waiting attempts count, not those of other shards or attempts.
    const asking = shards.filter(shard => shard.status === 'waiting' && shard.notBefore === null);
    const keys = asking.map(({ item, attempt }) => runKeyOf({ execution: id, item, attempt }));
    const hasRoom = Object.values(pool.context.hosts).some(host => keys.some(key => Object.hasOwn(host.reservations, key)));
    return { lead: [{ type: 'inTransit', execution: id, pool: name, what: hasRoom ? 'placement' : 'request' }], more: [] };
  }
  const soon: Reason = { type: 'capacitySoon', execution: id, pool: name };
  const next = placeWaiting(pool.context, 0).context?.waiting?.find(each => each.request.execution === id);
  if (!next) return { lead: [soon], more: [] };
  // The stored reason is of an earlier pass, maybe with other hosts, and one turn may be only a
  // part of a pass.
  const now = tryPlace(pool.context, next.request);
  if (now.rest === null) return { lead: [soon], more: [] };
  const noRoom = {
    type: 'noCapacity',
    execution: id,
    pool: name,
    shards: pool.context.waiting.reduce((sum, { request }) => sum + (request.execution === id ? request.runs.length : 0), 0),
    since: isoOf(entry.since),
    ahead: position,
  } as const;
  return {
    lead: [{ ...noRoom, reason: now.reason }, ...closed(pool, hosts)],
    more: capacityOf(pool, hosts, next.request),
  };
}

/** The capacity of each host for one request. */
export function capacityOf(pool: ActorView<'pool'>, hosts: ActorView<'host'>[], request: ReservationRequest): Reason[] {
  const name = pool.context.config.name;
  const ledger = hostsFor(Object.values(pool.context.hosts), request);
  const empty = ledger.map((host): LedgerHost => ({ ...host, reservations: {}, apps: {}, used: { cpu: 0, memory: 0 } }));
  const fitsNever = ledger.some(takesRuns) && place(empty, request).missing > 0;
  const shown = [...ledger].sort((a, b) => Number(takesRuns(b)) - Number(takesRuns(a))).slice(0, SHOWN_MAX);
  return [
    ...(fitsNever ? [{ type: 'tooLarge', pool: name } as const] : []),
    ...shown.map(host => freeReason(name, host, request)),
    ...rest('hosts', ledger.length - shown.length),
    ...holders(name, ledger),
    ...hosts.slice(0, SHOWN_MAX).flatMap(hostReason),
  ];
}

function freeReason(pool: string, host: LedgerHost, request: ReservationRequest): Reason {
  const free = freeOf(host);
  const price = priceOn(host, request);
  const lacks: ('cpu' | 'memory')[] = [];
  if (!fits(free, { ...price, memory: Number.NEGATIVE_INFINITY })) lacks.push('cpu');
  if (!fits(free, { ...price, cpu: Number.NEGATIVE_INFINITY })) lacks.push('memory');
  return {
    type: 'free',
    pool,
    host: host.name,
    open: takesRuns(host),
    ...(host.excluded && { excluded: host.excluded }),
    ...(host.refusing && { refusing: host.refusing.reason }),
    free: amounts(free),
    total: amounts(host.total),
    price: amounts(price),
    lacks,
  };
}

function holders(pool: string, ledger: LedgerHost[]): Reason[] {
  const takes = new Map<string, { shards: number; cost: Cost }>();
  for (const { run, cost } of ledger.flatMap(host => Object.values(host.reservations))) {
    const known = takes.get(run.execution) ?? { shards: 0, cost: costOf({ cpus: 0, memoryMB: 0 }) };
    takes.set(run.execution, {
      shards: known.shards + 1,
      cost: { cpu: known.cost.cpu + cost.cpu, memory: known.cost.memory + cost.memory },
    });
  }
  const most = [...takes].sort(([, a], [, b]) => b.cost.cpu - a.cost.cpu || b.cost.memory - a.cost.memory);
  return [
    ...most
      .slice(0, SHOWN_MAX)
      .map(([execution, { shards, cost }]) => ({ type: 'holder', pool, execution, shards, takes: amounts(cost) }) as const),
    ...rest('holders', most.length - SHOWN_MAX),
  ];
}

/** Counts of the ready hosts, and of the others by state. */
export function hostsOf(pool: ActorView<'pool'>, hosts: ActorView<'host'>[]): Reason[] {
  const notReady: Partial<Record<string, number>> = {};
  // Ready hosts are counted by the pool's ledger: some refuse runs, or are not admitted.
  for (const { value } of hosts) if (value !== 'ready') notReady[String(value)] = (notReady[String(value)] ?? 0) + 1;
  const open = Object.values(pool.context.hosts).filter(host => host.open);
  const ready = open.filter(takesRuns).length;
  const excluded = open.filter(host => host.excluded).length;
  if (excluded > 0) notReady.excluded = excluded;
  if (ready + excluded < open.length) notReady.refusing = open.length - excluded - ready;
  return [{ type: 'hosts', pool: pool.context.config.name, ready, notReady }];
}

/** The states of the hosts where none accepts runs; else nothing. */
export const closed = (pool: ActorView<'pool'>, hosts: ActorView<'host'>[]): Reason[] =>
  Object.values(pool.context.hosts).some(takesRuns) ? [] : hostsOf(pool, hosts);

/** Nothing for a host that is ready. */
export function hostReason({ context, value, timers }: ActorView<'host'>): Reason[] {
  if (value === 'ready' && context.rejectedByPool === null) return [];
  const lostAt = timers.find(({ id }) => id === 'grace')?.dueAt ?? null;
  const since = context.session === null ? isoOr(context.lastSeenAt) : null;
  return [
    { type: 'host', host: context.name, status: String(value), since, lostAt: isoOr(lostAt), rejectedByPool: context.rejectedByPool },
  ];
}

export const rest = (what: 'hosts' | 'holders' | 'shards', count: number): Reason[] =>
  count > 0 ? [{ type: 'andMore', what, count }] : [];
