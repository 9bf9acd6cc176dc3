/**
 * An app: what is fetched and started, and the set of jobs that use it. Its jobs keep a copy of it
 * and are told of each change.
 *
 *   enabled <---> disabled
 *       \           /
 *        > deleting      (its jobs are being deregistered)
 *             |
 *          deleted
 */
import { setup } from 'xstate';
import type { AppConfig, KnownApp } from '../config.ts';
import { carryOut, claimOf, type Decision, declared, switching } from '../decision.ts';
import { type Effect, type Missing, type Stamped, tell } from '../vocabulary.ts';

export type AppEvent =
  /** Birth. `enabled` false: it begins disabled. */
  | { type: 'app.publish'; config: AppConfig; claim?: string; enabled?: boolean }
  /** Takes the given fields; the others stay. `enabled` takes effect in the same turn. */
  | { type: 'app.modify'; changes: Partial<Omit<AppConfig, 'name'>>; enabled?: boolean }
  | { type: 'app.enable' }
  /** Its jobs start nothing new; with `kill` their running executions are ended. */
  | { type: 'app.disable'; kill: boolean }
  | { type: 'app.delete' }
  /** A job says that it uses this app; the answer is news: `app.attached` or `app.refused`. */
  | { type: 'app.attach'; job: string }
  | { type: 'app.detach'; job: string }
  | Missing;

export type AppFact =
  | { type: 'app.published'; app: string; version: number }
  | { type: 'app.modified'; app: string; version: number }
  | { type: 'app.enabled'; app: string }
  | { type: 'app.disabled'; app: string; kill: boolean }
  | { type: 'app.deleting'; app: string; jobs: string[] }
  | { type: 'app.deleted'; app: string };

export interface AppContext {
  config: AppConfig;
  version: number;
  /** Names of the jobs that use it, sorted. */
  jobs: string[];
  /** Request that created it, where that had an Idempotency-Key: its repeat finds it. */
  claim?: string;
  createdAt: number;
  updatedAt: number;
}

type AppInput = Stamped<Extract<AppEvent, { type: 'app.publish' }>>;
type Decided = Decision<AppContext, AppFact>;
type Event<T extends AppEvent['type']> = Stamped<Extract<AppEvent, { type: T }>>;

const known = (context: AppContext, enabled: boolean): KnownApp => ({ config: context.config, version: context.version, enabled });
const tellJobs = (context: AppContext, enabled: boolean): Effect[] =>
  context.jobs.map(job => tell(`job/${job}`, { type: 'app.changed', app: known(context, enabled) }));

const published = (context: AppContext): Decided => ({ facts: [{ type: 'app.published', app: context.config.name, version: 1 }] });

const modified =
  (enabled: boolean) =>
  (context: AppContext, event: Event<'app.modify'>): Decided => {
    const next = { ...context, config: { ...context.config, ...event.changes }, version: context.version + 1, updatedAt: event.at };
    return {
      context: next,
      effects: tellJobs(next, enabled),
      facts: [{ type: 'app.modified', app: context.config.name, version: next.version }],
    };
  };

/** Changed and switched at once: its jobs hear of both together. */
const modifiedAndSwitched =
  (enabled: boolean) =>
  (context: AppContext, event: Event<'app.modify'>): Decided => {
    const changed = modified(enabled)(context, event);
    const app = context.config.name;
    return {
      ...changed,
      facts: [...(changed.facts ?? []), enabled ? { type: 'app.enabled', app } : { type: 'app.disabled', app, kill: false }],
    };
  };

const bornDisabled = (context: AppContext): Decided => ({ facts: [{ type: 'app.disabled', app: context.config.name, kill: false }] });

const attached =
  (enabled: boolean) =>
  (context: AppContext, event: Event<'app.attach'>): Decided => ({
    context: { jobs: [...new Set([...context.jobs, event.job])].sort() },
    effects: [tell(`job/${event.job}`, { type: 'app.attached', app: known(context, enabled) })],
  });

const refused = (context: AppContext, event: Event<'app.attach'>): Decided => ({
  effects: [
    tell(`job/${event.job}`, { type: 'app.refused', app: context.config.name, reason: `app ${context.config.name} is being deleted` }),
  ],
});

const detached = (context: AppContext, event: Event<'app.detach'>): Decided => ({
  context: { jobs: context.jobs.filter(job => job !== event.job) },
});

const enabledAgain = (context: AppContext): Decided => {
  const next = { ...context, version: context.version + 1 };
  return { context: { version: next.version }, effects: tellJobs(next, true), facts: [{ type: 'app.enabled', app: context.config.name }] };
};

