/** `/api/job/tasks`: waiting jobs, running shards, shards that wait for failover. */
import { taskId } from '../../../actors/execution/run-spec.ts';
import { isLive } from '../../../actors/execution/shard.ts';
import type { ExecutionContext, ShardState } from '../../../actors/execution/types.ts';
import { type Route, serving } from '../../http/route.ts';
import { all } from '../lookup.ts';
import type { Center } from '../route-context.ts';
import type { FailoverTask, RunningTask } from './answers.ts';
import { cloudTaskEndpoints } from './endpoints.ts';

const on = serving(cloudTaskEndpoints);

const metaInfo = (execution: ExecutionContext, shard: ShardState) => ({ jobName: execution.job, shardingItems: [shard.item] });

const running = (execution: ExecutionContext): RunningTask[] =>
  execution.shards.filter(isLive).map(shard => ({
    id: taskId(execution, shard),
    metaInfo: metaInfo(execution, shard),
    type: shard.losses > 0 ? 'FAILOVER' : 'READY',
    slaveId: shard.host,
    idle: false,
  }));

/** Shards that lost their host and wait for another. */
function failover(execution: ExecutionContext): FailoverTask[] {
  return execution.shards.flatMap(shard => {
    const last = shard.past.at(-1);
    if (shard.status !== 'waiting' || last?.outcome !== 'lost') return [];
    const original = { ...shard, attempt: last.attempt, host: last.host, losses: shard.losses - 1 };
    return [{ taskInfo: metaInfo(execution, shard), originalTaskId: taskId(execution, original) }];
  });
}

const byName = (counts: Map<string, number>) =>
  [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([jobName, times]) => ({ jobName, times: String(times) }));

export function cloudTaskRoutes(center: Center): Route[] {
  const executions = async (status: string[]): Promise<ExecutionContext[]> =>
    (await all(center.views, 'execution', { status })).map(view => view.context);

  return [
    on('GET /api/job/tasks/ready', async () => {
      const times = new Map<string, number>();
      for (const { job } of await executions(['pending'])) times.set(job, (times.get(job) ?? 0) + 1);
      return byName(times);
    }),
    on('GET /api/job/tasks/running', async () => (await executions(['running', 'cancelling'])).flatMap(running)),
    on('GET /api/job/tasks/failover', async () => (await executions(['running'])).flatMap(failover)),
  ];
}
