/** What an execution decides, event by event. Every report names its attempt; what is said of another attempt than the present one changes nothing. */
import type { Decision } from './decide.ts';
import type { ExecutionContext, ExecutionEvent, ExecutionFact, ExecutionInput } from './execution.ts';
import type { HostRefusal } from './placement.ts';
import { runSpec } from './run-spec.ts';
import { ended, type Ending, fitting, freshShard, isLive, moved, outcomeOf, REFUSALS_MAX, refusedByHost, type Shard } from './shard.ts';
import { type Effect, type HostFault, type RunName, type Stamped, tell } from './vocabulary.ts';

type Decided = Decision<ExecutionContext, ExecutionFact>;
type Event<T extends ExecutionEvent['type']> = Stamped<Extract<ExecutionEvent, { type: T }>>;
export type ExecutionDecider = (context: ExecutionContext, event: never) => Decided;

export const born = (input: ExecutionInput): ExecutionContext => ({
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
  hold: input.hold,
  reason: input.hold,
  cancelled: false,
  shards: Array.from({ length: input.config.shards.total }, (_, item) => freshShard(item, input.config.shards.parameters[item] ?? '')),
  outcome: null,
});

export const created = (context: ExecutionContext): Decided => ({
  effects: context.hold === null ? [askForRoom(context, context.shards)] : [],
  facts: [
    {
      type: 'execution.created',
      execution: context.id,
      job: context.job,
      trigger: context.trigger,
      dueAt: context.dueAt === null ? null : new Date(context.dueAt).toISOString(),
      shards: context.shards.length,
      hold: context.hold,
    },
  ],
});

const pool = (context: ExecutionContext) => `pool/${context.config.pool}` as const;
const runOf = (context: ExecutionContext, shard: { item: number; attempt: number }): RunName => ({
  execution: context.id,
  item: shard.item,
  attempt: shard.attempt,
});

function askForRoom(context: ExecutionContext, shards: Shard[]): Effect {
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
function refusalIn(endings: { shard: Shard; ending: Ending; hostFault?: HostFault | undefined }[]): HostRefusal | undefined {
  const found = endings.find(({ hostFault, ending }) => hostFault !== undefined && ending.startedAt === null);
  if (found?.hostFault === undefined || found.shard.host === null) return undefined;
  return { host: found.shard.host, fault: found.hostFault, reason: found.ending.reason ?? found.hostFault };
}

/** It began with an app; that its job has another one by now, or none, is nothing to it. */
export function proceed(context: ExecutionContext, event: Event<'execution.proceed'>): Decided {
  if (context.hold === null) return {};
  const wanted = context.config.app;
  const app = event.app?.config.name === wanted ? event.app : context.app;
  if (wanted !== null && app === null) {
    return cancel(context, { ...event, type: 'execution.end', reason: `its job went over to another app before app ${wanted} answered` });
  }
  const next = { ...context, hold: null, reason: null, app };
  return { context: next, effects: [askForRoom(next, next.shards)] };
}

export function placed(context: ExecutionContext, event: Event<'execution.placed'>): Decided {
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
    const starting: Shard = { ...shard, status: 'starting', host, hostName, notBefore: null, reason: null, ...(trial && { trial }) };
    shards[item] = starting;
    effects.push(startOf(context, starting));
    facts.push({ type: 'shard.placed', execution: context.id, job: context.job, item, attempt, host, hostName });
  }
  if (unwanted.length > 0) effects.push(releaseOf(context, unwanted));
  // What comes too late says nothing about why it was cancelled or how it ended.
  return { ...(facts.length > 0 ? { context: { shards, reason: event.reason } } : {}), effects, facts };
}

export function waiting(context: ExecutionContext, event: Event<'execution.waiting'>): Decided {
  if (context.reason === event.reason || !context.shards.some(shard => shard.status === 'waiting')) return {};
  return {
    context: { reason: event.reason },
    facts: [{ type: 'execution.pending', execution: context.id, job: context.job, reason: event.reason }],
  };
}

export function started(context: ExecutionContext, event: Event<'shard.started'>): Decided {
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
  return {
    context: { shards, startedAt: context.startedAt ?? event.startedAt },
    effects: shard.trial ? [tell(pool(context), { type: 'pool.hostProved', host })] : [],
    facts: [{ type: 'shard.started', execution: context.id, job: context.job, item, attempt, host }],
  };
}

