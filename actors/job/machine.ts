/**
 * A job: what should run, when, in how many shards, with which policies. Owns the watermark (every
 * due time up to it has a verdict) and the open executions; at most one execution per due time ever
 * leaves it.
 *
 *   admin:  enabled <---> disabled         work:  idle <---> running
 *              \             /
 *               > deleting <    (waits for open executions)
 *                    |
 *                 deleted
 */
import { setup } from 'xstate';
import type { JobConfig, KnownApp } from '../config.ts';
import { carryOut, declared, switching } from '../decision.ts';
import type { Missing, Stamped } from '../vocabulary.ts';
import * as decide from './decide.ts';
import { type OpenExecution, onTrigger } from './overlap.ts';

export type JobTrigger = 'schedule' | 'api' | 'misfire' | 'retry';

export type JobEvent =
  /**
   * Birth. The front door has checked the configuration and that the app is there. `enabled` false:
   * it begins disabled.
   */
  | { type: 'job.register'; config: JobConfig; claim?: string; enabled?: boolean }
  /** With `enabled`: enables or disables it in the same turn. */
  | { type: 'job.update'; config: JobConfig; enabled?: boolean }
  /**
   * Run it now; answers `{execution, joined}`. The same `key` gives the same execution (the last
   * 200 keys are remembered).
   */
  | { type: 'job.trigger'; key?: string }
  /**
   * Run an ended execution again, as a new one; answers `{execution, joined}`. Keys as for
   * `job.trigger`.
   */
  | { type: 'job.retry'; execution: string; key?: string }
  | { type: 'job.enable' }
  /** No new executions; with `kill` open ones are ended too. */
  | { type: 'job.disable'; kill: boolean }
  /** With `app`: only if it still uses that app. */
  | { type: 'job.deregister'; app?: string }
  /** Ends every open execution; the job goes on. With `app`: only if it still uses that app. */
  | { type: 'job.kill'; reason: string; app?: string }
  | { type: 'job.due' }
  /**
   * The schedule audit found that this due time was not armed (`unarmed`), or passed without a
   * verdict below the watermark (`noVerdict`). Epoch ms.
   */
  | { type: 'job.unarmed'; found: 'unarmed' | 'noVerdict'; dueAt: number; armedAt: number | null; watermark: number; reason: string }
  | { type: 'app.attached'; app: KnownApp }
  | { type: 'app.changed'; app: KnownApp }
  /** The app is gone, going, or never was. */
  | { type: 'app.refused'; app: string; reason: string }
  /** `startedAt`: when its first process began; null where none did. */
  | { type: 'execution.finished'; execution: string; outcome: string; finishedAt: number; startedAt?: number | null }
  /** Quarantine ended. */
  | { type: 'actor.released'; since: number; reason: string }
  | Missing;

export type JobFact =
  | { type: 'job.registered'; job: string; version: number }
  | { type: 'job.updated'; job: string; version: number }
  | { type: 'job.enabled'; job: string }
  | { type: 'job.disabled'; job: string; kill: boolean }
  | { type: 'job.triggered'; job: string; execution: string; joined: boolean }
  /** A due time became an execution. */
  | { type: 'job.fired'; job: string; execution: string; dueAt: string; trigger: JobTrigger }
  /** Due times that became none. */
  | { type: 'job.skipped'; job: string; from: string; to: string; count: number; verdict: string; reason: string | null }
  | { type: 'job.finished'; job: string; execution: string; outcome: string }
  /**
   * The schedule audit found a due time that nothing was armed for, or that had no verdict. This
   * fact is recorded with the repair.
   */
  | { type: 'schedule.unarmed'; job: string; dueAt: string; armedAt: string | null; reason: string }
  | { type: 'job.deregistering'; job: string }
  | { type: 'job.deregistered'; job: string };

export interface JobContext {
  config: JobConfig;
  /** +1 with each edit. */
  version: number;
  /** Request that created it, where that had an Idempotency-Key: its repeat finds it. */
  claim?: string;
  createdAt: number;
  updatedAt: number;
  /** The app as last heard of; null while it has not answered. */
  app: KnownApp | null;
  /** Every due time up to here has its verdict. Epoch ms. */
  watermark: number;
  nextAt: number | null;
  open: (OpenExecution & { trigger: JobTrigger; since: number })[];
  lastExecution: string | null;
  lastOutcome: string | null;
  lastFinishedAt: number | null;
  /** Begin of the last execution's first process, epoch ms; absent or null: none began. */
  lastStartedAt?: number | null;
  /** When an execution last ended well; absent or null where none has. Epoch ms. */
  lastSucceededAt?: number | null;
  /** The last finding of the schedule audit, repaired since; absent: there was none. Epoch ms. */
  unarmed?: { at: number; dueAt: number; reason: string };
  /** Idempotency keys of the latest triggers -> execution, oldest first. */
  keys: [string, string][];
}

export type JobInput = Stamped<Extract<JobEvent, { type: 'job.register' }>>;

