/** A schedule in words: `0 0 9 ? * 1-5` is "at 09:00, Sunday to Thursday". */
import type { CalendarSchedule } from './calendar.ts';
import type { CronFields } from './cron-text.ts';
import type { MonthDays } from './days.ts';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const NTH = ['', 'first', 'second', 'third', 'fourth', 'fifth'];

/** Times of day that are listed one by one; more are described by their parts. */
const TIMES_MAX = 6;

/** `every 5 minutes from 08:00 to 18:59, Monday to Friday, in June`; without the zone. */
export function cronText(fields: CronFields): string {
  const { hours, days, months, years } = fields;
  const dayWords = [daysText(days)];
  if (months.length < 12) dayWords.push(`in ${runsText(months, month => MONTHS[month - 1] ?? '')}`);
  if (years !== undefined) dayWords.push(`in ${runsText(years, String)}`);
  const isDaily = dayWords.length === 1 && dayWords[0] === 'every day';
  const times = timesText(fields);
  return isDaily && hours.length === 24 ? times : [times, ...dayWords.filter(words => words !== 'every day' || isDaily)].join(', ');
}

/** Names of the weekdays that the numbers of a field stand for: `Sunday to Thursday`. */
const weekdaysText = (mask: number): string => {
  const monday = bitsOf(mask)
    .map(day => (day + 6) % 7)
    .sort((a, b) => a - b);
  const whole = bitsOf(mask);
  // Sunday first or Monday first: the order that needs fewer words.
  const [sundayFirst, mondayFirst] = [runsText(whole, day => WEEKDAYS[day] ?? ''), runsText(monday, day => WEEKDAYS[(day + 1) % 7] ?? '')];
  return mondayFirst.length <= sundayFirst.length ? mondayFirst : sundayFirst;
};

export function calendarText(schedule: CalendarSchedule): string {
  const { turnmode, interval = 1, starttime, endtime, startdate, enddate, selectat = '', monthlyof, enabled } = schedule;
  const words: string[] = [];
  const numbers = selectat.split(',').map(Number);
  if (turnmode <= 3) {
    const unit = ['second', 'minute', 'hour'][turnmode - 1] ?? '';
    const isWhole = !starttime && !endtime;
    words.push(`${every(interval, unit)}${isWhole ? '' : ` from ${clock(starttime || '00:00')} to ${clock(endtime || '23:59')}`}`);
  } else {
    words.push(`at ${clock(starttime ?? '')}`);
    if (turnmode === 4) words.push(every(interval, 'day'));
    if (turnmode === 5) words.push(weekdaysText(numbers.reduce((mask, day) => mask | (1 << day), 0)), every(interval, 'week'));
    if (turnmode === 6) {
      words.push(monthlyText(monthlyof));
      const months = [...new Set(numbers)].sort((a, b) => a - b);
      words.push(months.length === 12 ? 'every month' : `in ${runsText(months, month => MONTHS[month - 1] ?? '')}`);
    }
  }
  words.push(`from ${startdate}${enddate ? ` until ${enddate}` : ''}`);
  return `${words.join(', ')}${enabled === 0 ? ', disabled' : ''}`;
}

function monthlyText(monthlyof: CalendarSchedule['monthlyof']): string {
  const { day = 0, week = '' } = monthlyof ?? {};
  if (day > 0) return daysText({ how: 'dates', mask: 1 << (day - 1) });
  if (day < 0) return daysText({ how: 'fromEnd', offset: -day - 1 });
  const [nth = 0, weekday = 0] = week.split(':').map(Number);
  return daysText(nth === 0 ? { how: 'last', weekday } : { how: 'nth', weekday, nth });
}

function timesText({ seconds, minutes, hours }: Pick<CronFields, 'seconds' | 'minutes' | 'hours'>): string {
  const isExact = seconds.length === 1 && seconds[0] === 0;
  if (seconds.length * minutes.length * hours.length <= TIMES_MAX) {
    const times = hours.flatMap(hour =>
      minutes.flatMap(minute => seconds.map(second => timeOf(hour, minute, isExact ? undefined : second))),
    );
    return `at ${listed(times)}`;
  }
  const words: string[] = [];
  const isAnyMinute = minutes.length === 60;
  const isAnyHour = hours.length === 24;
  if (!isExact) words.push(partText(seconds, 'second', isAnyMinute ? ' of every minute' : ''));
  if (!(isAnyMinute && !isExact)) {
    const isFull = isExact && minutes.length === 1 && minutes[0] === 0;
    if (isFull && isAnyHour) words.push('every hour');
    else words.push(partText(minutes, 'minute', isAnyHour ? ' of every hour' : ''));
  }
  if (!isAnyHour) words.push(hoursText(hours));
  return words.join(' ');
}

