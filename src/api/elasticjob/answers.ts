/** Responses of the ElasticJob-Cloud dialect, with its field names. */
import { z } from 'zod';
import { field, once } from '../../protocol/rest/fields.ts';
import { count, words } from '../../protocol/rest/responses.ts';
import { ofApp, ofJob } from './notes.ts';

/** The body of a success without a result. */
export const DONE = true as const;
export const Done = once(() => field(z.literal(DONE), 'always true', { example: DONE }));

export const AccessToken = once(() => z.object({ accessToken: words('the token', 'troupe_4f1c') }));

export const IsDisabled = once(() => field(z.boolean(), 'whether it is disabled: it starts no execution', { example: false }));

/** A list of this dialect: all there is, without pages. */
export const listed = <T extends z.ZodType>(item: T) => field(z.array(item), 'all there is');

export const CloudApp = once(() =>
  z
    .object({
      appName: ofApp('appName', z.string()),
      appURL: ofApp('appURL', z.string()),
      bootstrapScript: ofApp('bootstrapScript', z.string()),
      cpuCount: ofApp('cpuCount', z.number()),
      memoryMB: ofApp('memoryMB', z.number()),
      appCacheEnable: ofApp('appCacheEnable', z.boolean()),
      eventTraceSamplingCount: ofApp('eventTraceSamplingCount', z.int().min(0)),
    })
    .meta({ id: 'CloudApp' }),
);
export type CloudApp = z.output<ReturnType<typeof CloudApp>>;

export const CloudJob = once(() =>
  z
    .object({
      appName: ofJob('appName', z.string().nullable()),
      cpuCount: ofJob('cpuCount', z.number()),
      memoryMB: ofJob('memoryMB', z.number()),
      jobExecutionType: ofJob('jobExecutionType', z.enum(['TRANSIENT', 'DAEMON'])),
      jobName: ofJob('jobName', z.string()),
      cron: ofJob('cron', z.string().nullable()),
      shardingTotalCount: ofJob('shardingTotalCount', z.int().min(0)),
      shardingItemParameters: ofJob('shardingItemParameters', z.string().nullable()),
      jobParameter: ofJob('jobParameter', z.string().nullable()),
      monitorExecution: ofJob('monitorExecution', z.boolean()),
      failover: ofJob('failover', z.boolean()),
      misfire: ofJob('misfire', z.boolean()),
      maxTimeDiffSeconds: ofJob('maxTimeDiffSeconds', z.int()),
      reconcileIntervalMinutes: ofJob('reconcileIntervalMinutes', z.int()),
      jobShardingStrategyType: ofJob('jobShardingStrategyType', z.string().nullable()),
      jobExecutorServiceHandlerType: ofJob('jobExecutorServiceHandlerType', z.string().nullable()),
      jobErrorHandlerType: ofJob('jobErrorHandlerType', z.string().nullable()),
      description: ofJob('description', z.string().nullable()),
      props: ofJob('props', z.record(z.string(), z.string())),
      disabled: ofJob('disabled', z.boolean()),
      overwrite: ofJob('overwrite', z.boolean()),
    })
    .meta({ id: 'CloudJob' }),
);
export type CloudJob = z.output<ReturnType<typeof CloudJob>>;

const metaInfo = () =>
  field(
    z.object({
      jobName: words('its job', 'my_job'),
      shardingItems: field(z.array(count('a shard')), 'its shards', { example: [0] }),
    }),
    'which shards of which job',
  );
const TASK = 'my_job@-@0@-@READY@-@h-3f9a@-@1';

export const ReadyTask = once(() =>
  z.object({
    jobName: words('its job', 'my_job'),
    times: words('how many times it waits to run', '1'),
  }),
);

export const RunningTask = once(() =>
  z.object({
    id: words('its name', TASK),
    metaInfo: metaInfo(),
    type: field(z.enum(['READY', 'FAILOVER']), 'FAILOVER: it lost a host before'),
    slaveId: field(z.string().nullable(), 'its host', { example: 'h-3f9a' }),
    idle: field(z.literal(false), 'always false', { example: false }),
  }),
);
export type RunningTask = z.output<ReturnType<typeof RunningTask>>;

export const FailoverTask = once(() => z.object({ taskInfo: metaInfo(), originalTaskId: words('its id on the lost host', TASK) }));
export type FailoverTask = z.output<ReturnType<typeof FailoverTask>>;
