/** Jobs in the words of ElasticJob-Cloud: what a registration must say, and what it means as a JobConfig. `job-json.ts` is the way back. */
import { z } from 'zod';
import type { JobConfig } from '../../../actors/config.ts';
import { isTimeZone, type Schedule } from '../../../actors/schedule.ts';
import { choice, cpus, flag, memoryMB, name, SPAN_MAX, TEXT_MAX, text, whole } from '../fields.ts';
import { jobDefaults, overlapLimitOf } from '../job-defaults.ts';
import { firstBeyond, itemParameters, readItems } from './sharding.ts';

/** The seed's table calls the handler types boolean, default false; the names are what they are. */
const handler = <const T extends readonly [string, ...string[]]>(names: T) => {
  const rule = `one of ${names.join(', ')}, or false or null for the default`;
  return z
    .union([choice(names), z.literal(false), z.null()], rule)
    .optional()
    .transform(value => value || null);
};

/** Most catch-up runs that `misfire.limit` may name. */
export const MISFIRE_LIMIT_MAX = 1_000;
const PROPS_MAX = 200;

const decimal = (min: number, max: number) => (value: string) =>
  /^\d+(\.\d+)?$/.test(value) && Number(value) >= min && Number(value) <= max;

/** Values may come as numbers or booleans and are texts from then on; null is as good as absent. Those that mean something here are judged. */
const Props = z
  .record(
    z.string().max(200),
    z.union([text(), z.number(), z.boolean(), z.null()], `a text of at most ${TEXT_MAX} characters`),
    'an object of texts',
  )
  .refine(props => Object.keys(props).length <= PROPS_MAX, `an object of at most ${PROPS_MAX} properties`)
  .transform(props => Object.fromEntries(Object.entries(props).flatMap(([key, value]) => (value === null ? [] : [[key, String(value)]]))))
  .superRefine((props, context) => {
    const judge = (key: string, isRight: (value: string) => boolean, rule: string) => {
      const value = props[key];
      if (value !== undefined && !isRight(value)) context.addIssue({ code: 'custom', path: [key], message: rule });
    };
    judge('timeZone', isTimeZone, 'an IANA time zone such as Europe/Berlin');
    judge(
      'misfire.limit',
      value => /^\d+$/.test(value) && decimal(1, MISFIRE_LIMIT_MAX)(value),
      `a whole number from 1 to ${MISFIRE_LIMIT_MAX}`,
    );
    judge('timeout.seconds', decimal(0, SPAN_MAX / 1000), `a number of seconds from 0 (none) to ${SPAN_MAX / 1000}`);
    judge('placement', value => value === 'partial' || value === 'all', 'partial or all');
    judge('script.command.line', value => value.trim() !== '', 'a command that is not empty');
  });

/** Registration and update alike. Fields of other versions are passed over. */
export const JobBody = z
  .object(
    {
      appName: name(),
      cpuCount: cpus(),
      memoryMB: memoryMB(),
      jobExecutionType: choice(['TRANSIENT', 'DAEMON']),
      jobName: name(),
      cron: text(1_000).nullish(),
      shardingTotalCount: whole(1, 1_000),
      shardingItemParameters: itemParameters().nullish(),
      jobParameter: text().nullish(),
      monitorExecution: flag().nullish(),
      failover: flag().nullish(),
      misfire: flag().nullish(),
      maxTimeDiffSeconds: whole(-(2 ** 31), 2 ** 31 - 1).nullish(),
      reconcileIntervalMinutes: whole(-(2 ** 31), 2 ** 31 - 1).nullish(),
      jobShardingStrategyType: text(200).nullish(),
      jobExecutorServiceHandlerType: handler(['CPU', 'SINGLE_THREAD']),
      jobErrorHandlerType: handler(['LOG', 'IGNORE', 'THROW', 'EMAIL', 'WECHAT', 'DINGTALK']),
      description: text(10_000).nullish(),
      props: Props.nullish(),
      disabled: flag().nullish(),
      overwrite: flag().nullish(),
    },
    'a JSON object',
  )
  .superRefine((body, context) => {
    const read = readItems(body.shardingItemParameters ?? '');
    const beyond = 'items' in read ? firstBeyond(read.items, body.shardingTotalCount) : undefined;
    if (beyond === undefined) return;
    const message = `int=xx,int=xx with every item below shardingTotalCount ${body.shardingTotalCount}, and ${beyond} is not`;
    context.addIssue({ code: 'custom', path: ['shardingItemParameters'], message });
  });
