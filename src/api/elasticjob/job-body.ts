/**
 * Schemas of a job registration of ElasticJob-Cloud. `job-meaning.ts` maps it to a JobConfig,
 * `job-json.ts` maps that back.
 */
import { z } from 'zod';
import { quotedValue } from '../../../actors/schedule/error.ts';
import { isTimeZone } from '../../../actors/schedule/index.ts';
import { choice, cpus, flag, memoryMB, name, SPAN_MAX, TEXT_MAX, text, whole } from '../../protocol/rest/fields.ts';
import { secret } from '../../protocol/rest/secrets.ts';
import type { CloudJob } from './answers.ts';
import { ofJob } from './notes.ts';
import { firstBeyond, itemParameters, readItems } from './sharding.ts';

/** Documented as booleans with default false; ElasticJob itself uses names. */
const handler = <const T extends readonly [string, ...string[]]>(names: T) => {
  const rule = `one of ${names.join(', ')}, or false or null for the default`;
  return z
    .union([choice(names), z.literal(false), z.null()], rule)
    .optional()
    .transform(value => value || null);
};

/** Largest `misfire.limit`. */
const MISFIRE_LIMIT_MAX = 1_000;
const PROPS_MAX = 200;

const decimal = (min: number, max: number) => (value: string) =>
  /^\d+(\.\d+)?$/.test(value) && Number(value) >= min && Number(value) <= max;

/**
 * Numbers and booleans become texts; null counts as absent. Known properties are validated; the
 * others may be passwords.
 */
const Props = secret(
  z
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
        if (value === undefined || isRight(value)) return;
        context.addIssue({ code: 'custom', path: [key], message: `props.${key} is ${quotedValue(value)}, but must be ${rule}.` });
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
    }),
);

export const CloudJobFields = z.object(
  {
    appName: ofJob('appName', name()),
    cpuCount: ofJob('cpuCount', cpus()),
    memoryMB: ofJob('memoryMB', memoryMB()),
    jobExecutionType: ofJob('jobExecutionType', choice(['TRANSIENT', 'DAEMON'])),
    jobName: ofJob('jobName', name()),
    cron: ofJob('cron', text(1_000).nullish()),
    shardingTotalCount: ofJob('shardingTotalCount', whole(1, 1_000)),
    shardingItemParameters: ofJob('shardingItemParameters', itemParameters().nullish()),
    jobParameter: ofJob('jobParameter', text().nullish()),
    monitorExecution: ofJob('monitorExecution', flag().nullish()),
    failover: ofJob('failover', flag().nullish()),
    misfire: ofJob('misfire', flag().nullish()),
    maxTimeDiffSeconds: ofJob('maxTimeDiffSeconds', whole(-(2 ** 31), 2 ** 31 - 1).nullish()),
    reconcileIntervalMinutes: ofJob('reconcileIntervalMinutes', whole(-(2 ** 31), 2 ** 31 - 1).nullish()),
    jobShardingStrategyType: ofJob('jobShardingStrategyType', text(200).nullish()),
    jobExecutorServiceHandlerType: ofJob('jobExecutorServiceHandlerType', handler(['CPU', 'SINGLE_THREAD'])),
    jobErrorHandlerType: ofJob('jobErrorHandlerType', handler(['LOG', 'IGNORE', 'THROW', 'EMAIL', 'WECHAT', 'DINGTALK'])),
    description: ofJob('description', text(10_000).nullish()),
    props: ofJob('props', Props.nullish()),
    disabled: ofJob('disabled', flag().nullish()),
    overwrite: ofJob('overwrite', flag().nullish()),
  },
  'a JSON object',
);
export const REQUIRED = ['appName', 'cpuCount', 'memoryMB', 'jobExecutionType', 'shardingTotalCount'] as const;

/** Body of registration and update. Unknown fields are ignored. */
export const CloudJobBody = CloudJobFields.superRefine((body, context) => {
  const read = readItems(body.shardingItemParameters ?? '');
  const beyond = 'items' in read ? firstBeyond(read.items, body.shardingTotalCount) : undefined;
  if (beyond === undefined) return;
  const message = `int=xx,int=xx with every item below shardingTotalCount ${body.shardingTotalCount}, and ${beyond} is not`;
  context.addIssue({ code: 'custom', path: ['shardingItemParameters'], message });
});
export type CloudJobBody = z.output<typeof CloudJobBody>;

/**
 * Fields of a registration without a counterpart in JobConfig, and texts that the response repeats
 * as written.
 */
export type CloudJobText = Pick<
  CloudJob,
  | 'cron'
  | 'shardingItemParameters'
  | 'jobParameter'
  | 'monitorExecution'
  | 'maxTimeDiffSeconds'
  | 'reconcileIntervalMinutes'
  | 'jobShardingStrategyType'
  | 'jobExecutorServiceHandlerType'
  | 'jobErrorHandlerType'
  | 'description'
  | 'props'
  | 'disabled'
  | 'overwrite'
>;

export const wordsOf = (body: CloudJobBody): CloudJobText => ({
  cron: body.cron ?? null,
  shardingItemParameters: body.shardingItemParameters ?? null,
  jobParameter: body.jobParameter ?? null,
  monitorExecution: body.monitorExecution ?? false,
  maxTimeDiffSeconds: body.maxTimeDiffSeconds ?? 0,
  reconcileIntervalMinutes: body.reconcileIntervalMinutes ?? 0,
  jobShardingStrategyType: body.jobShardingStrategyType ?? null,
  jobExecutorServiceHandlerType: body.jobExecutorServiceHandlerType || null,
  jobErrorHandlerType: body.jobErrorHandlerType || null,
  description: body.description ?? null,
  props: body.props ?? {},
  disabled: body.disabled ?? false,
  overwrite: body.overwrite ?? false,
});

/** Body of an update: null for the app of a job that has none. */
export const CloudJobUpdate = CloudJobFields.extend({ appName: ofJob('appName', name().nullable()) });

/** The name alone is validated here; the rest is compared with the job first. */
export const NamedJobBody = z.looseObject({ jobName: ofJob('jobName', name()) }, 'a JSON object');
