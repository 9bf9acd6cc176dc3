/**
 * The allocation table of a pool: a row for each sticky job, and the host of each of its shards. It
 * proposes a host; the job takes it and reports it. Created and deleted with its pool.
 *
 *   open --> deleted
 */
import { setup } from 'xstate';
import { effectActions, toActions } from '../decision.ts';
import type { EventOf, Stamped, TableEvent, TableFact } from '../types.ts';
import { tableDecisions as decide, type TableDecider } from './decide.ts';
import type { TableContext } from './types.ts';

const base = setup({
  types: {
    context: {} as TableContext,
    events: {} as Stamped<TableEvent>,
    emitted: {} as TableFact,
    input: {} as EventOf<'table', 'table.create'>,
  },
  actions: effectActions,
});

const on = (decision: TableDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => toActions(decision(context, event as never), event, enqueue));

const open = base.createStateConfig({
  on: {
    'table.host': { actions: on(decide.hostChanged) },
    'table.hostGone': { actions: on(decide.hostGone) },
    'table.claim': { actions: on(decide.claimed) },
    'table.release': { actions: on(decide.released) },
    'table.moved': { actions: on(decide.moved) },
    'table.repair': { actions: on(decide.repaired) },
    'table.delete': { target: 'deleted', actions: on(decide.deleted) },
    'actor.missing': { actions: on(decide.missing) },
  },
});

export const tableMachine = base.createMachine({
  id: 'table',
  context: ({ input }) => decide.initialContext(input),
  initial: 'open',
  states: { open, deleted: { type: 'final' } },
});
