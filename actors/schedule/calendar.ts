/**
 * The labels a calendar schedule names: Cloudtask's six turn modes.
 *
 *     1 seconds, 2 minutes, 3 hours    a grid in a window of each day, perhaps over midnight
 *     4 days, 5 weeks, 6 months        one time of day, on days that are counted or named
 */
import { DAY, type DayRule, dayNumber, type MonthDays, monthLength, nextBit, nextDay, weekdayOf, YEAR_LAST } from './days.ts';
import type { LabelRule } from './due-instants.ts';
import { quotedValue, ScheduleError } from './error.ts';

export type CalendarSchedule = {
  type: 'calendar';
  id?: string;
  enabled?: 0 | 1;
  turnmode: number;
  interval?: number;
  /** MM/DD/YYYY, in the schedule's zone. */
  startdate: string;
  /** Inclusive; absent or empty is open. */
  enddate?: string;
  /** HH:MM; absent or empty is 00:00 in modes 1-3. */
  starttime?: string;
  /** HH:MM, to its last second; absent or empty is 23:59. Modes 1-3 only. */
  endtime?: string;
  /** Mode 5: weekdays 0 (Sunday) to 6. Mode 6: months 1 to 12. Separated by commas. */
  selectat?: string;
  /** Mode 6. `week` is "which:weekday", which 0 is the last; it counts when `day` is 0. */
  monthlyof?: { day: number; week: string };
  timeZone?: string;
};

/** `end` is Infinity when the schedule is open. */
type Span = { start: number; end: number };

const UNITS = [1, 60, 3600];
const LAST_DAY = dayNumber(YEAR_LAST, 12, 31);

/** Throws ScheduleError with the field, for a malformed rule or one that names no time. */
export function calendarRule(schedule: CalendarSchedule): LabelRule {
  if (schedule.enabled !== undefined && schedule.enabled !== 0 && schedule.enabled !== 1) {
    throw wrong('enabled', schedule.enabled, '0 or 1');
  }
  const mode = schedule.turnmode;
  if (![1, 2, 3, 4, 5, 6].includes(mode)) {
    throw wrong('turnmode', mode, '1 (seconds), 2 (minutes), 3 (hours), 4 (days), 5 (weeks) or 6 (months)');
  }
  const interval = schedule.interval;
  if (mode !== 6 && !(typeof interval === 'number' && Number.isSafeInteger(interval) && interval >= 1)) {
    throw wrong('interval', interval, 'a whole number from 1');
  }
  const span = readSpan(schedule);
  const starttime = readTime('starttime', schedule.starttime);
  const endtime = readTime('endtime', schedule.endtime);
  if (mode <= 3) {
    return new WindowRule(span, starttime ?? 0, endtime ?? DAY - 60, (interval as number) * (UNITS[mode - 1] as number));
  }
  if (starttime === undefined) throw wrong('starttime', schedule.starttime, 'HH:MM, it is required in turnmode 4, 5 and 6');
  const days = daysOf(schedule, span);
  const rule = new DailyRule(days, span, starttime);
  if (rule.next(span.start * DAY) === Number.POSITIVE_INFINITY) throw neverDue(schedule, days, span);
  return rule;
}

/**
 * Days that a rule names, from its own start on and without regard to its end: the first at or
 * after `day`, or Infinity.
 */
type NextDay = (day: number) => number;

function daysOf(schedule: CalendarSchedule, span: Span): NextDay {
  const interval = schedule.interval as number;
  if (schedule.turnmode === 4) return day => day + ((interval - ((day - span.start) % interval)) % interval);
  if (schedule.turnmode === 5) return weekly(readNumbers(schedule.selectat, 0, 6), interval, span.start);
  const rule: DayRule = { years: undefined, months: readNumbers(schedule.selectat, 1, 12) >>> 1, days: readMonthlyOf(schedule.monthlyof) };
  return day => nextDay(rule, day);
}

