/**
 * A schedule as Cloudtask writes it, and the calendar schedule that it means. An item keeps fields
 * that its turnmode does not read; a calendar schedule has only those that count.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { CalendarSchedule } from '../../../actors/schedule/calendar.ts';
import type { JobSchedule } from '../../../actors/schedule/index.ts';
import { field, text, whole } from '../../protocol/rest/fields.ts';

const INT_MAX = 2 ** 31 - 1;
/** Longest text of a schedule, characters. */
const WORD_MAX = 100;

const int = () => whole(-INT_MAX - 1, INT_MAX);
const word = () => text(WORD_MAX);

const MonthlyOf = z.object(
  {
    day: field(int(), 'day of the month, below 0 from its end; 0: `week` says it', { example: -1 }).default(0),
    week: field(word(), 'which:weekday, which 1 to 4 or 0 for the last, weekday 0 (Sunday) to 6', { example: '0:5' }).default(''),
  },
  'an object {day, week}',
);

/**
 * Types only: `checkJob` judges the rule. An absent field is its zero value, as in the original, so
 * an item without `enabled` is switched off. In the original's order.
 */
export const ScheduleItem = z.object(
  {
    id: field(word(), 'its id; drawn where none is given', { example: '1623e5f1a23' }).default(''),
    enabled: field(int(), '1, or 0: it is switched off', { example: 1 }).default(0),
    turnmode: field(int(), 'the step: 1 seconds, 2 minutes, 3 hours, 4 days, 5 weeks, 6 days of months', { example: 2 }).default(0),
    interval: field(int(), 'every how many steps; not read with 6', { example: 2 }).default(0),
    startdate: field(word(), 'the first day, month/day/year', { example: '03/19/2018' }).default(''),
    enddate: field(word(), 'the last day; empty: none', { example: '' }).default(''),
    starttime: field(word(), 'from when on a day; with 4, 5 and 6 the time of day that it is due', { example: '00:00' }).default(''),
    endtime: field(word(), 'until when on a day, with 1, 2 and 3', { example: '23:59' }).default(''),
    selectat: field(word(), 'with 5 the weekdays, 0 (Sunday) to 6, with 6 the months, 1 to 12; commas between them', {
      example: '',
    }).default(''),
    monthlyof: field(MonthlyOf, 'with 6: the day of its months', { example: { day: 1, week: '' } }).prefault({}),
  },
  'an object with the fields of a schedule',
);
export type ScheduleItem = z.output<typeof ScheduleItem>;

/** The fields that its turnmode reads. */
export function calendarOf(item: ScheduleItem): CalendarSchedule {
  const { id, enabled, turnmode, interval, startdate, enddate, starttime, endtime, selectat, monthlyof } = item;
  return {
    type: 'calendar',
    ...(id === '' ? {} : { id }),
    // Other numbers are refused by the rule of the calendar.
    enabled: enabled as 0 | 1,
    turnmode,
    ...(turnmode === 6 ? {} : { interval }),
    startdate,
    ...(enddate === '' ? {} : { enddate }),
    ...(starttime === '' ? {} : { starttime }),
    ...(endtime === '' ? {} : { endtime }),
    ...(turnmode === 5 || turnmode === 6 ? { selectat } : {}),
    ...(turnmode === 6 ? { monthlyof: { day: monthlyof.day, week: monthlyof.day === 0 ? monthlyof.week : '' } } : {}),
  };
}

/** A calendar of another surface. Fields that it lacks are as the original's pages send them. */
const itemOf = (calendar: CalendarSchedule): ScheduleItem => ({
  id: calendar.id ?? '',
  enabled: calendar.enabled ?? 1,
  turnmode: calendar.turnmode,
  interval: calendar.interval ?? 1,
  startdate: calendar.startdate,
  enddate: calendar.enddate ?? '',
  starttime: calendar.starttime ?? '',
  endtime: calendar.endtime ?? '',
  selectat: calendar.selectat ?? '',
  monthlyof: { day: calendar.monthlyof?.day ?? 1, week: calendar.monthlyof?.week ?? '' },
});

const calendarsIn = (schedules: readonly JobSchedule[]): CalendarSchedule[] =>
  schedules.filter(({ type }) => type === 'calendar') as CalendarSchedule[];

/** Removes the first thing that fits from the list. Undefined where none does. */
function takeFirst<T>(list: T[], fits: (thing: T) => boolean): T | undefined {
  const index = list.findIndex(fits);
  return index < 0 ? undefined : list.splice(index, 1)[0];
}

/** The calendars of a job as items: as `given`, one by one, where they still mean the same. */
export function itemsOf(schedules: readonly JobSchedule[], given: readonly ScheduleItem[]): ScheduleItem[] {
  const left = [...given];
  return calendarsIn(schedules).map(calendar => takeFirst(left, item => isDeepStrictEqual(calendarOf(item), calendar)) ?? itemOf(calendar));
}

/**
 * The schedules of a job with these items as its calendars; other schedules keep their places. An
 * item that equals one of `shown`, the present answer, keeps its calendar, and so its zone.
 */
export function withItems(
  schedules: readonly JobSchedule[],
  items: readonly ScheduleItem[],
  shown: readonly ScheduleItem[],
): JobSchedule[] {
  const before = calendarsIn(schedules).map((calendar, index) => ({ calendar, item: shown[index] }));
  const calendars = items.map(item => takeFirst(before, each => isDeepStrictEqual(each.item, item))?.calendar ?? calendarOf(item));
  const placed = schedules.flatMap((schedule): JobSchedule[] => (schedule.type === 'calendar' ? calendars.splice(0, 1) : [schedule]));
  return [...placed, ...calendars];
}
