/**
 * What an execution decides, event by event. Every report names its attempt; a report of another
 * attempt than the present one changes nothing.
 */
import { type Decision, tell } from '../decision.ts';
import type { StartFault } from '../host/types.ts';
import type { HostRefusal } from '../pool/types.ts';
import type { Effect, EventOf, ExecutionEvent, ExecutionFact } from '../types.ts';
import { runSpec } from './run-spec.ts';
import { type AttemptEnd, cutReason, ended, executionOutcome, isLive, movedShard, newShard, REFUSALS_MAX, refusedByHost } from './shard.ts';
import type { ExecutionContext, RunName, ShardState } from './types.ts';

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
  // The schedules stay with the job: nothing here reads them.
  config: { ...input.config, schedules: [] },
  app: input.app,
  blockedReason: input.blockedReason,
  reason: input.blockedReason,
  cancelled: false,
  shards: Array.from({ length: input.config.shards.total }, (_, item) => newShard(item, input.config.shards.parameters[item] ?? '')),
  outcome: null,
});

const created = (context: ExecutionContext): Decided => ({
  effects: context.blockedReason === null ? [reserve(context, context.shards)] : [],
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

const startWithin = ({ config }: Pick<ExecutionContext, 'config'>): number => config.startWithinMs;
const startTimer = (dueAt: number | null) => ({ id: 'startWithin', dueAt, event: { type: 'execution.startOverdue' } });
/** An execution without such a limit has no such timer. */
const startDisarmed = (context: ExecutionContext) => (startWithin(context) > 0 ? [startTimer(null)] : []);

/** The verdict of its due time; nothing for an execution that was triggered. */
const verdictOf = (context: ExecutionContext, verdict: 'ran' | 'notStarted' | 'unknown', reason: string | null, at: number): Effect[] => {
  const { job, dueAt, id } = context;
  if (dueAt === null) return [];
  return [
    { type: 'record', params: { entries: [{ job, from: dueAt, to: dueAt, count: 1, verdict, execution: id, reason, decidedAt: at }] } },
  ];
};

const pool = (context: ExecutionContext) => `pool/${context.config.pool}` as const;
const runOf = (context: ExecutionContext, shard: { item: number; attempt: number }): RunName => ({
  execution: context.id,
  item: shard.item,
  attempt: shard.attempt,
});

function reserve(context: ExecutionContext, shards: ShardState[]): Effect {
  const { config, app } = context;
  return tell(pool(context), {
    type: 'pool.reserve',
    request: {
      execution: context.id,
      job: context.job,
      runs: shards.map(({ item, attempt }) => ({ item, attempt })),
      resources: config.resources,
      app: app ? { name: app.config.name, resources: app.config.resources } : null,
      partial: config.partial,
      placement: config.placement,
    },
  });
}

const startOf = (context: ExecutionContext, shard: ShardState): Effect => ({
  type: 'start',
  params: { host: shard.host ?? '', run: runOf(context, shard), spec: runSpec(context, shard) },
});
const stopOf = (host: string, run: RunName, as: 'cancelled' | 'superseded' | 'withdrawn', reason: string): Effect => ({
  type: 'stop',
  params: { host, run, as, reason },
});
const releaseOf = (context: ExecutionContext, runs: { item: number; attempt: number }[], refused?: HostRefusal): Effect =>
  tell(pool(context), { type: 'pool.release', runs: runs.map(run => runOf(context, run)), ...(refused && { refused }) });

/** Goes with the release, so that the pool has it before the next attempt reserves. */
function refusalIn(ends: ReportedEnd[]): HostRefusal | undefined {
  const found = ends.find(({ hostFault, end }) => hostFault !== undefined && end.startedAt === null);
  if (found?.hostFault === undefined || found.shard.host === null) return undefined;
  return { host: found.shard.host, fault: found.hostFault, reason: found.end.reason ?? found.hostFault };
}

/** It keeps the app that it was created for, whatever app its job has by now. */
function unblock(context: ExecutionContext, event: Event<'execution.unblock'>): Decided {
  if (context.blockedReason === null) return {};
  const wanted = context.config.app;
  const app = event.app?.config.name === wanted ? event.app : context.app;
  if (wanted !== null && app === null) {
    return cancel(context, { ...event, type: 'execution.end', reason: `its job went over to another app before app ${wanted} answered` });
  }
  const next = { ...context, blockedReason: null, reason: null, app };
  return { context: next, effects: [reserve(next, next.shards)] };
}

function placed(context: ExecutionContext, event: Event<'execution.placed'>): Decided {
  const shards = [...context.shards];
  const effects: Effect[] = [];
  const facts: ExecutionFact[] = [];
  const unwanted: { item: number; attempt: number }[] = [];
  for (const { item, attempt, host, hostName, trial } of event.placements) {
    const shard = shards[item];
    if (shard?.status !== 'waiting' || shard.attempt !== attempt || context.cancelled) {
      if (!(shard && isLive(shard) && shard.attempt === attempt && shard.host === host)) unwanted.push({ item, attempt });
      continue;
    }
    const how = { host, hostName, orderedAt: event.at, notBefore: null, reason: null };
    const starting: ShardState = { ...shard, status: 'starting', ...how, ...(trial && { trial }) };
    shards[item] = starting;
    effects.push(startOf(context, starting));
    facts.push({ type: 'shard.placed', execution: context.id, job: context.job, item, attempt, host, hostName });
  }
  if (unwanted.length > 0) effects.push(releaseOf(context, unwanted));
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
    return { effects: [stopOf(host, runOf(context, event), 'superseded', `the verdict of attempt ${attempt} stands already`)] };
  }
  if (shard.startedAt !== null) return {};
  const shards = [...context.shards];
  shards[item] = {
    ...shard,
    status: shard.status === 'starting' ? 'running' : shard.status,
    startedAt: event.startedAt,
    session: event.session ?? null,
  };
  const isFirst = context.startedAt === null;
  return {
    context: { shards, startedAt: context.startedAt ?? event.startedAt },
    effects: [
      ...(shard.trial ? [tell(pool(context), { type: 'pool.hostRecovered', host })] : []),
      ...(isFirst ? verdictOf(context, 'ran', null, event.at) : []),
    ],
    facts: [{ type: 'shard.started', execution: context.id, job: context.job, item, attempt, host }],
    timers: [...(shard.status === 'starting' ? [answerTimer(context, shards)] : []), ...(isFirst ? startDisarmed(context) : [])],
  };
}

interface ReportedEnd {
  shard: ShardState;
  end: AttemptEnd;
  parked?: boolean;
  hostFault?: StartFault | undefined;
}

/** One shard after its attempt: moved, refused, retried or done; and the end as it is recorded. */
function afterEnd(
  context: ExecutionContext,
  { shard, end: reported, parked = false, hostFault }: ReportedEnd,
  { at, chance }: { at: number; chance: number },
): { next: ShardState; end: AttemptEnd } {
  const isOpen = !context.cancelled && context.expired === undefined;
  const isWithdrawn =
    shard.withdrawReason !== null && reported.outcome === 'cancelled' && reported.startedAt === null && !context.cancelled;
  const isGivenUp = isWithdrawn && (context.expired !== undefined || shard.isOverdue === true);
  const how = isGivenUp ? { ...reported, outcome: 'failed' as const, reason: context.expired ?? shard.withdrawReason } : reported;
  const end = { ...how, reason: cutReason(how.reason, context.shards.length) };
  if (isWithdrawn && !isGivenUp) return { next: movedShard(shard, end), end };
  const isRefused = hostFault !== undefined && end.startedAt === null && isOpen && (shard.refusals ?? 0) < REFUSALS_MAX;
  if (isRefused) return { next: refusedByHost(shard, end), end };
  return { next: ended(shard, end, context.config, at, chance, isOpen && !parked), end };
}

/** Ends attempts; a shard that gets another one reserves now or when its delay is over. */
function close(context: ExecutionContext, ends: ReportedEnd[], event: { at: number; chance: number }, release: boolean): Decided {
  if (ends.length === 0) return {};
  const shards = [...context.shards];
  const facts: ExecutionFact[] = [];
  const now: ShardState[] = [];
  for (const each of ends) {
    const { shard } = each;
    const { next, end } = afterEnd(context, each, event);
    shards[shard.item] = next;
    if (next.status === 'waiting' && (next.notBefore ?? 0) <= event.at) now.push(next);
    facts.push({
      type: 'shard.ended',
      execution: context.id,
      job: context.job,
      item: shard.item,
      attempt: shard.attempt,
      host: shard.host,
      outcome: end.outcome,
      exitCode: end.exitCode,
      signal: end.signal,
      reason: end.reason,
    });
  }
  const effects: Effect[] = release
    ? [
        releaseOf(
          context,
          ends.map(each => each.shard),
          refusalIn(ends),
        ),
      ]
    : [];
  if (now.length > 0) effects.push(reserve(context, now));
  for (const shard of now) shards[shard.item] = { ...shard, notBefore: null };
  const earliest = earliestRetry(shards);
  const startedAt = context.startedAt ?? ends.map(each => each.end.startedAt).find(instant => instant !== null) ?? null;
  const isFirst = context.startedAt === null && startedAt !== null;
  if (isFirst) effects.push(...verdictOf(context, 'ran', null, event.at));
  return {
    context: { shards, startedAt },
    effects,
    facts,
    timers: [
      ...(earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }]),
      ...(ends.some(({ shard }) => shard.orderedAt && shard.startedAt === null) ? [answerTimer(context, shards)] : []),
      ...(isFirst ? startDisarmed(context) : []),
    ],
  };
}

