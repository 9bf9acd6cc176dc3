/** Jobs in the words of ElasticJob-Cloud: what a registration must say, and what it means as a JobConfig. `job-json.ts` is the way back. */
import { z } from 'zod';
import type { JobConfig } from '../../../actors/config.ts';
import { isTimeZone, type Schedule } from '../../../actors/schedule.ts';
import { came } from '../../../actors/schedule/error.ts';
import { Problem } from '../errors.ts';
import { choice, cpus, flag, memoryMB, name, SPAN_MAX, TEXT_MAX, text, whole } from '../fields.ts';
import { MISFIRE_LIMIT, overlapLimitOf } from '../job-defaults.ts';
import { allWords, changedWords, laidOver, onlyChanged, type Term } from '../laid-over.ts';
import { parse } from '../parse.ts';
import { secret } from '../secret-schemas.ts';
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

/**
 * Values may come as numbers or booleans and are texts from then on; null is as good as absent. Those that mean something here are judged, the
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
        context.addIssue({ code: 'custom', path: [key], message: `props.${key} is ${came(value)}, but must be ${rule}.` });
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

const JobFields = z.object(
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
);
const REQUIRED = ['appName', 'cpuCount', 'memoryMB', 'jobExecutionType', 'shardingTotalCount'] as const;

/** Registration and update alike. Fields of other versions are passed over. */
export const JobBody = JobFields.superRefine((body, context) => {
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
  jobExecutorServiceHandlerType: body.jobExecutorServiceHandlerType || null,
  jobErrorHandlerType: body.jobErrorHandlerType || null,
  description: body.description ?? null,
  props: body.props ?? {},
  disabled: body.disabled ?? false,
  overwrite: body.overwrite ?? false,
});

/** `false`: a due time during a run is skipped. `true`: it is caught up after the run, at most `limit` of them. */
function misfireOf(isOn: boolean, limit: number): Pick<JobConfig, 'overlap' | 'overlapLimit' | 'misfire'> {
  if (!isOn) return { overlap: 'skip', overlapLimit: overlapLimitOf('skip'), misfire: { policy: 'skip', limit: MISFIRE_LIMIT } };
  return { overlap: 'queue', overlapLimit: limit, misfire: { policy: limit > 1 ? 'all' : 'once', limit } };
}

/** What each word of this dialect means. Schedules beside the one that `cron` is are left alone. */
const TERMS: readonly Term<JobBody, JobConfig>[] = [
  { words: ['jobExecutionType'], means: body => ({ kind: body.jobExecutionType === 'DAEMON' ? 'resident' : 'transient' }) },
  { words: ['appName'], means: body => ({ app: body.appName }) },
  { words: ['props.script.command.line'], means: body => ({ command: body.props?.['script.command.line'] ?? null }) },
  { words: ['jobParameter'], means: body => ({ parameter: body.jobParameter ?? '' }) },
  { words: ['shardingTotalCount'], means: (body, { shards }) => ({ shards: { ...shards, total: body.shardingTotalCount } }) },
  {
    words: ['shardingItemParameters'],
    means: (body, { shards }) => ({ shards: { ...shards, parameters: itemsOf(body.shardingItemParameters) } }),
  },
  { words: ['cron', 'props.timeZone'], means: (body, { schedules }) => ({ schedules: withCron(schedules, body) }) },
  { words: ['cpuCount'], means: (body, { resources }) => ({ resources: { ...resources, cpus: body.cpuCount } }) },
  { words: ['memoryMB'], means: (body, { resources }) => ({ resources: { ...resources, memoryMB: body.memoryMB } }) },
  { words: ['props.placement'], means: body => ({ partial: body.props?.placement === 'partial' }) },
  { words: ['misfire'], means: body => misfireOf(body.misfire ?? false, limitOf(body)) },
  { words: ['props.misfire.limit'], means: limited },
  { words: ['failover'], means: body => ({ failover: body.failover ?? false }) },
  { words: ['jobErrorHandlerType'], means: body => ({ failoverOnFailure: body.jobErrorHandlerType === 'THROW' }) },
  { words: ['props.timeout.seconds'], means: body => ({ timeoutMs: Math.round(Number(body.props?.['timeout.seconds'] ?? 0) * 1000) }) },
  { words: ['description'], means: body => ({ description: body.description ?? '' }) },
];

const limitOf = (body: JobBody): number => Number(body.props?.['misfire.limit'] ?? 1);

