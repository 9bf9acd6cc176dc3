/**
 * The hosts to which the shards of a sticky job are allocated, in one execution. A shard with a
 * live attempt stays where it is; every other one goes along at once, also between its attempts.
 */
import { type Decision, tell } from '../decision.ts';
import type { Effect, EventOf, ExecutionEvent, ExecutionFact } from '../types.ts';
import { orderStop, poolOf, reserveRuns, runOf } from './effects.ts';
import { isLive } from './shard.ts';
import type { ExecutionContext, ShardState } from './types.ts';

type Decided = Decision<ExecutionContext, ExecutionFact>;
type Event<T extends ExecutionEvent['type']> = EventOf<'execution', T>;

/** Shards that wait for the pool, not for their job, for a host or for the delay of a retry. */
export const unreserved = (context: ExecutionContext): ShardState[] =>
  context.blockedReason === null && context.allocatedHosts !== null
    ? context.shards.filter(shard => shard.status === 'waiting' && shard.notBefore === null)
    : [];

/** Whether this shard may run there. */
export const belongsTo = ({ allocatedHosts }: ExecutionContext, { item }: ShardState, host: string): boolean =>
  allocatedHosts === undefined || allocatedHosts?.[item] === host;

/** Shards with a live attempt on another host than the one to which they are allocated. */
const heldBy = (context: ExecutionContext): number[] =>
  context.shards.flatMap(shard => (isLive(shard) && !belongsTo(context, shard, shard.host ?? '') ? [shard.item] : []));

export function move(context: ExecutionContext, { serial, hosts, reason }: Event<'execution.move'>): Decided {
  const { allocatedHosts: before } = context;
  if (before === undefined || context.cancelled) return {};
  // Its job may have fewer shards by now.
  const after = hosts && context.shards.map(({ item }) => hosts[item] ?? before?.[item] ?? (hosts[0] as string));
  const next = { ...context, allocatedHosts: after, unallocated: hosts === null ? reason : null, held: undefined };
  const asked = unreserved(context);
  const wait = unreserved(next);
  const goes = before === null || after === null || [...asked, ...wait].some(({ item }) => before[item] !== after[item]);
  const effects: Effect[] = [];
  if (goes && asked.length > 0) effects.push(tell(poolOf(context), { type: 'pool.withdraw', execution: context.id }));
  if (goes) effects.push(...reserveRuns(next, wait));
  if (hosts === null) return { ...unhosted(next, reason), effects };
  const held = heldBy(next);
  effects.push(tell(`job/${context.job}`, { type: 'job.held', execution: context.id, serial, held }));
  const waited = goes && before === null && context.reason === context.unallocated && context.blockedReason === null;
  return { context: { ...next, ...(waited && { reason: null }), held: held.length > 0 ? { serial, items: held } : undefined }, effects };
}

/** No host takes it: what waits goes on waiting, with the reason. */
function unhosted(context: ExecutionContext, reason: string | null): Decided {
  const isNews = reason !== null && context.reason !== reason && context.blockedReason === null && context.expired === undefined;
  if (!isNews || !context.shards.some(({ status }) => status === 'waiting')) return { context };
  return {
    context: { ...context, reason },
    facts: [{ type: 'execution.pending', execution: context.id, job: context.job, reason }],
  };
}

/** The decision, and what the job receives when a shard has let go of its earlier host. */
export function withHeld(context: ExecutionContext, decided: Decided): Decided {
  const next = { ...context, ...decided.context };
  if (next.held === undefined || context.held?.serial !== next.held.serial) return decided;
  const { serial } = next.held;
  const items = heldBy(next);
  if (items.length === next.held.items.length) return decided;
  return {
    ...decided,
    context: { ...decided.context, held: items.length > 0 ? { serial, items } : undefined },
    effects: [...(decided.effects ?? []), tell(`job/${context.job}`, { type: 'job.held', execution: context.id, serial, held: items })],
  };
}

/** Its job gave up its place: what has not begun is ended, what runs ends where it is. */
export function deallocated(context: ExecutionContext, { reason, at }: Event<'execution.deallocated'>): Decided {
  if (context.cancelled || context.deallocated !== undefined || context.allocatedHosts === undefined) return {};
  const asked = unreserved(context).length > 0;
  const shards = context.shards.map((shard): ShardState => {
    if (shard.status === 'waiting') return { ...shard, status: 'done', outcome: 'cancelled', finishedAt: at, notBefore: null, reason };
    return shard.status === 'starting' ? { ...shard, withdrawReason: shard.withdrawReason ?? reason } : shard;
  });
  const starting = context.shards.filter(({ status }) => status === 'starting');
  return {
    context: { shards, deallocated: reason, reason },
    effects: [
      ...starting.map(shard => orderStop(shard.host ?? '', runOf(context, shard), 'withdrawn', reason)),
      ...(asked ? [tell(poolOf(context), { type: 'pool.withdraw', execution: context.id })] : []),
    ],
    facts: [{ type: 'execution.deallocated', execution: context.id, job: context.job, reason }],
    timers: [
      { id: 'retry', dueAt: null, event: { type: 'execution.retryDue' } },
      { id: 'reserveAgain', dueAt: null, event: { type: 'execution.reserveAgain' } },
    ],
  };
}