/**
 * Longest wait for a report of start or end, ms, the download of the app included. The timeout of
 * a job shortens `most`, to no less than `least`: an agent allows ten minutes for a download. Then
 * the center asks the run back; `givenBack` later the run is lost.
 */
export const ANSWER_MS = { most: 3_600_000, least: 900_000, givenBack: 300_000 } as const;

const answerMs = ({ config }: Pick<ExecutionContext, 'config'>): number =>
  config.timeoutMs > 0 ? Math.min(ANSWER_MS.most, Math.max(ANSWER_MS.least, config.timeoutMs)) : ANSWER_MS.most;

/** When the report of this shard's host is overdue; null while none is due. */
const answerDueAt = (context: ExecutionContext, { status, orderedAt, isOverdue }: ShardState): number | null =>
  status === 'starting' && typeof orderedAt === 'number' ? orderedAt + (isOverdue ? ANSWER_MS.givenBack : answerMs(context)) : null;

function answerTimer(context: ExecutionContext, shards: ShardState[]) {
  let dueAt: number | null = null;
  for (const shard of shards) {
    const due = answerDueAt(context, shard);
    if (due !== null && (dueAt === null || due < dueAt)) dueAt = due;
  }
  return { id: 'answer', dueAt, event: { type: 'execution.answerOverdue' } };
}

