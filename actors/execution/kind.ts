/** An execution to lists and readers: its index, why it refuses a command. */
import type { KindDefinition, Upgrades } from '../kind.ts';
import type { ExecutionEvent } from '../types.ts';
import type { ExecutionContext } from './types.ts';

/** Why the job does not run this execution again; undefined: it does. */
export const retryRefusal = (value: unknown): string | undefined =>
  value === 'done' ? undefined : 'is not done; it can be run again when it is';

/** Of all attempts, each host once. */
function hostsOf({ shards }: ExecutionContext): string[] {
  const hosts = new Set<string>();
  for (const { past, host } of shards) {
    for (const attempt of past) if (attempt.host !== null) hosts.add(attempt.host);
    if (host !== null) hosts.add(host);
  }
  return [...hosts];
}

export const executionKind = {
  version: 1,
  upgrades: {} as Upgrades,
  createEvent: 'execution.create',
  index: (context, value) => ({
    parent: context.job,
    pool: null,
    alias: null,
    group: null,
    status: String(value),
    outcome: context.outcome,
    hosts: hostsOf(context),
    at: context.createdAt,
    endedAt: context.finishedAt,
  }),
  /** An ended execution is kept until retention deletes it; its id is never used again. */
  isOver: () => false,
  refusal: (_context, value, event) => {
    if (event.type === 'execution.create') return 'exists already';
    return value === 'done' ? 'is done' : undefined;
  },
} satisfies KindDefinition<ExecutionContext, ExecutionEvent>;
