/**
 * When jobs are due: schedules as people write them, checked once and compiled, and the instants
 * they name.
 *
 *     Schedule --parseSchedule--> labels (cron.ts, calendar.ts) + zone (zone.ts)
 *     labels + zone --due-instants.ts----> instants, in epoch milliseconds
 *
 * Nothing here reads a clock: callers pass the instant. Caches (zone tables, compiled schedules)
 * only save time: they change no result.
 */
import { type CalendarSchedule, calendarRule } from './calendar.ts';
import { cronRule, crontabRule } from './cron.ts';
import { readCron } from './cron-text.ts';
import { readCrontab } from './crontab-text.ts';
import { DAY, dayNumber } from './days.ts';
import { countDueSeconds, EARLIEST, type LabelRule, nextDueSecond, nthDueSecond } from './due-instants.ts';
import { quotedValue, ScheduleError } from './error.ts';
import { calendarText, cronText } from './text.ts';
import { SHIFT_MAX, type Zone, zoneNamed } from './zone.ts';

export { ScheduleError };

export type JobSchedule =
  /** Quartz 2.3.2: six or seven fields, seconds first. */
  | { type: 'cron'; cron: string; timeZone?: string }
  /** Five fields as cron has them, or a name such as `@daily`. */
  | { type: 'crontab'; crontab: string; timeZone?: string }
  | CalendarSchedule;

/**
 * A schedule that was checked. A few hundred bytes; schedules of one zone share its table. Made in
 * memory, never stored.
 */
export type CompiledSchedule = {
  /** False for a calendar schedule with `enabled: 0`; unions leave it out. */
  readonly enabled: boolean;
  readonly zone: Zone;
  readonly rule: LabelRule;
};

/**
 * Throws ScheduleError for a schedule that is malformed or can never be due. `defaultZone` is the
 * zone of one that names none (absent or empty).
 */
export function parseSchedule(schedule: JobSchedule, defaultZone: string): CompiledSchedule {
  const name = schedule.timeZone ? schedule.timeZone : defaultZone;
  const zone = typeof name === 'string' ? zoneNamed(name) : undefined;
  if (zone === undefined)
    throw new ScheduleError('timeZone', `timeZone is ${quotedValue(name)}, but must be an IANA name such as "Europe/Berlin".`);
  const compiled: CompiledSchedule = { enabled: isEnabled(schedule), zone, rule: labelRule(schedule) };
  if (!isEverShown(compiled)) {
    const field = endFieldOf(schedule);
    throw new ScheduleError(field, `${field} leaves only times that clocks in ${zone.name} skip, but must be due at least once.`);
  }
  return compiled;
}

function labelRule(schedule: JobSchedule): LabelRule {
  switch (schedule.type) {
    case 'cron':
      return cronRule(schedule.cron);
    case 'crontab':
      return crontabRule(schedule.crontab);
    case 'calendar':
      return calendarRule(schedule);
    default: {
      const { type } = schedule as { type: unknown };
      throw new ScheduleError('type', `type is ${quotedValue(type)}, but must be "cron", "crontab" or "calendar".`);
    }
  }
}

/** The field with the last due time of a schedule. */
export const endFieldOf = ({ type }: JobSchedule): 'cron' | 'crontab' | 'enddate' => (type === 'calendar' ? 'enddate' : type);

/** Compiled schedules kept by `compileCached`; beyond, the least recently used is deleted. */
const COMPILED_MAX = 20_000;
const compiledByText = new Map<string, CompiledSchedule>();

/** `parseSchedule` with a cache: the same schedule and zone give the same object. */
export function compileCached(schedule: JobSchedule, defaultZone: string): CompiledSchedule {
  const text =
    schedule.type === 'cron' ? `${schedule.timeZone ?? ''}|${defaultZone}|${schedule.cron}` : `${defaultZone}${JSON.stringify(schedule)}`;
  const known = compiledByText.get(text);
  const compiled = known ?? parseSchedule(schedule, defaultZone);
  if (known !== undefined) compiledByText.delete(text);
  else if (compiledByText.size >= COMPILED_MAX) for (const oldest of compiledByText.keys()) if (compiledByText.delete(oldest)) break;
  compiledByText.set(text, compiled);
  return compiled;
}

/**
 * The first due instant strictly after `after`, both in epoch milliseconds; undefined when none is
 * left. Ignores `enabled`.
 */
export function nextDue(compiled: CompiledSchedule, after: number): number | undefined {
  const second = nextDueSecond(compiled.rule, compiled.zone, secondAfter(after));
  return second === Number.POSITIVE_INFINITY ? undefined : second * 1000;
}

/** Whether it is enabled and has no due time after `now`. */
export const isOver = (compiled: CompiledSchedule, now: number): boolean => compiled.enabled && nextDue(compiled, now) === undefined;

/** The last due instant up to `until`; undefined when there is none. */
export const lastDueOf = (compiled: CompiledSchedule, until: number): number | undefined =>
  countDues([compiled], Number.NEGATIVE_INFINITY, until).last;