/**
 * Asks the host to withdraw the run: one that has begun goes on. A run whose host does not answer
 * that either is lost.
 */
function answerOverdue(context: ExecutionContext, event: Event<'execution.answerOverdue'>): Decided {
  const due = Math.max(event.at, answerTimer(context, context.shards).dueAt ?? event.at);
  const overdue = context.shards.filter(shard => (answerDueAt(context, shard) ?? due + 1) <= due);
  const reasonOf = ({ hostName }: ShardState) =>
    `host ${hostName} has neither started nor refused it within ${spanText(answerMs(context))} of the order`;
  const gone = overdue.filter(shard => shard.isOverdue);
  const ends = gone.map(shard => ({ shard, end: lostEnd(shard, event.at, reasonOf(shard)) }));
  const closed = close(context, ends, event, true);
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
      ...gone.map(shard => stopOf(shard.host ?? '', runOf(context, shard), 'superseded', reasonOf(shard))),
      ...asked.map(shard => stopOf(shard.host ?? '', runOf(context, shard), 'withdrawn', reasonOf(shard))),
    ],
    timers: [...(closed.timers ?? []).filter(({ id }) => id !== 'answer'), answerTimer(context, shards)],
  };
}

/** `90s`, `5m`, `1h`, `250ms`: in the largest unit that is exact. */
function spanText(ms: number): string {
  const unit = (
    [
      [3_600_000, 'h'],
      [60_000, 'm'],
      [1_000, 's'],
    ] as const
  ).find(([size]) => ms >= size && ms % size === 0);
  return unit ? `${ms / unit[0]}${unit[1]}` : `${ms}ms`;
}

/**
 * Ends it without a process. Hosts are asked to withdraw the runs that they were ordered to start:
 * a run that has begun goes on.
 */
