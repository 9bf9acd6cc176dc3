/**
 * An execution: one fire of one job, its shards, their attempts, and in the end its outcome. It
 * keeps the configuration it began with.
 *
 *   pending --> running --> done
 *      |           |         ^
 *      +-----> cancelling ---+
 */
import { setup } from 'xstate';
import type { JobConfig, KnownApp } from '../config.ts';
import { carryOut, declared } from '../decision.ts';
import type { JobTrigger } from '../job/machine.ts';
import type { HostFault, Missing, RunName, Stamped } from '../vocabulary.ts';
import * as decide from './decide.ts';
import type { Shard, ShardOutcome } from './shard.ts';

/** Where the runs of an answer from the pool go. */
export interface Placement {
  item: number;
  attempt: number;
  host: string;
  hostName: string;
  /** The host refused the run before; whether it takes this one is news to its pool. */
  trial?: true;
}

export interface EndedNews {
  item: number;
  attempt: number;
  host: string;
  outcome: ShardOutcome;
  exitCode: number | null;
  signal: string | null;
  startedAt: number | null;
  finishedAt: number;
  reason: string | null;
  output: Shard['output'];
  /** Processes that it left behind when it ended by itself, and that its host ended. */
  leftRunning?: number;
  /** It is not to be tried again, whatever the policies say: it ended more than one agent. */
  parked?: boolean;
  /** The host refused it for a reason of its own, and nothing of it began there. */
  hostFault?: HostFault;
}

export type ExecutionEvent =
  /** Birth, told by the job. Twice is nothing. */
  | {
      type: 'execution.create';
      id: string;
      trigger: JobTrigger;
      /** The due time it stands for, epoch ms; null when triggered. */
      dueAt: number | null;
      config: JobConfig;
      app: KnownApp | null;
      retryOf: string | null;
      /** Why it must wait for `execution.proceed`; null: it asks for room at once. */
      hold: string | null;
    }
  | { type: 'execution.proceed'; app: KnownApp | null }
  /** Command: end it. */
  | { type: 'execution.cancel'; reason: string }
  /** News with the same effect; an ended execution ignores it. */
  | { type: 'execution.end'; reason: string }
  | { type: 'execution.placed'; placements: Placement[]; reason: string | null }
  | { type: 'execution.waiting'; reason: string }
  /** The pool gives no room and keeps no request: to be asked again later. */
  | { type: 'execution.noRoom'; reason: string }
  | { type: 'execution.askAgain' }
  | { type: 'execution.retryDue' }
  /** It has started no process within the limit of its job. */
  | { type: 'execution.startOverdue' }
  /** A host has left an order to start without a start or an end for too long. */
  | { type: 'execution.answerOverdue' }
  /** `session`: in which session of its host this was said, counted from 1. */
  | { type: 'shard.started'; item: number; attempt: number; host: string; startedAt: number; pid: number; session?: number }
  | ({ type: 'shard.ended' } & EndedNews)
  /** The host is lost. */
  | { type: 'shard.lost'; host: string; runs: RunName[]; reason: string }
  /** The host is here, but its agent did not know of these runs when `session` began. */
  | { type: 'shard.unaccounted'; host: string; runs: RunName[]; session: number }
  /** The host is here, and its agent leaves the order to start or to end these runs unanswered. */
  | { type: 'shard.unanswered'; host: string; runs: RunName[]; reason: string }
  /** The host drains: what has not begun there goes elsewhere. */
  | { type: 'shard.leave'; host: string; runs: RunName[]; reason: string }
  /** The host runs what the ledger does not know. */
  | { type: 'shard.stray'; host: string; runs: RunName[] }
  /** Quarantine ended. */
  | { type: 'actor.released'; since: number; reason: string }
  | Missing;

export type ExecutionFact =
  | {
      type: 'execution.created';
      execution: string;
      job: string;
      trigger: JobTrigger;
      dueAt: string | null;
      shards: number;
      hold: string | null;
    }
  | { type: 'execution.pending'; execution: string; job: string; reason: string }
  | { type: 'execution.cancelling'; execution: string; job: string; reason: string }
  /** It ends without a process, because none began within the limit of its job. */
  | { type: 'execution.notStarted'; execution: string; job: string; reason: string }
  | { type: 'execution.finished'; execution: string; job: string; outcome: ShardOutcome }
  | { type: 'shard.placed'; execution: string; job: string; item: number; attempt: number; host: string; hostName: string }
  | { type: 'shard.started'; execution: string; job: string; item: number; attempt: number; host: string }
  | {
      type: 'shard.ended';
      execution: string;
      job: string;
      item: number;
      attempt: number;
      host: string | null;
      outcome: ShardOutcome;
      exitCode: number | null;
      signal: string | null;
      reason: string | null;
    }
  | LeftRunningFact;

