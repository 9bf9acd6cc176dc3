/** The executions that a job has open: created, blocked, unblocked, ended. */
import { tell } from '../decision.ts';
import type { Effect } from '../types.ts';
import { hostsOfNew } from './allocation.ts';
import { executionId, type Fire } from './due-times.ts';
import { mayStart, waitsBehind } from './overlap.ts';
import { runConfigOf } from './run-config.ts';
import type { JobConfig, JobContext, JobTrigger, OpenExecution } from './types.ts';

export const isActive = (context: JobContext): boolean => context.app === null || context.app.enabled;

const blockedReasonFor = (config: JobConfig, blocked: OpenExecution['blocked'], before: OpenExecution[]): string | null => {
  if (blocked === 'app') return `waits for app ${config.app} to answer`;
  return blocked === 'turn' ? waitsBehind(config.overlap, config.overlapLimit, before) : null;
};

/** What an execution waits for now; null: it is not blocked; undefined: it is not open. */
export function blockedReasonOf({ config, open }: JobContext, execution: string): string | null | undefined {
  const index = open.findIndex(({ id }) => id === execution);
  const found = open[index];
  return found && blockedReasonFor(config, found.blocked, open.slice(0, index));
}

/** Creates the execution; the verdict decides whether it is blocked. */
export function createExecution(
  context: JobContext,
  fire: { dueAt: number | null; trigger: JobTrigger; verdict: Fire['verdict']; id?: string; retryOf?: string },
  at: number,
) {
  const { config } = context;
  const id = fire.id ?? executionId(config.name, fire.dueAt ?? at);
  const waitsForApp = config.app !== null && context.app === null;
  const blocked = fire.verdict.do !== 'start' ? ('turn' as const) : waitsForApp ? ('app' as const) : null;
  const { hosts, unallocated, holds } = hostsOfNew(context, blocked !== null);
  const effects: Effect[] = [
    tell(`execution/${id}`, {
      type: 'execution.create',
      id,
      trigger: fire.trigger,
      dueAt: fire.dueAt,
      config: runConfigOf(config),
      app: context.app,
      retryOf: fire.retryOf ?? null,
      blockedReason: blockedReasonFor(config, blocked, context.open),
      ...(config.placement === 'sticky' && { allocatedHosts: hosts, unallocated }),
    }),
  ];
  if (fire.verdict.do === 'replace') {
    for (const open of context.open) effects.push(cancelled(open.id, `replaced by ${id}`));
  }
  const proposal = context.proposal && { ...context.proposal, holders: { ...context.proposal.holders, [id]: holds } };
  return { context: { ...context, proposal, open: [...context.open, { id, blocked, trigger: fire.trigger, since: at }] }, effects };
}

const cancelled = (id: string, reason: string): Effect => tell(`execution/${id}`, { type: 'execution.end', reason });

/** Ends the blocked executions; with `all` every open one. */
export const cancels = (context: JobContext, all: boolean, reason: string): Effect[] =>
  context.open.filter(open => all || open.blocked !== null).map(open => cancelled(open.id, reason));

const unblock = (context: JobContext, id: string): Effect => tell(`execution/${id}`, { type: 'execution.unblock', app: context.app });

/**
 * Unblocks executions that wait for the app alone. A disabled app starts nothing new: then every
 * blocked execution is ended.
 */
export function unblockForApp(context: JobContext): { context: JobContext; effects: Effect[] } {
  if (!isActive(context)) return { context, effects: cancels(context, false, `app ${context.config.app} is disabled`) };
  const waiting = context.open.filter(open => open.blocked === 'app');
  return {
    context: { ...context, open: context.open.map(open => (open.blocked === 'app' ? { ...open, blocked: null } : open)) },
    effects: waiting.map(open => unblock(context, open.id)),
  };
}

/** Unblocks those that wait for their turn and may start now. */
export function unblockNext(context: JobContext): { context: JobContext; effects: Effect[] } {
  const { overlap, overlapLimit } = context.config;
  const waitsForApp = context.config.app !== null && context.app === null;
  let { open } = context;
  const effects: Effect[] = [];
  for (const each of context.open) {
    if (each.blocked !== 'turn' || !mayStart(overlap, overlapLimit, open)) continue;
    open = open.map(one => (one.id === each.id ? { ...one, blocked: waitsForApp ? ('app' as const) : null } : one));
    if (!waitsForApp) effects.push(unblock(context, each.id));
  }
  return { context: { ...context, open }, effects };
}
