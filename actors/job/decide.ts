/** What a job decides, event by event: context and event in, decision out. */
import type { KnownApp } from '../app/types.ts';
import { claimOf, createdBy, type Decision, tell } from '../decision.ts';
import type { Cost } from '../pool/types.ts';
import type { Effect, EventOf, ExecutionEvent, JobEvent, JobFact } from '../types.ts';
import {
  claimOfJob,
  claimOrRelease,
  claims,
  givesUp,
  held,
  letGo,
  noAllocation,
  proposed,
  releaseAgain,
  releases,
  tableMissing,
  unasked,
} from './allocation.ts';
import { compactInstant, nextAtOf } from './due-times.ts';
import { closesNotices, noticesOf } from './notices.ts';
import { cancels, createExecution, isActive, unblockForApp, unblockNext } from './open-executions.ts';
import { onTrigger } from './overlap.ts';
import { reported } from './reports.ts';
import type { JobContext, JobTrigger } from './types.ts';
import { update, updateDisabled, updateOff, updateOn } from './update.ts';
import { decideDue, decideEnabled, dueTimer, iso, rearmed, verdictForAll } from './verdicts.ts';

type Decided = Decision<JobContext, JobFact>;
type Event<T extends JobEvent['type']> = EventOf<'job', T>;
export type JobDecider = (context: JobContext, event: never) => Decided;

/** Idempotency keys kept per job. */
const KEYS_MAX = 200;

const initialContext = (input: Event<'job.register'>): JobContext => ({
  config: input.config,
  version: 1,
  ...claimOf(input),
  createdAt: input.at,
  updatedAt: input.at,
  ...createdBy(input),
  app: null,
  watermark: input.at,
  nextAt: input.enabled === false ? null : nextAtOf(input.config, input.at),
  open: [],
  ...noAllocation,
  unallocated: unasked(input),
  lastExecution: null,
  lastOutcome: null,
  lastFinishedAt: null,
  keys: [],
});

const registered = (context: JobContext, event: { input?: { enabled?: boolean } }): Decided => ({
  effects: [
    ...(context.config.app ? [tell(`app/${context.config.app}`, { type: 'app.attach', job: context.config.name })] : []),
    ...(event.input?.enabled === false ? [] : claims(context)),
  ],
  facts: [{ type: 'job.registered', job: context.config.name, version: 1 }],
  timers: [dueTimer(context.nextAt)],
});

const createdDisabled = (context: JobContext): Decided => ({
  facts: [{ type: 'job.disabled', job: context.config.name, kill: false }],
});

function due(context: JobContext, event: Event<'job.due'>): Decided {
  if (!isActive(context)) return {};
  const decided = decideDue(context, event.at);
  const next = rearmed(decided.context);
  return { ...decided, context: next, timers: [dueTimer(next.nextAt)] };
}

/**
 * Repairs a finding of the schedule audit: decides all that is due and arms the next due time.
 * Ignores a finding that the job's own turns have made obsolete.
 */
function unarmed(context: JobContext, event: Event<'job.unarmed'>): Decided {
  if (!isActive(context) || (event.found === 'unarmed' && context.watermark !== event.watermark)) return {};
  const decided = decideDue(context, event.at);
  const next = rearmed(decided.context);
  const { dueAt, armedAt, reason } = event;
  const fact: JobFact = {
    type: 'schedule.unarmed',
    job: context.config.name,
    dueAt: iso(dueAt),
    armedAt: armedAt === null ? null : iso(armedAt),
    reason,
  };
  return {
    ...decided,
    context: { ...next, unarmed: { at: event.at, dueAt, reason } },
    facts: [fact, ...decided.facts],
    timers: [dueTimer(next.nextAt)],
  };
}

function trigger(context: JobContext, event: Event<'job.trigger'>): Decided {
  return run(context, event, { trigger: 'api', key: event.key });
}

function retry(context: JobContext, event: Event<'job.retry'>): Decided {
  return run(context, event, { trigger: 'retry', retryOf: event.execution, key: event.key });
}

