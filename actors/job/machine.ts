/**
 * A job: what runs, when, in how many shards, with which policies. Owns the watermark (every due
 * time up to it has a verdict) and the open executions. Creates at most one execution per due time.
 *
 *   admin:  enabled <---> disabled         work:  idle <---> running
 *              \             /
 *               > deleting <    (waits for open executions)
 *                    |
 *                 deleted
 */
import { setup } from 'xstate';
import { effectActions, switchGuards, toActions } from '../decision.ts';
import type { EventOf, JobEvent, JobFact, Stamped } from '../types.ts';
import { jobDecisions as decide, type JobDecider } from './decide.ts';
import { fireVerdictOf } from './kind.ts';
import type { JobContext } from './types.ts';

const base = setup({
  types: {
    context: {} as JobContext,
    events: {} as Stamped<JobEvent>,
    emitted: {} as JobFact,
    input: {} as EventOf<'job', 'job.register'>,
  },
  actions: effectActions,
  guards: {
    hasOpen: ({ context }) => context.open.length > 0,
    hasNoOpen: ({ context }) => context.open.length === 0,
    appIsEnabled: ({ context }) => context.app === null || context.app.enabled,
    mayTrigger: ({ context, event }) =>
      context.config.kind !== 'resident' && (context.app === null || context.app.enabled) && fireVerdictOf(context, event).do !== 'refuse',
    isAnswered: ({ context, event }) =>
      (event.type === 'job.trigger' || event.type === 'job.retry') && context.keys.some(([key]) => key === event.key),
    ...switchGuards,
    isMeant: ({ context, event }) => !('app' in event) || event.app === undefined || event.app === context.config.app,
  },
});

const on = (decision: JobDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => toActions(decision(context, event as never), event, enqueue));

/** A repeated key gets the same answer in every state. */
const again = { guard: 'isAnswered', actions: on(decide.trigger) } as const;
const retriedAgain = { guard: 'isAnswered', actions: on(decide.retry) } as const;

const enabled = base.createStateConfig({
  always: { guard: 'isCreatedDisabled', target: 'disabled', actions: on(decide.createdDisabled) },
  on: {
    'job.due': { actions: on(decide.due) },
    'job.unarmed': { actions: on(decide.unarmed) },
    'job.trigger': [again, { guard: 'mayTrigger', actions: on(decide.trigger) }],
    'job.retry': [retriedAgain, { guard: 'mayTrigger', actions: on(decide.retry) }],
    'job.update': [{ guard: 'switchesOff', target: 'disabled', actions: on(decide.updateOff) }, { actions: on(decide.update) }],
    'job.disable': { target: 'disabled', actions: on(decide.disable) },
    'job.enable': { actions: on(decide.accepted) },
    'job.deregister': { guard: 'isMeant', target: 'deleting', actions: on(decide.deregister) },
    'job.kill': { guard: 'isMeant', actions: on(decide.kill) },
    'app.attached': { actions: on(decide.appChanged) },
    'app.changed': { actions: on(decide.appChanged) },
    'app.refused': { actions: on(decide.appRefused) },
    'actor.missing': { actions: on(decide.missing) },
    'actor.released': { actions: on(decide.released) },
    'execution.finished': { actions: on(decide.executionFinished) },
    'job.propose': { actions: on(decide.proposed) },
    'job.held': { actions: on(decide.held) },
    'job.claimAgain': { actions: on(decide.claimAgain) },
    'job.reported': { actions: on(decide.reported) },
  },
});

const disabled = base.createStateConfig({
  on: {
    'job.trigger': again,
    'job.retry': retriedAgain,
    'job.update': [{ guard: 'switchesOn', target: 'enabled', actions: on(decide.updateOn) }, { actions: on(decide.updateDisabled) }],
    'job.enable': { target: 'enabled', actions: on(decide.enable) },
    'job.disable': { actions: on(decide.disableAgain) },
    'job.deregister': { guard: 'isMeant', target: 'deleting', actions: on(decide.deregisterDisabled) },
    'job.kill': { guard: 'isMeant', actions: on(decide.kill) },
    'app.attached': { actions: on(decide.appUpdated) },
    'app.changed': { actions: on(decide.appUpdated) },
    'app.refused': { actions: on(decide.appRefused) },
    'actor.missing': { actions: on(decide.missing) },
    'actor.released': { actions: on(decide.releasedDisabled) },
    'execution.finished': { actions: on(decide.executionFinished) },
    'job.claimAgain': { actions: on(decide.releaseAgain) },
    'job.reported': { actions: on(decide.reported) },
  },
});

const deleting = base.createStateConfig({
  always: { guard: 'hasNoOpen', target: 'deleted', actions: on(decide.deregistered) },
  on: {
    'job.deregister': { actions: on(decide.accepted) },
    'job.trigger': again,
    'job.retry': retriedAgain,
    // Its open executions are being ended already.
    'job.kill': { actions: on(decide.accepted) },
    'execution.finished': { actions: on(decide.executionEnded) },
    'actor.missing': { actions: on(decide.missingEnded) },
  },
});

export const jobMachine = base.createMachine({
  id: 'job',
  context: ({ input }) => decide.initialContext(input),
  entry: on(decide.registered),
  type: 'parallel',
  states: {
    admin: { initial: 'enabled', states: { enabled, disabled, deleting, deleted: { type: 'final' } } },
    work: {
      initial: 'idle',
      states: {
        idle: { always: { guard: 'hasOpen', target: 'running' } },
        running: { always: { guard: 'hasNoOpen', target: 'idle' } },
      },
    },
  },
});
