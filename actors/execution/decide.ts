/**
 * What an execution decides, event by event. Every report names its attempt; a report of another
 * attempt than the present one changes nothing.
 */
import { type Decision, tell } from '../decision.ts';
import type { Effect, EventOf, ExecutionEvent, ExecutionFact } from '../types.ts';
import { belongsTo, deallocated, move, unreserved } from './allocation.ts';
import { closeAttempts, liveOn, lostEnd } from './attempts.ts';
import { answerTimer, RESERVE_AGAIN_MS, startDisarmed, startTimer, startWithin } from './deadlines.ts';
import {
  finishedEvent,
  orderStart,
  orderStop,
  poolOf,
  recordEndVerdict,
  recordVerdict,
  releaseRuns,
  reserveRuns,
  runOf,
} from './effects.ts';
import { answerOverdue, retryDue, startOverdue } from './overdue.ts';
import { executionOutcome, isLive, newShard } from './shard.ts';
import type { ExecutionContext, ShardState } from './types.ts';

type Decided = Decision<ExecutionContext, ExecutionFact>;
type Event<T extends ExecutionEvent['type']> = EventOf<'execution', T>;
export type ExecutionDecider = (context: ExecutionContext, event: never) => Decided;

const initialContext = (input: Event<'execution.create'>): ExecutionContext => ({
  id: input.id,
  job: input.config.name,
  trigger: input.trigger,
  dueAt: input.dueAt,
  retryOf: input.retryOf,
  createdAt: input.at,
  startedAt: null,
  finishedAt: null,
  config: input.config,
  app: input.app,
  blockedReason: input.blockedReason,
  reason: input.blockedReason ?? input.unallocated ?? null,
  ...(input.allocatedHosts !== undefined && { allocatedHosts: input.allocatedHosts, unallocated: input.unallocated ?? null }),
  cancelled: false,
  shards: Array.from({ length: input.config.shards.total }, (_, item) => newShard(item, input.config.shards.parameters[item] ?? '')),
  outcome: null,
});

const created = (context: ExecutionContext): Decided => ({
  effects: context.blockedReason === null ? reserveRuns(context, context.shards) : [],
  facts: [
    {
      type: 'execution.created',
      execution: context.id,
      job: context.job,
      trigger: context.trigger,
      dueAt: context.dueAt === null ? null : new Date(context.dueAt).toISOString(),
      shards: context.shards.length,
      blockedReason: context.blockedReason,
    },
  ],
  timers: startWithin(context) > 0 ? [startTimer(context.createdAt + startWithin(context))] : [],
});

/**
 * The execution keeps the app that it was created for, also when its job has another one by now.
 */
function unblock(context: ExecutionContext, event: Event<'execution.unblock'>): Decided {
  if (context.blockedReason === null) return {};
  const wanted = context.config.app;
  const app = event.app?.config.name === wanted ? event.app : context.app;
  if (wanted !== null && app === null) {
    return cancel(context, { ...event, type: 'execution.end', reason: `its job went over to another app before app ${wanted} answered` });
  }
  const next = { ...context, blockedReason: null, reason: context.unallocated ?? null, app };
  return { context: next, effects: reserveRuns(next, next.shards) };
}

function placed(context: ExecutionContext, event: Event<'execution.placed'>): Decided {
  const shards = [...context.shards];
  const effects: Effect[] = [];
  const facts: ExecutionFact[] = [];
  const unwanted: { item: number; attempt: number }[] = [];
  const elsewhere: ShardState[] = [];
  for (const { item, attempt, host, hostName, trial } of event.placements) {
    const shard = shards[item];
    if (shard?.status !== 'waiting' || shard.attempt !== attempt || context.cancelled) {
      if (!(shard && isLive(shard) && shard.attempt === attempt && shard.host === host)) unwanted.push({ item, attempt });
      continue;
    }
    // The pool placed it before it had the other host of its job.
    if (!belongsTo(context, shard, host)) {
      unwanted.push({ item, attempt });
      elsewhere.push(shard);
      continue;
    }
    const how = { host, hostName, orderedAt: event.at, notBefore: null, reason: null };
    const starting: ShardState = { ...shard, status: 'starting', ...how, ...(trial && { trial }) };
    shards[item] = starting;
    effects.push(orderStart(context, starting));
    facts.push({ type: 'shard.placed', execution: context.id, job: context.job, item, attempt, host, hostName });
  }
  if (unwanted.length > 0) effects.push(releaseRuns(context, unwanted), ...reserveRuns(context, elsewhere));
  // A late placement must not replace the reason of the cancellation or of the end.
  const isPlaced = facts.length > 0;
  return { ...(isPlaced ? { context: { shards, reason: event.reason }, timers: [answerTimer(context, shards)] } : {}), effects, facts };
}

