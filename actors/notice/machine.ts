/**
 * Notifications of one job (`notice/<job>`) or of the hosts of one pool (`notice/pool:<name>`):
 * what waits, its folding, back-off and end. The first notice creates it.
 *
 *   open <---> closing --> deleted     (its job is deleted: what waits is sent or given up first)
 */
import { setup } from 'xstate';
import { effectActions, toActions } from '../decision.ts';
import type { EventOf, NoticeEvent, NoticeFact, Stamped } from '../types.ts';
import { noticeDecisions as decide, type NoticeDecider } from './decide.ts';
import type { NoticeContext } from './types.ts';

const base = setup({
  types: {
    context: {} as NoticeContext,
    events: {} as Stamped<NoticeEvent>,
    emitted: {} as NoticeFact,
    input: {} as EventOf<'notice', 'notice.add'>,
  },
  actions: effectActions,
  guards: {
    hasNothing: ({ context }) => context.gatherings.length === 0 && context.deliveries.length === 0,
  },
});

const on = (decision: NoticeDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => toActions(decision(context, event as never), event, enqueue));

const work = {
  'notice.due': { actions: on(decide.due) },
  'notice.outputRead': { actions: on(decide.outputRead) },
  'notice.answered': { actions: on(decide.answered) },
} as const;

const open = base.createStateConfig({
  on: {
    ...work,
    'notice.add': { actions: on(decide.added) },
    'notice.close': { target: 'closing', actions: on(decide.accepted) },
  },
});

/** A job of the same name may be there again before the last notice of the old one is sent. */
const closing = base.createStateConfig({
  always: { guard: 'hasNothing', target: 'deleted' },
  on: { ...work, 'notice.add': { target: 'open', actions: on(decide.added) }, 'notice.close': { actions: on(decide.accepted) } },
});

export const noticeMachine = base.createMachine({
  id: 'notice',
  context: ({ input }) => decide.initialContext(input),
  entry: on(decide.created),
  initial: 'open',
  states: { open, closing, deleted: { type: 'final' } },
});