/** Its host ended what an attempt left running when it ended by itself. */
interface LeftRunningFact {
  type: 'shard.leftRunning';
  execution: string;
  job: string;
  item: number;
  attempt: number;
  host: string | null;
  processes: number;
}

export interface ExecutionContext {
  id: string;
  job: string;
  trigger: JobTrigger;
  dueAt: number | null;
  retryOf: string | null;
  createdAt: number;
  startedAt: number | null;
  finishedAt: number | null;
  config: JobConfig;
  app: KnownApp | null;
  /** Not let go by its job yet, and why. */
  hold: string | null;
  /** Why it waits, was cancelled, or ended badly. */
  reason: string | null;
  cancelled: boolean;
  /** Why it is given up: it has started no process within the limit of its job. */
  expired?: string;
  shards: Shard[];
  outcome: ShardOutcome | null;
}

export type ExecutionInput = Stamped<Extract<ExecutionEvent, { type: 'execution.create' }>>;

const base = setup({
  types: {
    context: {} as ExecutionContext,
    events: {} as Stamped<ExecutionEvent>,
    emitted: {} as ExecutionFact,
    input: {} as ExecutionInput,
  },
  actions: declared,
  guards: {
    isAllDone: ({ context }) => context.shards.every(shard => shard.status === 'done'),
    hasBegun: ({ context }) => context.shards.some(shard => shard.status !== 'waiting' || shard.attempt > 1),
    isCancelled: ({ context }) => context.cancelled,
  },
});

const on = (decision: decide.ExecutionDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => carryOut(decision(context, event as never), event, enqueue));
/** Already so: nothing changes. (Without an action XState would call it a refusal.) */
const same = { actions: on(() => ({})) };

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
  'shard.stray': { actions: on(decide.stray) },
  'shard.leave': { actions: on(decide.leave) },
  'execution.noRoom': { actions: on(decide.noRoom) },
  'execution.askAgain': { actions: on(decide.askAgain) },
  'actor.released': { actions: on(decide.askAgain) },
  'actor.missing': { actions: on(decide.missing) },
} as const;

const cancels = { guard: 'isCancelled', target: 'cancelling' } as const;

const pending = base.createStateConfig({
  always: [finished, cancels, { guard: 'hasBegun', target: 'running' }],
  on: { ...work, 'execution.proceed': { actions: on(decide.proceed) } },
});
const running = base.createStateConfig({ always: [finished, cancels], on: work });
const cancelling = base.createStateConfig({ always: [finished], on: { ...work, 'execution.cancel': same, 'execution.end': same } });
/**
 * What an old host still runs for it is ended, room that comes too late is given back, a job that
 * asks for it again hears its outcome; nothing else changes any more.
 */
const done = base.createStateConfig({
  on: {
    'shard.started': { actions: on(decide.started) },
    'shard.stray': { actions: on(decide.stray) },
    'execution.placed': { actions: on(decide.placed) },
    'execution.create': { actions: on(decide.createdAgain) },
  },
});

export const machine = base.createMachine({
  id: 'execution',
  context: ({ input }) => decide.born(input),
  entry: on(decide.created),
  initial: 'pending',
  states: { pending, running, cancelling, done },
});

export const version = 1;
export const upgrades: Record<number, (snapshot: unknown) => unknown> = {};
export const birth = 'execution.create';
export const index = (context: ExecutionContext, value: unknown) => ({
  parent: context.job,
  pool: null,
  status: String(value),
  outcome: context.outcome,
  hosts: [...new Set(context.shards.flatMap(shard => [...shard.past.map(past => past.host), shard.host]).filter(host => host !== null))],
  at: context.createdAt,
});
/** An ended execution is kept until retention; its id never lives twice. */
export const isOver = (): boolean => false;

export function refusal(_context: ExecutionContext, value: unknown, event: ExecutionEvent): string | undefined {
  if (event.type === 'execution.create') return 'is there already';
  return value === 'done' ? 'is done' : undefined;
}