/** Up to `count` due instants strictly after `after`, in order. */
export function nextDues(compiled: CompiledSchedule, after: number, count: number): number[] {
  const dues: number[] = [];
  for (let due = nextDue(compiled, after); due !== undefined && dues.length < count; due = nextDue(compiled, due)) dues.push(due);
  return dues;
}

/** The first due instant of the enabled ones of several schedules. */
export function nextDueOf(compiled: readonly CompiledSchedule[], after: number): number | undefined {
  let first: number | undefined;
  for (const one of compiled) {
    const due = one.enabled ? nextDue(one, after) : undefined;
    if (due !== undefined && (first === undefined || due < first)) first = due;
  }
  return first;
}

/**
 * How many instants in (after, until] are due by the enabled ones of several schedules, an instant
 * named twice counting once, with the first and the last of them. Counting stops at `max`; `last`
 * is then the last one counted. One schedule alone is computed and not walked: a day of every
 * second costs as much as a day of one due time.
 */
export function countDues(
  compiled: readonly CompiledSchedule[],
  after: number,
  until: number,
  max = Number.POSITIVE_INFINITY,
): { count: number; first?: number; last?: number } {
  const enabled = [...new Set(compiled)].filter(one => one.enabled);
  const [only] = enabled;
  const from = secondAfter(after);
  const to = Math.floor(until / 1000);
  if (only === undefined || to < from || max < 1) return { count: 0 };
  if (enabled.length > 1) return walkUnion(enabled, after, until, max);
  const first = nextDueSecond(only.rule, only.zone, from);
  if (first > to) return { count: 0 };
  const count = Math.min(max, countDueSeconds(only.rule, only.zone, first, to));
  return { count, first: first * 1000, last: nthDueSecond(only.rule, only.zone, first, to, count) * 1000 };
}

/**
 * e.g. "2026-11-22T09:00:00.000+01:00": what the clock shows at an instant. Throws ScheduleError
 * for an unknown zone.
 */
export function localText(instant: number, timeZone: string): string {
  const zone = zoneNamed(timeZone);
  if (zone === undefined)
    throw new ScheduleError('timeZone', `timeZone is ${quotedValue(timeZone)}, but must be an IANA name such as "Europe/Berlin".`);
  const offset = zone.offsetAt(Math.floor(instant / 1000));
  const label = new Date(instant + offset * 1000).toISOString().slice(0, -1);
  const [hours, minutes, seconds] = [Math.abs(offset) / 3600, (Math.abs(offset) / 60) % 60, Math.abs(offset) % 60].map(part =>
    String(Math.floor(part)).padStart(2, '0'),
  );
  // Only clocks of long ago (Monrovia until 1972) stand off by seconds.
  return `${label}${offset < 0 ? '-' : '+'}${hours}:${minutes}${seconds === '00' ? '' : `:${seconds}`}`;
}

/** A valid schedule in words, with its zone: `at 09:00, Monday to Friday (Europe/Berlin)`. */
export function describeSchedule(schedule: JobSchedule, defaultZone: string): string {
  return `${wordsOf(schedule)} (${schedule.timeZone || defaultZone})`;
}

function wordsOf(schedule: JobSchedule): string {
  switch (schedule.type) {
    case 'cron':
      return cronText(readCron(schedule.cron));
    case 'crontab':
      return cronText(readCrontab(schedule.crontab));
    case 'calendar':
      return calendarText(schedule);
  }
}

/** Whether its due times count: only a calendar schedule can be disabled. */
export const isEnabled = (schedule: JobSchedule): boolean => schedule.type !== 'calendar' || schedule.enabled !== 0;

/** Is this an IANA zone name of this machine's zone data? Offsets such as "+01:00" are not. */
export function isTimeZone(name: string): boolean {
  return zoneNamed(name) !== undefined;
}

/**
 * Only a rule that ends can have all of its labels in gaps, so only such a rule is checked: the
 * zone's table is not lengthened for the others.
 */
function isEverShown({ rule, zone }: CompiledSchedule): boolean {
  if (rule.kind === 'fixed' || rule.next(MEANT_FOR_EVER) !== Number.POSITIVE_INFINITY) return true;
  return nextDueSecond(rule, zone, rule.next(EARLIEST) - SHIFT_MAX) !== Number.POSITIVE_INFINITY;
}

const MEANT_FOR_EVER = dayNumber(2170, 1, 1) * DAY;

function secondAfter(after: number): number {
  return Math.floor(after / 1000) + 1;
}

function walkUnion(
  compiled: readonly CompiledSchedule[],
  after: number,
  until: number,
  max: number,
): { count: number; first?: number; last?: number } {
  const dues = compiled.map(one => nextDue(one, after) ?? Number.POSITIVE_INFINITY);
  const first = Math.min(...dues);
  if (first > until) return { count: 0 };
  let count = 0;
  let last = first;
  for (let due = first; due <= until && count < max; due = Math.min(...dues)) {
    count += 1;
    last = due;
    for (const [index, one] of compiled.entries()) if (dues[index] === due) dues[index] = nextDue(one, due) ?? Number.POSITIVE_INFINITY;
  }
  return { count, first, last };
}
