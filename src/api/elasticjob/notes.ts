/** What the fields of the ElasticJob-Cloud dialect mean, for requests and answers alike. */
import type { z } from 'zod';
import { type FieldNotes, field } from '../../protocol/rest/fields.ts';

type Notes = readonly [description: string, notes: FieldNotes];

const APP = {
  appName: ['unique among the apps of the center', { example: 'my_app' }],
  appURL: ['where hosts fetch it: an archive or a single script', { example: 'http://files.example.org/my-job.tar.gz' }],
  bootstrapScript: ['what starts it, split without a shell', { example: 'bin/start.sh' }],
  cpuCount: ['cores that the app itself takes, once per host; default: 1', { unit: 'cores', example: 0.1 }],
  memoryMB: ['memory that the app itself takes, once per host; default: 128', { unit: 'MB', example: 64 }],
  appCacheEnable: ['whether hosts keep what they fetched; default: true', { example: true }],
  eventTraceSamplingCount: ['keep one of so many runs of daemon jobs in the history; default: 0, all', { example: 0 }],
  sha256: ['what the fetched file must hash to; default: null, anything', { example: 'a'.repeat(64) }],
  props: ['`sha256` may stand in here, too; default: {}', { example: {} }],
} satisfies Record<string, Notes>;

const JOB = {
  appName: ['the app that it runs', { example: 'my_app' }],
  cpuCount: ['cores of each shard', { unit: 'cores', example: 0.1 }],
  memoryMB: ['memory of each shard', { unit: 'MB', example: 64 }],
  jobExecutionType: ['TRANSIENT runs when it is due, DAEMON is kept running', { example: 'TRANSIENT' }],
  jobName: ['unique among the jobs of the center', { example: 'my_job' }],
  cron: ['Quartz cron, seconds first; default: null, it runs when it is triggered', { example: '0/5 * * * * ?' }],
  shardingTotalCount: ['into how many shards an execution is cut', { example: 3 }],
  shardingItemParameters: ['what each shard is given: int=xx,int=xx; default: null, nothing', { example: '0=Beijing,1=Shanghai' }],
  jobParameter: ['a text that every shard is given; default: null, none', { example: 'full' }],
  monitorExecution: ['kept and given back; executions are always recorded; default: false', { example: true }],
  failover: ['whether a shard moves when its host is lost; default: false', { example: true }],
  misfire: ['whether due times during a run are caught up after it; default: false', { example: true }],
  maxTimeDiffSeconds: ['kept and given back; default: 0', { example: -1 }],
  reconcileIntervalMinutes: ['kept and given back; default: 0', { example: 10 }],
  jobShardingStrategyType: ['kept and given back; `props.placement` chooses; default: null', { example: 'AVG_ALLOCATION' }],
  jobExecutorServiceHandlerType: ['kept and given back; default: null', { example: 'CPU' }],
  jobErrorHandlerType: ['THROW: a shard that failed moves, too; the others are kept and given back; default: null', { example: 'LOG' }],
  description: ['for people; default: null', { example: 'copies the databases' }],
  props: [
    'further settings; timeZone, misfire.limit, timeout.seconds, placement and script.command.line mean something here; default: {}',
    { example: { timeZone: 'Europe/Berlin', 'timeout.seconds': '30' } },
  ],
  disabled: ['kept and given back; `POST /api/job/{jobName}/disable` disables; default: false', { example: false }],
  overwrite: ['kept and given back; default: false', { example: false }],
} satisfies Record<string, Notes>;

const described =
  <Fields extends Record<string, Notes>>(notes: Fields) =>
  <S extends z.ZodType>(name: keyof Fields, schema: S): S => {
    const [description, more] = notes[name] as Notes;
    return field(schema, description, more);
  };

export const ofApp = described(APP);
export const ofJob = described(JOB);
