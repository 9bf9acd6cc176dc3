/**
 * The hosts of a sticky job: it claims them of the table of its pool and takes what the table
 * proposes. A shard goes to another host only while no open execution has a live attempt of it.
 *
 *   table --propose--> idle, or without hosts: taken at once
 *                      else open executions --held--> taken shard by shard
 */
import { type Decision, tell } from '../decision.ts';
import { costOf } from '../pool/ledger.ts';
import type { Claim } from '../table/types.ts';
import type { Effect, EventOf, JobEvent, JobFact } from '../types.ts';
import type { JobContext } from './types.ts';

type Decided = Decision<JobContext, JobFact>;
type Event<T extends JobEvent['type']> = EventOf<'job', T>;

/** How long after its table was not there a job claims again, ms. */
const CLAIM_AGAIN_MS = 5_000;

type Allocation = Pick<JobContext, 'allocatedHosts' | 'unallocated' | 'proposal'>;

export const noAllocation: Allocation = { allocatedHosts: null, unallocated: null, proposal: null };

const tableOf = (pool: string) => `table/${pool}` as const;

/** What the job asks of its table. */
export function claimOfJob({ config, version, app }: Pick<JobContext, 'config' | 'version' | 'app'>): Claim {
  const shard = costOf(config.resources);
  const own = app ? costOf(app.config.resources) : { cpu: 0, memory: 0 };
  const need = { cpu: shard.cpu + own.cpu, memory: shard.memory + own.memory };
  const { name: job, id, shards, servers } = config;
  return { job, id, version, shards: shards.total, need, ...(servers?.length && { servers }) };
}

/** Of an enabled job: nothing where it is not sticky. */
export function claims(context: JobContext): Effect[] {
  const { pool, placement } = context.config;
  if (placement !== 'sticky') return [];
  return [tell(tableOf(pool), { type: 'table.claim', claim: claimOfJob(context), hosts: context.allocatedHosts })];
}

export const releases = ({ config }: Pick<JobContext, 'config'>): Effect[] =>
  config.placement === 'sticky' ? [tell(tableOf(config.pool), { type: 'table.release', job: config.name })] : [];

/** The job is disabled, moved, or of another placement. */
export function givesUp(context: JobContext, reason: string): Effect[] {
  if (context.config.placement !== 'sticky') return [];
  return [...releases(context), ...context.open.map(({ id }) => tell(`execution/${id}`, { type: 'execution.deallocated', reason }))];
}

/** An edit of an enabled job. */
export function reclaims(before: JobContext, after: JobContext): { context: JobContext; effects: Effect[] } {
  const { pool, placement, shards } = after.config;
  const stays = placement === 'sticky' && pool === before.config.pool;
  const reason = placement === 'sticky' ? `its job went over to pool ${pool}` : 'its job is not sticky any more';
  // A shard without a host waits for the answer of the table, and so do the others meanwhile.
  const hosts = stays && before.config.placement === 'sticky' ? before.allocatedHosts : null;
  const keeps = hosts !== null && hosts.length >= shards.total;
  const next = keeps
    ? { ...after, allocatedHosts: hosts.slice(0, shards.total), proposal: null }
    : { ...after, ...noAllocation, unallocated: unasked(after) };
  return { context: next, effects: [...(stays ? [] : givesUp(before, reason)), ...claims(next)] };
}

/** What it waits for until its table answers; null: it is not sticky. */
export const unasked = ({ config }: Pick<JobContext, 'config'>): string | null =>
  config.placement === 'sticky' ? `waits for the allocation table of pool ${config.pool} to answer` : null;

export function proposed(context: JobContext, event: Event<'job.propose'>): Decided {
  const { config, open, allocatedHosts } = context;
  const { hosts, serial, reason } = event;
  if (config.placement !== 'sticky' || event.pool !== config.pool) return {};
  if (hosts === null) {
    return {
      context: { allocatedHosts: null, unallocated: reason, proposal: null },
      effects: moves(context, serial, null, reason),
      facts: allocatedHosts === null && context.unallocated === reason ? [] : [allocated(context, null, null, reason)],
    };
  }
  if (hosts.length !== config.shards.total) return {};
  if (allocatedHosts === null || open.length === 0) {
    return {
      context: { allocatedHosts: hosts, unallocated: null, proposal: null },
      effects: [...moves(context, serial, hosts, null), tell(tableOf(config.pool), { type: 'table.moved', job: config.name, hosts })],
      facts: [allocated(context, hosts, event.name, null)],
    };
  }
  const changed = hosts.flatMap((host, item) => (host === allocatedHosts[item] ? [] : [item]));
  const holders = Object.fromEntries(open.map(({ id }) => [id, changed]));
  const proposal = changed.length > 0 ? { serial, hosts, name: event.name, closed: event.closed, holders } : null;
  return { context: { proposal }, effects: moves(context, serial, hosts, null) };
}