export type JobBody = z.output<typeof JobBody>;

/** What of a registration has no place of its own in a JobConfig, or was written in a way that it shall be read back. */
export interface Words {
  cron: string | null;
  shardingItemParameters: string | null;
  jobParameter: string | null;
  monitorExecution: boolean;
  maxTimeDiffSeconds: number;
  reconcileIntervalMinutes: number;
  jobShardingStrategyType: string | null;
  jobExecutorServiceHandlerType: string | null;
  jobErrorHandlerType: string | null;
  description: string | null;
  props: Record<string, string>;
  disabled: boolean;
  overwrite: boolean;
}

const wordsOf = (body: JobBody): Words => ({
  cron: body.cron ?? null,
  shardingItemParameters: body.shardingItemParameters ?? null,
  jobParameter: body.jobParameter ?? null,
  monitorExecution: body.monitorExecution ?? false,
  maxTimeDiffSeconds: body.maxTimeDiffSeconds ?? 0,
  reconcileIntervalMinutes: body.reconcileIntervalMinutes ?? 0,
  jobShardingStrategyType: body.jobShardingStrategyType ?? null,
  jobExecutorServiceHandlerType: body.jobExecutorServiceHandlerType,
  jobErrorHandlerType: body.jobErrorHandlerType,
  description: body.description ?? null,
  props: body.props ?? {},
  disabled: body.disabled ?? false,
  overwrite: body.overwrite ?? false,
});

/** `false`: a due time during a run is skipped. `true`: it is caught up after the run, at most `limit` of them. */
function misfireOf(isOn: boolean, limit: number): Pick<JobConfig, 'overlap' | 'overlapLimit' | 'misfire'> {
  if (!isOn) return { overlap: jobDefaults.overlap, overlapLimit: overlapLimitOf(jobDefaults.overlap), misfire: jobDefaults.misfire };
  return { overlap: 'queue', overlapLimit: limit, misfire: { policy: limit > 1 ? 'all' : 'once', limit } };
}

/**
 * Everything of a job that this dialect speaks of: absent fields are at their defaults. Laid over an existing configuration it is the update,
 * and what only /v1 can set stays.
 */
export function meaningOf(body: JobBody) {
  const props = body.props ?? {};
  const items = readItems(body.shardingItemParameters ?? '');
  const zone = props.timeZone;
  const schedules: Schedule[] = body.cron?.trim() ? [{ type: 'cron', cron: body.cron, ...(zone ? { timeZone: zone } : {}) }] : [];
  return {
    kind: body.jobExecutionType === 'DAEMON' ? 'resident' : 'transient',
    app: body.appName,
    command: props['script.command.line'] ?? null,
    parameter: body.jobParameter ?? '',
    shards: { total: body.shardingTotalCount, parameters: 'items' in items ? items.items : {} },
    schedules,
    resources: { cpus: body.cpuCount, memoryMB: body.memoryMB },
    partial: props.placement === 'partial',
    ...misfireOf(body.misfire ?? false, Number(props['misfire.limit'] ?? 1)),
    failover: body.failover ?? false,
    failoverOnFailure: body.jobErrorHandlerType === 'THROW',
    timeoutMs: Math.round(Number(props['timeout.seconds'] ?? 0) * 1000),
    shardingContext: true,
    description: body.description ?? '',
    dialect: { elasticjob: wordsOf(body) },
  } satisfies Partial<JobConfig>;
}
