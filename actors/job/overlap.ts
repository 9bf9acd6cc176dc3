/** What becomes of a due time or a trigger while executions of the job are open. */
import type { OpenExecution, Overlap } from './types.ts';

/** What to do with one fire of a job. */
export type FireVerdict =
  /** Start at once. */
  | { do: 'start' }
  /** Create it blocked until the job is free. */
  | { do: 'wait' }
  /** Create it blocked, and end those that are open. */
  | { do: 'replace' }
  /** An execution that is blocked already covers it. */
  | { do: 'join'; execution: string }
  | { do: 'skip'; reason: string }
  | { do: 'refuse'; reason: string };

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

/**
 * A trigger: one execution waits, further triggers join it. `onlyIdle`: it starts at once or is
 * refused, whatever the overlap.
 */
export function onTrigger(overlap: Overlap, limit: number, open: OpenExecution[], onlyIdle = false): FireVerdict {
  if (open.length === 0) return { do: 'start' };
  if (onlyIdle) return { do: 'refuse', reason: 'is running' };
  if (overlap === 'replace') return { do: 'replace' };
  if (overlap === 'allow') {
    return open.length < limit ? { do: 'start' } : { do: 'refuse', reason: `has ${open.length} open executions, the limit is ${limit}` };
  }
  return queueOrJoin(1, open);
}

/** A missed due time that is run late: never skipped again; blocked while it may not start. */
export function onMisfire(overlap: Overlap, limit: number, open: OpenExecution[]): FireVerdict {
  return mayStart(overlap, limit, open) ? { do: 'start' } : { do: 'wait' };
}

/** Whether one more may start beside those that are not blocked. */
export function mayStart(overlap: Overlap, limit: number, open: OpenExecution[]): boolean {
  const going = open.filter(execution => execution.blocked !== 'turn').length;
  return going === 0 || (overlap === 'allow' && going < limit);
}

/**
 * What an execution blocked behind these open executions waits for, as the end of "execution x
 * ...". Stays true when some of them end. `before`: the executions that its job opened earlier,
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
  const waiting = open.filter(execution => execution.blocked !== null);
  const last = waiting.at(-1);
  return last && waiting.length >= limit ? { do: 'join', execution: last.id } : { do: 'wait' };
}
