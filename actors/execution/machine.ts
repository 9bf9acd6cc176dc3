/**
 * An execution: one fire of one job, its shards, their attempts, and in the end its outcome. It
 * keeps the configuration it began with.
 *
 *   pending --> running --> done
 *      |           |         ^
 *      +-----> cancelling ---+
 */
import { setup } from 'xstate';
import { effectActions, toActions } from '../decision.ts';
import type { EventOf, ExecutionEvent, ExecutionFact, Stamped } from '../types.ts';
import { withHeld } from './allocation.ts';
import { executionDecisions as decide, type ExecutionDecider } from './decide.ts';
import type { ExecutionContext } from './types.ts';

const base = setup({
  types: {
    context: {} as ExecutionContext,
    events: {} as Stamped<ExecutionEvent>,
    emitted: {} as ExecutionFact,
    input: {} as EventOf<'execution', 'execution.create'>,
  },
  actions: effectActions,
  guards: {
    isAllDone: ({ context }) => context.shards.every(shard => shard.status === 'done'),
    hasBegun: ({ context }) => context.shards.some(shard => shard.status !== 'waiting' || shard.attempt > 1),
    isCancelled: ({ context }) => context.cancelled,
  },
});

const on = (decision: ExecutionDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => toActions(withHeld(context, decision(context, event as never)), event, enqueue));
/** Accepted without a change. (Without an action XState would refuse it.) */
const accepted = { actions: on(() => ({})) };

const finished = { guard: 'isAllDone', target: 'done', actions: on(decide.finished) } as const;

const work = {
  'execution.placed': { actions: on(decide.placed) },
  'execution.waiting': { actions: on(decide.waiting) },
  'execution.retryDue': { actions: on(decide.retryDue) },
  'execution.startOverdue': { actions: on(decide.startOverdue) },
  'execution.answerOverdue': { actions: on(decide.answerOverdue) },
  'execution.cancel': { actions: on(decide.cancel) },
  'execution.end': { actions: on(decide.cancel) },
  'shard.started': { actions: on(decide.started) },
  'shard.ended': { actions: on(decide.shardEnded) },
  'shard.lost': { actions: on(decide.lost) },
  'shard.unaccounted': { actions: on(decide.unaccounted) },
  'shard.unanswered': { actions: on(decide.unanswered) },
  'shard.unknownRun': { actions: on(decide.unknownRun) },
  'shard.withdraw': { actions: on(decide.withdraw) },
  'execution.move': { actions: on(decide.move) },
  'execution.deallocated': { actions: on(decide.deallocated) },
  'execution.noCapacity': { actions: on(decide.noCapacity) },
  'execution.reserveAgain': { actions: on(decide.reserveAgain) },
  'actor.released': { actions: on(decide.reserveAgain) },
  'actor.missing': { actions: on(decide.missing) },
} as const;

const cancels = { guard: 'isCancelled', target: 'cancelling' } as const;

const pending = base.createStateConfig({
  always: [finished, cancels, { guard: 'hasBegun', target: 'running' }],
  on: { ...work, 'execution.unblock': { actions: on(decide.unblock) } },
});
const running = base.createStateConfig({ always: [finished, cancels], on: work });
const cancelling = base.createStateConfig({ always: [finished], on: { ...work, 'execution.cancel': accepted, 'execution.end': accepted } });
/**
 * Late events only: runs that hosts still have are ended, late reservations are released, and a
 * job that creates it again gets its outcome.
 */
const done = base.createStateConfig({
  on: {
    'shard.started': { actions: on(decide.started) },
    'shard.unknownRun': { actions: on(decide.unknownRun) },
    'execution.placed': { actions: on(decide.placed) },
    'execution.create': { actions: on(decide.createdAgain) },
  },
});

export const executionMachine = base.createMachine({
  id: 'execution',
  context: ({ input }) => decide.initialContext(input),
  entry: on(decide.created),
  initial: 'pending',
  states: { pending, running, cancelling, done },
});
