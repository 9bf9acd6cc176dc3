/** Schedules of a job, and when something is due. */
import { z } from 'zod';
import type { JobSchedule as Configured } from '../../../actors/schedule/index.ts';
import { endpoints } from './endpoint.ts';
import { digits, field, instant, once, text, whole } from './fields.ts';
import { listOf } from './lists.ts';
import { moment, words } from './responses.ts';

/** Most due times of one answer. */
const DUES_MAX = 1_000;
const DUES_DEFAULT = 10;

const zone = () => field(text(100), 'IANA time zone of this schedule; default: that of its job', { example: 'Europe/Berlin' }).optional();

const Cron = z.strictObject({
  type: field(z.literal('cron'), 'a Quartz expression', { example: 'cron' }),
  cron: field(text(1_000, 1), 'Quartz cron, seconds first', { example: '0 0 8 ? * MON-FRI' }),
  timeZone: zone(),
});

const Crontab = z.strictObject({
  type: field(z.literal('crontab'), 'a line of a crontab', { example: 'crontab' }),
  crontab: field(text(1_000, 1), 'the five fields of a crontab, or @daily and its like', { example: '*/5 * * * *' }),
  timeZone: zone(),
});

/** Types only; the parser of schedules checks their combination. */
const Calendar = z.strictObject({
  type: field(z.literal('calendar'), 'a calendar of Cloudtask', { example: 'calendar' }),
  id: field(text(100), 'its id in Cloudtask; default: none', { example: '5a2f' }).optional(),
  enabled: field(z.union([z.literal(0), z.literal(1)], '0 or 1'), '0: it is switched off; default: 1', { example: 1 }).optional(),
  turnmode: field(whole(1, 6), 'the step: 1 seconds, 2 minutes, 3 hours, 4 days, 5 weeks, 6 days of months', {
    example: 4,
  }),
  interval: field(whole(0, 2 ** 31 - 1), 'every how many steps; required except with 6', { example: 1 }).optional(),
  startdate: field(text(20, 1), 'the first day, month/day/year', { example: '11/22/2026' }),
  enddate: field(text(20), 'the last day; default: empty, none', { example: '12/31/2026' }).optional(),
  starttime: field(text(20), 'from when on a day, default: 00:00; with 4, 5 and 6 the time of day that it is due, required', {
    example: '09:30',
  }).optional(),
  endtime: field(text(20), 'until when on a day, with 1, 2 and 3; default: 23:59', { example: '18:00' }).optional(),
  selectat: field(text(100), 'with 5 the weekdays, 0 (Sunday) to 6, with 6 the months, 1 to 12; commas between them; required there', {
    example: '1,3,5',
  }).optional(),
  monthlyof: field(
    z.strictObject(
      {
        day: field(whole(-31, 31), 'day of the month, below 0 from its end; 0: `week` says it', { example: -1 }),
        week: field(text(20), 'which:weekday, which 1 to 4 or 0 for the last, weekday 0 (Sunday) to 6', { example: '0:5' }),
      },
      'an object {day, week}',
    ),
    'with 6: the day of its months; required there',
  ).optional(),
  timeZone: zone(),
});

/**
 * `undefined` and absent are two things to a schedule of the actors; JSON knows only absent.
 */
export const Schedule = z.discriminatedUnion(
  'type',
  [Cron, Crontab, Calendar],
  'an object whose type is "cron", "crontab" or "calendar"',
) as unknown as z.ZodType<Configured, Configured>;

export const DueTime = once(() =>
  z
    .object({
      dueAt: moment('when it is due'),
      local: words('the same instant as the clocks of its zone show it', '2026-11-22 09:00:00+01:00'),
    })
    .meta({ id: 'DueTime' }),
);
export type DueTime = z.output<ReturnType<typeof DueTime>>;

const from = () => field(instant(), 'strictly after this instant; default: now', { help: 'later than this', usual: 'now' });

const PreviewBody = z.strictObject(
  {
    schedule: field(z.unknown(), 'the schedule'),
    count: field(whole(1, DUES_MAX), 'how many due times', { example: 3 }).default(DUES_DEFAULT),
    from: from().optional(),
  },
  'a JSON object',
);

export const scheduleEndpoints = endpoints({
  'GET /v1/jobs/:name/next': {
    tag: 'schedules',
    access: 'user',
    summary: 'The coming due times of a job, strictly after `from`.',
    query: z.object({
      count: field(digits(1, DUES_MAX), 'how many due times', { example: 3 }).default(DUES_DEFAULT),
      from: from().optional(),
    }),
    answers: () => listOf(DueTime()),
  },
  'POST /v1/schedules/preview': {
    tag: 'schedules',
    access: 'user',
    scope: 'read',
    summary: 'The same for a schedule that is not saved yet.',
    body: PreviewBody,
    documentedBody: PreviewBody.extend({ schedule: field(Schedule, 'the schedule') }),
    answers: () => listOf(DueTime()),
  },
});
