/**
 * What an execution decides, event by event. Every report names its attempt; what is said of
 * another attempt than the present one changes nothing.
 */
import { type Decision, tell } from '../decision.ts';
import type { HostFault } from '../host/types.ts';
import type { HostRefusal } from '../pool/types.ts';
import type { Effect, EventOf, ExecutionEvent, ExecutionFact } from '../types.ts';
import { runSpec } from './run-spec.ts';
import { type AttemptEnd, cutReason, ended, isLive, movedShard, newShard, outcomeOf, REFUSALS_MAX, refusedByHost } from './shard.ts';
import type { ExecutionContext, RunName, Shard } from './types.ts';

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
  alarms: startWithin(context) > 0 ? [startAlarm(context.createdAt + startWithin(context))] : [],
});

const startWithin = ({ config }: Pick<ExecutionContext, 'config'>): number => config.startWithinMs;
const startAlarm = (dueAt: number | null) => ({ id: 'startWithin', dueAt, event: { type: 'execution.startOverdue' } });
/** Nothing is armed for an execution without such a limit. */
const startDisarmed = (context: ExecutionContext) => (startWithin(context) > 0 ? [startAlarm(null)] : []);

/** What became of the due time that it stands for; nothing for one that was triggered. */
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

function reserve(context: ExecutionContext, shards: Shard[]): Effect {
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

const startOf = (context: ExecutionContext, shard: Shard): Effect => ({
  type: 'start',
  params: { host: shard.host ?? '', run: runOf(context, shard), spec: runSpec(context, shard) },
});
const stopOf = (host: string, run: RunName, as: 'cancelled' | 'superseded' | 'withdrawn', reason: string): Effect => ({
  type: 'stop',
  params: { host, run, as, reason },
});
const releaseOf = (context: ExecutionContext, runs: { item: number; attempt: number }[], refused?: HostRefusal): Effect =>
  tell(pool(context), { type: 'pool.release', runs: runs.map(run => runOf(context, run)), ...(refused && { refused }) });

/** Goes with the release, so that the pool knows of it before the next attempt asks for room. */
function refusalIn(endings: { shard: Shard; ending: AttemptEnd; hostFault?: HostFault | undefined }[]): HostRefusal | undefined {
  const found = endings.find(({ hostFault, ending }) => hostFault !== undefined && ending.startedAt === null);
  if (found?.hostFault === undefined || found.shard.host === null) return undefined;
  return { host: found.shard.host, fault: found.hostFault, reason: found.ending.reason ?? found.hostFault };
}

/** It began with an app; that its job has another one by now, or none, is nothing to it. */
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
    const starting: Shard = { ...shard, status: 'starting', ...how, ...(trial && { trial }) };
    shards[item] = starting;
    effects.push(startOf(context, starting));
    facts.push({ type: 'shard.placed', execution: context.id, job: context.job, item, attempt, host, hostName });
  }
  if (unwanted.length > 0) effects.push(releaseOf(context, unwanted));
  // What comes too late says nothing about why it was cancelled or how it ended.
  const isPlaced = facts.length > 0;
  return { ...(isPlaced ? { context: { shards, reason: event.reason }, alarms: [answerAlarm(context, shards)] } : {}), effects, facts };
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
    // A process of an attempt whose verdict stands: it must not go on.
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
    alarms: [...(shard.status === 'starting' ? [answerAlarm(context, shards)] : []), ...(isFirst ? startDisarmed(context) : [])],
  };
}

