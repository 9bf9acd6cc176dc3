/**
 * An app: what is fetched and started, and the set of jobs that use it. Its jobs keep a copy of it
 * and receive each change.
 *
 *   enabled <---> disabled
 *       \           /
 *        > deleting      (its jobs are being deregistered)
 *             |
 *          deleted
 */
import { setup } from 'xstate';
import { effectActions, switchGuards, toActions } from '../decision.ts';
import type { AppEvent, AppFact, EventOf, Stamped } from '../types.ts';
import { type AppDecider, appDecisions as decide } from './decide.ts';
import type { AppContext } from './types.ts';

const base = setup({
  types: {
    context: {} as AppContext,
    events: {} as Stamped<AppEvent>,
    emitted: {} as AppFact,
    input: {} as EventOf<'app', 'app.publish'>,
  },
  actions: effectActions,
  guards: {
    hasNoJobs: ({ context }) => context.jobs.length === 0,
    ...switchGuards,
  },
});

const on = (decision: AppDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => toActions(decision(context, event as never), event, enqueue));
/** Accepted without a change. (Without an action XState would refuse it.) */
const accepted = { actions: on(() => ({})) };

const enabled = base.createStateConfig({
  always: { guard: 'isCreatedDisabled', target: 'disabled', actions: on(decide.createdDisabled) },
  on: {
    'app.modify': [{ guard: 'switchesOff', target: 'disabled', actions: on(decide.modifyOff) }, { actions: on(decide.modifyEnabled) }],
    'app.attach': { actions: on(decide.attachEnabled) },
    'app.detach': { actions: on(decide.detach) },
    'app.enable': accepted,
    'app.disable': { target: 'disabled', actions: on(decide.disable) },
    'app.delete': { target: 'deleting', actions: on(decide.startDeleting) },
    'actor.missing': { actions: on(decide.jobMissing) },
  },
});

const disabled = base.createStateConfig({
  on: {
    'app.modify': [{ guard: 'switchesOn', target: 'enabled', actions: on(decide.modifyOn) }, { actions: on(decide.modifyDisabled) }],
    'app.attach': { actions: on(decide.attachDisabled) },
    'app.detach': { actions: on(decide.detach) },
    'app.enable': { target: 'enabled', actions: on(decide.enable) },
    'app.disable': { actions: on(decide.disableAgain) },
    'app.delete': { target: 'deleting', actions: on(decide.startDeleting) },
    'actor.missing': { actions: on(decide.jobMissing) },
  },
});

const deleting = base.createStateConfig({
  always: { guard: 'hasNoJobs', target: 'deleted', actions: on(decide.deleted) },
  on: {
    'app.delete': accepted,
    'app.attach': { actions: on(decide.refuseAttach) },
    'app.detach': { actions: on(decide.detach) },
    'actor.missing': { actions: on(decide.jobMissing) },
  },
});

export const appMachine = base.createMachine({
  id: 'app',
  context: ({ input }) => decide.initialContext(input),
  entry: on(decide.published),
  initial: 'enabled',
  states: { enabled, disabled, deleting, deleted: { type: 'final' } },
});
