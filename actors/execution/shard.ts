/** How a shard goes from one attempt to the next, and the outcome of all shards. */
import { shardRetryDelay } from './retry.ts';
import type { ExecutionContext, RunConfig, ShardAttempt, ShardOutcome, ShardState } from './types.ts';

/** Earlier attempts kept per shard. */
export const PAST_MAX = 10;

/**
 * Longest reason of one attempt, and of all reasons of an execution together, characters of JSON:
 * an execution is one document.
 */
const REASON_MAX = 2_000;
const REASONS_MAX = 2 * 1024 * 1024;

/** The reason, cut to the length that an execution of so many shards can keep per attempt. */
export function cutReason(reason: string | null, shards: number): string | null {
  return reason === null ? null : cutJsonText(Math.min(REASON_MAX, Math.floor(REASONS_MAX / (shards * (PAST_MAX + 1)))), reason);
}

/** The text, cut to at most `max` characters of JSON. */
export function cutJsonText(max: number, text: string): string {
  const size = (part: string) => JSON.stringify(part).length - 2;
  if (size(text) <= max) return text;
  let kept = text.slice(0, max - 1);
  // JSON escapes make it longer than its characters.
  while (size(kept) > max - 1) kept = kept.slice(0, Math.floor(kept.length * 0.9));
  // A lone surrogate is not valid text.
  return `${kept.replace(/[\ud800-\udbff]$/, '')}…`;
}

export const newShard = (item: number, parameter: string): ShardState => ({
  item,
  parameter,
  status: 'waiting',
  outcome: null,
  host: null,
  hostName: null,
  session: null,
  withdrawReason: null,
  attempt: 1,
  failures: 0,
  losses: 0,
  notBefore: null,
  exitCode: null,
  signal: null,
  startedAt: null,
  finishedAt: null,
  reason: null,
  output: null,
  past: [],
});

/** The shard that the outcome of an execution names: the first that ended so, else the first. */
export const decidingShard = ({ shards, outcome }: Pick<ExecutionContext, 'shards' | 'outcome'>): ShardState | undefined =>
  shards.find(shard => shard.outcome === outcome) ?? shards[0];

export const isLive = (shard: ShardState): boolean =>
  shard.status === 'starting' || shard.status === 'running' || shard.status === 'ending';

/** How one attempt ended. */
export type AttemptEnd = Omit<ShardAttempt, 'attempt' | 'host' | 'hostName'> & { output: ShardState['output'] };

/** The shard after its attempt: done, or waiting for another one where the policies allow it. */
export function ended(shard: ShardState, end: AttemptEnd, config: RunConfig, at: number, chance: number, mayRetry: boolean): ShardState {
  const closed: ShardState = { ...shard, ...end, status: 'done', notBefore: null };
  if (!mayRetry) return closed;
  const lost = end.outcome === 'lost';
  const failed = end.outcome === 'failed' || end.outcome === 'timedOut';
  const failures = shard.failures + (failed ? 1 : 0);
  const isRetried = failed && failures < config.retry.attempts;
  const failsOver = config.failover && (lost || (failed && !isRetried && config.failoverOnFailure));
  const losses = shard.losses + (lost || failsOver ? 1 : 0);
  const again = isRetried || (failsOver && losses <= config.failoverLimit);
  if (!again) return { ...closed, failures, losses };
  return {
    ...next(shard, end),
    failures,
    losses,
    notBefore: at + shardRetryDelay(config.retry, isRetried ? failures : losses, chance),
    reason: `attempt ${shard.attempt} ${end.outcome === 'timedOut' ? 'timed out' : end.outcome === 'lost' ? 'was lost' : 'failed'}${end.reason ? `: ${end.reason}` : ''}`,
  };
}

/** Its host gave it back before it began: the next attempt reserves at once and costs no budget. */
export const movedShard = (shard: ShardState, end: AttemptEnd): ShardState => ({
  ...next(shard, end),
  failures: shard.failures,
  losses: shard.losses,
  reason: `moved: ${shard.withdrawReason}`,
});

/** Attempts in a row that hosts may refuse; one more is a failure of the shard. */
export const REFUSALS_MAX = 20;

/**
 * Its host refused it for a reason of its own: the next attempt reserves at once and costs no
 * budget.
 */
export const refusedByHost = (shard: ShardState, end: AttemptEnd): ShardState => ({
  ...next(shard, end),
  failures: shard.failures,
  losses: shard.losses,
  refusals: (shard.refusals ?? 0) + 1,
  reason: `host ${shard.hostName} refused it${end.reason ? `: ${end.reason}` : ''}`,
});

/** The shard in its next attempt; the present one joins the past. */
function next(shard: ShardState, end: AttemptEnd): ShardState {
  const { output: _, ...how } = end;
  const past: ShardAttempt = { ...how, attempt: shard.attempt, host: shard.host, hostName: shard.hostName };
  return { ...newShard(shard.item, shard.parameter), attempt: shard.attempt + 1, past: [...shard.past, past].slice(-PAST_MAX) };
}

const WORST: ShardOutcome[] = ['lost', 'failed', 'timedOut', 'cancelled', 'succeeded'];

/**
 * The outcome of an execution: the worst of its shards. A cancelled one is `cancelled` unless all
 * its shards succeeded before.
 */
export function executionOutcome(shards: ShardState[], cancelled: boolean): ShardOutcome {
  const outcomes = shards.map(shard => shard.outcome ?? 'lost');
  if (cancelled && outcomes.some(outcome => outcome !== 'succeeded')) return 'cancelled';
  return WORST.find(outcome => outcomes.includes(outcome)) ?? 'succeeded';
}
