/**
 * Habits of one cron dialect in an expression of another. A refusal ends with the exact expression
 * to write. Numbers for days of the week get a warning with their names: Quartz counts from Sunday
 * as 1, cron from Sunday as 0.
 */
import { type CronFields, readCron } from './cron-text.ts';
import { NICKNAMES, readCrontab } from './crontab-text.ts';
import { ScheduleError } from './error.ts';
import { daysText } from './text.ts';

const NAMES = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT'];

/** Longest text that gets a hint, characters. */
const LOOKED_AT_MAX = 200;

/** Advice for a refused Quartz expression: `write "0 0 2 * * ?"`. Undefined: none fits. */
export function hintForCron(text: unknown): string | undefined {
  // An expression that can be read names no existing day: no other spelling helps.
  if (typeof text !== 'string' || text.length > LOOKED_AT_MAX || isQuartz(text)) return undefined;
  const written = shortNames(text.trim());
  const parts = written.split(/\s+/);
  if (written.startsWith('@') || parts.length === 5) return fiveFields(written);
  const [second = '', ...rest] = parts;
  const year = parts[6] === undefined ? '' : ` ${parts[6]}`;
  // A "?" that stands in the month is the one of a day field: the seconds are missing.
  const isSix = (parts.length === 6 || parts.length === 7) && parts[4] !== '?';
  const inSix = isSix ? (quartzFor(rest.slice(0, 5).join(' '), second) ?? withQuestionMark(parts)) : undefined;
  const found = inSix?.map(expression => expression + year).filter(isQuartz);
  if (found !== undefined && found.length > 0) return advice(found);
  // Without seconds and with a year, as Amazon writes it; or names in full.
  return advice([`0 ${written}`, written].filter(isQuartz).slice(0, 1));
}

const isQuartz = (text: string): boolean => attempt(() => readCron(text)) !== undefined;

/** `MONDAY` and `January` as the three letters that all dialects know. */
const shortNames = (text: string): string =>
  text
    .replaceAll(/\b(sun|mon|tue|wed|thu|fri|sat)[a-z]*day\b/gi, '$1')
    .replaceAll(/\b(jan|feb|mar|apr|jun|jul|aug|sep|oct|nov|dec)(?:uary|ruary|ch|il|e|y|ust|tember|ober|ember)\b/gi, '$1');

/** What to do instead of a refused crontab. */
export function hintForCrontab(text: unknown): string | undefined {
  if (typeof text !== 'string' || text.length > LOOKED_AT_MAX) return undefined;
  if (isQuartz(text)) return 'this is a Quartz expression, type "cron" (--cron)';
  const short = shortNames(text.trim());
  if (short !== text.trim() && attempt(() => readCrontab(short))) return `write "${short}"`;
  const parts = text.trim().split(/\s+/);
  const quartz = parts.length === 6 ? hintForCron(text) : undefined;
  if (quartz !== undefined) return `for type "cron" (--cron) ${quartz}`;
  const five = parts.slice(0, 5).join(' ');
  if (parts.length <= 5 || !attempt(() => readCrontab(five))) return undefined;
  return `write "${five}"; what stands behind the five fields belongs into the command of the job`;
}

function fiveFields(text: string): string | undefined {
  const asCrontab = attempt(() => readCrontab(text)) ? 'give it as it is to /v1 with type "crontab" (--crontab)' : undefined;
  const asQuartz = advice(quartzFor(text, '0') ?? [`0 ${text}`].filter(isQuartz));
  return [asQuartz, asCrontab].filter(hint => hint !== undefined).join(', or ') || undefined;
}

const advice = (expressions: readonly string[] | undefined): string | undefined => {
  const [one, other] = expressions ?? [];
  if (one === undefined) return undefined;
  return other === undefined ? `write "${one}"` : `write two schedules, "${one}" and "${other}"`;
};

/** Six fields of which none or both of the day fields are "?": the unrestricted one becomes "?". */
function withQuestionMark([second, minute, hour, date, month, weekday]: readonly string[]): string[] | undefined {
  const candidates = [
    weekday === '*' || weekday === '?' ? [second, minute, hour, date === '?' ? '*' : date, month, '?'] : [],
    date === '*' ? [second, minute, hour, '?', month, weekday] : [],
  ];
  const found = candidates.map(parts => parts.join(' ')).find(isQuartz);
  return found === undefined ? undefined : [found];
}