function startOverdue(context: ExecutionContext, event: Event<'execution.startOverdue'>): Decided {
  if (context.startedAt !== null || context.cancelled || context.expired !== undefined) return {};
  const awaited = pendingReason(context);
  const reason = `not started within ${spanText(startWithin(context))}: ${awaited}`;
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
  const waits = context.blockedReason === null && context.shards.some(shard => shard.status === 'waiting');
  return {
    context: { shards, expired: reason, reason },
    effects: [
      ...asked.map(shard => stopOf(shard.host ?? '', runOf(context, shard), 'withdrawn', reason)),
      ...(waits ? [tell(pool(context), { type: 'pool.withdraw', execution: context.id })] : []),
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

function earliestRetry(shards: ShardState[]): number | null {
  const instants = shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null).map(shard => shard.notBefore as number);
  return instants.length > 0 ? Math.min(...instants) : null;
}

function retryDue(context: ExecutionContext, event: Event<'execution.retryDue'>): Decided {
  // The timer was armed for the earliest. Its firing proves that the span is over; the wall clock
  // may have been set back.
  const due = Math.max(event.at, earliestRetry(context.shards) ?? event.at);
  const ready = context.shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null && shard.notBefore <= due);
  const shards = context.shards.map(shard => (ready.includes(shard) ? { ...shard, notBefore: null } : shard));
  const earliest = earliestRetry(shards);
  return {
    context: { shards },
    effects: ready.length > 0 ? [reserve(context, ready)] : [],
    timers: earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }],
  };
}

function shardEnded(context: ExecutionContext, event: Event<'shard.ended'>): Decided {
  const shard = context.shards[event.item];
  if (!shard || shard.attempt !== event.attempt || shard.host !== event.host || !isLive(shard)) return {};
  const { outcome, exitCode, signal, startedAt, finishedAt, reason, output, parked = false, hostFault, leftRunning = 0 } = event;
  const end = { outcome, exitCode, signal, startedAt: startedAt ?? shard.startedAt, finishedAt, reason, output };
  const closed = close(context, [{ shard, end, parked, hostFault }], event, true);
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

const lostEnd = (shard: ShardState, at: number, reason: string): AttemptEnd => ({
  outcome: 'lost',
  exitCode: null,
  signal: null,
  startedAt: shard.startedAt,
  finishedAt: at,
  reason,
  output: null,
});

/** The live shards of these runs that are on this host in this attempt. */
const liveOn = (context: ExecutionContext, host: string, runs: RunName[]): ShardState[] =>
  runs.flatMap(run => {
    const shard = context.shards[run.item];
    return shard && shard.attempt === run.attempt && shard.host === host && isLive(shard) ? [shard] : [];
  });

/** The pool has dropped the reservations of a lost host already. */
const lost = (context: ExecutionContext, event: Event<'shard.lost'>): Decided => lostOn(context, event, false);
/** The host stays in the pool, so the reservations are released here. */
const unanswered = (context: ExecutionContext, event: Event<'shard.unanswered'>): Decided => lostOn(context, event, true);

function lostOn(context: ExecutionContext, event: Event<'shard.lost'> | Event<'shard.unanswered'>, release: boolean): Decided {
  // A run that was reported to run has its order.
  const isConcerned = ({ status }: ShardState) => event.type === 'shard.lost' || status !== 'running';
  const gone = liveOn(context, event.host, event.runs).filter(isConcerned);
  const closed = close(
    context,
    gone.map(shard => ({ shard, end: lostEnd(shard, event.at, event.reason) })),
    event,
    release,
  );
  // When the host comes back, a start that has not reached it must not begin, and what it runs
  // must end.
  const stops = gone.map(shard => stopOf(event.host, runOf(context, shard), 'superseded', event.reason));
  return { ...closed, effects: [...(closed.effects ?? []), ...stops] };
}

function unaccounted(context: ExecutionContext, event: Event<'shard.unaccounted'>): Decided {
  const here = liveOn(context, event.host, event.runs);
  // A start that was reported in this session or a later one happened after the agent had listed
  // its runs.
  const gone = here.filter(shard => shard.startedAt !== null && (shard.session ?? 0) < event.session);
  const closed = close(
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
          ? startOf(context, shard)
          : stopOf(event.host, runOf(context, shard), 'withdrawn', shard.withdrawReason),
      ];
    return shard.status === 'ending' && !gone.includes(shard)
      ? [stopOf(event.host, runOf(context, shard), 'cancelled', context.reason ?? 'cancelled')]
      : [];
  });
  return { ...closed, effects: [...(closed.effects ?? []), ...again] };
}

/** Asks the host to withdraw runs that have not begun; the answer of its agent decides. */
function withdraw(context: ExecutionContext, event: Event<'shard.withdraw'>): Decided {
  const withdrawn = liveOn(context, event.host, event.runs).filter(shard => shard.status === 'starting' && shard.withdrawReason === null);
  if (withdrawn.length === 0) return {};
  const shards = context.shards.map(shard => (withdrawn.includes(shard) ? { ...shard, withdrawReason: event.reason } : shard));
  return { context: { shards }, effects: withdrawn.map(shard => stopOf(event.host, runOf(context, shard), 'withdrawn', event.reason)) };
}

