/**
 * A job as a response of ElasticJob-Cloud, in its order of fields. Texts of a registration are
 * repeated as written while they still match the job. Jobs and changes of other APIs are
 * translated.
 */
import type { JobConfig } from '../../../actors/job/types.ts';
import { joinWords } from '../../lib/command-words.ts';
import type { CloudJob } from './answers.ts';
import type { CloudJobText } from './job-body.ts';
import { readItems, writeItems } from './sharding.ts';

const noWords: CloudJobText = {
  cron: null,
  shardingItemParameters: '',
  jobParameter: '',
  monitorExecution: false,
  maxTimeDiffSeconds: 0,
  reconcileIntervalMinutes: 0,
  jobShardingStrategyType: null,
  jobExecutorServiceHandlerType: null,
  jobErrorHandlerType: null,
  description: '',
  props: {},
  disabled: false,
  overwrite: false,
};

export function jobJson(config: JobConfig): CloudJob {
  // Written by `job-body.ts` alone, so its shape is known.
  const words = (config.dialect.elasticjob as CloudJobText | undefined) ?? noWords;
  const cron = config.schedules.find(schedule => schedule.type === 'cron');
  return {
    appName: config.app,
    cpuCount: config.resources.cpus,
    memoryMB: config.resources.memoryMB,
    jobExecutionType: config.kind === 'resident' ? 'DAEMON' : 'TRANSIENT',
    jobName: config.name,
    cron: cron ? cron.cron : words.cron?.trim() ? null : words.cron,
    shardingTotalCount: config.shards.total,
    shardingItemParameters: itemsText(config.shards.parameters, words.shardingItemParameters),
    jobParameter: config.parameter || (words.jobParameter === null ? null : ''),
    monitorExecution: words.monitorExecution,
    failover: config.failover,
    misfire: config.overlap === 'queue',
    maxTimeDiffSeconds: words.maxTimeDiffSeconds,
    reconcileIntervalMinutes: words.reconcileIntervalMinutes,
    jobShardingStrategyType: words.jobShardingStrategyType,
    jobExecutorServiceHandlerType: words.jobExecutorServiceHandlerType,
    jobErrorHandlerType: errorHandlerOf(config, words.jobErrorHandlerType),
    description: config.description || (words.description === null ? null : ''),
    props: propsOf(config, words.props, cron?.timeZone),
    disabled: words.disabled,
    overwrite: words.overwrite,
  };
}

function errorHandlerOf({ failoverOnFailure: throws }: JobConfig, written: string | null): string | null {
  if (throws) return 'THROW';
  return written === 'THROW' ? null : written;
}

function itemsText(items: Record<string, string>, written: string | null): string | null {
  const read = readItems(written ?? '');
  const same = 'items' in read && writeItems(read.items) === writeItems(items);
  return same ? written : writeItems(items);
}

function propsOf(config: JobConfig, written: Record<string, string>, zone: string | undefined): Record<string, string> {
  const props = { ...written };
  /** The property as written, if still true; else as written now, or absent. */
  const put = (key: string, isTrue: (value: string | undefined) => boolean, now: string | undefined) => {
    if (isTrue(props[key])) return;
    if (now === undefined) delete props[key];
    else props[key] = now;
  };
  put('timeZone', value => value === zone || config.schedules.length === 0, zone);
  if (config.overlap === 'queue') {
    put('misfire.limit', value => Number(value ?? 1) === config.overlapLimit, String(config.overlapLimit));
  }
  const { timeoutMs } = config;
  put('timeout.seconds', value => Math.round(Number(value ?? 0) * 1000) === timeoutMs, timeoutMs ? String(timeoutMs / 1000) : undefined);
  put('placement', value => (value === 'partial') === config.partial, config.partial ? 'partial' : undefined);
  const command = Array.isArray(config.command) ? joinWords(config.command) : (config.command ?? undefined);
  put('script.command.line', value => value === command, command);
  return props;
}
