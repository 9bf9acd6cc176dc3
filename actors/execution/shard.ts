/** How a shard goes from one attempt to the next, and the outcome of all shards. */
import type { JobConfig } from '../job/types.ts';
import { shardRetryDelay } from './retry.ts';
import type { Shard, ShardAttempt, ShardOutcome } from './types.ts';

/** Earlier attempts remembered per shard. */
export const PAST_MAX = 10;

/**
 * Longest reason of one attempt, and what all reasons of an execution may take together, characters
 * of JSON: it is one document, whatever its shards have to say.
 */
const REASON_MAX = 2_000;
const REASONS_MAX = 2 * 1024 * 1024;

/**
 * The reason, cut where an execution of so many shards could not remember one as long for each of
 * its attempts.
 */
export function cutReason(reason: string | null, shards: number): string | null {
  return reason === null ? null : cutTo(Math.min(REASON_MAX, Math.floor(REASONS_MAX / (shards * (PAST_MAX + 1)))), reason);
}

/** The text, cut where it takes more than so many characters of JSON. */
export function cutTo(max: number, text: string): string {
  const size = (part: string) => JSON.stringify(part).length - 2;
  if (size(text) <= max) return text;
  let kept = text.slice(0, max - 1);
  // What JSON writes longer than it is.
  while (size(kept) > max - 1) kept = kept.slice(0, Math.floor(kept.length * 0.9));
  // Half of a pair would be no text.
  return `${kept.replace(/[\ud800-\udbff]$/, '')}…`;
}

export const newShard = (item: number, parameter: string): Shard => ({
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

export const isLive = (shard: Shard): boolean => shard.status === 'starting' || shard.status === 'running' || shard.status === 'ending';

/** How one attempt ended. */
export type AttemptEnd = Omit<ShardAttempt, 'attempt' | 'host' | 'hostName'> & { output: Shard['output'] };

/** The shard after its attempt: done, or waiting for another one if the policies give one. */
export function ended(shard: Shard, ending: AttemptEnd, config: JobConfig, at: number, chance: number, mayRetry: boolean): Shard {
  const closed: Shard = { ...shard, ...ending, status: 'done', notBefore: null };
  if (!mayRetry) return closed;
  const lost = ending.outcome === 'lost';
  const failed = ending.outcome === 'failed' || ending.outcome === 'timedOut';
  const failures = shard.failures + (failed ? 1 : 0);
  const isRetried = failed && failures < config.retry.attempts;
  const failsOver = config.failover && (lost || (failed && !isRetried && config.failoverOnFailure));
  const losses = shard.losses + (lost || failsOver ? 1 : 0);
  const again = isRetried || (failsOver && losses <= config.failoverLimit);
  if (!again) return { ...closed, failures, losses };
  return {
    ...next(shard, ending),
    failures,
    losses,
    notBefore: at + shardRetryDelay(config.retry, isRetried ? failures : losses, chance),
    reason: `attempt ${shard.attempt} ${ending.outcome === 'timedOut' ? 'timed out' : ending.outcome === 'lost' ? 'was lost' : 'failed'}${ending.reason ? `: ${ending.reason}` : ''}`,
  };
}

/**
 * Its host gave it back before it began: the next attempt asks for room at once, and no budget is
 * spent.
 */
export const movedShard = (shard: Shard, ending: AttemptEnd): Shard => ({
  ...next(shard, ending),
  failures: shard.failures,
  losses: shard.losses,
  reason: `moved: ${shard.withdrawReason}`,
});

/** Attempts in a row that hosts may refuse before it counts as a failure of the shard. */
export const REFUSALS_MAX = 20;

/**
 * Its host refused it for a reason of its own: the next attempt asks for room at once, and no
 * budget is spent.
 */
export const refusedByHost = (shard: Shard, ending: AttemptEnd): Shard => ({
  ...next(shard, ending),
  failures: shard.failures,
  losses: shard.losses,
  refusals: (shard.refusals ?? 0) + 1,
  reason: `host ${shard.hostName} refused it${ending.reason ? `: ${ending.reason}` : ''}`,
});

/** The shard in its next attempt, the present one among the past. */
function next(shard: Shard, ending: AttemptEnd): Shard {
  const { output: _, ...how } = ending;
  const past: ShardAttempt = { ...how, attempt: shard.attempt, host: shard.host, hostName: shard.hostName };
  return { ...newShard(shard.item, shard.parameter), attempt: shard.attempt + 1, past: [...shard.past, past].slice(-PAST_MAX) };
}

const WORST: ShardOutcome[] = ['lost', 'failed', 'timedOut', 'cancelled', 'succeeded'];

/**
 * The outcome of an execution from those of its shards. One that was cancelled is `cancelled`,
 * unless all its shards succeeded before.
 */
export function outcomeOf(shards: Shard[], cancelled: boolean): ShardOutcome {
  const outcomes = shards.map(shard => shard.outcome ?? 'lost');
  if (cancelled && outcomes.some(outcome => outcome !== 'succeeded')) return 'cancelled';
  return WORST.find(outcome => outcomes.includes(outcome)) ?? 'succeeded';
}
