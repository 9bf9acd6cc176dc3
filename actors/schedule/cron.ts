/**
 * The labels a cron expression names, as bits: 24 for hours, twice 30 each for minutes and seconds,
 * a day rule for the rest.
 *
 * The next label takes at most one scan of each word, a count of labels counts bits, and a rule
 * takes a dozen numbers.
 */
import { type CronFields, readCron } from './cron-text.ts';
import { readCrontab } from './crontab-text.ts';
import { bitCount, countDays, DAY, type DayRule, dayNumber, nextBit, nextDay } from './days.ts';
import type { LabelRule } from './due-instants.ts';
import { quotedValue, ScheduleError } from './error.ts';
import { hintForCron, hintForCrontab } from './hints.ts';

const FIRST_DAY = dayNumber(1970, 1, 1);

/** Throws ScheduleError of field `cron`, for a malformed text or one that names no time. */
export function cronRule(text: unknown): LabelRule {
  try {
    return ruleOf(readCron(text), 'cron', text);
  } catch (error) {
    throw error instanceof ScheduleError ? withHint(error, hintForCron(text)) : error;
  }
}

/** The same for the five fields of a crontab, with the field `crontab`. */
export function crontabRule(text: unknown): LabelRule {
  try {
    return ruleOf(readCrontab(text), 'crontab', text);
  } catch (error) {
    throw error instanceof ScheduleError ? withHint(error, hintForCrontab(text)) : error;
  }
}

/** The same refusal with a hint. */
const withHint = (error: ScheduleError, hint: string | undefined): ScheduleError =>
  hint === undefined ? error : new ScheduleError(error.field, `${error.message.replace(/\.$/, '')}; ${hint}.`);

function ruleOf(fields: CronFields, field: 'cron' | 'crontab', text: unknown): LabelRule {
  let months = 0;
  for (const month of fields.months) months |= 1 << (month - 1);
  let hours = 0;
  for (const hour of fields.hours) hours |= 1 << hour;
  const days: DayRule = { years: fields.years, months, days: fields.days };
  const rule = new CronRule(fields.hoursRepeat ? 'interval' : 'fixed', days, hours, fields.minutes, fields.seconds);
  if (rule.next(FIRST_DAY * DAY) === Number.POSITIVE_INFINITY) {
    throw new ScheduleError(
      field,
      `${field} ${quotedValue(text)} names no day that exists from 1970 to 2199, but must be due at least once.`,
    );
  }
  return rule;
}

class CronRule implements LabelRule {
  readonly kind: 'interval' | 'fixed';
  private readonly days: DayRule;
  private readonly hours: number;
  /** Minutes and seconds 0-29 and 30-59, so that each fits a word. */
  private readonly minutesLow: number;
  private readonly minutesHigh: number;
  private readonly secondsLow: number;
  private readonly secondsHigh: number;

  constructor(kind: 'interval' | 'fixed', days: DayRule, hours: number, minutes: readonly number[], seconds: readonly number[]) {
    this.kind = kind;
    this.days = days;
    this.hours = hours;
    this.minutesLow = word(minutes, 0);
    this.minutesHigh = word(minutes, 30);
    this.secondsLow = word(seconds, 0);
    this.secondsHigh = word(seconds, 30);
  }

  next(from: number): number {
    let day = Math.floor(from / DAY);
    let time = day < FIRST_DAY ? -1 : this.timeFrom(from - day * DAY);
    if (day < FIRST_DAY) day = FIRST_DAY - 1;
    const found = nextDay(this.days, time < 0 ? day + 1 : day);
    if (found === Number.POSITIVE_INFINITY) return found;
    if (found !== day) time = this.timeFrom(0);
    return found * DAY + time;
  }

  count(from: number, until: number): number {
    const first = Math.max(Math.floor(from / DAY), FIRST_DAY);
    const last = Math.floor(until / DAY);
    if (last < first) return 0;
    const skipped = countDays(this.days, first, first) * this.timesBefore(Math.max(from - first * DAY, 0));
    const beyond = countDays(this.days, last, last) * (this.timesBefore(DAY) - this.timesBefore(until - last * DAY + 1));
    return countDays(this.days, first, last) * this.timesBefore(DAY) - skipped - beyond;
  }

  /** The first time of day at or after `second`, or -1. */
  private timeFrom(second: number): number {
    const hour = (second / 3600) | 0;
    const minute = ((second / 60) | 0) - hour * 60;
    if ((this.hours >>> hour) & 1) {
      if (has(this.minutesLow, this.minutesHigh, minute)) {
        const at = next60(this.secondsLow, this.secondsHigh, second % 60);
        if (at >= 0) return hour * 3600 + minute * 60 + at;
      }
      const later = next60(this.minutesLow, this.minutesHigh, minute + 1);
      if (later >= 0) return hour * 3600 + later * 60 + next60(this.secondsLow, this.secondsHigh, 0);
    }
    const later = nextBit(this.hours, hour + 1);
    if (later < 0) return -1;
    return later * 3600 + next60(this.minutesLow, this.minutesHigh, 0) * 60 + next60(this.secondsLow, this.secondsHigh, 0);
  }

  /** How many times of day there are before `second`. */
  private timesBefore(second: number): number {
    const hour = (second / 3600) | 0;
    const minute = ((second / 60) | 0) - hour * 60;
    const perMinute = bitCount(this.secondsLow) + bitCount(this.secondsHigh);
    const perHour = (bitCount(this.minutesLow) + bitCount(this.minutesHigh)) * perMinute;
    let total = bitCount(this.hours & ((1 << hour) - 1)) * perHour;
    if ((this.hours >>> hour) & 1) {
      total += before60(this.minutesLow, this.minutesHigh, minute) * perMinute;
      if (has(this.minutesLow, this.minutesHigh, minute)) total += before60(this.secondsLow, this.secondsHigh, second % 60);
    }
    return total;
  }
}

function word(values: readonly number[], from: number): number {
  let bits = 0;
  for (const value of values) if (value >= from && value < from + 30) bits |= 1 << (value - from);
  return bits;
}

function has(low: number, high: number, value: number): boolean {
  return ((value < 30 ? low >>> value : high >>> (value - 30)) & 1) === 1;
}

function next60(low: number, high: number, from: number): number {
  if (from < 30) {
    const bit = nextBit(low, from);
    if (bit >= 0) return bit;
  }
  const bit = nextBit(high, from < 30 ? 0 : from - 30);
  return bit < 0 ? -1 : bit + 30;
}

function before60(low: number, high: number, value: number): number {
  return value < 30 ? bitCount(low & ((1 << value) - 1)) : bitCount(low) + bitCount(high & ((1 << (value - 30)) - 1));
}