const disabledNow = (context: AppContext, event: Event<'app.disable'>): Decided => {
  const next = { ...context, version: context.version + 1 };
  return {
    context: { version: next.version },
    effects: [...tellJobs(next, false), ...killed(context, event)],
    facts: [{ type: 'app.disabled', app: context.config.name, kill: event.kill }],
  };
};

const killed = (context: AppContext, event: Event<'app.disable'>): Effect[] =>
  event.kill
    ? context.jobs.map(job =>
        tell(`job/${job}`, { type: 'job.kill', app: context.config.name, reason: `app ${context.config.name} was disabled` }),
      )
    : [];

const deletingNow = (context: AppContext): Decided => ({
  effects: context.jobs.map(job => tell(`job/${job}`, { type: 'job.deregister', app: context.config.name })),
  facts: [{ type: 'app.deleting', app: context.config.name, jobs: context.jobs }],
});

/** A job that is not there any more does not hold the app back. */
const missing = (context: AppContext, event: Event<'actor.missing'>): Decided =>
  event.to.startsWith('job/') ? { context: { jobs: context.jobs.filter(job => `job/${job}` !== event.to) } } : {};

const deletedNow = (context: AppContext): Decided => ({ facts: [{ type: 'app.deleted', app: context.config.name }] });

const base = setup({
  types: { context: {} as AppContext, events: {} as Stamped<AppEvent>, emitted: {} as AppFact, input: {} as AppInput },
  actions: declared,
  guards: {
    hasNoJobs: ({ context }) => context.jobs.length === 0,
    ...switching,
  },
});

const on = (decision: (context: AppContext, event: never) => Decided) =>
  base.enqueueActions(({ context, event, enqueue }) => carryOut(decision(context, event as never), event, enqueue));
/** Already so: nothing changes. (Without an action XState would call it a refusal.) */
const same = { actions: on(() => ({})) };

const enabled = base.createStateConfig({
  always: { guard: 'isBornDisabled', target: 'disabled', actions: on(bornDisabled) },
  on: {
    'app.modify': [{ guard: 'switchesOff', target: 'disabled', actions: on(modifiedAndSwitched(false)) }, { actions: on(modified(true)) }],
    'app.attach': { actions: on(attached(true)) },
    'app.detach': { actions: on(detached) },
    'app.enable': same,
    'app.disable': { target: 'disabled', actions: on(disabledNow) },
    'app.delete': { target: 'deleting', actions: on(deletingNow) },
    'actor.missing': { actions: on(missing) },
  },
});

const disabled = base.createStateConfig({
  on: {
    'app.modify': [{ guard: 'switchesOn', target: 'enabled', actions: on(modifiedAndSwitched(true)) }, { actions: on(modified(false)) }],
    'app.attach': { actions: on(attached(false)) },
    'app.detach': { actions: on(detached) },
    'app.enable': { target: 'enabled', actions: on(enabledAgain) },
    'app.disable': {
      actions: on((context: AppContext, event: Event<'app.disable'>) => ({ effects: killed(context, event) })),
    },
    'app.delete': { target: 'deleting', actions: on(deletingNow) },
    'actor.missing': { actions: on(missing) },
  },
});

const deleting = base.createStateConfig({
  always: { guard: 'hasNoJobs', target: 'deleted', actions: on(deletedNow) },
  on: {
    'app.delete': same,
    'app.attach': { actions: on(refused) },
    'app.detach': { actions: on(detached) },
    'actor.missing': { actions: on(missing) },
  },
});

export const machine = base.createMachine({
  id: 'app',
  context: ({ input }) => ({ config: input.config, version: 1, jobs: [], ...claimOf(input), createdAt: input.at, updatedAt: input.at }),
  entry: on(published),
  initial: 'enabled',
  states: { enabled, disabled, deleting, deleted: { type: 'final' } },
});

export const version = 1;
export const upgrades: Record<number, (snapshot: unknown) => unknown> = {};
export const birth = 'app.publish';
export const index = (context: AppContext, value: unknown) => ({
  parent: null,
  pool: null,
  status: String(value),
  outcome: null,
  hosts: [],
  at: context.createdAt,
});
export const isOver = (value: unknown): boolean => value === 'deleted';

export function refusal(_context: AppContext, value: unknown, event: AppEvent): string | undefined {
  if (event.type === 'app.publish') return value === 'deleting' ? 'is still being deleted' : 'is published already';
  return value === 'deleting' ? 'is being deleted' : undefined;
}
