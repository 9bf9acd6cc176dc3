/**
 * Why an execution is in its state: its own reason, its shards by host, and the causes of their
 * waits.
 */
import type { ShardState } from '../execution/types.ts';
import { blockedReasonOf } from '../job/open-executions.ts';
import { hostReason, type PoolViews, rest, whyNoCapacity } from './capacity.ts';
import { messageOf } from './messages.ts';
import { type ActorView, type Explanation, isoOf, isoOr, quarantined, type Reason, SHOWN_MAX } from './reason.ts';

export interface ExecutionViews extends PoolViews {
  execution: ActorView<'execution'>;
  job: ActorView<'job'> | undefined;
}

/** Ids of the hosts of an execution's open shards. */
export const hostsUsed = (execution: ActorView<'execution'>): string[] => [
  ...new Set(execution.context.shards.flatMap(shard => (shard.status !== 'done' && shard.host !== null ? [shard.host] : []))),
];

export function whyExecution(views: ExecutionViews): Explanation {
  const { execution, job } = views;
  const { context, value } = execution;
  const { id, shards } = context;
  const live = whyLive(views);
  const bad = attemptEnds(id, shards);
  if (execution.quarantine) return { lead: quarantined(execution), more: [...live.lead, ...live.more, ...bad] };
  if (value === 'done') {
    const { outcome, finishedAt, reason } = context;
    return {
      lead: [{ type: 'done', execution: id, outcome, finishedAt: isoOr(finishedAt), reason }, ...bad.slice(0, 1)],
      more: bad.slice(1),
    };
  }
  if (value === 'cancelling') {
    const left = shards.filter(shard => shard.status !== 'done').length;
    return { lead: [{ type: 'cancelling', execution: id, reason: context.reason, left }, ...live.lead], more: [...live.more, ...bad] };
  }
  if (context.blockedReason !== null) {
    const behind = job?.context.open.find(open => open.blocked === null)?.id ?? null;
    // The executions before it may have ended since its creation: the job has the current ones.
    const now = job && blockedReasonOf(job.context, id);
    const reason = now === null ? 'was unblocked by its job; the message is in transit' : (now ?? context.blockedReason);
    const blocked: Reason = { type: 'blocked', execution: id, since: isoOf(context.createdAt), reason, behind };
    const shut = views.unreadable.filter(({ who }) => who === `job/${context.job}`);
    return { lead: [blocked, ...(job ? quarantined(job) : shut)], more: [] };
  }
  const waiting = whyWaiting(views);
  return { lead: [...waiting.lead, ...live.lead], more: [...waiting.more, ...live.more, ...bad] };
}

/** Shards that wait for the delay of a retry or for the pool. */
function whyWaiting(views: ExecutionViews): Explanation {
  const { context, timers } = views.execution;
  const waiting = context.shards.filter(shard => shard.status === 'waiting');
  const later = waiting.filter(shard => shard.notBefore !== null).sort((a, b) => (a.notBefore ?? 0) - (b.notBefore ?? 0));
  const backOffs = later.slice(0, SHOWN_MAX).map(
    ({ item, attempt, notBefore, reason }): Reason => ({
      type: 'backOff',
      execution: context.id,
      item,
      attempt,
      until: isoOf(notBefore ?? 0),
      reason,
    }),
  );
  const asking = waiting.length - later.length;
  if (asking > 0 && context.allocatedHosts === null) {
    const unallocated: Reason = { type: 'unallocated', execution: context.id, reason: context.unallocated ?? '' };
    return { lead: [unallocated, ...backOffs.slice(0, 1)], more: [...backOffs.slice(1), ...rest('shards', later.length - SHOWN_MAX)] };
  }
  const reserveAgainAt = timers.find(({ id }) => id === 'reserveAgain')?.dueAt ?? null;
  const room = asking > 0 ? whyNoCapacity(context, views, reserveAgainAt) : { lead: [], more: [] };
  const [first = [], others = []] = [backOffs.slice(0, 1), backOffs.slice(1)];
  return { lead: [...room.lead, ...first], more: [...room.more, ...others, ...rest('shards', later.length - SHOWN_MAX)] };
}

/** Limit of groups of shards and of hosts in the sentence; further ones are facts. */
const NAMED_MAX = 2;

/** Shards on hosts, one reason per host and status, and the reasons of those hosts. */
function whyLive({ execution, hosts }: ExecutionViews): Explanation {
  const { id, shards } = execution.context;
  const groups = new Map<string, Extract<Reason, { type: 'shards' }>>();
  for (const { status, item, host, hostName, startedAt, withdrawReason } of shards) {
    if (status === 'waiting' || status === 'done') continue;
    const key = JSON.stringify([status, host, withdrawReason]);
    const known = groups.get(key);
    if (known) known.items.push(item);
    else {
      const on = { host: hostName ?? host ?? '', since: isoOr(startedAt), withdrawReason };
      groups.set(key, { type: 'shards', execution: id, status, items: [item], ...on });
    }
  }
  const used = new Set(hostsUsed(execution));
  const live = [...groups.values()];
  const away = hosts.filter(host => used.has(host.context.id)).flatMap(hostReason);
  return {
    lead: [...live.slice(0, NAMED_MAX), ...away.slice(0, NAMED_MAX)],
    more: [...live.slice(NAMED_MAX, SHOWN_MAX), ...away.slice(NAMED_MAX, SHOWN_MAX), ...rest('shards', live.length - SHOWN_MAX)],
  };
}

/**
 * Why a done execution did not succeed, or the remark on its success: its own reason, or that of
 * the first failed shard's last attempt.
 */
export function whyNot({ context }: ActorView<'execution'>): string | null {
  const [first] = attemptEnds(context.id, context.shards);
  return context.reason ?? (first ? messageOf(first) : null);
}

/**
 * Attempts that did not succeed: first the last attempt of each shard, which decides the outcome,
 * then the earlier ones, latest first; behind them attempts that succeeded with a remark.
 */
function attemptEnds(execution: string, shards: ShardState[]): Reason[] {
  const last = shards.flatMap(shard => (shard.outcome === null ? [] : [{ ...shard, outcome: shard.outcome }]));
  const before = shards.flatMap(shard => shard.past.map(past => ({ ...past, item: shard.item })));
  const all = [...last, ...before.toSorted((a, b) => b.attempt - a.attempt || a.item - b.item)];
  // Remarks on a success: leftover processes, or the copy of the app that ran.
  const remarked = all.filter(({ outcome, reason }) => outcome === 'succeeded' && reason !== null);
  const bad = [...all.filter(({ outcome }) => outcome !== 'succeeded'), ...remarked];
  return [
    ...bad.slice(0, SHOWN_MAX).map(
      ({ item, attempt, host, hostName, outcome, exitCode, signal, reason }): Reason => ({
        type: 'shardEnded',
        execution,
        item,
        attempt,
        host: hostName ?? host,
        outcome,
        how: reason ?? (signal ? `ended by ${signal}` : exitCode === null ? null : `exit code ${exitCode}`),
      }),
    ),
    ...rest('shards', bad.length - SHOWN_MAX),
  ];
}