/** Closes attempts; what may be tried again asks for room now or at its instant. */
function close(
  context: ExecutionContext,
  endings: { shard: Shard; ending: AttemptEnd; parked?: boolean; hostFault?: HostFault | undefined }[],
  event: { at: number; chance: number },
  release: boolean,
): Decided {
  if (endings.length === 0) return {};
  const shards = [...context.shards];
  const facts: ExecutionFact[] = [];
  const now: Shard[] = [];
  for (const { shard, ending: reported, parked = false, hostFault } of endings) {
    const isOpen = !context.cancelled && context.expired === undefined;
    const gaveBack = shard.withdrawReason !== null && reported.outcome === 'cancelled' && reported.startedAt === null && !context.cancelled;
    const isGivenUp = gaveBack && (context.expired !== undefined || shard.isOverdue === true);
    const how = isGivenUp ? { ...reported, outcome: 'failed' as const, reason: context.expired ?? shard.withdrawReason } : reported;
    const ending = { ...how, reason: cutReason(how.reason, shards.length) };
    const isRefused = hostFault !== undefined && ending.startedAt === null && isOpen && (shard.refusals ?? 0) < REFUSALS_MAX;
    const next =
      gaveBack && !isGivenUp
        ? movedShard(shard, ending)
        : isRefused
          ? refusedByHost(shard, ending)
          : ended(shard, ending, context.config, event.at, event.chance, isOpen && !parked);
    shards[shard.item] = next;
    if (next.status === 'waiting' && (next.notBefore ?? 0) <= event.at) now.push(next);
    facts.push({
      type: 'shard.ended',
      execution: context.id,
      job: context.job,
      item: shard.item,
      attempt: shard.attempt,
      host: shard.host,
      outcome: ending.outcome,
      exitCode: ending.exitCode,
      signal: ending.signal,
      reason: ending.reason,
    });
  }
  const effects: Effect[] = release
    ? [
        releaseOf(
          context,
          endings.map(each => each.shard),
          refusalIn(endings),
        ),
      ]
    : [];
  if (now.length > 0) effects.push(reserve(context, now));
  for (const shard of now) shards[shard.item] = { ...shard, notBefore: null };
  const earliest = earliestRetry(shards);
  const startedAt = context.startedAt ?? endings.map(each => each.ending.startedAt).find(instant => instant !== null) ?? null;
  const isFirst = context.startedAt === null && startedAt !== null;
  if (isFirst) effects.push(...verdictOf(context, 'ran', null, event.at));
  return {
    context: { shards, startedAt },
    effects,
    facts,
    alarms: [
      ...(earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }]),
      ...(endings.some(({ shard }) => shard.orderedAt && shard.startedAt === null) ? [answerAlarm(context, shards)] : []),
      ...(isFirst ? startDisarmed(context) : []),
    ],
  };
}

/**
 * How long an order to start may stay without a start or an end, ms, the fetching of an app
 * included: an agent answers with one or the other, so this is for one that does not. Less with a
 * timeout; `least` leaves an agent the time that it gives a download, ten minutes, and the
 * unpacking. After the second span the run counts as lost.
 */
export const ANSWER_MS = { most: 3_600_000, least: 900_000, givenBack: 300_000 } as const;

const answerMs = ({ config }: Pick<ExecutionContext, 'config'>): number =>
  config.timeoutMs > 0 ? Math.min(ANSWER_MS.most, Math.max(ANSWER_MS.least, config.timeoutMs)) : ANSWER_MS.most;

/** When the answer of this shard's host is overdue; null while none is awaited. */
const answerDueAt = (context: ExecutionContext, { status, orderedAt, isOverdue }: Shard): number | null =>
  status === 'starting' && typeof orderedAt === 'number' ? orderedAt + (isOverdue ? ANSWER_MS.givenBack : answerMs(context)) : null;

function answerAlarm(context: ExecutionContext, shards: Shard[]) {
  let dueAt: number | null = null;
  for (const shard of shards) {
    const due = answerDueAt(context, shard);
    if (due !== null && (dueAt === null || due < dueAt)) dueAt = due;
  }
  return { id: 'answer', dueAt, event: { type: 'execution.answerOverdue' } };
}

/**
 * Asked back first: what has begun all the same goes on. A host that answers that neither has lost
 * it.
 */
