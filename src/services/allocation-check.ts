/**
 * What one look at the table of a pool shows. It reckons rows and choices from the jobs and from
 * the ledger of the pool, apart from the code that keeps the table, and compares.
 */

import { crc32 } from 'node:zlib';
import { claimOfJob } from '../../actors/job/allocation.ts';
import { statusOf } from '../../actors/job/kind.ts';
import type { JobContext } from '../../actors/job/types.ts';
import { namedBy } from '../../actors/pool/admission.ts';
import type { LedgerHost, PoolContext } from '../../actors/pool/types.ts';
import { SHARDS_MAX } from '../../actors/table/decide.ts';
import type { Claim, TableContext, TableEntry, TableHost } from '../../actors/table/types.ts';
import type { View } from '../runtime/document.ts';

export interface Difference {
  pool: string;
  /** Null: in the hosts. */
  job: string | null;
  reason: string;
  /** Of what was compared: the same again is the same difference, and nothing was on its way. */
  seen: string;
}

/** Points of each host of the rule, ascending. */
export type Points = Map<string, number[]>;

export function pointsOf(hosts: Iterable<string>): Points {
  const points = (host: string) => Array.from({ length: 50 }, (_, index) => crc32(`${host}|${index}`)).sort((a, b) => a - b);
  return new Map(Array.from(hosts, host => [host, points(host)]));
}

/** The host with the greatest point below that of `name`, else with the greatest of all. */
function reckon(points: Points, candidates: readonly string[], name: string): string | null {
  const own = crc32(name);
  let best: { host: string; rank: number } | null = null;
  for (const host of candidates) {
    const all = points.get(host) ?? [];
    const below = all.findLast(point => point < own);
    const rank = below ?? (all.at(-1) ?? 0) - 2 ** 32;
    if (best === null || rank > best.rank || (rank === best.rank && host < best.host)) best = { host, rank };
  }
  return best?.host ?? null;
}

const holds = (host: LedgerHost, { need, servers = [] }: Claim): boolean =>
  need.cpu <= host.total.cpu && need.memory <= host.total.memory && namedBy(servers)(host);
const isReady = ({ open, excluded }: LedgerHost): boolean => open && !excluded;
const isAway = ({ away, excluded }: LedgerHost): boolean => away === true && !excluded;

/** Whether the job has its place in a table of this pool. */
export const belongsIn = (pool: string, { context, value }: View<'job'>): boolean =>
  context.config.placement === 'sticky' && context.config.pool === pool && ['idle', 'running'].includes(statusOf(context, value));

/** The difference between this job and its entry; undefined: there is none. */
export function judgeJob(
  { pool, table, points }: { pool: PoolContext; table: TableContext; points: Points },
  job: View<'job'>,
  entry: TableEntry | undefined,
): Difference | undefined {
  const { context, rev } = job;
  const claim = claimOfJob(context);
  const reason = entry ? wrongIn(pool, points, context, claim, entry) : noEntry(table, claim);
  if (reason === undefined) return undefined;
  return { pool: pool.config.name, job: claim.job, reason, seen: JSON.stringify([rev, entry ?? null]) };
}

const noEntry = (table: TableContext, claim: Claim): string | undefined =>
  table.shards + claim.shards > SHARDS_MAX ? undefined : 'the job is not in the table';

function wrongIn(pool: PoolContext, points: Points, context: JobContext, claim: Claim, entry: TableEntry): string | undefined {
  const { id, version, shards, need } = entry;
  const isSame = id === claim.id && version === claim.version && shards === claim.shards;
  if (!isSame || need.cpu !== claim.need.cpu || need.memory !== claim.need.memory) return 'the row is of another version of the job';
  if (JSON.stringify(entry.hosts) !== JSON.stringify(context.allocatedHosts)) return 'the row names other hosts than the job has';
  if (entry.proposed !== null && context.proposal === null) return 'the job has no proposal that the table waits for';
  const target = entry.proposed ?? entry.hosts;
  const wanted = wantedOf(pool, points, claim, target);
  return JSON.stringify(wanted) === JSON.stringify(target) ? undefined : 'the host is not the choice of the job';
}

function wantedOf({ hosts }: PoolContext, points: Points, claim: Claim, target: string[] | null): string[] | null {
  const candidates = Object.values(hosts).flatMap(host => (isReady(host) && holds(host, claim) ? [host.id] : []));
  const wanted = Array.from({ length: claim.shards }, (_, item) => {
    const current = hosts[target?.[item] ?? ''];
    if (current && isAway(current) && holds(current, claim)) return current.id;
    return reckon(points, candidates, item === 0 ? claim.id : `${claim.id}#${item}`);
  });
  return wanted.every(host => host !== null) ? wanted : null;
}

const stateOf = (host: LedgerHost): TableHost['state'] => (isReady(host) ? 'ready' : isAway(host) ? 'away' : 'closed');

/** The difference between the hosts of the pool and those of its table. */
export function judgeHosts(pool: View<'pool'>, table: View<'table'>): Difference | undefined {
  const textOf = ({ id, name, hostname, address, total, state }: Omit<TableHost, 'state'> & { state: string }) =>
    JSON.stringify([id, name, hostname, address, total.cpu, total.memory, state]);
  const theirs = Object.values(pool.context.hosts).map(host => textOf({ ...host, state: stateOf(host) }));
  const ours = Object.values(table.context.hosts).map(textOf);
  if (theirs.toSorted().join() === ours.toSorted().join()) return undefined;
  const reason = 'the hosts of the table are not those of its pool';
  return { pool: pool.context.config.name, job: null, reason, seen: JSON.stringify([theirs, ours]) };
}
