/**
 * Reads a Quartz 2.3.2 cron expression: six or seven fields, seconds first, into sets of numbers.
 *
 * A text that Quartz refuses is refused here, with the field's name, the value and the allowed
 * values. So is text that Quartz reads and drops silently: behind a complete item ("5X", "JANUARY",
 * "MON-FRI/2"), an empty item, a step of 0, an eighth field, and companions of W, # and L in a
 * list. A refusal is better than a job that does not do what was written.
 */
import type { MonthDays } from './days.ts';
import { quotedValue, ScheduleError } from './error.ts';

export type CronFields = {
  /** The hour field is `*` or has a step: decides what happens when clocks change. */
  hoursRepeat: boolean;
  seconds: readonly number[];
  minutes: readonly number[];
  hours: readonly number[];
  days: MonthDays;
  months: readonly number[];
  /** Undefined for every year. */
  years: readonly number[] | undefined;
};

type Field = { name: string; low: number; high: number; all: readonly number[]; stepMax: number; names: readonly string[]; also: string };

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const SECOND = createField('second', 0, 59, 59);
const MINUTE = createField('minute', 0, 59, 59);
const HOUR = createField('hour', 0, 23, 23);
const DAY_OF_MONTH = createField('day of month', 1, 31, 31, [], ', ?, L, L-n, nW, LW, L-nW');
const MONTH = createField('month', 1, 12, 12, MONTHS, ', JAN-DEC');
const DAY_OF_WEEK = createField('day of week', 1, 7, 7, WEEKDAYS, ' (1 is Sunday), SUN-SAT, ?, L, nL, n#k');
const YEAR = createField('year', 1970, 2199, 230);
const FIELDS = [SECOND, MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK, YEAR];

/** Longest expression, characters: enough for a list of every year. Longer ones are refused. */
const TEXT_MAX = 2_000;

/** Throws ScheduleError with the field `cron`. */
export function readCron(text: unknown): CronFields {
  if (typeof text !== 'string') throw new ScheduleError('cron', `cron must be a text of 6 or 7 fields, but ${quotedValue(text)} came.`);
  if (text.length > TEXT_MAX) throw new ScheduleError('cron', `cron has ${text.length} characters, at most ${TEXT_MAX} are allowed.`);
  const parts = text.trim().toUpperCase().split(/\s+/);
  if (parts.length < 6 || parts.length > 7) {
    throw new ScheduleError(
      'cron',
      `cron must have 6 or 7 fields (${FIELDS.map(field => field.name).join(', ')}), but ${quotedValue(text)} has ${parts[0] === '' ? 0 : parts.length}.`,
    );
  }
  const [second, minute, hour, date, month, weekday, year = '*'] = parts as [string, string, string, string, string, string, string?];
  return {
    hoursRepeat: hour.split(',').some(item => item === '*' || item.includes('/')),
    seconds: readSet(SECOND, second),
    minutes: readSet(MINUTE, minute),
    hours: readSet(HOUR, hour),
    days: readDays(date, weekday),
    months: readSet(MONTH, month),
    years: year === '*' ? undefined : readSet(YEAR, year),
  };
}

function readDays(date: string, weekday: string): MonthDays {
  if (date === '?' && weekday === '?') throw notOneQuestionMark('are both "?"');
  if (date !== '?' && weekday !== '?') {
    // A wrong value is reported first.
    readWeekdays(weekday);
    readDates(date);
    throw notOneQuestionMark(`are ${quotedValue(date)} and ${quotedValue(weekday)}`);
  }
  return weekday === '?' ? readDates(date) : readWeekdays(weekday);
}

const notOneQuestionMark = (are: string): ScheduleError =>
  new ScheduleError('cron', `The cron fields day of month and day of week ${are}, but exactly one of the two must be "?".`);

function readDates(text: string): MonthDays {
  const special = /^(?:(\d{1,2})W|L(?:-(\d{1,2}))?(W?))$/.exec(text);
  if (special !== null) {
    const [, date, offset = '0', workday] = special;
    if (date !== undefined) return { how: 'workday', date: within(DAY_OF_MONTH, text, date) };
    if (Number(offset) > 30) throw wrong(DAY_OF_MONTH, text, 'the offset from the last day is at most 30');
    return { how: workday === 'W' ? 'workdayFromEnd' : 'fromEnd', offset: Number(offset) };
  }
  if (/[LW]/.test(text) && text.includes(',')) throw wrong(DAY_OF_MONTH, text, 'L and W stand alone, not in a list');
  let mask = 0;
  for (const value of readSet(DAY_OF_MONTH, text)) mask |= 1 << (value - 1);
  return { how: 'dates', mask };
}