function run(
  context: JobContext,
  event: { at: number; salt: string },
  want: { trigger: JobTrigger; key?: string | undefined; retryOf?: string },
): Decided {
  const known = want.key === undefined ? undefined : context.keys.find(([key]) => key === want.key)?.[1];
  if (known) return { effects: [{ type: 'answer', params: { value: { execution: known, joined: true } } }] };
  const { name, overlap, overlapLimit } = context.config;
  const verdict = onTrigger(overlap, overlapLimit, context.open);
  const id = verdict.do === 'join' ? verdict.execution : `${name}@${compactInstant(event.at)}~${event.salt}`;
  const joined = verdict.do === 'join';
  const created = joined ? { context, effects: [] } : createExecution(context, { dueAt: null, id, verdict, ...want }, event.at);
  const keys = want.key === undefined ? context.keys : [...context.keys, [want.key, id] as [string, string]].slice(-KEYS_MAX);
  return {
    context: { ...created.context, keys },
    effects: [...created.effects, { type: 'answer', params: { value: { execution: id, joined } } }],
    facts: [{ type: 'job.triggered', job: name, execution: id, joined }],
  };
}

function disable(context: JobContext, event: Event<'job.disable'>): Decided {
  const decided = decideEnabled(context, event.at);
  return {
    context: { ...decided.context, ...noAllocation, nextAt: null },
    effects: [
      ...decided.effects,
      ...cancels(decided.context, event.kill, 'the job was disabled'),
      ...givesUp(decided.context, 'the job was disabled'),
    ],
    facts: [...decided.facts, { type: 'job.disabled', job: context.config.name, kill: event.kill }],
    timers: [dueTimer(null)],
  };
}

const kill = (context: JobContext, event: Event<'job.kill'>): Decided => ({ effects: cancels(context, true, event.reason) });

const disableAgain = (context: JobContext, event: Event<'job.disable'>): Decided => ({
  effects: cancels(context, event.kill, 'the job was disabled'),
});

function enable(context: JobContext, event: Event<'job.enable'>): Decided {
  const decided = verdictForAll(context, event.at, 'disabled', 'the job was disabled');
  const next = { ...rearmed(decided.context), unallocated: unasked(context) };
  return {
    ...decided,
    context: next,
    effects: [...decided.effects, ...claims(next)],
    facts: [...decided.facts, { type: 'job.enabled', job: context.config.name }],
    timers: [dueTimer(next.nextAt)],
  };
}

function deregister(context: JobContext, event: Event<'job.deregister'>): Decided {
  const decided = startDeleting(context, decideEnabled(context, event.at));
  return { ...decided, effects: [...(decided.effects ?? []), ...releases(context)] };
}

function deregisterDisabled(context: JobContext, event: Event<'job.deregister'>): Decided {
  return startDeleting(context, verdictForAll(context, event.at, 'disabled', 'the job was disabled'));
}

function startDeleting(context: JobContext, decided: ReturnType<typeof decideDue>): Decided {
  return {
    context: { ...decided.context, nextAt: null },
    effects: [...decided.effects, ...cancels(decided.context, true, 'the job was deregistered')],
    facts: [...decided.facts, { type: 'job.deregistering', job: context.config.name }],
    timers: [dueTimer(null)],
  };
}

const deregistered = (context: JobContext): Decided => ({
  effects: [
    ...(context.config.app ? [tell(`app/${context.config.app}`, { type: 'app.detach', job: context.config.name })] : []),
    ...closesNotices(context),
  ],
  facts: [{ type: 'job.deregistered', job: context.config.name }],
});

const isOurApp = (context: JobContext, app: KnownApp): boolean =>
  app.config.name === context.config.app && (context.app === null || app.version >= context.app.version);

function appChanged(context: JobContext, event: Event<'app.changed'> | Event<'app.attached'>): Decided {
  if (!isOurApp(context, event.app)) return {};
  const decided = decideEnabled(context, event.at);
  const unblocked = unblockForApp({ ...decided.context, app: event.app });
  const next = rearmed(unblocked.context);
  const isOtherNeed = !fitsAlike(claimOfJob(context).need, claimOfJob(next).need);
  const effects = [...decided.effects, ...unblocked.effects, ...(isOtherNeed ? claims(next) : [])];
  return { context: next, effects, facts: decided.facts, timers: [dueTimer(next.nextAt)] };
}

const fitsAlike = (a: Cost, b: Cost): boolean => a.cpu === b.cpu && a.memory === b.memory;

function appUpdated(context: JobContext, event: Event<'app.changed'> | Event<'app.attached'>): Decided {
  return isOurApp(context, event.app) ? { context: { app: event.app } } : {};
}

function appRefused(context: JobContext, event: Event<'app.refused'>): Decided {
  if (event.app !== context.config.app) return {};
  return {
    context: { app: null },
    effects: [...cancels(context, false, event.reason), { type: 'quarantine', params: { reason: event.reason } }],
  };
}