const base = setup({
  types: {
    context: {} as JobContext,
    events: {} as Stamped<JobEvent>,
    emitted: {} as JobFact,
    input: {} as JobInput,
  },
  actions: declared,
  guards: {
    hasOpen: ({ context }) => context.open.length > 0,
    hasNoOpen: ({ context }) => context.open.length === 0,
    appIsEnabled: ({ context }) => context.app === null || context.app.enabled,
    mayTrigger: ({ context }) =>
      (context.app === null || context.app.enabled) &&
      onTrigger(context.config.overlap, context.config.overlapLimit, context.open).do !== 'refuse',
    isAnswered: ({ context, event }) =>
      (event.type === 'job.trigger' || event.type === 'job.retry') && context.keys.some(([key]) => key === event.key),
    ...switching,
    isMeant: ({ context, event }) => !('app' in event) || event.app === undefined || event.app === context.config.app,
  },
});

const on = (decision: decide.JobDecider) =>
  base.enqueueActions(({ context, event, enqueue }) => carryOut(decision(context, event as never), event, enqueue));

/** What was answered before gets the same answer, whatever has happened since. */
const again = { guard: 'isAnswered', actions: on(decide.trigger) } as const;
const retriedAgain = { guard: 'isAnswered', actions: on(decide.retry) } as const;

const enabled = base.createStateConfig({
  always: { guard: 'isBornDisabled', target: 'disabled', actions: on(decide.bornDisabled) },
  on: {
    'job.due': { actions: on(decide.due) },
    'job.unarmed': { actions: on(decide.unarmed) },
    'job.trigger': [again, { guard: 'mayTrigger', actions: on(decide.trigger) }],
    'job.retry': [retriedAgain, { guard: 'mayTrigger', actions: on(decide.retry) }],
    'job.update': [{ guard: 'switchesOff', target: 'disabled', actions: on(decide.updateOff) }, { actions: on(decide.update) }],
    'job.disable': { target: 'disabled', actions: on(decide.disable) },
    'job.enable': { actions: on(decide.nothingNew) },
    'job.deregister': { guard: 'isMeant', target: 'deleting', actions: on(decide.deregister) },
    'job.kill': { guard: 'isMeant', actions: on(decide.kill) },
    'app.attached': { actions: on(decide.appChanged) },
    'app.changed': { actions: on(decide.appChanged) },
    'app.refused': { actions: on(decide.appRefused) },
    'actor.missing': { actions: on(decide.missing) },
    'actor.released': { actions: on(decide.released) },
    'execution.finished': { actions: on(decide.executionFinished) },
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
    'app.attached': { actions: on(decide.appHeard) },
    'app.changed': { actions: on(decide.appHeard) },
    'app.refused': { actions: on(decide.appRefused) },
    'actor.missing': { actions: on(decide.missing) },
    'actor.released': { actions: on(decide.releasedDisabled) },
    'execution.finished': { actions: on(decide.executionFinished) },
  },
});

const deleting = base.createStateConfig({
  always: { guard: 'hasNoOpen', target: 'deleted', actions: on(decide.deregistered) },
  on: {
    'job.deregister': { actions: on(decide.nothingNew) },
    'job.trigger': again,
    'job.retry': retriedAgain,
    'execution.finished': { actions: on(decide.executionEnded) },
    'actor.missing': { actions: on(decide.missingEnded) },
  },
});

export const machine = base.createMachine({
  id: 'job',
  context: ({ input }) => decide.born(input),
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

export const version = 1;
/** From version n to n + 1: pure functions over the stored snapshot, for ever in order. */
export const upgrades: Record<number, (snapshot: unknown) => unknown> = {};
export const birth = 'job.register';

export const index = (context: JobContext, value: unknown, quarantined: boolean) => ({
  parent: context.config.app,
  pool: context.config.pool,
  status: quarantined ? 'quarantined' : statusOf(context, value),
  outcome: context.lastOutcome,
  hosts: [],
  at: context.createdAt,
});

export function statusOf(context: JobContext, value: unknown): 'idle' | 'running' | 'disabled' | 'deleting' | 'deleted' {
  const admin = (value as { admin: string }).admin;
  if (admin === 'deleting' || admin === 'deleted' || admin === 'disabled') return admin;
  return context.open.length > 0 ? 'running' : 'idle';
}

/** Over when deregistered and idle: the address may then be registered again. */
export const isOver = (value: unknown): boolean => (value as { admin: string }).admin === 'deleted';

/** Why a command is refused now, as the end of "job/x ...". */
export function refusal(context: JobContext, value: unknown, event: JobEvent): string | undefined {
  const status = statusOf(context, value);
  if (event.type === 'job.register') return status === 'deleting' ? 'is still being deregistered' : 'is registered already';
  if (event.type === 'job.trigger' || event.type === 'job.retry') {
    if (status === 'disabled') return 'is disabled';
    if (context.app && !context.app.enabled) return `cannot run: app ${context.app.config.name} is disabled`;
    const verdict = onTrigger(context.config.overlap, context.config.overlapLimit, context.open);
    if (verdict.do === 'refuse') return verdict.reason;
  }
  return status === 'deleting' ? 'is being deregistered' : undefined;
}
