/** Ends attempts: what each shard does next, and what pool, ledger and feed receive. */
import type { Decision } from '../decision.ts';
import type { StartFault } from '../host/types.ts';
import type { HostRefusal } from '../pool/types.ts';
import type { Effect, ExecutionFact } from '../types.ts';
import { answerTimer, earliestRetry, startDisarmed } from './deadlines.ts';
import { recordVerdict, releaseRuns, reserveRuns } from './effects.ts';
import { type AttemptEnd, cutReason, ended, isLive, movedShard, REFUSALS_MAX, refusedByHost } from './shard.ts';
import type { ExecutionContext, RunName, ShardState } from './types.ts';

type Decided = Decision<ExecutionContext, ExecutionFact>;

interface ReportedEnd {
  shard: ShardState;
  end: AttemptEnd;
  parked?: boolean;
  hostFault?: StartFault | undefined;
}

/** Ends attempts; a shard that gets another one reserves now or when its delay is over. */
export function closeAttempts(
  context: ExecutionContext,
  ends: ReportedEnd[],
  event: { at: number; chance: number },
  release: boolean,
): Decided {
  if (ends.length === 0) return {};
  const shards = [...context.shards];
  const facts: ExecutionFact[] = [];
  const now: ShardState[] = [];
  for (const each of ends) {
    const { shard } = each;
    const { next, end } = afterEnd(context, each, event);
    shards[shard.item] = next;
    if (next.status === 'waiting' && (next.notBefore ?? 0) <= event.at) now.push(next);
    facts.push({
      type: 'shard.ended',
      execution: context.id,
      job: context.job,
      item: shard.item,
      attempt: shard.attempt,
      host: shard.host,
      outcome: end.outcome,
      exitCode: end.exitCode,
      signal: end.signal,
      reason: end.reason,
    });
  }
  const effects: Effect[] = release
    ? [
        releaseRuns(
          context,
          ends.map(each => each.shard),
          refusalIn(ends),
        ),
      ]
    : [];
  effects.push(...reserveRuns(context, now));
  for (const shard of now) shards[shard.item] = { ...shard, notBefore: null };
  const earliest = earliestRetry(shards);
  const startedAt = context.startedAt ?? ends.map(each => each.end.startedAt).find(instant => instant !== null) ?? null;
  const isFirst = context.startedAt === null && startedAt !== null;
  if (isFirst) effects.push(...recordVerdict(context, 'ran', null, event.at));
  return {
    context: { shards, startedAt },
    effects,
    facts,
    timers: [
      ...(earliest === null ? [] : [{ id: 'retry', dueAt: earliest, event: { type: 'execution.retryDue' } }]),
      ...(ends.some(({ shard }) => shard.orderedAt && shard.startedAt === null) ? [answerTimer(context, shards)] : []),
      ...(isFirst ? startDisarmed(context) : []),
    ],
  };
}

/** One shard after its attempt: moved, refused, retried or done; and the end as it is recorded. */
function afterEnd(
  context: ExecutionContext,
  { shard, end: reported, parked = false, hostFault }: ReportedEnd,
  { at, chance }: { at: number; chance: number },
): { next: ShardState; end: AttemptEnd } {
  const isOpen = !context.cancelled && context.expired === undefined && context.deallocated === undefined;
  const isWithdrawn =
    shard.withdrawReason !== null && reported.outcome === 'cancelled' && reported.startedAt === null && !context.cancelled;
  const isGivenUp = isWithdrawn && (context.expired !== undefined || shard.isOverdue === true);
  const how = isGivenUp ? { ...reported, outcome: 'failed' as const, reason: context.expired ?? shard.withdrawReason } : reported;
  const end = { ...how, reason: cutReason(how.reason, context.shards.length) };
  if (isWithdrawn && !isGivenUp && context.deallocated === undefined) return { next: movedShard(shard, end), end };
  const isRefused = hostFault !== undefined && end.startedAt === null && isOpen && (shard.refusals ?? 0) < REFUSALS_MAX;
  if (isRefused) return { next: refusedByHost(shard, end), end };
  return { next: ended(shard, end, context.config, at, chance, isOpen && !parked), end };
}

/** The refusal to send with the release: the pool has it before the next attempt reserves. */
function refusalIn(ends: ReportedEnd[]): HostRefusal | undefined {
  const found = ends.find(({ hostFault, end }) => hostFault !== undefined && end.startedAt === null);
  if (found?.hostFault === undefined || found.shard.host === null) return undefined;
  return { host: found.shard.host, fault: found.hostFault, reason: found.end.reason ?? found.hostFault };
}

export const lostEnd = (shard: ShardState, at: number, reason: string): AttemptEnd => ({
  outcome: 'lost',
  exitCode: null,
  signal: null,
  startedAt: shard.startedAt,
  finishedAt: at,
  reason,
  output: null,
});

/** The live shards of these runs that are on this host in this attempt. */
export const liveOn = (context: ExecutionContext, host: string, runs: RunName[]): ShardState[] =>
  runs.flatMap(run => {
    const shard = context.shards[run.item];
    return shard && shard.attempt === run.attempt && shard.host === host && isLive(shard) ? [shard] : [];
  });
