/**
 * Reads the five fields of a crontab as cronie and Vixie cron read them (src/entry.c, src/cron.c):
 * minute, hour, day of month, month, day of week, Sunday as 0 or 7, `@daily` and its like.
 *
 * Where neither day field begins with a star a day counts that either of them names; where one
 * does, both must name it. So `0 0 13 * fri` is the 13th and each Friday, and with a star and a
 * step of 2 in place of the 13 it is the Fridays that have an odd date. What cron reads and then
 * drops ("*5", text behind a field) is refused.
 */
import type { CronFields } from './cron-text.ts';
import type { MonthDays } from './days.ts';
import { quotedValue, ScheduleError } from './error.ts';

type Field = { name: string; low: number; high: number; names: readonly string[]; also: string };

const MONTHS = ['JAN', 'FEB', 'MAR', 'APR', 'MAY', 'JUN', 'JUL', 'AUG', 'SEP', 'OCT', 'NOV', 'DEC'];
const WEEKDAYS = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

const MINUTE: Field = { name: 'minute', low: 0, high: 59, names: [], also: '' };
const HOUR: Field = { name: 'hour', low: 0, high: 23, names: [], also: '' };
const DAY_OF_MONTH: Field = { name: 'day of month', low: 1, high: 31, names: [], also: '' };
const MONTH: Field = { name: 'month', low: 1, high: 12, names: MONTHS, also: ', JAN-DEC' };
const DAY_OF_WEEK: Field = { name: 'day of week', low: 0, high: 7, names: WEEKDAYS, also: ' (0 and 7 are Sunday), SUN-SAT' };
const FIELDS = [MINUTE, HOUR, DAY_OF_MONTH, MONTH, DAY_OF_WEEK];

/** Names of whole expressions. */
export const NICKNAMES: Readonly<Record<string, string>> = {
  '@YEARLY': '0 0 1 1 *',
  '@ANNUALLY': '0 0 1 1 *',
  '@MONTHLY': '0 0 1 * *',
  '@WEEKLY': '0 0 * * 0',
  '@DAILY': '0 0 * * *',
  '@MIDNIGHT': '0 0 * * *',
  '@HOURLY': '0 * * * *',
};

const TEXT_MAX = 2_000;

/** Throws ScheduleError with the field `crontab`. */
export function readCrontab(text: unknown): CronFields {
  if (typeof text !== 'string') throw failure(`crontab must be a text of 5 fields, but ${quotedValue(text)} came`);
  if (text.length > TEXT_MAX) throw failure(`crontab has ${text.length} characters, at most ${TEXT_MAX} are allowed`);
  const [minute, hour, date, month, weekday] = fieldsOf(text);
  const datesMask = bits(DAY_OF_MONTH, date) >>> 1;
  const week = bits(DAY_OF_WEEK, weekday);
  return {
    hoursRepeat: hour.split(',').some(item => item === '*' || item.includes('/')),
    seconds: [0],
    minutes: readSet(MINUTE, minute),
    hours: readSet(HOUR, hour),
    days: daysOf(date, datesMask, weekday, (week | (week >>> 7)) & 0x7f),
    months: readSet(MONTH, month),
    years: undefined,
  };
}

function fieldsOf(text: string): [string, string, string, string, string] {
  const written = text.trim().toUpperCase();
  if (written === '@REBOOT') {
    throw failure('crontab is "@reboot", but a job belongs to no machine that boots; trigger it, or give it times');
  }
  if (written.startsWith('@') && NICKNAMES[written] === undefined) {
    throw failure(`crontab is ${quotedValue(text)}, but the names of expressions are ${Object.keys(NICKNAMES).join(', ').toLowerCase()}`);
  }
  if (/^(CRON_)?TZ=/.test(written)) throw failure(`crontab is ${quotedValue(text)}, but its zone is a field of its own: timeZone`);
  const fields = (NICKNAMES[written] ?? written).split(/\s+/);
  if (fields.length === 5) return fields as [string, string, string, string, string];
  const names = FIELDS.map(field => field.name).join(', ');
  throw failure(`crontab must have 5 fields (${names}), but ${quotedValue(text)} has ${fields[0] === '' ? 0 : fields.length}`);
}