/** A crontab ("?" for "*") as Quartz expressions: two where either of its day fields counts. */
function quartzFor(text: string, second: string): string[] | undefined {
  const crontab = NICKNAMES[text.toUpperCase()] ?? text.replaceAll('?', '*');
  const fields = attempt(() => readCrontab(crontab));
  if (!fields) return undefined;
  const [minute = '', hour = '', date = '', month = ''] = crontab.split(/\s+/);
  const made = (dates: string, weekdays: string) => `${second} ${minute} ${hour} ${dates} ${month} ${weekdays}`;
  const { days } = fields;
  const all = {
    dates: () => [made(date, '?')],
    weekdays: () => [made('?', namesOf('mask' in days ? days.mask : 0))],
    either: () => ('weekdays' in days ? [made(date, '?'), made('?', namesOf(days.weekdays))] : []),
  };
  const expressions = days.how in all ? all[days.how as keyof typeof all]() : [];
  const isRight =
    expressions.length > 0 &&
    expressions.every(expression =>
      isSameTimes(
        attempt(() => readCron(expression)),
        fields,
      ),
    );
  return isRight ? expressions : undefined;
}

const isSameTimes = (made: CronFields | undefined, meant: CronFields): boolean =>
  made !== undefined && (['minutes', 'hours', 'months'] as const).every(field => String(made[field]) === String(meant[field]));

/** `MON-FRI`, `SUN,TUE`. */
function namesOf(mask: number): string {
  const days = NAMES.map((_, day) => day).filter(day => (mask >>> day) & 1);
  const runs: [number, number][] = [];
  for (const day of days) {
    const run = runs.at(-1);
    if (run && run[1] + 1 === day) run[1] = day;
    else runs.push([day, day]);
  }
  return runs
    .flatMap(([from, to]) => (to - from >= 2 ? [`${NAMES[from]}-${NAMES[to]}`] : [...new Set([NAMES[from], NAMES[to]])]))
    .join(',');
}

/**
 * The warning for a valid Quartz expression whose day of the week is written in numbers. Undefined
 * for all others.
 */
export function numericWeekdays(cron: string): string | undefined {
  const weekday = cron.trim().split(/\s+/)[5]?.toUpperCase() ?? '';
  // The number behind "#" and "/" is none of a day.
  if (!/\d/.test(weekday.replaceAll(/[#/]\d+/g, ''))) return undefined;
  const { days } = readCron(cron);
  const means = `day of week ${JSON.stringify(weekday)} is ${daysText(days).replace(/^on /, '')}, because Quartz counts from Sunday as 1`;
  const named = (nameOf: (number: number) => string | undefined) =>
    weekday.replaceAll(/(?<![#\d])\d/g, digit => nameOf(Number(digit)) ?? digit);
  const ours = weekday.includes('/') ? namesOf('mask' in days ? days.mask : 0) : named(number => NAMES[number - 1]);
  const crons = weekday.includes('/') ? '' : `, or "${named(number => NAMES[number % 7])}" if it was meant as cron counts`;
  return `${means}; write "${ours}" to be sure${crons}.`;
}

const LONG_STEPS = [
  { name: 'minute', count: 60, else: 'the field hour' },
  { name: 'hour', count: 24, else: 'the fields of days' },
];

/**
 * The warning for a valid crontab whose step leads past the end of its field: crontabs take it, and
 * it means the first value alone. Undefined for all others.
 */
export function stepsTooLong(crontab: string): string | undefined {
  const fields = crontab.trim().split(/\s+/);
  for (const [index, { name, count, else: other }] of LONG_STEPS.entries()) {
    const field = fields[index] ?? '';
    if (Number(/^\*\/(\d+)$/.exec(field)?.[1] ?? 0) < count) continue;
    return `a step counts within its field: ${name} ${JSON.stringify(field)} is ${name} 0 alone; ${count} ${name}s and more are written in ${other}.`;
  }
  return undefined;
}

/** The result, or undefined where the expression is none. */
function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof ScheduleError) return undefined;
    throw error;
  }
}
