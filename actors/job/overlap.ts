/**
 * Policies as plain functions: values in, values out. What to do when a due time meets an open
 * execution, and how long to wait before another attempt.
 */
import type { JobConfig, Overlap } from '../config.ts';

/** What to do with one fire of a job. */
export type FireVerdict =
  /** Start at once. */
  | { do: 'start' }
  /** Create it, but let it wait until the job is free. */
  | { do: 'hold' }
  /** Create it waiting, and end those that are open. */
  | { do: 'replace' }
  /** It is covered by one that waits already. */
  | { do: 'join'; execution: string }
  | { do: 'skip'; reason: string }
  | { do: 'refuse'; reason: string };

export interface OpenExecution {
  id: string;
  /** Why it has not been let go yet; null once it has. */
  held: 'turn' | 'app' | null;
}

/** A due time of the schedule while these executions are open. */
export function onDue(overlap: Overlap, limit: number, open: OpenExecution[]): FireVerdict {
  const first = open[0];
  if (!first) return { do: 'start' };
  if (overlap === 'skip') return { do: 'skip', reason: `${first.id} was not done` };
  if (overlap === 'replace') return { do: 'replace' };
  if (overlap === 'allow') {
    return open.length < limit ? { do: 'start' } : { do: 'refuse', reason: `${open.length} executions were open, the limit is ${limit}` };
  }
  return queueOrJoin(limit, open);
}

/** A trigger by hand or by API: one waits, further ones join it. */
export function onTrigger(overlap: Overlap, limit: number, open: OpenExecution[]): FireVerdict {
  if (open.length === 0) return { do: 'start' };
  if (overlap === 'replace') return { do: 'replace' };
  if (overlap === 'allow') {
    return open.length < limit ? { do: 'start' } : { do: 'refuse', reason: `has ${open.length} open executions, the limit is ${limit}` };
  }
  return queueOrJoin(1, open);
}

/** A missed due time that is made good: never skipped again; waits where it may not start. */
export function onMisfire(overlap: Overlap, limit: number, open: OpenExecution[]): FireVerdict {
  return mayGo(overlap, limit, open) ? { do: 'start' } : { do: 'hold' };
}

/** Whether one more may go beside those that were let go already. */
export function mayGo(overlap: Overlap, limit: number, open: OpenExecution[]): boolean {
  const going = open.filter(execution => execution.held !== 'turn').length;
  return going === 0 || (overlap === 'allow' && going < limit);
}

/**
 * What whoever is held behind these open executions waits for, as the end of "execution x ...": as
 * true when some of them are over as it was before. `before`: those that its job opened earlier,
 * oldest first.
 */
export function waitsBehind(overlap: Overlap, limit: number, before: Pick<OpenExecution, 'id'>[]): string {
  const [first, ...more] = before.map(({ id }) => id);
  if (first === undefined) return 'waits for its turn';
  const over = before.length - limit + 1;
  if (overlap === 'allow' && over < before.length) {
    return `waits until ${Math.max(1, over)} of the ${before.length} executions before it ${over > 1 ? 'are' : 'is'} done`;
  }
  if (more.length === 0) return `waits until ${first} is done`;
  return `waits until ${first} and ${more.length === 1 ? more[0] : `${more.length} executions behind it`} are done`;
}

function queueOrJoin(limit: number, open: OpenExecution[]): FireVerdict {
  const waiting = open.filter(execution => execution.held !== null);
  const last = waiting.at(-1);
  return last && waiting.length >= limit ? { do: 'join', execution: last.id } : { do: 'hold' };
}

/** Part of the step that no chance takes away. */
const SURE = { none: 1, equal: 0.5, full: 0 } as const;

/**
 * Milliseconds to wait before attempt number `tries + 1`. The step doubles from `backoffMs` up to
 * `maxBackoffMs`; jitter keeps many failures together from coming back together: `equal` (default)
 * waits between half of the step and the whole, `full` between nothing and the whole, `none` the
 * whole.
 */
export function backoff(retry: JobConfig['retry'], tries: number, chance: number): number {
  const bound = Math.min(retry.maxBackoffMs, retry.backoffMs * 2 ** Math.min(30, Math.max(0, tries - 1)));
  const sure = SURE[retry.jitter];
  return Math.round(bound * (sure + (1 - sure) * chance));
}
