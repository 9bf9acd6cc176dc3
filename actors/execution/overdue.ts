/** What an execution decides when one of its deadlines has passed. */
import { type Decision, tell } from '../decision.ts';
import type { EventOf, ExecutionEvent, ExecutionFact } from '../types.ts';
import { closeAttempts, lostEnd } from './attempts.ts';
import { answerDueAt, answerMs, answerTimer, earliestRetry, exactSpan, startWithin } from './deadlines.ts';
import { orderStop, poolOf, reserveRuns, runOf } from './effects.ts';
import { cutReason } from './shard.ts';
import type { ExecutionContext, ShardState } from './types.ts';

type Decided = Decision<ExecutionContext, ExecutionFact>;
type Event<T extends ExecutionEvent['type']> = EventOf<'execution', T>;

/**
 * Asks the host to withdraw the run; a run that has begun continues. A run whose host does not
 * answer this request either is lost.
 */
export function answerOverdue(context: ExecutionContext, event: Event<'execution.answerOverdue'>): Decided {
  const due = Math.max(event.at, answerTimer(context, context.shards).dueAt ?? event.at);
  const overdue = context.shards.filter(shard => (answerDueAt(context, shard) ?? due + 1) <= due);
  const reasonOf = ({ hostName }: ShardState) =>
    `host ${hostName} has neither started nor refused it within ${exactSpan(answerMs(context))} of the order`;
  const gone = overdue.filter(shard => shard.isOverdue);
  const ends = gone.map(shard => ({ shard, end: lostEnd(shard, event.at, reasonOf(shard)) }));
  const closed = closeAttempts(context, ends, event, true);
  const asked = overdue.filter(shard => !shard.isOverdue);
  const shards = (closed.context?.shards ?? context.shards).map(shard => {
    const isAsked = asked.some(({ item }) => item === shard.item);
    // The second span starts here: the center may have been down meanwhile.
    return isAsked ? { ...shard, isOverdue: true, orderedAt: event.at, withdrawReason: shard.withdrawReason ?? reasonOf(shard) } : shard;
  });
  return {
    ...closed,
    context: { ...closed.context, shards },
    effects: [
      ...(closed.effects ?? []),
      ...gone.map(shard => orderStop(shard.host ?? '', runOf(context, shard), 'superseded', reasonOf(shard))),
      ...asked.map(shard => orderStop(shard.host ?? '', runOf(context, shard), 'withdrawn', reasonOf(shard))),
    ],
    timers: [...(closed.timers ?? []).filter(({ id }) => id !== 'answer'), answerTimer(context, shards)],
  };
}

/**
 * Ends the execution without a process. Asks hosts to withdraw the runs that they were ordered to
 * start; a run that has begun continues.
 */
export function startOverdue(context: ExecutionContext, event: Event<'execution.startOverdue'>): Decided {
  if (context.startedAt !== null || context.cancelled || context.expired !== undefined) return {};
  const awaited = pendingReason(context);
  const reason = `not started within ${exactSpan(startWithin(context))}: ${awaited}`;
  const asked = context.shards.filter(shard => shard.status === 'starting');
  const shards = context.shards.map((shard): ShardState => {
    if (shard.status === 'waiting')
      return {
        ...shard,
        status: 'done',
        outcome: 'failed',
        finishedAt: event.at,
        notBefore: null,
        reason: cutReason(reason, context.shards.length),
      };
    return shard.status === 'starting' ? { ...shard, withdrawReason: shard.withdrawReason ?? reason } : shard;
  });
  const waits =
    context.blockedReason === null && context.allocatedHosts !== null && context.shards.some(shard => shard.status === 'waiting');
  return {
    context: { shards, expired: reason, reason },
    effects: [
      ...asked.map(shard => orderStop(shard.host ?? '', runOf(context, shard), 'withdrawn', reason)),
      ...(waits ? [tell(poolOf(context), { type: 'pool.withdraw', execution: context.id })] : []),
    ],
    facts: [{ type: 'execution.notStarted', execution: context.id, job: context.job, reason }],
    timers: [
      { id: 'retry', dueAt: null, event: { type: 'execution.retryDue' } },
      { id: 'reserveAgain', dueAt: null, event: { type: 'execution.reserveAgain' } },
    ],
  };
}

/** What an execution that has started no process waits for. */
function pendingReason({ blockedReason, shards, reason }: ExecutionContext): string {
  if (blockedReason !== null) return blockedReason;
  const starting = shards.find(shard => shard.status === 'starting');
  if (starting) return `host ${starting.hostName} has not reported its start yet`;
  const backingOff = shards.find(shard => shard.status === 'waiting' && shard.notBefore !== null);
  return backingOff?.reason ?? reason ?? 'it waits for its pool to answer';
}

export function retryDue(context: ExecutionContext, event: Event<'execution.retryDue'>): Decided {
  // The timer was armed for the earliest. Its firing proves that the span is over; the wall clock
  // may have been set back.
  const due = Math.max(event.at, earliestRetry(context.shards) ?? event.at);
  const ready = context.shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null && shard.notBefore <= due);
  const shards = context.shards.map(shard => (ready.includes(shard) ? { ...shard, notBefore: null } : shard));
  const earliest = earliestRetry(shards);
  return {
    context: { shards },
    effects: reserveRuns(context, ready),
    timers: earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }],
  };
}
