/**
 * A job in `jobs show`: all settings, also fields of a newer center that this program does not
 * know.
 */
import { duration } from '../../lib/durations.ts';
import type { Job } from '../../protocol/rest/job.ts';

import type { Printer } from '../printer.ts';
import type { Pair } from '../table.ts';
import { commandLine } from '../words.ts';
import { statusOr } from './common.ts';

export const whatOf = (job: Job): string => (job.command ? commandLine(job.command) : `app ${job.app ?? ''}`);

type Schedule = Job['schedules'][number];

/** An expression; of a calendar, its settings. */
export function scheduleLine(schedule: Schedule): string {
  const { type, cron, crontab, timeZone, ...settings }: { cron?: string; crontab?: string } & Schedule = schedule;
  const zone = timeZone ? ` (${timeZone})` : '';
  const expression = cron ?? (crontab === undefined ? undefined : `crontab ${crontab}`);
  if (expression !== undefined) return `${expression}${zone}`;
  const given = Object.entries(settings).filter(([, value]) => value !== null && value !== '' && value !== undefined);
  return `${[type, ...given.map(([name, value]) => `${name}=${plain(value)}`)].join(' ')}${zone}`;
}

/** Fields that a line below contains. Each other field has a line of its own. */
const SHOWN = [
  'name id group servers description status enabled quarantine command shell runAs app file files kind pool schedules timeZone nextAt lastOutcome lastExecution lastFinishedAt shards parameter',
  'shardingContext env resources placement partial overlap overlapLimit misfire misfireGraceMs retry failover failoverLimit failoverOnFailure disconnect disconnectMs notify',
  'timeoutMs startWithinMs killGraceMs rev version createdAt updatedAt',
].flatMap(names => names.split(' '));

export const jobLines = (print: Printer, job: Job): string[] =>
  print.record([
    ['name', job.name],
    ['id', job.id],
    ['description', job.description],
    ['status', statusOr(job), print.paint.state],
    ['runs', `${whatOf(job)}${job.shell ? '  (by a shell)' : ''}`],
    ['as user', job.runAs ?? ''],
    ['app', job.command ? (job.app ?? '') : ''],
    ['file', job.file ? `${job.file.name}  ${job.file.sha256}` : ''],
    ...(job.files ?? []).map(
      (file, nth): Pair => [nth === 0 ? 'earlier files' : '', `${file.name}  ${file.sha256}  until ${print.instant(file.replacedAt)}`],
    ),
    ['kind', job.kind],
    ['group', job.group ?? ''],
    ['pool', job.pool],
    ['servers', (job.servers ?? []).join(', ')],
    ...job.schedules.map((schedule, nth): Pair => [nth === 0 ? 'schedule' : '', scheduleLine(schedule)]),
    ['time zone', job.schedules.length > 0 ? job.timeZone : ''],
    ['next', print.instant(job.nextAt)],
    ['last', [job.lastOutcome, job.lastExecution, print.instant(job.lastFinishedAt)].filter(text => text).join('  '), print.paint.state],
    ...runLines(job),
    ...policyLines(job),
    ...Object.entries(job)
      .filter(([name]) => !SHOWN.includes(name))
      .map(([name, value]): Pair => [name, plain(value, name)]),
    ['version', job.version === undefined ? '' : String(job.version)],
    ['created', print.instant(job.createdAt)],
    ['updated', print.instant(job.updatedAt)],
  ]);

const runLines = (job: Job): Pair[] => [
  ['shards', String(job.shards.total)],
  ...Object.entries(job.shards.parameters).map(([item, parameter]): Pair => [`  shard ${item}`, parameter]),
  ['parameter', job.parameter],
  ['argument', job.shardingContext ? 'the sharding context' : ''],
  ...Object.entries(job.env).map(([name, value], nth): Pair => [nth === 0 ? 'environment' : '', `${name}=${value ?? '(hidden)'}`]),
  ['resources', `${job.resources.cpus} cpus, ${job.resources.memoryMB} MB, ${job.placement}${job.partial ? ', what fits starts' : ''}`],
];

function policyLines(job: Job): Pair[] {
  const { misfire, retry } = job;
  const limited = job.overlap === 'queue' || job.overlap === 'allow' ? `, at most ${job.overlapLimit}` : '';
  const jitter = retry.jitter ? `, jitter ${retry.jitter}` : '';
  const retried = `${retry.attempts} attempts, from ${duration(retry.backoffMs)} to ${duration(retry.maxBackoffMs)} apart${jitter}`;
  const moved = `up to ${job.failoverLimit} times${job.failoverOnFailure ? ', also after a failure' : ''}`;
  const stopped = job.disconnectMs ? `after ${duration(job.disconnectMs)}` : 'never';
  return [
    ['overlap', `${job.overlap}${limited}`],
    [
      'misfire',
      `${misfire.policy}${misfire.policy === 'all' ? `, at most ${misfire.limit}` : ''}${span(', later than', job.misfireGraceMs)}`,
    ],
    ['retry', retry.attempts > 1 ? retried : 'none'],
    ['failover', job.failover ? moved : 'none'],
    ['disconnect', job.disconnect === 'stop' ? `stop, ${stopped}` : job.disconnect],
    ['timeout', job.timeoutMs > 0 ? duration(job.timeoutMs) : 'none'],
    ['start within', job.startWithinMs ? duration(job.startWithinMs) : ''],
    ['kill grace', span('', job.killGraceMs)],
    ...noticeLines(job),
  ];
}

const noticeLines = ({ notify }: Job): Pair[] =>
  Object.entries(notify ?? {}).flatMap(([kind, notice]): Pair[] =>
    notice ? [[`notify ${kind}`, `${notice.to.join(', ')}${notice.enabled ? '' : '  (switched off)'}`]] : [],
  );

const span = (before: string, ms: number | undefined): string => (ms === undefined ? '' : `${before} ${duration(ms)}`.trimStart());

/** The text of a value. `name`: its field; a number in a field `…Ms` is a duration. */
function plain(value: unknown, name = ''): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' && name.endsWith('Ms')) return duration(value);
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