/** `every 5 minutes`, `at minutes 5 and 35 of every hour`. */
function partText(values: readonly number[], unit: string, of: string): string {
  if (values.length === 60) return `every ${unit}`;
  const step = stepOf(values);
  const [first = 0] = values;
  if (step !== undefined && 60 % step === 0 && values.length === 60 / step) {
    return first === 0 ? every(step, unit) : `${every(step, unit)} from ${unit} ${first} on${of}`;
  }
  if (step !== undefined && step > 1 && values.length > 3) {
    return `every ${ordinal(step)} ${unit} from ${first} to ${values.at(-1)}${of}`;
  }
  return `at ${unit}${values.length === 1 ? '' : 's'} ${runsText(values, String)}${of}`;
}

function hoursText(hours: readonly number[]): string {
  const step = stepOf(hours);
  const [first = 0] = hours;
  if (step !== undefined && step > 1 && hours.length > 2) {
    const isAllDay = 24 % step === 0 && hours.length === 24 / step && first === 0;
    return isAllDay
      ? `of every ${ordinal(step)} hour`
      : `of every ${ordinal(step)} hour from ${two(first)}:00 to ${two(hours.at(-1) ?? 0)}:59`;
  }
  return runsOf(hours, 24)
    .map(([from, to]) => `from ${two(from)}:00 to ${two(to)}:59`)
    .join(' and ');
}

export function daysText(days: MonthDays): string {
  switch (days.how) {
    case 'dates':
      return days.mask === 0x7fff_ffff ? 'every day' : datesText(days.mask);
    case 'weekdays':
      return days.mask === 0x7f ? 'every day' : weekdaysText(days.mask);
    case 'fromEnd':
      return days.offset === 0 ? 'on the last day of the month' : `${days.offset} days before the last day of the month`;
    case 'workday':
      return `on the working day nearest to day ${days.date} of the month`;
    case 'workdayFromEnd':
      return days.offset === 0
        ? 'on the last working day of the month'
        : `on the working day nearest to ${days.offset} days before the last day of the month`;
    case 'nth':
      return `on the ${NTH[days.nth]} ${WEEKDAYS[days.weekday]} of the month`;
    case 'either':
      if (days.dates === 0x7fff_ffff || days.weekdays === 0x7f) return 'every day';
      return `${datesText(days.dates)} or on ${weekdaysText(days.weekdays)}`;
    case 'both':
      return `${datesText(days.dates)} that are ${weekdaysText(days.weekdays)}`;
    case 'last':
      return `on the last ${WEEKDAYS[days.weekday]} of the month`;
  }
}

const datesText = (mask: number): string => {
  const dates = bitsOf(mask).map(bit => bit + 1);
  const step = stepOf(dates);
  if (step !== undefined && step > 1 && dates.length > 3) {
    return `on every ${ordinal(step)} day from ${dates[0]} to ${dates.at(-1)} of the month`;
  }
  return `on day${dates.length === 1 ? '' : 's'} ${runsText(dates, String)} of the month`;
};

const bitsOf = (mask: number): number[] => Array.from({ length: 31 }, (_, bit) => bit).filter(bit => (mask >>> bit) & 1);

/** `1 to 5, 7 and 9`. Two neighbours are no range. */
function runsText(values: readonly number[], nameOf: (value: number) => string): string {
  return listed(
    runsOf(values).flatMap(([from, to]) => {
      if (to - from >= 2) return [`${nameOf(from)} to ${nameOf(to)}`];
      return from === to ? [nameOf(from)] : [nameOf(from), nameOf(to)];
    }),
  );
}

/** Neighbours as ranges; with `size` a range may pass the end of the field: 22, 23, 0. */
function runsOf(values: readonly number[], size?: number): [number, number][] {
  const runs: [number, number][] = [];
  for (const value of values) {
    const run = runs.at(-1);
    if (run && run[1] + 1 === value) run[1] = value;
    else runs.push([value, value]);
  }
  const [first, last] = [runs[0], runs.at(-1)];
  if (size !== undefined && runs.length > 1 && first?.[0] === 0 && last?.[1] === size - 1) {
    return [...runs.slice(1, -1), [last[0], first[1]]];
  }
  return runs;
}

/** The one distance between neighbours; undefined where there are several, or none. */
function stepOf(values: readonly number[]): number | undefined {
  const [first = 0, second] = values;
  if (second === undefined) return undefined;
  const step = second - first;
  return values.every((value, index) => value === first + index * step) ? step : undefined;
}

const listed = (words: readonly string[]): string =>
  words.length < 2 ? (words[0] ?? '') : `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
const every = (count: number, unit: string): string => (count === 1 ? `every ${unit}` : `every ${count} ${unit}s`);
const ordinal = (count: number): string =>
  `${count}${({ 1: 'st', 2: 'nd', 3: 'rd' } as Record<number, string>)[count > 20 ? count % 10 : count] ?? 'th'}`;
const two = (value: number): string => String(value).padStart(2, '0');
const timeOf = (hour: number, minute: number, second: number | undefined): string =>
  `${two(hour)}:${two(minute)}${second === undefined ? '' : `:${two(second)}`}`;
/** `9:30` -> `09:30`. */
const clock = (time: string): string => time.padStart(5, '0');