function weekly(weekdays: number, interval: number, start: number): NextDay {
  const sunday = start - weekdayOf(start);
  return from => {
    let day = from;
    for (;;) {
      const weeks = Math.floor((day - sunday) / 7);
      const weekday = weekdayOf(day);
      if (weeks % interval === 0) {
        const next = nextBit(weekdays, weekday);
        if (next >= 0) return day + next - weekday;
      }
      // The Sunday of the next week that counts.
      day = sunday + (Math.floor(weeks / interval) + 1) * interval * 7;
    }
  };
}

/** A grid of steps inside the window of each day. */
class WindowRule implements LabelRule {
  readonly kind = 'interval';
  private readonly span: Span;
  private readonly starttime: number;
  /** The window's last second, from the start of its day; past DAY when it crosses midnight. */
  private readonly endtime: number;
  private readonly step: number;

  constructor(span: Span, starttime: number, endtime: number, step: number) {
    this.span = span;
    this.starttime = starttime;
    this.endtime = endtime + 59 + (endtime < starttime ? DAY : 0);
    this.step = step;
  }

  next(from: number): number {
    const origin = this.span.start * DAY + this.starttime;
    if (this.step > DAY) return this.nextLong(origin, Math.max(0, Math.ceil((from - origin) / this.step)));
    // Windows never overlap, so only the one that began last before the label can hold it.
    const day = Math.max(Math.floor((from - this.starttime) / DAY), this.span.start);
    if (day > this.span.end || day > LAST_DAY) return Number.POSITIVE_INFINITY;
    const begin = day * DAY + this.starttime;
    const label = begin + Math.max(0, Math.ceil((from - begin) / this.step)) * this.step;
    if (label <= day * DAY + this.endtime) return bounded(label);
    return day + 1 > this.span.end ? Number.POSITIVE_INFINITY : bounded((day + 1) * DAY + this.starttime);
  }

  count(from: number, until: number): number {
    if (this.step > DAY) return countWalking(this, from, until);
    return this.countBefore(Math.min(until + 1, (LAST_DAY + 1) * DAY)) - this.countBefore(Math.min(from, (LAST_DAY + 1) * DAY));
  }

  /**
   * Steps longer than a day count on from the first day through the windows; the walk ends with the
   * last year.
   */
  private nextLong(origin: number, first: number): number {
    for (let label = origin + first * this.step; label < (LAST_DAY + 1) * DAY; label += this.step) {
      const day = Math.floor((label - this.starttime) / DAY);
      if (day > this.span.end) break;
      if (label <= day * DAY + this.endtime) return label;
    }
    return Number.POSITIVE_INFINITY;
  }

  private countBefore(label: number): number {
    const perDay = Math.floor((this.endtime - this.starttime) / this.step) + 1;
    const day = Math.floor((label - 1 - this.starttime) / DAY);
    if (day < this.span.start) return 0;
    if (day > this.span.end) return (this.span.end - this.span.start + 1) * perDay;
    const inWindow = Math.floor((label - 1 - day * DAY - this.starttime) / this.step) + 1;
    return (day - this.span.start) * perDay + Math.min(perDay, inWindow);
  }
}

/** One time of day on days that are counted or named. */
class DailyRule implements LabelRule {
  readonly kind = 'fixed';
  private readonly days: NextDay;
  private readonly span: Span;
  private readonly time: number;

  constructor(days: NextDay, span: Span, time: number) {
    this.days = days;
    this.span = span;
    this.time = time;
  }

  next(from: number): number {
    const day = this.days(Math.max(Math.ceil((from - this.time) / DAY), this.span.start));
    return day > this.span.end || day > LAST_DAY ? Number.POSITIVE_INFINITY : day * DAY + this.time;
  }

  /** At most one a day, so they may be walked. */
  count(from: number, until: number): number {
    return countWalking(this, from, until);
  }
}

function countWalking(rule: LabelRule, from: number, until: number): number {
  let total = 0;
  for (let label = rule.next(from); label <= until; label = rule.next(label + 1)) total += 1;
  return total;
}

function bounded(label: number): number {
  return label < (LAST_DAY + 1) * DAY ? label : Number.POSITIVE_INFINITY;
}