function waiting(context: ExecutionContext, event: Event<'execution.waiting'>): Decided {
  if (context.reason === event.reason || !context.shards.some(shard => shard.status === 'waiting')) return {};
  return {
    context: { reason: event.reason },
    facts: [{ type: 'execution.pending', execution: context.id, job: context.job, reason: event.reason }],
  };
}

function started(context: ExecutionContext, event: Event<'shard.started'>): Decided {
  const { item, attempt, host } = event;
  const shard = context.shards[item];
  if (!shard) return {};
  if (shard.attempt !== attempt || shard.host !== host || !isLive(shard)) {
    // A process of an attempt that has its outcome already: it must end.
    return { effects: [orderStop(host, runOf(context, event), 'superseded', `the verdict of attempt ${attempt} stands already`)] };
  }
  if (shard.startedAt !== null) return {};
  const shards = [...context.shards];
  const { directory: _, ...before } = shard;
  shards[item] = {
    ...before,
    ...(event.directory !== undefined && { directory: event.directory }),
    status: shard.status === 'starting' ? 'running' : shard.status,
    startedAt: event.startedAt,
    session: event.session ?? null,
  };
  const isFirst = context.startedAt === null;
  return {
    context: { shards, startedAt: context.startedAt ?? event.startedAt },
    effects: [
      ...(shard.trial ? [tell(poolOf(context), { type: 'pool.hostRecovered', host })] : []),
      ...(isFirst ? recordVerdict(context, 'ran', null, event.at) : []),
    ],
    facts: [{ type: 'shard.started', execution: context.id, job: context.job, item, attempt, host }],
    timers: [...(shard.status === 'starting' ? [answerTimer(context, shards)] : []), ...(isFirst ? startDisarmed(context) : [])],
  };
}

function shardEnded(context: ExecutionContext, event: Event<'shard.ended'>): Decided {
  const shard = context.shards[event.item];
  if (!shard || shard.attempt !== event.attempt || shard.host !== event.host || !isLive(shard)) return {};
  const { outcome, exitCode, signal, startedAt, finishedAt, reason, output, parked = false, hostFault, leftRunning = 0 } = event;
  const end = { outcome, exitCode, signal, startedAt: startedAt ?? shard.startedAt, finishedAt, reason, output };
  const closed = closeAttempts(context, [{ shard, end, parked, hostFault }], event, true);
  if (leftRunning === 0) return closed;
  const { item, attempt, host } = shard;
  const left: ExecutionFact = {
    type: 'shard.leftRunning',
    execution: context.id,
    job: context.job,
    item,
    attempt,
    host,
    processes: leftRunning,
  };
  return { ...closed, facts: [...(closed.facts ?? []), left] };
}

/** The pool has dropped the reservations of a lost host already. */
const lost = (context: ExecutionContext, event: Event<'shard.lost'>): Decided => lostOn(context, event, false);
/** The host stays in the pool, so the reservations are released here. */
const unanswered = (context: ExecutionContext, event: Event<'shard.unanswered'>): Decided => lostOn(context, event, true);

function lostOn(context: ExecutionContext, event: Event<'shard.lost'> | Event<'shard.unanswered'>, release: boolean): Decided {
  // A run that was reported to run has its order.
  const isConcerned = ({ status }: ShardState) => event.type === 'shard.lost' || status !== 'running';
  const gone = liveOn(context, event.host, event.runs).filter(isConcerned);
  const closed = closeAttempts(
    context,
    gone.map(shard => ({ shard, end: lostEnd(shard, event.at, event.reason) })),
    event,
    release,
  );
  // A host that comes back must not begin a start that had not reached it, and must end these runs.
  const stops = gone.map(shard => orderStop(event.host, runOf(context, shard), 'superseded', event.reason));
  return { ...closed, effects: [...(closed.effects ?? []), ...stops] };
}

function unaccounted(context: ExecutionContext, event: Event<'shard.unaccounted'>): Decided {
  const here = liveOn(context, event.host, event.runs);
  // A start that was reported in this session or a later one happened after the agent had listed
  // its runs.
  const gone = here.filter(shard => shard.startedAt !== null && (shard.session ?? 0) < event.session);
  const closed = closeAttempts(
    context,
    gone.map(shard => ({ shard, end: lostEnd(shard, event.at, `the agent of host ${shard.hostName} does not know of it`) })),
    event,
    true,
  );
  // A start or stop that has not arrived is sent again: the agent drops repeats.
  const again = here.flatMap(shard => {
    if (shard.status === 'starting')
      return [
        shard.withdrawReason === null
          ? orderStart(context, shard)
          : orderStop(event.host, runOf(context, shard), 'withdrawn', shard.withdrawReason),
      ];
    return shard.status === 'ending' && !gone.includes(shard)
      ? [orderStop(event.host, runOf(context, shard), 'cancelled', context.reason ?? 'cancelled')]
      : [];
  });
  return { ...closed, effects: [...(closed.effects ?? []), ...again] };
}

