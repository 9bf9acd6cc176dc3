/** What the ElasticJob-Cloud dialect tells, with its field names. */
import { z } from 'zod';
import { count } from '../../protocol/rest/responses.ts';

export const App = z
  .object({
    appName: z.string(),
    appURL: z.string(),
    bootstrapScript: z.string(),
    cpuCount: z.number(),
    memoryMB: z.number(),
    appCacheEnable: z.boolean(),
    eventTraceSamplingCount: count(),
  })
  .meta({ id: 'CloudApp' });

export const Job = z
  .object({
    appName: z.string().nullable(),
    cpuCount: z.number(),
    memoryMB: z.number(),
    jobExecutionType: z.enum(['TRANSIENT', 'DAEMON']),
    jobName: z.string(),
    cron: z.string().nullable(),
    shardingTotalCount: count(),
    shardingItemParameters: z.string().nullable(),
    jobParameter: z.string().nullable(),
    monitorExecution: z.boolean(),
    failover: z.boolean(),
    misfire: z.boolean(),
    maxTimeDiffSeconds: z.int(),
    reconcileIntervalMinutes: z.int(),
    jobShardingStrategyType: z.string().nullable(),
    jobExecutorServiceHandlerType: z.string().nullable(),
    jobErrorHandlerType: z.string().nullable(),
    description: z.string().nullable(),
    props: z.record(z.string(), z.string()),
    disabled: z.boolean(),
    overwrite: z.boolean(),
  })
  .meta({ id: 'CloudJob' });

const MetaInfo = z.object({ jobName: z.string(), shardingItems: z.array(count()) });

export const ReadyTask = z.object({ jobName: z.string(), times: z.string() });

export const RunningTask = z.object({
  id: z.string(),
  metaInfo: MetaInfo,
  type: z.enum(['READY', 'FAILOVER']),
  slaveId: z.string().nullable(),
  idle: z.literal(false),
});

export const FailoverTask = z.object({ taskInfo: MetaInfo, originalTaskId: z.string() });
