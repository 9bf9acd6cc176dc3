/** `/api/job/tasks`: what waits, what runs, and what waits because its host was lost. */
import { z } from 'zod';
import { taskId } from '../../../actors/execution/run-spec.ts';
import { isLive } from '../../../actors/execution/shard.ts';
import type { ExecutionContext, ShardState } from '../../../actors/execution/types.ts';
import { type Route, route } from '../../http/route.ts';
import { all } from '../lookup.ts';
import type { Center } from '../route-context.ts';
import { FailoverTask, ReadyTask, RunningTask } from './answers.ts';

const metaInfo = (execution: ExecutionContext, shard: ShardState) => ({ jobName: execution.job, shardingItems: [shard.item] });

const running = (execution: ExecutionContext) =>
  execution.shards.filter(isLive).map(shard => ({
    id: taskId(execution, shard),
    metaInfo: metaInfo(execution, shard),
    type: shard.losses > 0 ? 'FAILOVER' : 'READY',
    slaveId: shard.host,
    idle: false,
  }));

/** Shards that lost their host and wait for another one. */
function failover(execution: ExecutionContext) {
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
    route({
      method: 'GET',
      path: '/api/job/tasks/ready',
      tag: 'elasticjob tasks',
      access: 'user',
      summary: 'Jobs that wait to run, and how many times.',
      answers: () => z.array(ReadyTask()),
      async handle() {
        const times = new Map<string, number>();
        for (const { job } of await executions(['pending'])) times.set(job, (times.get(job) ?? 0) + 1);
        return byName(times);
      },
    }),
    route({
      method: 'GET',
      path: '/api/job/tasks/running',
      tag: 'elasticjob tasks',
      access: 'user',
      summary: 'Shards that run.',
      answers: () => z.array(RunningTask()),
      handle: async () => (await executions(['running', 'cancelling'])).flatMap(running),
    }),
    route({
      method: 'GET',
      path: '/api/job/tasks/failover',
      tag: 'elasticjob tasks',
      access: 'user',
      summary: 'Shards that lost their host and wait for another one.',
      answers: () => z.array(FailoverTask()),
      handle: async () => (await executions(['running'])).flatMap(failover),
    }),
  ];
}