/** Asks the host to withdraw runs that have not begun; the answer of its agent decides. */
function withdraw(context: ExecutionContext, event: Event<'shard.withdraw'>): Decided {
  const withdrawn = liveOn(context, event.host, event.runs).filter(shard => shard.status === 'starting' && shard.withdrawReason === null);
  if (withdrawn.length === 0) return {};
  const shards = context.shards.map(shard => (withdrawn.includes(shard) ? { ...shard, withdrawReason: event.reason } : shard));
  return { context: { shards }, effects: withdrawn.map(shard => orderStop(event.host, runOf(context, shard), 'withdrawn', event.reason)) };
}

function unknownRun(context: ExecutionContext, event: Event<'shard.unknownRun'>): Decided {
  const wanted = new Set(liveOn(context, event.host, event.runs).map(shard => `${shard.item}:${shard.attempt}`));
  const unwanted = event.runs.filter(run => !wanted.has(`${run.item}:${run.attempt}`));
  return { effects: unwanted.map(run => orderStop(event.host, run, 'superseded', `the verdict of attempt ${run.attempt} stands already`)) };
}

function cancel(context: ExecutionContext, event: Event<'execution.cancel'> | Event<'execution.end'>): Decided {
  const shards = context.shards.map((shard): ShardState => {
    if (shard.status === 'waiting')
      return { ...shard, status: 'done', outcome: 'cancelled', finishedAt: event.at, notBefore: null, reason: event.reason };
    return isLive(shard) ? { ...shard, status: 'ending' } : shard;
  });
  const effects = context.shards.filter(isLive).map(shard => orderStop(shard.host ?? '', runOf(context, shard), 'cancelled', event.reason));
  if (context.blockedReason === null && context.allocatedHosts !== null && context.shards.some(shard => shard.status === 'waiting')) {
    effects.push(tell(poolOf(context), { type: 'pool.withdraw', execution: context.id }));
  }
  return {
    context: { shards, cancelled: true, reason: event.reason },
    effects,
    facts: [{ type: 'execution.cancelling', execution: context.id, job: context.job, reason: event.reason }],
    timers: [
      { id: 'retry', dueAt: null, event: { type: 'execution.retryDue' } },
      ...(context.shards.some(shard => shard.status === 'starting') ? [answerTimer(context, shards)] : []),
      ...startDisarmed(context),
    ],
  };
}

/** A job that creates it again has not received its outcome. */
const createdAgain = (context: ExecutionContext): Decided => ({ effects: [finishedEvent(context)] });

function finished(context: ExecutionContext, event: { at?: number }): Decided {
  const outcome = executionOutcome(context.shards, context.cancelled);
  const finishedAt = Math.max(...context.shards.map(shard => shard.finishedAt ?? 0)) || (event.at ?? context.createdAt);
  // All shards may have succeeded before the cancellation reached them: then its reason does not
  // apply.
  const reason =
    outcome === 'cancelled' ? context.reason : (context.shards.find(shard => shard.outcome === outcome && shard.reason)?.reason ?? null);
  return {
    context: { outcome, finishedAt, reason },
    effects: [...recordEndVerdict(context, reason, event.at ?? finishedAt), finishedEvent({ ...context, outcome, finishedAt, reason })],
    facts: [{ type: 'execution.finished', execution: context.id, job: context.job, outcome }],
    timers: startDisarmed(context),
  };
}

/** Its pool does not exist. */
function missing(context: ExecutionContext, event: Event<'actor.missing'>): Decided {
  if (event.to !== poolOf(context) || event.eventType !== 'pool.reserve') return {};
  return noCapacity(context, { ...event, type: 'execution.noCapacity', reason: `pool ${context.config.pool} does not exist` });
}

function noCapacity(context: ExecutionContext, event: Event<'execution.noCapacity'>): Decided {
  if (unreserved(context).length === 0) return {};
  return {
    ...waiting(context, { ...event, type: 'execution.waiting' }),
    timers: [{ id: 'reserveAgain', dueAt: event.at + RESERVE_AGAIN_MS, event: { type: 'execution.reserveAgain' } }],
  };
}

/** Idempotent: the pool ignores runs that have a reservation or wait for one. */
function reserveAgain(context: ExecutionContext): Decided {
  const shards = unreserved(context);
  return shards.length > 0 ? { effects: reserveRuns(context, shards) } : {};
}

export const executionDecisions = {
  initialContext,
  created,
  unblock,
  placed,
  waiting,
  started,
  answerOverdue,
  startOverdue,
  retryDue,
  shardEnded,
  lost,
  unanswered,
  unaccounted,
  withdraw,
  move,
  deallocated,
  unknownRun,
  cancel,
  createdAgain,
  finished,
  missing,
  noCapacity,
  reserveAgain,
};