/**
 * The rule of cron.c: dates and weekdays are joined by `and` where one of the fields begins with a
 * star, else by `or`.
 */
function daysOf(date: string, dates: number, weekday: string, weekdays: number): MonthDays {
  if (!date.startsWith('*') && !weekday.startsWith('*')) return { how: 'either', dates, weekdays };
  if (weekdays === 0x7f) return { how: 'dates', mask: dates };
  return dates === 0x7fff_ffff ? { how: 'weekdays', mask: weekdays } : { how: 'both', dates, weekdays };
}

const bits = (field: Field, text: string): number => readSet(field, text).reduce((mask, value) => mask | (1 << value), 0);

/** The numbers that a field names, ascending. */
function readSet(field: Field, text: string): readonly number[] {
  const values = new Set<number>();
  for (const item of text.split(',')) {
    const shape = /^(?:(\*)|([A-Z]+|\d+)(?:-([A-Z]+|\d+))?)(?:\/(\d+))?$/.exec(item);
    if (shape === null) throw wrong(field, text, hintFor(item) ?? (item === text ? undefined : `${quotedValue(item)} is none of them`));
    const [, all, from = '', to, stepText] = shape;
    const low = all === undefined ? within(field, text, from) : field.low;
    // Seven is Sunday once more: a star names each day once.
    const end = all === undefined ? undefined : field === DAY_OF_WEEK ? 6 : field.high;
    const high = end ?? (to === undefined ? low : within(field, text, to));
    const step = Number(stepText ?? 1);
    if (step < 1) throw wrong(field, text, 'a step is at least 1');
    if (all === undefined && to === undefined && stepText !== undefined) {
      throw wrong(field, text, `a step follows "*" or a range; write "${low}-${field.high}/${step}"`);
    }
    if (high < low) throw wrong(field, text, `a range does not run backwards; write "${turned(field, low, high)}"`);
    for (let value = low; value <= high; value += step) values.add(value);
  }
  return [...values].sort((a, b) => a - b);
}

/** A range that runs over the end of its field, as two: `22-2` is `22-23,0-2`. */
function turned(field: Field, low: number, high: number): string {
  if (field === DAY_OF_WEEK && high === 0) return `${low}-7`;
  const range = (from: number, to: number) => (from === to ? `${from}` : `${from}-${to}`);
  return `${range(low, field === DAY_OF_WEEK ? 6 : field.high)},${range(field.low, high)}`;
}

/** The hint for syntax of other dialects. */
function hintFor(item: string): string | undefined {
  if (item === '?') return 'a crontab has "*" where others have "?"';
  return /^[A-Z0-9-]*[LW#][0-9W]*$/.test(item) && /[LW#]/.test(item) ? 'L, W and # belong to Quartz, type "cron"' : undefined;
}

function within(field: Field, text: string, word: string): number {
  const named = field.names.indexOf(word);
  if (named >= 0) return named + field.low;
  const value = /^\d+$/.test(word) ? Number(word) : Number.NaN;
  if (value >= field.low && value <= field.high) return value;
  throw wrong(field, text, hintFor(word) ?? (word === text ? undefined : `${quotedValue(word)} is none of them`));
}

function wrong(field: Field, text: string, reason?: string): ScheduleError {
  const allowed = `${field.low}-${field.high}${field.also}, *, and lists, ranges and steps of these`;
  return failure(
    `The crontab field ${field.name} is ${quotedValue(text)}, but allowed are ${allowed}${reason === undefined ? '' : `: ${reason}`}`,
  );
}

/** A sentence without its full stop. */
const failure = (sentence: string): ScheduleError => new ScheduleError('crontab', `${sentence}.`);