function missing(context: JobContext, event: Event<'actor.missing'>): Decided {
  const gone = missingExecution(context, event);
  if (gone) return withNotStarted(executionFinished(context, gone), context, event);
  if (event.eventType === 'table.claim' && event.to === `table/${context.config.pool}`) return tableMissing(context, event);
  const { app } = context.config;
  if (app === null || event.eventType !== 'app.attach' || event.to !== `app/${app}`) return {};
  return appRefused(context, { ...event, type: 'app.refused', app, reason: `app ${app} is not published` });
}

function released(context: JobContext, event: Event<'actor.released'>): Decided {
  const decided = verdictForAll(context, event.at, 'refused', event.reason);
  const next = rearmed(decided.context);
  return { ...decided, context: next, effects: [...decided.effects, ...attachAgain(next)], timers: [dueTimer(next.nextAt)] };
}

function releasedDisabled(context: JobContext, event: Event<'actor.released'>): Decided {
  const decided = verdictForAll(context, event.at, 'refused', event.reason);
  return { ...decided, effects: [...decided.effects, ...attachAgain(decided.context)] };
}

const attachAgain = (context: JobContext): Effect[] =>
  context.config.app && context.app === null ? [tell(`app/${context.config.app}`, { type: 'app.attach', job: context.config.name })] : [];

/** An execution that does not exist sends no end: it counts as lost. */
function missingExecution(context: JobContext, event: Event<'actor.missing'>): Event<'execution.finished'> | undefined {
  const gone = context.open.find(open => `execution/${open.id}` === event.to);
  return gone && { ...event, type: 'execution.finished', execution: gone.id, outcome: 'lost', finishedAt: event.at };
}

function missingEnded(context: JobContext, event: Event<'actor.missing'>): Decided {
  const gone = missingExecution(context, event);
  return gone ? withNotStarted(executionEnded(context, gone), context, event) : {};
}

/** An execution that could not be created records no verdict of its due time. */
function withNotStarted(decided: Decided, context: JobContext, event: Event<'actor.missing'>): Decided {
  const create = event.event as Partial<Extract<ExecutionEvent, { type: 'execution.create' }>> | undefined;
  if (event.eventType !== 'execution.create' || typeof create?.dueAt !== 'number' || create.id === undefined) return decided;
  const entry = { job: context.config.name, from: create.dueAt, to: create.dueAt, count: 1, execution: create.id } as const;
  const entries = [{ ...entry, verdict: 'notStarted', reason: 'its execution could not be created', decidedAt: event.at } as const];
  return { ...decided, effects: [...(decided.effects ?? []), { type: 'record', params: { entries } }] };
}

/** An execution has ended: those that wait for their turn may start. */
function executionFinished(context: JobContext, event: Event<'execution.finished'>): Decided {
  const closed = executionEnded(context, event);
  if (!closed.context) return closed;
  const next = unblockNext({ ...context, ...closed.context });
  return { ...closed, context: { ...closed.context, open: next.context.open }, effects: [...(closed.effects ?? []), ...next.effects] };
}

function executionEnded(context: JobContext, event: Event<'execution.finished'>): Decided {
  if (!context.open.some(open => open.id === event.execution)) return {};
  const freed = letGo(context, event.execution);
  const notices = noticesOf(context, event);
  return {
    context: {
      ...freed.context,
      ...(notices.length > 0 && { notified: true }),
      open: context.open.filter(open => open.id !== event.execution),
      lastExecution: event.execution,
      lastOutcome: event.outcome,
      lastFinishedAt: event.finishedAt,
      lastStartedAt: event.startedAt ?? null,
      ...(event.outcome === 'succeeded' && { lastSucceededAt: event.finishedAt }),
    },
    effects: [...(freed.effects ?? []), ...notices],
    facts: [{ type: 'job.finished', job: context.config.name, execution: event.execution, outcome: event.outcome }, ...(freed.facts ?? [])],
  };
}

/** Accepted without a change. (Without an action XState would refuse it.) */
const accepted = (): Decided => ({});

export const jobDecisions = {
  initialContext,
  registered,
  createdDisabled,
  due,
  unarmed,
  trigger,
  retry,
  update,
  updateDisabled,
  updateOff,
  updateOn,
  disable,
  kill,
  disableAgain,
  enable,
  deregister,
  deregisterDisabled,
  deregistered,
  appChanged,
  appUpdated,
  appRefused,
  missing,
  released,
  releasedDisabled,
  missingEnded,
  executionFinished,
  executionEnded,
  proposed,
  held,
  reported,
  claimAgain: claimOrRelease,
  releaseAgain,
  accepted,
};
