/** Maps registrations and updates of ElasticJob-Cloud to a JobConfig, field by field. */
import type { JobConfig } from '../../../actors/job/types.ts';
import type { JobSchedule } from '../../../actors/schedule/index.ts';
import { Problem } from '../../http/errors.ts';
import { parse } from '../../http/parse.ts';
import { MISFIRE_LIMIT } from '../../protocol/rest/job.ts';
import { overlapLimitOf } from '../commands/job-defaults.ts';
import { allFields, laidOver, type Mapping, type Term, updateOf } from '../commands/partial-update.ts';
import { type CloudJobBody, CloudJobFields, REQUIRED, wordsOf } from './job-body.ts';
import { jobJson } from './job-json.ts';
import { firstBeyond, readItems } from './sharding.ts';

/**
 * `false`: a due time during a run is skipped. `true`: at most `limit` of them run after it.
 */
function misfireOf(isOn: boolean, limit: number): Pick<JobConfig, 'overlap' | 'overlapLimit' | 'misfire'> {
  if (!isOn) return { overlap: 'skip', overlapLimit: overlapLimitOf('skip'), misfire: { policy: 'skip', limit: MISFIRE_LIMIT } };
  return { overlap: 'queue', overlapLimit: limit, misfire: { policy: limit > 1 ? 'all' : 'once', limit } };
}

/** The meaning of each field of this dialect. Schedules other than `cron` do not change. */
const TERMS: readonly Term<CloudJobBody, JobConfig>[] = [
  { fields: ['jobExecutionType'], means: body => ({ kind: body.jobExecutionType === 'DAEMON' ? 'resident' : 'transient' }) },
  { fields: ['appName'], means: body => ({ app: body.appName }) },
  { fields: ['props.script.command.line'], means: body => ({ command: body.props?.['script.command.line'] ?? null }) },
  { fields: ['jobParameter'], means: body => ({ parameter: body.jobParameter ?? '' }) },
  { fields: ['shardingTotalCount'], means: (body, { shards }) => ({ shards: { ...shards, total: body.shardingTotalCount } }) },
  {
    fields: ['shardingItemParameters'],
    means: (body, { shards }) => ({ shards: { ...shards, parameters: itemsOf(body.shardingItemParameters) } }),
  },
  { fields: ['cron', 'props.timeZone'], means: (body, { schedules }) => ({ schedules: withCron(schedules, body) }) },
  { fields: ['cpuCount'], means: (body, { resources }) => ({ resources: { ...resources, cpus: body.cpuCount } }) },
  { fields: ['memoryMB'], means: (body, { resources }) => ({ resources: { ...resources, memoryMB: body.memoryMB } }) },
  { fields: ['props.placement'], means: body => ({ partial: body.props?.placement === 'partial' }) },
  { fields: ['misfire'], means: body => misfireOf(body.misfire ?? false, limitOf(body)) },
  { fields: ['props.misfire.limit'], means: limited },
  { fields: ['failover'], means: body => ({ failover: body.failover ?? false }) },
  { fields: ['jobErrorHandlerType'], means: body => ({ failoverOnFailure: body.jobErrorHandlerType === 'THROW' }) },
  { fields: ['props.timeout.seconds'], means: body => ({ timeoutMs: Math.round(Number(body.props?.['timeout.seconds'] ?? 0) * 1000) }) },
  { fields: ['description'], means: body => ({ description: body.description ?? '' }) },
];

const limitOf = (body: CloudJobBody): number => Number(body.props?.['misfire.limit'] ?? 1);

function itemsOf(written: string | null | undefined): Record<string, string> {
  const read = readItems(written ?? '');
  return 'items' in read ? read.items : {};
}

function withCron(schedules: readonly JobSchedule[], { cron, props }: CloudJobBody): JobSchedule[] {
  const zone = props?.timeZone;
  const index = schedules.findIndex(({ type }) => type === 'cron');
  const now: JobSchedule[] = cron?.trim() ? [{ type: 'cron', cron, ...(zone ? { timeZone: zone } : {}) }] : [];
  return index < 0 ? [...schedules, ...now] : schedules.toSpliced(index, 1, ...now);
}

/** `misfire.limit` limits the catch-up of `misfire: true`; it does not enable it. */
function limited(body: CloudJobBody, before: JobConfig): Partial<JobConfig> {
  if (before.overlap !== 'queue') return {};
  const limit = limitOf(body);
  const { misfire } = misfireOf(true, limit);
  return { overlapLimit: limit, ...(before.misfire.policy === 'skip' ? {} : { misfire }) };
}

/** Properties of an HTTP job. */
const HTTP_PROPS = ['http.uri', 'http.url'];
const NOTIFYING = ['EMAIL', 'WECHAT', 'DINGTALK'];

/**
 * Throws Problem `conflict` for HTTP jobs and error handlers that this version does not support.
 * `isNew`: whether a field differs from the stored job.
 */
function refuseUnready(body: CloudJobBody, isNew: (field: string) => boolean = () => true): void {
  const http = HTTP_PROPS.find(key => body.props?.[key] !== undefined && isNew(`props.${key}`));
  if (http !== undefined) {
    const sentence = `job ${body.jobName} is an HTTP job (${http}), which this version does not support; use a script that calls the address`;
    throw new Problem('conflict', sentence, { field: `props.${http}` });
  }
  const handler = body.jobErrorHandlerType;
  if (handler && NOTIFYING.includes(handler) && isNew('jobErrorHandlerType')) {
    const sentence = `this version does not support jobErrorHandlerType ${handler}; use LOG, IGNORE or THROW`;
    throw new Problem('conflict', sentence, { field: 'jobErrorHandlerType' });
  }
}

/** A registration: absent fields get their defaults. Throws Problem `conflict`. */
export function registered(body: CloudJobBody, defaults: JobConfig): JobConfig {
  refuseUnready(body);
  return { ...laidOver(defaults, body, TERMS, allFields(TERMS)), shardingContext: true, dialect: { elasticjob: wordsOf(body) } };
}

/** Values of absent fields. */
const USUAL = {
  monitorExecution: false,
  failover: false,
  misfire: false,
  maxTimeDiffSeconds: 0,
  reconcileIntervalMinutes: 0,
  jobErrorHandlerType: false,
  jobExecutorServiceHandlerType: false,
  disabled: false,
  overwrite: false,
};

/** The body of an update is a whole registration. */
const JOB: Mapping<CloudJobBody, JobConfig> = {
  json: jobJson,
  schema: CloudJobFields.partial(),
  terms: TERMS,
  absent: 'default',
  usual: USUAL,
};

/** An update of the job `before`. Throws Problem `invalid` or `conflict`. */
export function updated(raw: Record<string, unknown>, before: JobConfig): JobConfig {
  const missing = REQUIRED.find(field => raw[field] === undefined);
  if (missing !== undefined) parse(CloudJobFields.pick({ [missing]: true } as { [K in typeof missing]: true }), raw);
  const { after, body, changed } = updateOf(raw, before, JOB);
  refuseUnready(body, field => changed.has(field));
  const beyond = firstBeyond(after.shards.parameters, after.shards.total);
  if (beyond !== undefined) {
    const sentence = `shardingItemParameters has the item ${beyond}, but every item must be below shardingTotalCount ${after.shards.total}.`;
    throw new Problem('invalid', sentence, { field: 'shardingItemParameters' });
  }
  return { ...after, dialect: { ...before.dialect, elasticjob: wordsOf(body) } };
}