function neverDue(schedule: CalendarSchedule, days: NextDay, span: Span): ScheduleError {
  const first = days(span.start);
  if (span.start > LAST_DAY) return wrong('startdate', schedule.startdate, `a date up to 12/31/${YEAR_LAST}`);
  if (first <= LAST_DAY) return wrong('enddate', schedule.enddate, 'a date that leaves the schedule at least one day it is due on');
  return wrong(
    'monthlyof.day',
    schedule.monthlyof?.day,
    `a day that the months ${quotedValue(schedule.selectat)} have, or the rule is never due`,
  );
}

function readSpan(schedule: CalendarSchedule): Span {
  const start = readDate('startdate', schedule.startdate);
  if (start === undefined) throw wrong('startdate', schedule.startdate, 'a date MM/DD/YYYY');
  if (start > LAST_DAY) throw wrong('startdate', schedule.startdate, `a date up to 12/31/${YEAR_LAST}`);
  const end = readDate('enddate', schedule.enddate) ?? Number.POSITIVE_INFINITY;
  if (end < start) throw wrong('enddate', schedule.enddate, `a date not before startdate ${quotedValue(schedule.startdate)}, or empty`);
  return { start, end };
}

/** Undefined when there is none. */
function readDate(field: string, text: unknown): number | undefined {
  if (text === undefined || text === null || text === '') return undefined;
  const shape = typeof text === 'string' ? /^(\d{2})\/(\d{2})\/(\d{4})$/.exec(text) : null;
  if (shape === null) throw wrong(field, text, 'a date MM/DD/YYYY');
  const [month, date, year] = [Number(shape[1]), Number(shape[2]), Number(shape[3])];
  if (year < 1 || month < 1 || month > 12 || date < 1 || date > monthLength(year, month)) {
    throw wrong(field, text, 'a date MM/DD/YYYY that exists');
  }
  return dayNumber(year, month, date);
}

/** Seconds from midnight; undefined when there is none. */
function readTime(field: string, text: unknown): number | undefined {
  if (text === undefined || text === null || text === '') return undefined;
  const shape = typeof text === 'string' ? /^(\d{1,2}):(\d{2})$/.exec(text) : null;
  const [hour, minute] = [Number(shape?.[1]), Number(shape?.[2])];
  if (!(hour <= 23 && minute <= 59)) throw wrong(field, text, 'a time HH:MM from 00:00 to 23:59');
  return hour * 3600 + minute * 60;
}

/** The listed numbers as bits. */
function readNumbers(text: unknown, low: number, high: number): number {
  let bits = 0;
  for (const item of typeof text === 'string' ? text.split(',') : ['']) {
    const value = /^\s*\d{1,2}\s*$/.test(item) ? Number(item) : -1;
    if (value < low || value > high) throw wrong('selectat', text, `numbers from ${low} to ${high}, separated by commas`);
    bits |= 1 << value;
  }
  return bits;
}

function readMonthlyOf(monthlyof: CalendarSchedule['monthlyof']): MonthDays {
  const day: unknown = monthlyof?.day;
  if (!(typeof day === 'number' && Number.isInteger(day) && day >= -31 && day <= 31)) {
    throw wrong('monthlyof.day', day, 'a whole number from -31 to 31');
  }
  if (day > 0) return { how: 'dates', mask: 1 << (day - 1) };
  if (day < 0) return { how: 'fromEnd', offset: -day - 1 };
  const week: unknown = monthlyof?.week;
  const shape = typeof week === 'string' ? /^([0-4]):([0-6])$/.exec(week) : null;
  if (shape === null) {
    throw wrong('monthlyof.week', week, '"which:weekday" when monthlyof.day is 0, which 1-4 or 0 for the last, weekday 0 (Sunday) to 6');
  }
  const [nth, weekday] = [Number(shape[1]), Number(shape[2])];
  return nth === 0 ? { how: 'last', weekday } : { how: 'nth', weekday, nth };
}

function wrong(field: string, value: unknown, allowed: string): ScheduleError {
  return new ScheduleError(field, `${field} is ${quotedValue(value)}, but must be ${allowed}.`);
}
