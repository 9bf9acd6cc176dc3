/** What a job sends to its notice actor, in the commit that takes the end of an execution. */
import { tell } from '../decision.ts';
import type { RunNotice } from '../notice/types.ts';
import type { Effect, EventOf } from '../types.ts';
import type { JobContext } from './types.ts';

/** Longest part of a reason that a notice repeats. */
const REASON_MAX = 1_000;

/** Nothing is sent for an execution that was cancelled. */
const KINDS: Record<string, 'succeed' | 'failed'> = { succeeded: 'succeed', failed: 'failed', timedOut: 'failed', lost: 'failed' };

const GONE = { shards: 1, item: 0, attempt: 1, host: null, exitCode: null, signal: null, outputBytes: null };

const noticeOf = ({ config }: JobContext) => `notice/${config.name}` as const;

export function noticesOf(context: JobContext, event: EventOf<'job', 'execution.finished'>): Effect[] {
  const { execution, outcome, startedAt = null, finishedAt, decided } = event;
  const { name, pool, notify } = context.config;
  const kind = KINDS[outcome];
  const setting = kind && notify?.[kind];
  if (!kind || !setting?.enabled || setting.to.length === 0) return [];
  const shard = decided ?? { ...GONE, reason: 'its execution is gone' };
  const reason = shard.reason?.slice(0, REASON_MAX) ?? null;
  const entry: RunNotice = { type: 'run', execution, outcome, startedAt, at: finishedAt, ...shard, reason };
  const { subject, content } = setting;
  const to = [...new Set(setting.to)];
  return [tell(noticeOf(context), { type: 'notice.add', about: { type: 'job', name, pool }, kind, subject, content, to, entry })];
}

/** Its notice actor ends once what waits is sent or given up. */
export const closesNotices = (context: JobContext): Effect[] =>
  context.notified ? [tell(noticeOf(context), { type: 'notice.close' })] : [];
