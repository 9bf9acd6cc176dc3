/** What an app decides, event by event: context and event in, decision out. */
import { claimOf, type Decision, tell } from '../decision.ts';
import type { AppEvent, AppFact, Effect, EventOf } from '../types.ts';
import type { AppContext, KnownApp } from './types.ts';

type Decided = Decision<AppContext, AppFact>;
type Event<T extends AppEvent['type']> = EventOf<'app', T>;
export type AppDecider = (context: AppContext, event: never) => Decided;

const initialContext = (input: Event<'app.publish'>): AppContext => ({
  config: input.config,
  version: 1,
  jobs: [],
  ...claimOf(input),
  createdAt: input.at,
  updatedAt: input.at,
});

const known = (context: AppContext, enabled: boolean): KnownApp => ({ config: context.config, version: context.version, enabled });
const changedForJobs = (context: AppContext, enabled: boolean): Effect[] =>
  context.jobs.map(job => tell(`job/${job}`, { type: 'app.changed', app: known(context, enabled) }));

const published = (context: AppContext): Decided => ({ facts: [{ type: 'app.published', app: context.config.name, version: 1 }] });

const createdDisabled = (context: AppContext): Decided => ({
  facts: [{ type: 'app.disabled', app: context.config.name, kill: false }],
});

function modify(context: AppContext, event: Event<'app.modify'>, enabled: boolean): Decided {
  const next = { ...context, config: { ...context.config, ...event.changes }, version: context.version + 1, updatedAt: event.at };
  return {
    context: next,
    effects: changedForJobs(next, enabled),
    facts: [{ type: 'app.modified', app: context.config.name, version: next.version }],
  };
}

const modifyEnabled = (context: AppContext, event: Event<'app.modify'>): Decided => modify(context, event, true);
const modifyDisabled = (context: AppContext, event: Event<'app.modify'>): Decided => modify(context, event, false);

/** Modified and enabled in one turn: its jobs get both in one event. */
function modifyOn(context: AppContext, event: Event<'app.modify'>): Decided {
  const changed = modify(context, event, true);
  return { ...changed, facts: [...(changed.facts ?? []), { type: 'app.enabled', app: context.config.name }] };
}

function modifyOff(context: AppContext, event: Event<'app.modify'>): Decided {
  const changed = modify(context, event, false);
  return { ...changed, facts: [...(changed.facts ?? []), { type: 'app.disabled', app: context.config.name, kill: false }] };
}

const attach = (context: AppContext, event: Event<'app.attach'>, enabled: boolean): Decided => ({
  context: { jobs: [...new Set([...context.jobs, event.job])].sort() },
  effects: [tell(`job/${event.job}`, { type: 'app.attached', app: known(context, enabled) })],
});
const attachEnabled = (context: AppContext, event: Event<'app.attach'>): Decided => attach(context, event, true);
const attachDisabled = (context: AppContext, event: Event<'app.attach'>): Decided => attach(context, event, false);

const refuseAttach = (context: AppContext, event: Event<'app.attach'>): Decided => ({
  effects: [
    tell(`job/${event.job}`, { type: 'app.refused', app: context.config.name, reason: `app ${context.config.name} is being deleted` }),
  ],
});

const detach = (context: AppContext, event: Event<'app.detach'>): Decided => ({
  context: { jobs: context.jobs.filter(job => job !== event.job) },
});

function enable(context: AppContext): Decided {
  const next = { ...context, version: context.version + 1 };
  return {
    context: { version: next.version },
    effects: changedForJobs(next, true),
    facts: [{ type: 'app.enabled', app: context.config.name }],
  };
}

function disable(context: AppContext, event: Event<'app.disable'>): Decided {
  const next = { ...context, version: context.version + 1 };
  return {
    context: { version: next.version },
    effects: [...changedForJobs(next, false), ...kills(context, event)],
    facts: [{ type: 'app.disabled', app: context.config.name, kill: event.kill }],
  };
}

const disableAgain = (context: AppContext, event: Event<'app.disable'>): Decided => ({ effects: kills(context, event) });

function kills(context: AppContext, event: Event<'app.disable'>): Effect[] {
  const app = context.config.name;
  return event.kill ? context.jobs.map(job => tell(`job/${job}`, { type: 'job.kill', app, reason: `app ${app} was disabled` })) : [];
}

const startDeleting = (context: AppContext): Decided => ({
  effects: context.jobs.map(job => tell(`job/${job}`, { type: 'job.deregister', app: context.config.name })),
  facts: [{ type: 'app.deleting', app: context.config.name, jobs: context.jobs }],
});

/** A job that does not exist uses no app. */
const jobMissing = (context: AppContext, event: Event<'actor.missing'>): Decided =>
  event.to.startsWith('job/') ? { context: { jobs: context.jobs.filter(job => `job/${job}` !== event.to) } } : {};

const deleted = (context: AppContext): Decided => ({ facts: [{ type: 'app.deleted', app: context.config.name }] });

export const appDecisions = {
  initialContext,
  published,
  createdDisabled,
  modifyEnabled,
  modifyDisabled,
  modifyOn,
  modifyOff,
  attachEnabled,
  attachDisabled,
  refuseAttach,
  detach,
  enable,
  disable,
  disableAgain,
  startDeleting,
  jobMissing,
  deleted,
};