function answerOverdue(context: ExecutionContext, event: Event<'execution.answerOverdue'>): Decided {
  const due = Math.max(event.at, answerAlarm(context, context.shards).dueAt ?? event.at);
  const overdue = context.shards.filter(shard => (answerDueAt(context, shard) ?? due + 1) <= due);
  const reasonOf = ({ hostName }: Shard) =>
    `host ${hostName} has neither started nor refused it within ${spanText(answerMs(context))} of the order`;
  const gone = overdue.filter(shard => shard.isOverdue);
  const endings = gone.map(shard => ({ shard, ending: lostEnding(shard, event.at, reasonOf(shard)) }));
  const closed = close(context, endings, event, true);
  const asked = overdue.filter(shard => !shard.isOverdue);
  const shards = (closed.context?.shards ?? context.shards).map(shard => {
    const isAsked = asked.some(({ item }) => item === shard.item);
    // The second span counts from here: the center may have been down meanwhile.
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
    alarms: [...(closed.alarms ?? []).filter(({ id }) => id !== 'answer'), answerAlarm(context, shards)],
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
 * Ends it without a process. Shards that a host was ordered to start are asked back: one that has
 * begun by now goes on.
 */
function startOverdue(context: ExecutionContext, event: Event<'execution.startOverdue'>): Decided {
  if (context.startedAt !== null || context.cancelled || context.expired !== undefined) return {};
  const awaited = awaitedBy(context);
  const reason = `not started within ${spanText(startWithin(context))}: ${awaited}`;
  const asked = context.shards.filter(shard => shard.status === 'starting');
  const shards = context.shards.map((shard): Shard => {
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
    alarms: [
      { id: 'retry', dueAt: null, event: { type: 'execution.retryDue' } },
      { id: 'reserveAgain', dueAt: null, event: { type: 'execution.reserveAgain' } },
    ],
  };
}

/** What an execution that has not begun waits for. */
function awaitedBy({ blockedReason, shards, reason }: ExecutionContext): string {
  if (blockedReason !== null) return blockedReason;
  const starting = shards.find(shard => shard.status === 'starting');
  if (starting) return `host ${starting.hostName} has not said yet that it runs`;
  const backingOff = shards.find(shard => shard.status === 'waiting' && shard.notBefore !== null);
  return backingOff?.reason ?? reason ?? 'it waits for its pool to answer';
}

function earliestRetry(shards: Shard[]): number | null {
  const instants = shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null).map(shard => shard.notBefore as number);
  return instants.length > 0 ? Math.min(...instants) : null;
}

function retryDue(context: ExecutionContext, event: Event<'execution.retryDue'>): Decided {
  // The alarm stood for the earliest: that its span is over it knows better than a wall clock that
  // may have been set back.
  const due = Math.max(event.at, earliestRetry(context.shards) ?? event.at);
  const ready = context.shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null && shard.notBefore <= due);
  const shards = context.shards.map(shard => (ready.includes(shard) ? { ...shard, notBefore: null } : shard));
  const earliest = earliestRetry(shards);
  return {
    context: { shards },
    effects: ready.length > 0 ? [reserve(context, ready)] : [],
    alarms: earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }],
  };
}

