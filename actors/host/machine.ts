/**
 * A host: a machine with an agent. Owns the session of its agent and decides when the host is lost:
 * `graceMs` after its session ended, `closedGraceMs` after its socket closed without a closing
 * frame, unless its keeper reports that only the agent is gone.
 *
 *   joining --> ready <---> draining
 *                 |  \        /  |
 *                 |   suspect <--+     (no session; grace runs)
 *                 |      |
 *              retired  lost --> (connects again) ready
 *                 |
 *              deleted                       (no list shows it)
 */
import { setup } from 'xstate';
import { effectActions, toActions } from '../decision.ts';
import type { EventOf, HostEvent, HostFact, Stamped } from '../types.ts';
import { hostDecisions as decide, type HostDecider } from './decide.ts';
import type { HostContext } from './types.ts';

/**
 * A grace timer that fires later than this shows that the center stood still or that its clock
 * jumped, ms. It does not show that the host was silent.
 */
export const LATE_MS = 2_000;

const base = setup({
  types: {
    context: {} as HostContext,
    events: {} as Stamped<HostEvent>,
    emitted: {} as HostFact,
    input: {} as EventOf<'host', 'host.enroll'>,
  },
  actions: effectActions,
  guards: {
    isDraining: ({ context }) => context.draining,
    isOurs: ({ context, event }) => 'session' in event && event.session === context.session,
    isLate: ({ context, event }) => context.graceUntil !== null && event.at > context.graceUntil + LATE_MS,
  },
});

const on = (decision: HostDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => toActions(decision(context, event as never), event, enqueue));
/** Accepted without a change. (Without an action XState would refuse it.) */
const accepted = { actions: on(() => ({})) };

const retire = { target: 'retired', actions: on(decide.retire) } as const;
const connects = [
  { guard: 'isDraining', target: 'draining', actions: on(decide.connected) },
  { target: 'ready', actions: on(decide.connected) },
] as const;
const inSession = {
  'host.disconnected': { guard: 'isOurs', target: 'suspect', actions: on(decide.disconnected) },
  'host.agentLost': { guard: 'isOurs', actions: on(decide.agentLost) },
  'host.rejectedByPool': { actions: on(decide.rejectedByPool) },
  'host.restartGrace': { target: 'suspect', actions: on(decide.suspectedAtStart) },
  'actor.missing': { actions: on(decide.poolMissing) },
} as const;

const joining = base.createStateConfig({
  on: {
    'host.connected': connects,
    'host.retire': retire,
    'host.drain': { actions: on(decide.drainLater) },
    'host.resume': { actions: on(decide.resumeLater) },
    'host.restartGrace': accepted,
  },
});

const ready = base.createStateConfig({
  on: {
    'host.connected': connects,
    ...inSession,
    'host.drain': { target: 'draining', actions: on(decide.drain) },
    'host.resume': accepted,
    'host.retire': retire,
  },
});

const draining = base.createStateConfig({
  on: {
    'host.connected': connects,
    ...inSession,
    'host.drain': accepted,
    'host.resume': { target: 'ready', actions: on(decide.resume) },
    'host.retire': retire,
  },
});

const suspect = base.createStateConfig({
  on: {
    'host.connected': connects,
    'host.restartGrace': { actions: on(decide.restartGrace) },
    'host.graceExpired': [
      { guard: 'isLate', actions: on(decide.restartGrace) },
      { target: 'lost', actions: on(decide.lost) },
    ],
    'host.agentLost': { actions: on(decide.agentLostBefore) },
    'host.drain': { actions: on(decide.drainLater) },
    'host.resume': { actions: on(decide.resumeLater) },
    'host.retire': retire,
  },
});

const lost = base.createStateConfig({
  on: {
    'host.connected': connects,
    'host.drain': { actions: on(decide.drainLater) },
    'host.resume': { actions: on(decide.resumeLater) },
    'host.retire': retire,
    'host.restartGrace': accepted,
  },
});

/** Stays readable; its identity is never accepted again. */
const retired = base.createStateConfig({ on: { 'host.delete': { target: 'deleted', actions: on(decide.deleted) } } });

export const hostMachine = base.createMachine({
  id: 'host',
  context: ({ input }) => decide.initialContext(input),
  entry: on(decide.enrolled),
  initial: 'joining',
  states: { joining, ready, draining, suspect, lost, retired, deleted: { type: 'final' } },
});
