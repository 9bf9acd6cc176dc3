/** A job to lists and readers: its index, its state in a word, why it refuses a command. */
import type { KindDefinition, Upgrades } from '../kind.ts';
import type { JobEvent } from '../types.ts';
import { type FireVerdict, onTrigger } from './overlap.ts';
import type { JobContext } from './types.ts';

/** `event`: a trigger or a retry. */
export const fireVerdictOf = ({ config, open }: JobContext, event: JobEvent): FireVerdict =>
  onTrigger(config.overlap, config.overlapLimit, open, event.type === 'job.trigger' && event.onlyIdle);

export function statusOf(context: JobContext, value: unknown): 'idle' | 'running' | 'disabled' | 'deleting' | 'deleted' {
  const admin = (value as { admin: string }).admin;
  if (admin === 'deleting' || admin === 'deleted' || admin === 'disabled') return admin;
  return context.open.length > 0 ? 'running' : 'idle';
}

export const jobKind = {
  version: 1,
  upgrades: {} as Upgrades,
  createEvent: 'job.register',
  index: (context, value, isQuarantined) => ({
    parent: context.config.app,
    pool: context.config.pool,
    alias: context.config.id,
    group: context.config.group ?? null,
    status: isQuarantined ? 'quarantined' : isUnallocated(context, value) ? 'unallocated' : statusOf(context, value),
    outcome: context.lastOutcome,
    hosts: [],
    at: context.createdAt,
    endedAt: null,
  }),
  isOver: value => (value as { admin: string }).admin === 'deleted',
  refusal: (context, value, event) => {
    const status = statusOf(context, value);
    if (event.type === 'job.register') return status === 'deleting' ? 'is still being deregistered' : 'is registered already';
    if (status === 'deleting') return 'is being deregistered';
    if (event.type === 'job.trigger' || event.type === 'job.retry') {
      if (context.config.kind === 'resident') return 'is resident and cannot be triggered';
      if (status === 'disabled') return 'is disabled';
      if (context.app && !context.app.enabled) return `cannot run: app ${context.app.config.name} is disabled`;
      const verdict = fireVerdictOf(context, event);
      if (verdict.do === 'refuse') return verdict.reason;
    }
    return undefined;
  },
} satisfies KindDefinition<JobContext, JobEvent>;

/** Whether it is enabled, idle and sticky, and no host is allocated to it. */
export const isUnallocated = (context: JobContext, value: unknown): boolean =>
  context.config.placement === 'sticky' && context.allocatedHosts === null && statusOf(context, value) === 'idle';
