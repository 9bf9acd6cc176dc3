/**
 * Shards + ledger -> hosts, or the reason why not. The order of the hosts is fixed, so the same
 * ledger always gives the same answer. A shard costs the job's resources; the first shard of
 * an app on a host costs the app's own too.
 *
 *   pack    fills one host before it begins the next
 *   spread  gives each next shard to the host that has the fewest of this execution; of those,
 *           to the one with most cpu free
 *   sticky  gives a shard to the host to which it is allocated, and to no other
 */
import { namedBy } from './admission.ts';
import { costOf, fits, freeOf, isOnTrial, priceOn, takesRuns } from './ledger.ts';
import type { LedgerHost, PlacedRun, ReservationRequest } from './types.ts';

/** Decides only; nothing is reserved yet. `missing`: number of shards that do not fit. */
export function place(hosts: LedgerHost[], request: ReservationRequest): { placed: PlacedRun[]; missing: number; reason: string | null } {
  const open = hostsFor(hosts, request)
    .filter(takesRuns)
    .map(host => ({
      host,
      free: freeOf(host),
      apps: { ...host.apps },
      given: request.placement === 'spread' ? shardsOf(host, request.execution) : 0,
    }));
  // One shard of a first attempt tries a host that refused. Runs that were refused or failed before
  // go there last.
  const isFirst = request.runs.every(run => run.attempt === 1);
  const onTrial = new Set(open.filter(({ host }) => isOnTrial(host)).map(({ host }) => host.id));
  const rank = ({ host, given }: { host: LedgerHost; given: number }) => (!onTrial.has(host.id) ? 0 : isFirst && given === 0 ? -1 : 1);
  type Candidate = (typeof open)[number];
  const byRank = (a: Candidate, b: Candidate) => rank(a) - rank(b);
  const byCpu = (a: Candidate, b: Candidate) => b.free.cpu - a.free.cpu;
  const candidates = (allocated: string | undefined): Candidate[] => {
    if (allocated !== undefined) return open.filter(({ host }) => host.id === allocated);
    if (request.placement === 'spread') return [...open].sort((a, b) => byRank(a, b) || a.given - b.given || byCpu(a, b));
    return onTrial.size > 0 ? [...open].sort(byRank) : open;
  };
  const placed: PlacedRun[] = [];
  let unplaced: { item: number; host: string } | undefined;
  for (const run of request.runs) {
    const allocated = run.host;
    const found = candidates(allocated).find(candidate => fits(candidate.free, priceOn(candidate, request)));
    if (!found) {
      // Shards without an allocated host cost the same: where one does not fit, none does.
      if (allocated === undefined) break;
      unplaced ??= { item: run.item, host: allocated };
      continue;
    }
    const price = priceOn(found, request);
    found.free = { cpu: found.free.cpu - price.cpu, memory: found.free.memory - price.memory };
    if (allocated === undefined) found.given += 1;
    if (request.app) found.apps[request.app.name] = { cost: costOf(request.app.resources), runs: 1 };
    placed.push({ item: run.item, attempt: run.attempt, host: found.host.id });
  }
  const missing = request.runs.length - placed.length;
  return {
    placed,
    missing,
    reason: missing === 0 ? null : unplaced ? reasonOnAllocatedHost(hosts, request, unplaced) : reasonFor(hosts, request),
  };
}

/** The hosts that the job of the request names; all where it names none. */
export const hostsFor = (hosts: LedgerHost[], { servers = [] }: Pick<ReservationRequest, 'servers'>): LedgerHost[] =>
  servers.length === 0 ? hosts : hosts.filter(namedBy(servers));

/** Runs of the execution on this host, placed by earlier requests. */
const shardsOf = (host: LedgerHost, execution: string): number =>
  Object.values(host.reservations).filter(({ run }) => run.execution === execution).length;

const amount = (thousandths: number): string => String(thousandths / 1000);

function reasonFor(all: LedgerHost[], request: ReservationRequest): string {
  const { resources, app, runs, servers = [] } = request;
  const hosts = hostsFor(all, request);
  const which = servers.length === 0 ? '' : ' among the servers of the job';
  const each = `${runs.length} x ${resources.cpus} cpu and ${resources.memoryMB} MB`;
  const once = app ? `, and once per host ${app.resources.cpus} cpu and ${app.resources.memoryMB} MB for app ${app.name}` : '';
  const open = hosts.filter(takesRuns);
  const refusing = hosts.filter(host => host.open && !host.excluded && !takesRuns(host));
  const [first, ...others] = refusing;
  const more = others.length > 0 ? `, and so do ${others.length} more` : '';
  const refused = first ? `; host ${first.name} refuses runs: ${first.refusing?.reason}${more}` : '';
  const excluded = excludedText(hosts.filter(host => host.open && host.excluded));
  if (open.length === 0) return `needs ${each}${once}; the pool has no host${which} that is ready${refused}${excluded}`;
  const free = open
    .map(freeOf)
    .reduce((sum, next) => ({ cpu: sum.cpu + next.cpu, memory: sum.memory + next.memory }), { cpu: 0, memory: 0 });
  const whose = `${open.length === 1 ? `on ${which ? 'the' : 'its'} one host` : `on ${open.length} hosts`}${which}`;
  return `needs ${each}${once}; the pool has ${amount(free.cpu)} cpu and ${amount(free.memory)} MB free ${whose}${refused}${excluded}`;
}

const excludedText = (hosts: LedgerHost[]): string => {
  if (hosts.length === 0) return '';
  return `; ${hosts.length === 1 ? `host ${hosts[0]?.name} is` : `${hosts.length} hosts are`} not among the servers of the pool`;
};

function reasonOnAllocatedHost(
  hosts: LedgerHost[],
  { resources }: ReservationRequest,
  { item, host: id }: { item: number; host: string },
): string {
  const host = hosts.find(each => each.id === id);
  const free = host && freeOf(host);
  if (host?.away) return `host ${host.name}, where shard ${item} belongs, is away`;
  const state =
    !host?.open || host.excluded || !free
      ? 'takes no new runs now'
      : host.refusing
        ? `refuses runs: ${host.refusing.reason}`
        : `has ${amount(free.cpu)} cpu and ${amount(free.memory)} MB free`;
  return `shard ${item} needs ${resources.cpus} cpu and ${resources.memoryMB} MB on host ${host?.name ?? id}, to which its sticky job is allocated; that host ${state}`;
}