function shardEnded(context: ExecutionContext, event: Event<'shard.ended'>): Decided {
  const shard = context.shards[event.item];
  if (!shard || shard.attempt !== event.attempt || shard.host !== event.host || !isLive(shard)) return {};
  const { outcome, exitCode, signal, startedAt, finishedAt, reason, output, parked = false, hostFault, leftRunning = 0 } = event;
  const ending = { outcome, exitCode, signal, startedAt: startedAt ?? shard.startedAt, finishedAt, reason, output };
  const closed = close(context, [{ shard, ending, parked, hostFault }], event, true);
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

const lostEnding = (shard: Shard, at: number, reason: string): AttemptEnd => ({
  outcome: 'lost',
  exitCode: null,
  signal: null,
  startedAt: shard.startedAt,
  finishedAt: at,
  reason,
  output: null,
});

/** The live shards among these runs that are on this host in just this attempt. */
const liveOn = (context: ExecutionContext, host: string, runs: RunName[]): Shard[] =>
  runs.flatMap(run => {
    const shard = context.shards[run.item];
    return shard && shard.attempt === run.attempt && shard.host === host && isLive(shard) ? [shard] : [];
  });

/** The loss of a host has freed its room already. */
const lost = (context: ExecutionContext, event: Event<'shard.lost'>): Decided => lostOn(context, event, false);
/** The host keeps its place in the pool, so the room is given back here. */
const unanswered = (context: ExecutionContext, event: Event<'shard.unanswered'>): Decided => lostOn(context, event, true);

function lostOn(context: ExecutionContext, event: Event<'shard.lost'> | Event<'shard.unanswered'>, release: boolean): Decided {
  // What was reported to run got its order, and nothing is wrong with it.
  const isConcerned = ({ status }: Shard) => event.type === 'shard.lost' || status !== 'running';
  const gone = liveOn(context, event.host, event.runs).filter(isConcerned);
  const closed = close(
    context,
    gone.map(shard => ({ shard, ending: lostEnding(shard, event.at, event.reason) })),
    event,
    release,
  );
  // A start that has not reached the host must not begin there when it comes back, and what runs
  // there must end.
  const stops = gone.map(shard => stopOf(event.host, runOf(context, shard), 'superseded', event.reason));
  return { ...closed, effects: [...(closed.effects ?? []), ...stops] };
}

function unaccounted(context: ExecutionContext, event: Event<'shard.unaccounted'>): Decided {
  const here = liveOn(context, event.host, event.runs);
  // What was said to have started in this session or a later one began after the agent had said
  // what it knows of.
  const gone = here.filter(shard => shard.startedAt !== null && (shard.session ?? 0) < event.session);
  const closed = close(
    context,
    gone.map(shard => ({ shard, ending: lostEnding(shard, event.at, `the agent of host ${shard.hostName} does not know of it`) })),
    event,
    true,
  );
  // A start or stop that has not arrived is owed still or again: the agent drops repeats.
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

/**
 * Those that have not begun are asked back; the agent knows best which those are, and its answer
 * decides.
 */
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
  const shards = context.shards.map((shard): Shard => {
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
    alarms: [
      { id: 'retry', dueAt: null, event: { type: 'execution.retryDue' } },
      ...(context.shards.some(shard => shard.status === 'starting') ? [answerAlarm(context, shards)] : []),
      ...startDisarmed(context),
    ],
  };
}

/** A job that creates it again does not know that it is over. */
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
  const outcome = outcomeOf(context.shards, context.cancelled);
  const finishedAt = Math.max(...context.shards.map(shard => shard.finishedAt ?? 0)) || (event.at ?? context.createdAt);
  // All may have succeeded before the word of its end reached them: then that is no reason for
  // anything.
  const reason =
    outcome === 'cancelled' ? context.reason : (context.shards.find(shard => shard.outcome === outcome && shard.reason)?.reason ?? null);
  return {
    context: { outcome, finishedAt, reason },
    effects: [...verdictAtEnd(context, reason, event.at ?? finishedAt), finishedEvent({ ...context, outcome, finishedAt })],
    facts: [{ type: 'execution.finished', execution: context.id, job: context.job, outcome }],
    alarms: startDisarmed(context),
  };
}

/**
 * Of one that ends without a process. A host that was lost with an order to start may have begun
 * one: then nobody knows.
 */
function verdictAtEnd(context: ExecutionContext, reason: string | null, at: number): Effect[] {
  if (context.startedAt !== null) return [];
  const attempts = context.shards.flatMap(shard => [...shard.past, shard]);
  const lostOne = attempts.find(attempt => attempt.outcome === 'lost' && attempt.host !== null && attempt.startedAt === null);
  if (!lostOne) return verdictOf(context, 'notStarted', reason ?? 'it ended before it began', at);
  return verdictOf(context, 'unknown', `no start was reported: ${lostOne.reason ?? 'its host was lost'}`, at);
}

/** The pool it wants to run in is not there. */
function missing(context: ExecutionContext, event: Event<'actor.missing'>): Decided {
  if (event.to !== pool(context) || event.eventType !== 'pool.reserve') return {};
  return noCapacity(context, { ...event, type: 'execution.noCapacity', reason: `pool ${context.config.pool} is not there` });
}

/** How long after a pool gave no room and kept no request it is asked again, ms. */
export const RESERVE_AGAIN_MS = 30_000;

function noCapacity(context: ExecutionContext, event: Event<'execution.noCapacity'>): Decided {
  if (unreserved(context).length === 0) return {};
  return {
    ...waiting(context, { ...event, type: 'execution.waiting' }),
    alarms: [{ id: 'reserveAgain', dueAt: event.at + RESERVE_AGAIN_MS, event: { type: 'execution.reserveAgain' } }],
  };
}

/** The pool passes over what it knows of already. */
function reserveAgain(context: ExecutionContext): Decided {
  const shards = unreserved(context);
  return shards.length > 0 ? { effects: [reserve(context, shards)] } : {};
}

/** Shards that wait for the pool, not for their job or for the instant of their retry. */
const unreserved = (context: ExecutionContext): Shard[] =>
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