/** Closes attempts; what may be tried again asks for room now or at its instant. */
function close(
  context: ExecutionContext,
  endings: { shard: Shard; ending: Ending; parked?: boolean; hostFault?: HostFault | undefined }[],
  event: { at: number; chance: number },
  release: boolean,
): Decided {
  if (endings.length === 0) return {};
  const shards = [...context.shards];
  const facts: ExecutionFact[] = [];
  const now: Shard[] = [];
  for (const { shard, ending: told, parked = false, hostFault } of endings) {
    const ending = { ...told, reason: fitting(told.reason, shards.length) };
    const gaveBack = shard.leaving !== null && ending.outcome === 'cancelled' && ending.startedAt === null && !context.cancelled;
    const isRefused = hostFault !== undefined && ending.startedAt === null && !context.cancelled && (shard.refusals ?? 0) < REFUSALS_MAX;
    const next = gaveBack
      ? moved(shard, ending)
      : isRefused
        ? refusedByHost(shard, ending)
        : ended(shard, ending, context.config, event.at, event.chance, !context.cancelled && !parked);
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
  if (now.length > 0) effects.push(askForRoom(context, now));
  for (const shard of now) shards[shard.item] = { ...shard, notBefore: null };
  const earliest = earliestRetry(shards);
  const startedAt = context.startedAt ?? endings.map(each => each.ending.startedAt).find(instant => instant !== null) ?? null;
  return {
    context: { shards, startedAt },
    effects,
    facts,
    alarms: earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }],
  };
}

function earliestRetry(shards: Shard[]): number | null {
  const instants = shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null).map(shard => shard.notBefore as number);
  return instants.length > 0 ? Math.min(...instants) : null;
}

export function retryDue(context: ExecutionContext, event: Event<'execution.retryDue'>): Decided {
  // The alarm stood for the earliest: that its span is over it knows better than a wall clock that may have been set back.
  const due = Math.max(event.at, earliestRetry(context.shards) ?? event.at);
  const ready = context.shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null && shard.notBefore <= due);
  const shards = context.shards.map(shard => (ready.includes(shard) ? { ...shard, notBefore: null } : shard));
  const earliest = earliestRetry(shards);
  return {
    context: { shards },
    effects: ready.length > 0 ? [askForRoom(context, ready)] : [],
    alarms: earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }],
  };
}