function unknownRun(context: ExecutionContext, event: Event<'shard.unknownRun'>): Decided {
  const wanted = new Set(liveOn(context, event.host, event.runs).map(shard => `${shard.item}:${shard.attempt}`));
  const unwanted = event.runs.filter(run => !wanted.has(`${run.item}:${run.attempt}`));
  return { effects: unwanted.map(run => stopOf(event.host, run, 'superseded', `the verdict of attempt ${run.attempt} stands already`)) };
}

function cancel(context: ExecutionContext, event: Event<'execution.cancel'> | Event<'execution.end'>): Decided {
  const shards = context.shards.map((shard): ShardState => {
    if (shard.status === 'waiting')
      return { ...shard, status: 'done', outcome: 'cancelled', finishedAt: event.at, notBefore: null, reason: event.reason };
    return isLive(shard) ? { ...shard, status: 'ending' } : shard;
  });
  const effects = context.shards.filter(isLive).map(shard => stopOf(shard.host ?? '', runOf(context, shard), 'cancelled', event.reason));
  if (context.blockedReason === null && context.shards.some(shard => shard.status === 'waiting')) {
    effects.push(tell(pool(context), { type: 'pool.withdraw', execution: context.id }));
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

const finishedEvent = ({
  job,
  id,
  outcome,
  finishedAt,
  startedAt,
}: Pick<ExecutionContext, 'job' | 'id' | 'outcome' | 'finishedAt' | 'startedAt'>): Effect =>
  tell(`job/${job}`, { type: 'execution.finished', execution: id, outcome: outcome ?? 'lost', finishedAt: finishedAt ?? 0, startedAt });

function finished(context: ExecutionContext, event: { at?: number }): Decided {
  const outcome = executionOutcome(context.shards, context.cancelled);
  const finishedAt = Math.max(...context.shards.map(shard => shard.finishedAt ?? 0)) || (event.at ?? context.createdAt);
  // All shards may have succeeded before the cancellation reached them: then its reason does not
  // apply.
  const reason =
    outcome === 'cancelled' ? context.reason : (context.shards.find(shard => shard.outcome === outcome && shard.reason)?.reason ?? null);
  return {
    context: { outcome, finishedAt, reason },
    effects: [...verdictAtEnd(context, reason, event.at ?? finishedAt), finishedEvent({ ...context, outcome, finishedAt })],
    facts: [{ type: 'execution.finished', execution: context.id, job: context.job, outcome }],
    timers: startDisarmed(context),
  };
}

/**
 * Verdict of an execution that ends without a reported start: `unknown` if a host was lost with a
 * command to start it, because that host may have started a process.
 */
function verdictAtEnd(context: ExecutionContext, reason: string | null, at: number): Effect[] {
  if (context.startedAt !== null) return [];
  const attempts = context.shards.flatMap(shard => [...shard.past, shard]);
  const lostOne = attempts.find(attempt => attempt.outcome === 'lost' && attempt.host !== null && attempt.startedAt === null);
  if (!lostOne) return verdictOf(context, 'notStarted', reason ?? 'it ended before it began', at);
  return verdictOf(context, 'unknown', `no start was reported: ${lostOne.reason ?? 'its host was lost'}`, at);
}

/** Its pool does not exist. */
function missing(context: ExecutionContext, event: Event<'actor.missing'>): Decided {
  if (event.to !== pool(context) || event.eventType !== 'pool.reserve') return {};
  return noCapacity(context, { ...event, type: 'execution.noCapacity', reason: `pool ${context.config.pool} does not exist` });
}

/** How long after a pool rejected a request it is sent again, ms. */
export const RESERVE_AGAIN_MS = 30_000;

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
  return shards.length > 0 ? { effects: [reserve(context, shards)] } : {};
}

/** Shards that wait for the pool, not for their job or for the delay of a retry. */
const unreserved = (context: ExecutionContext): ShardState[] =>
  context.blockedReason === null ? context.shards.filter(shard => shard.status === 'waiting' && shard.notBefore === null) : [];

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
  unknownRun,
  cancel,
  createdAgain,
  finished,
  missing,
  noCapacity,
  reserveAgain,
};
