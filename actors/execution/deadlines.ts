/** The deadlines of an execution: for its start, for the answers of hosts, for its retries. */
import type { ExecutionContext, ShardState } from './types.ts';

/**
 * Longest wait for a report of start or end, ms, the download of the app included. The timeout of
 * a job shortens `most`, to no less than `least`: an agent allows ten minutes for a download. Then
 * the center asks the run back; `givenBack` later the run is lost.
 */
export const ANSWER_MS = { most: 3_600_000, least: 900_000, givenBack: 300_000 } as const;

export const answerMs = ({ config }: Pick<ExecutionContext, 'config'>): number =>
  config.timeoutMs > 0 ? Math.min(ANSWER_MS.most, Math.max(ANSWER_MS.least, config.timeoutMs)) : ANSWER_MS.most;

/** When the report of this shard's host is overdue; null while none is due. */
export const answerDueAt = (context: ExecutionContext, { status, orderedAt, isOverdue }: ShardState): number | null =>
  status === 'starting' && typeof orderedAt === 'number' ? orderedAt + (isOverdue ? ANSWER_MS.givenBack : answerMs(context)) : null;

export function answerTimer(context: ExecutionContext, shards: ShardState[]) {
  let dueAt: number | null = null;
  for (const shard of shards) {
    const due = answerDueAt(context, shard);
    if (due !== null && (dueAt === null || due < dueAt)) dueAt = due;
  }
  return { id: 'answer', dueAt, event: { type: 'execution.answerOverdue' } };
}

export const startWithin = ({ config }: Pick<ExecutionContext, 'config'>): number => config.startWithinMs;
export const startTimer = (dueAt: number | null) => ({ id: 'startWithin', dueAt, event: { type: 'execution.startOverdue' } });
/** An execution without such a limit has no such timer. */
export const startDisarmed = (context: ExecutionContext) => (startWithin(context) > 0 ? [startTimer(null)] : []);

export function earliestRetry(shards: ShardState[]): number | null {
  const instants = shards.filter(shard => shard.status === 'waiting' && shard.notBefore !== null).map(shard => shard.notBefore as number);
  return instants.length > 0 ? Math.min(...instants) : null;
}

/** How long after a pool rejected a request it is sent again, ms. */
export const RESERVE_AGAIN_MS = 30_000;

/** `90s`, `5m`, `1h`, `250ms`: in the largest unit that is exact. */
export function exactSpan(ms: number): string {
  const unit = (
    [
      [3_600_000, 'h'],
      [60_000, 'm'],
      [1_000, 's'],
    ] as const
  ).find(([size]) => ms >= size && ms % size === 0);
  return unit ? `${ms / unit[0]}${unit[1]}` : `${ms}ms`;
}
