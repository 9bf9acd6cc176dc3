/** The effects that an execution asks for: of its pool, its hosts, its job, the ledger. */
import { tell } from '../decision.ts';
import type { DecidingShard } from '../notice/types.ts';
import type { HostRefusal, ReservationRequest } from '../pool/types.ts';
import type { Effect } from '../types.ts';
import { runSpec } from './run-spec.ts';
import { decidingShard } from './shard.ts';
import type { ExecutionContext, RunName, ShardState } from './types.ts';

export const poolOf = (context: ExecutionContext) => `pool/${context.config.pool}` as const;
export const runOf = (context: ExecutionContext, shard: { item: number; attempt: number }): RunName => ({
  execution: context.id,
  item: shard.item,
  attempt: shard.attempt,
});

/** Nothing while no host takes its job: it asks when its job has one. */
export function reserveRuns(context: ExecutionContext, shards: ShardState[]): Effect[] {
  const { config, app, allocatedHosts } = context;
  if (shards.length === 0 || allocatedHosts === null) return [];
  const hostOf = (item: number) => {
    const host = allocatedHosts?.[item];
    return host === undefined ? {} : { host };
  };
  const request: ReservationRequest = {
    execution: context.id,
    job: context.job,
    runs: shards.map(({ item, attempt }) => ({ item, attempt, ...hostOf(item) })),
    resources: config.resources,
    app: app ? { name: app.config.name, resources: app.config.resources } : null,
    partial: config.partial,
    placement: config.placement,
    // The table of the pool has chosen the hosts of a sticky job by its servers.
    ...(config.placement !== 'sticky' && config.servers?.length && { servers: config.servers }),
  };
  return [tell(poolOf(context), { type: 'pool.reserve', request })];
}

export const orderStart = (context: ExecutionContext, shard: ShardState): Effect => ({
  type: 'start',
  params: { host: shard.host ?? '', run: runOf(context, shard), spec: runSpec(context, shard) },
});
export const orderStop = (host: string, run: RunName, as: 'cancelled' | 'superseded' | 'withdrawn', reason: string): Effect => ({
  type: 'stop',
  params: { host, run, as, reason },
});
export const releaseRuns = (context: ExecutionContext, runs: { item: number; attempt: number }[], refused?: HostRefusal): Effect =>
  tell(poolOf(context), { type: 'pool.release', runs: runs.map(run => runOf(context, run)), ...(refused && { refused }) });

/** The verdict of its due time; nothing for an execution that was triggered. */
export const recordVerdict = (
  context: ExecutionContext,
  verdict: 'ran' | 'notStarted' | 'unknown',
  reason: string | null,
  at: number,
): Effect[] => {
  const { job, dueAt, id } = context;
  if (dueAt === null) return [];
  return [
    { type: 'record', params: { entries: [{ job, from: dueAt, to: dueAt, count: 1, verdict, execution: id, reason, decidedAt: at }] } },
  ];
};

/**
 * Verdict of an execution that ends without a reported start: `unknown` if a host was lost with a
 * command to start it, because that host may have started a process.
 */
export function recordEndVerdict(context: ExecutionContext, reason: string | null, at: number): Effect[] {
  if (context.startedAt !== null) return [];
  const attempts = context.shards.flatMap(shard => [...shard.past, shard]);
  const lostOne = attempts.find(attempt => attempt.outcome === 'lost' && attempt.host !== null && attempt.startedAt === null);
  if (!lostOne) return recordVerdict(context, 'notStarted', reason ?? 'it ended before it began', at);
  return recordVerdict(context, 'unknown', `no start was reported: ${lostOne.reason ?? 'its host was lost'}`, at);
}

export function finishedEvent(context: ExecutionContext): Effect {
  const { job, id, finishedAt, startedAt, shards, reason } = context;
  const outcome = context.outcome ?? 'lost';
  const shard = decidingShard({ shards, outcome });
  const decided: DecidingShard = {
    shards: shards.length,
    item: shard?.item ?? 0,
    attempt: shard?.attempt ?? 1,
    host: shard?.hostName ?? null,
    exitCode: shard?.exitCode ?? null,
    signal: shard?.signal ?? null,
    reason,
    outputBytes: shard?.output ? shard.output.stdoutBytes + shard.output.stderrBytes : null,
  };
  return tell(`job/${job}`, { type: 'execution.finished', execution: id, outcome, finishedAt: finishedAt ?? 0, startedAt, decided });
}
