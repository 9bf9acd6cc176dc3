/**
 * A pool: named group of hosts, and the only writer of the ledger of their cpu and memory. Requests
 * that do not fit wait here, oldest first, and are tried again whenever capacity appears.
 *
 *   open --> deleted      (only without hosts; requests that wait are sent back)
 */
import { setup } from 'xstate';
import { effectActions, toActions } from '../decision.ts';
import type { EventOf, PoolEvent, PoolFact, Stamped } from '../types.ts';
import { poolDecisions as decide, type PoolDecider } from './decide.ts';
import type { PoolContext } from './types.ts';

const base = setup({
  types: {
    context: {} as PoolContext,
    events: {} as Stamped<PoolEvent>,
    emitted: {} as PoolFact,
    input: {} as EventOf<'pool', 'pool.create'>,
  },
  actions: effectActions,
  guards: {
    mayDelete: ({ context }) => context.config.name !== 'default' && Object.keys(context.hosts).length === 0,
  },
});

const on = (decision: PoolDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => toActions(decision(context, event as never), event, enqueue));
const open = base.createStateConfig({
  on: {
    'pool.reserve': { actions: on(decide.reserved) },
    'pool.release': { actions: on(decide.released) },
    'pool.hostRecovered': { actions: on(decide.hostRecovered) },
    'pool.trialDue': { actions: on(decide.trialDue) },
    'pool.withdraw': { actions: on(decide.withdrawn) },
    'pool.hostReady': { actions: on(decide.hostReady) },
    'pool.hostOpen': { actions: on(decide.hostOpen) },
    'pool.hostDisconnected': { actions: on(decide.hostDisconnected) },
    'pool.hostLost': { actions: on(decide.hostLost) },
    'pool.hostRemoved': { actions: on(decide.hostRemoved) },
    'pool.continuePass': { actions: on(decide.continuePass) },
    'pool.describe': { actions: on(decide.describe) },
    'actor.missing': { actions: on(decide.missing) },
    'pool.modify': { actions: on(decide.modified) },
    'pool.delete': { guard: 'mayDelete', target: 'deleted', actions: on(decide.deleted) },
  },
});

export const poolMachine = base.createMachine({
  id: 'pool',
  context: ({ input }) => decide.initialContext(input),
  entry: on(decide.created),
  initial: 'open',
  states: { open, deleted: { type: 'final' } },
});