/** Each open execution receives the hosts. */
const moves = ({ open }: JobContext, serial: number, hosts: string[] | null, reason: string | null): Effect[] =>
  open.map(({ id }) => tell(`execution/${id}`, { type: 'execution.move', serial, hosts, reason }));

/** An open execution says which shards it still runs elsewhere. */
export function held(context: JobContext, event: Event<'job.held'>): Decided {
  const { proposal } = context;
  if (proposal?.serial !== event.serial || !Object.hasOwn(proposal.holders, event.execution)) return {};
  return takeFree(context, { ...proposal, holders: { ...proposal.holders, [event.execution]: event.held } });
}

/** An execution has ended and holds nothing any more. */
export function letGo(context: JobContext, execution: string): Decided {
  const { proposal } = context;
  if (!proposal) return {};
  const { [execution]: _, ...holders } = proposal.holders;
  return takeFree(context, { ...proposal, holders });
}

/** Takes the proposed host of each shard that nobody holds. */
function takeFree(context: JobContext, proposal: NonNullable<JobContext['proposal']>): Decided {
  const { config, allocatedHosts } = context;
  if (allocatedHosts === null) return { context: { proposal: null } };
  const busy = new Set(Object.values(proposal.holders).flat());
  const hosts = allocatedHosts.map((host, item) => (busy.has(item) ? host : (proposal.hosts[item] ?? host)));
  const isWhole = hosts.every((host, item) => host === proposal.hosts[item]);
  const left = isWhole ? null : proposal;
  if (hosts.every((host, item) => host === allocatedHosts[item])) return { context: { proposal: left } };
  return {
    context: { allocatedHosts: hosts, proposal: left },
    effects: [tell(tableOf(config.pool), { type: 'table.moved', job: config.name, hosts })],
    facts: [allocated(context, hosts, hosts[0] === proposal.hosts[0] ? proposal.name : null, null)],
  };
}

const allocated = ({ config }: JobContext, hosts: string[] | null, hostName: string | null, reason: string | null): JobFact => ({
  ...{ type: 'job.allocated', job: config.name, pool: config.pool },
  ...{ host: hosts?.[0] ?? null, hostName, shards: config.shards.total, reason },
});

/**
 * The hosts with which an execution begins. One that waits for its job goes along with a proposal;
 * one that asks for capacity at once begins at the old host while that takes work.
 */
export function hostsOfNew(
  context: JobContext,
  isBlocked: boolean,
): { hosts: string[] | null; unallocated: string | null; holds: number[] } {
  const { allocatedHosts, unallocated, proposal } = context;
  if (allocatedHosts === null || proposal === null) return { hosts: allocatedHosts, unallocated, holds: [] };
  const hosts = allocatedHosts.map((host, item) => (isBlocked || proposal.closed.includes(host) ? (proposal.hosts[item] ?? host) : host));
  return { hosts, unallocated, holds: hosts.flatMap((host, item) => (host === proposal.hosts[item] ? [] : [item])) };
}

/** The job asks its table again; one that is not in it says so. */
const claimAgain = (context: JobContext): Decided => ({ effects: claims(context) });
export const releaseAgain = ({ config }: JobContext): Decided => ({
  effects: [tell(tableOf(config.pool), { type: 'table.release', job: config.name })],
});
/** Of an enabled job that is not sticky, too. */
export const claimOrRelease = (context: JobContext): Decided =>
  context.config.placement === 'sticky' ? claimAgain(context) : releaseAgain(context);

/** The pool is being created, or does not exist. */
export const tableMissing = (context: JobContext, { at }: { at: number }): Decided => ({
  context: { unallocated: `pool ${context.config.pool} has no allocation table` },
  timers: [{ id: 'claim', dueAt: at + CLAIM_AGAIN_MS, event: { type: 'job.claimAgain' } }],
});