function itemsOf(written: string | null | undefined): Record<string, string> {
  const read = readItems(written ?? '');
  return 'items' in read ? read.items : {};
}

function withCron(schedules: readonly Schedule[], { cron, props }: JobBody): Schedule[] {
  const zone = props?.timeZone;
  const place = schedules.findIndex(({ type }) => type === 'cron');
  const now: Schedule[] = cron?.trim() ? [{ type: 'cron', cron, ...(zone ? { timeZone: zone } : {}) }] : [];
  return place < 0 ? [...schedules, ...now] : schedules.toSpliced(place, 1, ...now);
}

/** `misfire.limit` speaks of what `misfire: true` catches up; whether missed due times are caught up at all it does not say. */
function limited(body: JobBody, before: JobConfig): Partial<JobConfig> {
  if (before.overlap !== 'queue') return {};
  const limit = limitOf(body);
  const { misfire } = misfireOf(true, limit);
  return { overlapLimit: limit, ...(before.misfire.policy === 'skip' ? {} : { misfire }) };
}

/** Properties by which a job of this dialect is an HTTP job. */
const HTTP_WORDS = ['http.uri', 'http.url'];
const NOTIFYING = ['EMAIL', 'WECHAT', 'DINGTALK'];

/**
 * Throws Problem `conflict` for a kind of job, and for an error handler, that would be stored and not do what it says. `isNew`: whether the word
 * differs from what the job has already.
 */
function refuseUnready(body: JobBody, isNew: (word: string) => boolean = () => true): void {
  const http = HTTP_WORDS.find(word => body.props?.[word] !== undefined && isNew(`props.${word}`));
  if (http !== undefined) {
    const sentence = `job ${body.jobName} is an HTTP job (${http}); those come in a later version, until then let a script call the address`;
    throw new Problem('conflict', sentence, { field: `props.${http}` });
  }
  const handler = body.jobErrorHandlerType;
  if (handler && NOTIFYING.includes(handler) && isNew('jobErrorHandlerType')) {
    const sentence = `jobErrorHandlerType ${handler} sends messages, which comes in a later version; LOG, IGNORE and THROW work`;
    throw new Problem('conflict', sentence, { field: 'jobErrorHandlerType' });
  }
}

/** A registration: what is absent is at its default. Throws Problem `conflict`. */
export function registered(body: JobBody, defaults: JobConfig): JobConfig {
  refuseUnready(body);
  return { ...laidOver(defaults, body, TERMS, allWords(TERMS)), shardingContext: true, dialect: { elasticjob: wordsOf(body) } };
}

/** What the words of this dialect are where they are absent. */
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

/** Only its name: which job it is about comes before what it says. */
export const NamedBody = z.looseObject({ jobName: name() }, 'a JSON object');

/**
 * An update: the body is a whole registration, laid over `before`. Throws Problem `invalid` or `conflict`. `told` is how this dialect tells the job now; a field
 * that is as told changes nothing and is not judged.
 */
export function updated(raw: Record<string, unknown>, before: JobConfig, told: Record<string, unknown>): JobConfig {
  const missing = REQUIRED.find(field => raw[field] === undefined);
  if (missing !== undefined) parse(JobFields.pick({ [missing]: true } as { [K in typeof missing]: true }), raw);
  const changed = changedWords(told, raw, USUAL);
  const { props = {}, ...fields } = parse(JobFields.partial(), onlyChanged(raw, changed));
  const isAsTold = ([field, value]: [string, unknown]) => value !== null && !changed.has(field);
  const propsAsTold = Object.entries((raw.props ?? {}) as object).filter(([key, value]) => isAsTold([`props.${key}`, value]));
  const body = {
    ...Object.fromEntries(Object.entries(raw).filter(isAsTold)),
    ...Object.fromEntries(Object.entries(fields).filter(([field]) => changed.has(field))),
    props: { ...Object.fromEntries(propsAsTold), ...props },
  } as JobBody;
  refuseUnready(body, word => changed.has(word));
  const after = laidOver(before, body, TERMS, changed);
  const beyond = firstBeyond(after.shards.parameters, after.shards.total);
  if (beyond !== undefined) {
    const sentence = `shardingItemParameters has the item ${beyond}, but every item must be below shardingTotalCount ${after.shards.total}.`;
    throw new Problem('invalid', sentence, { field: 'shardingItemParameters' });
  }
  return { ...after, dialect: { ...before.dialect, elasticjob: wordsOf(body) } };
}
