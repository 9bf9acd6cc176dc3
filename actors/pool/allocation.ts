/** The hosts to which shards of sticky jobs are allocated. */
import { ownOf } from './ledger.ts';
import type { AllocatedHosts, PlacedRun } from './types.ts';

/** Shards with an allocated host; beyond, the oldest jobs lose their allocated hosts. */
const ALLOCATED_MAX = 20_000;

/** These shards are allocated to the hosts on which they were placed. */
export function allocated(allocatedHosts: AllocatedHosts, job: string, placed: PlacedRun[]): AllocatedHosts {
  const own = ownOf(allocatedHosts, job) ?? {};
  if (placed.every(({ item, host }) => own[item] === host)) return allocatedHosts;
  const next: AllocatedHosts = {
    ...allocatedHosts,
    [job]: { ...own, ...Object.fromEntries(placed.map(({ item, host }) => [item, host])) },
  };
  let count = Object.values(next).reduce((sum, items) => sum + Object.keys(items).length, 0);
  for (const each of Object.keys(next)) {
    if (count <= ALLOCATED_MAX || each === job) break;
    count -= Object.keys(next[each] ?? {}).length;
    delete next[each];
  }
  return next;
}

/** No shard is allocated to this host any more: the next run of each may go anywhere. */
export function withoutHost(allocatedHosts: AllocatedHosts, host: string): AllocatedHosts {
  if (!Object.values(allocatedHosts).some(items => Object.values(items).includes(host))) return allocatedHosts;
  const left = Object.entries(allocatedHosts).map(([job, items]) => [
    job,
    Object.fromEntries(Object.entries(items).filter(([, on]) => on !== host)),
  ]);
  return Object.fromEntries(left.filter(([, items]) => Object.keys(items as object).length > 0));
}
