/**
 * One attempt of one shard: its names, and the command, environment and sharding context that its
 * process gets.
 */
import type { ExecutionContext, RunName, RunSpec, ShardState } from './types.ts';

export const runKeyOf = (run: RunName): string => `${run.execution}:${run.item}:${run.attempt}`;

/** How the ElasticJob dialect names a run: job, item, kind, host, then execution and attempt. */
export function taskId(
  context: Pick<ExecutionContext, 'id' | 'job'>,
  shard: Pick<ShardState, 'item' | 'attempt' | 'host' | 'losses'>,
): string {
  const kind = shard.losses > 0 ? 'FAILOVER' : 'READY';
  return [context.job, shard.item, kind, shard.host ?? 'unassigned', `${context.id}:${shard.attempt}`].join('@-@');
}

export function runSpec(context: ExecutionContext, shard: ShardState): RunSpec {
  const { config, app } = context;
  const sharding = {
    taskId: taskId(context, shard),
    jobName: context.job,
    shardingTotalCount: config.shards.total,
    jobParameter: config.parameter,
    shardingItem: shard.item,
    shardingParameter: shard.parameter,
  };
  return {
    command: config.command ?? app?.config.command ?? [],
    shell: config.shell,
    ...(config.shardingContext ? { lastArgument: JSON.stringify(sharding) } : {}),
    env: {
      ...config.env,
      TROUPE_JOB: context.job,
      TROUPE_EXECUTION: context.id,
      TROUPE_DUE_AT: context.dueAt === null ? '' : new Date(context.dueAt).toISOString(),
      TROUPE_ATTEMPT: String(shard.attempt),
      TROUPE_SHARD: String(shard.item),
      TROUPE_SHARD_TOTAL: String(config.shards.total),
      TROUPE_SHARD_PARAMETER: shard.parameter,
      TROUPE_JOB_PARAMETER: config.parameter,
      TROUPE_HOST: shard.hostName ?? '',
      TROUPE_POOL: config.pool,
    },
    ...(app
      ? {
          artifact: {
            app: app.config.name,
            url: app.config.url,
            ...(app.config.sha256 === null ? {} : { sha256: app.config.sha256 }),
            cache: app.config.cache,
            version: app.version,
          },
        }
      : {}),
    ...(config.directory ? { directory: { ...config.directory, asOf: context.createdAt } } : {}),
    ...(config.runAs ? { runAs: config.runAs } : {}),
    timeoutMs: config.timeoutMs,
    killGraceMs: config.killGraceMs,
    disconnect: config.disconnect,
    disconnectMs: config.disconnectMs,
  };
}