export function shardEnded(context: ExecutionContext, event: Event<'shard.ended'>): Decided {
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

const lostEnding = (shard: Shard, at: number, reason: string): Ending => ({
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

export function lost(context: ExecutionContext, event: Event<'shard.lost'>): Decided {
  const gone = liveOn(context, event.host, event.runs);
  const closed = close(
    context,
    gone.map(shard => ({ shard, ending: lostEnding(shard, event.at, event.reason) })),
    event,
    false,
  );
  // A start that has not reached the host must not begin there when it comes back, and what runs there must end.
  const stops = gone.map(shard => stopOf(event.host, runOf(context, shard), 'superseded', event.reason));
  return { ...closed, effects: [...(closed.effects ?? []), ...stops] };
}

export function unaccounted(context: ExecutionContext, event: Event<'shard.unaccounted'>): Decided {
  const here = liveOn(context, event.host, event.runs);
  // What was said to have started in this session or a later one began after the agent had said what it knows of.
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
      return [shard.leaving === null ? startOf(context, shard) : stopOf(event.host, runOf(context, shard), 'withdrawn', shard.leaving)];
    return shard.status === 'ending' && !gone.includes(shard)
      ? [stopOf(event.host, runOf(context, shard), 'cancelled', context.reason ?? 'cancelled')]
      : [];
  });
  return { ...closed, effects: [...(closed.effects ?? []), ...again] };
}

/** Those that have not begun are asked back; the agent knows best which those are, and its answer decides. */
export function leave(context: ExecutionContext, event: Event<'shard.leave'>): Decided {
  const leaving = liveOn(context, event.host, event.runs).filter(shard => shard.status === 'starting' && shard.leaving === null);
  if (leaving.length === 0) return {};
  const shards = context.shards.map(shard => (leaving.includes(shard) ? { ...shard, leaving: event.reason } : shard));
  return { context: { shards }, effects: leaving.map(shard => stopOf(event.host, runOf(context, shard), 'withdrawn', event.reason)) };
}

export function stray(context: ExecutionContext, event: Event<'shard.stray'>): Decided {
  const wanted = new Set(liveOn(context, event.host, event.runs).map(shard => `${shard.item}:${shard.attempt}`));
  const unwanted = event.runs.filter(run => !wanted.has(`${run.item}:${run.attempt}`));
  return { effects: unwanted.map(run => stopOf(event.host, run, 'superseded', `the verdict of attempt ${run.attempt} stands already`)) };
}

export function cancel(context: ExecutionContext, event: Event<'execution.cancel'> | Event<'execution.end'>): Decided {
  const shards = context.shards.map((shard): Shard => {
    if (shard.status === 'waiting')
      return { ...shard, status: 'done', outcome: 'cancelled', finishedAt: event.at, notBefore: null, reason: event.reason };
    return isLive(shard) ? { ...shard, status: 'ending' } : shard;
  });
  const effects = context.shards.filter(isLive).map(shard => stopOf(shard.host ?? '', runOf(context, shard), 'cancelled', event.reason));
  if (context.hold === null && context.shards.some(shard => shard.status === 'waiting')) {
    effects.push(tell(pool(context), { type: 'pool.withdraw', execution: context.id }));
  }
  return {
    context: { shards, cancelled: true, reason: event.reason },
    effects,
    facts: [{ type: 'execution.cancelling', execution: context.id, job: context.job, reason: event.reason }],
    alarms: [{ id: 'retry', dueAt: null, event: { type: 'execution.retryDue' } }],
  };
}

/** A job that creates it again does not know that it is over. */
export const createdAgain = (context: ExecutionContext): Decided => ({ effects: [outcomeNews(context)] });

const outcomeNews = ({ job, id, outcome, finishedAt }: Pick<ExecutionContext, 'job' | 'id' | 'outcome' | 'finishedAt'>): Effect =>
  tell(`job/${job}`, { type: 'execution.finished', execution: id, outcome: outcome ?? 'lost', finishedAt: finishedAt ?? 0 });

export function finished(context: ExecutionContext, event: { at?: number }): Decided {
  const outcome = outcomeOf(context.shards, context.cancelled);
  const finishedAt = Math.max(...context.shards.map(shard => shard.finishedAt ?? 0)) || (event.at ?? context.createdAt);
  // All may have succeeded before the word of its end reached them: then that is no reason for anything.
  const reason =
    outcome === 'cancelled' ? context.reason : (context.shards.find(shard => shard.outcome === outcome && shard.reason)?.reason ?? null);
  return {
    context: { outcome, finishedAt, reason },
    effects: [outcomeNews({ ...context, outcome, finishedAt })],
    facts: [{ type: 'execution.finished', execution: context.id, job: context.job, outcome }],
  };
}

/** The pool it wants to run in is not there. */
export function missing(context: ExecutionContext, event: Event<'actor.missing'>): Decided {
  if (event.to !== pool(context) || event.about !== 'pool.reserve') return {};
  return noRoom(context, { ...event, type: 'execution.noRoom', reason: `pool ${context.config.pool} is not there` });
}

/** How long after a pool gave no room and kept no request it is asked again, ms. */
export const ASK_AGAIN_MS = 30_000;

export function noRoom(context: ExecutionContext, event: Event<'execution.noRoom'>): Decided {
  if (askedFor(context).length === 0) return {};
  return {
    ...waiting(context, { ...event, type: 'execution.waiting' }),
    alarms: [{ id: 'askAgain', dueAt: event.at + ASK_AGAIN_MS, event: { type: 'execution.askAgain' } }],
  };
}

/** The pool passes over what it knows of already. */
export function askAgain(context: ExecutionContext): Decided {
  const shards = askedFor(context);
  return shards.length > 0 ? { effects: [askForRoom(context, shards)] } : {};
}

/** Shards that wait for the pool, not for their job or for the instant of their retry. */
const askedFor = (context: ExecutionContext): Shard[] =>
  context.hold === null ? context.shards.filter(shard => shard.status === 'waiting' && shard.notBefore === null) : [];