function readWeekdays(text: string): MonthDays {
  if (text === 'L') return { how: 'weekdays', mask: 1 << 6 };
  const special = /^([A-Z]{3}|\d)(?:L|#(\d+))$/.exec(text);
  if (special !== null) {
    const weekday = within(DAY_OF_WEEK, text, special[1] as string) - 1;
    if (special[2] === undefined) return { how: 'last', weekday };
    const nth = Number(special[2]);
    if (nth < 1 || nth > 5) throw wrong(DAY_OF_WEEK, text, 'the number after "#" is 1-5');
    return { how: 'nth', weekday, nth };
  }
  if (/[L#]/.test(text) && text.includes(',')) throw wrong(DAY_OF_WEEK, text, 'L and # stand alone, not in a list');
  let mask = 0;
  for (const value of readSet(DAY_OF_WEEK, text)) mask |= 1 << (value - 1);
  return { how: 'weekdays', mask };
}

/** The numbers a plain field names, ascending. */
function readSet(field: Field, text: string): readonly number[] {
  // Most fields are one number or a star: no need to take them to pieces.
  if (text === '*') return field.all;
  if (/^\d+$/.test(text)) return [within(field, text, text)];
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const shape = /^(?:(\*)|([A-Z]+|\d+)(?:-([A-Z]+|\d+))?)?(?:\/(\d+))?$/.exec(item);
    if (shape === null || item === '')
      throw wrong(field, text, item === text || item === '' ? undefined : `${quotedValue(item)} is none of them`);
    const [, all, from, to, stepText] = shape;
    const step = stepText === undefined ? undefined : Number(stepText);
    if (step !== undefined) checkStep(field, text, step, to !== undefined);
    if (all !== undefined || from === undefined) {
      addRange(values, field, field.low, field.high, step ?? 1);
      continue;
    }
    const low = within(field, text, from);
    if (step !== undefined && /[A-Z]/.test(from)) throw wrong(field, text, 'a step follows numbers only, not names');
    if (to === undefined) {
      addRange(values, field, low, step === undefined ? low : field.high, step ?? 1);
      continue;
    }
    if (/\d/.test(from) !== /\d/.test(to)) throw wrong(field, text, 'a range is of two numbers or of two names');
    const high = within(field, text, to);
    if (high < low && field === YEAR) throw wrong(field, text, 'a range of years does not run backwards');
    addRange(values, field, low, high, step ?? 1);
  }
  return [...values].sort((a, b) => a - b);
}

/** A range whose end is before its start runs over the field's end: 22-2 is 22, 23, 0, 1, 2. */
function addRange(values: Set<number>, field: Field, from: number, to: number, step: number): void {
  const size = field.high - field.low + 1;
  const end = to < from ? to + size : to;
  for (let value = from; value <= end; value += step) values.add(value > field.high ? value - size : value);
}

function checkStep(field: Field, text: string, step: number, ranged: boolean): void {
  if (step < 1) throw wrong(field, text, 'a step is at least 1');
  // Quartz bounds the step of "*/n" and "a/n" only; behind a range any step leaves its first value.
  if (!ranged && field !== YEAR && step > field.stepMax) throw wrong(field, text, `a step is at most ${field.stepMax}`);
}

function within(field: Field, text: string, word: string): number {
  const named = field.names.indexOf(word);
  if (named >= 0) return named + field.low;
  const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
  if (value >= field.low && value <= field.high) return value;
  throw wrong(field, text, word === text ? undefined : `${quotedValue(word)} is none of them`);
}

function wrong(field: Field, text: string, reason?: string): ScheduleError {
  const allowed = `${field.low}-${field.high}${field.also}, *, and lists, ranges and steps of these`;
  return new ScheduleError(
    'cron',
    `The cron field ${field.name} is ${quotedValue(text)}, but allowed are ${allowed}${reason === undefined ? '' : `: ${reason}`}.`,
  );
}

function createField(name: string, low: number, high: number, stepMax: number, names: readonly string[] = [], also = ''): Field {
  return { name, low, high, all: Array.from({ length: high - low + 1 }, (_, index) => low + index), stepMax, names, also };
}
