/**
 * Days as numbers: day 0 is 1970-01-01, and a month is a word of bits, bit d-1 for its day d.
 *
 * The days of a cron or calendar rule become such a word, so that the next day that counts is a
 * shift and a count of zeros. Gregorian calendar, no zones, no Date objects: callers compute next
 * due times by the hundred thousand.
 */

export const DAY = 86_400;

/** No rule is due after this year's last second. */
export const YEAR_LAST = 2199;

/** Which days of a month count. */
export type MonthDays =
  | { how: 'dates'; mask: number }
  /** Bit 0 is Sunday. */
  | { how: 'weekdays'; mask: number }
  /** `offset` days before the month's last day. */
  | { how: 'fromEnd'; offset: number }
  /** The weekday Monday to Friday nearest to the date. */
  | { how: 'workday'; date: number }
  | { how: 'workdayFromEnd'; offset: number }
  | { how: 'nth'; weekday: number; nth: number }
  | { how: 'last'; weekday: number }
  /** The rule of cron with two day fields: a day that one of them names, or one that both name. */
  | { how: 'either' | 'both'; dates: number; weekdays: number };

export function dayNumber(year: number, month: number, date: number): number {
  // The year begins in March here: the leap day is last, month lengths follow one formula.
  const y = month > 2 ? year : year - 1;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + date - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468;
}

/**
 * Year, month and date of a day in one number (year * 512 + month * 32 + date), so that nothing is
 * allocated. Years from 0 on.
 */
function packedDate(day: number): number {
  const shifted = day + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = ((dayOfEra - ((dayOfEra / 1460) | 0) + ((dayOfEra / 36_524) | 0) - ((dayOfEra / 146_096) | 0)) / 365) | 0;
  const dayOfYear = dayOfEra - (365 * yearOfEra + ((yearOfEra / 4) | 0) - ((yearOfEra / 100) | 0));
  const fromMarch = ((5 * dayOfYear + 2) / 153) | 0;
  const date = dayOfYear - (((153 * fromMarch + 2) / 5) | 0) + 1;
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9;
  return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0)) * 512 + month * 32 + date;
}

/** 0 is Sunday. */
export function weekdayOf(day: number): number {
  return (((day + 4) % 7) + 7) % 7;
}

export function monthLength(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** The days of one month that count, bit d-1 for day d. */
function monthMask(days: MonthDays, year: number, month: number): number {
  const length = monthLength(year, month);
  const all = length === 31 ? 0x7fff_ffff : (1 << length) - 1;
  switch (days.how) {
    case 'dates':
      return days.mask & all;
    case 'fromEnd':
      return days.offset < length ? 1 << (length - 1 - days.offset) : 0;
    case 'weekdays':
      return weekdayMask(days.mask, year, month) & all;
    case 'either':
      return (days.dates | weekdayMask(days.weekdays, year, month)) & all;
    case 'both':
      return days.dates & weekdayMask(days.weekdays, year, month) & all;
    case 'workday':
      return nearestWorkday(days.date, year, month, length);
    case 'workdayFromEnd':
      return nearestWorkday(length - days.offset, year, month, length);
    case 'nth': {
      const date = 1 + ((days.weekday - weekdayOf(dayNumber(year, month, 1)) + 7) % 7) + (days.nth - 1) * 7;
      return date <= length ? 1 << (date - 1) : 0;
    }
    case 'last': {
      const last = weekdayOf(dayNumber(year, month, length));
      return 1 << (length - 1 - ((last - days.weekday + 7) % 7));
    }
  }
}

/** The days of a month that are one of these weekdays, and some beyond its end. */
function weekdayMask(weekdays: number, year: number, month: number): number {
  const first = weekdayOf(dayNumber(year, month, 1));
  const week = ((weekdays >>> first) | (weekdays << (7 - first))) & 0x7f;
  return week | (week << 7) | (week << 14) | (week << 21) | (week << 28);
}

/**
 * Quartz's nearest weekday stays inside the month: Saturday the 1st moves to Monday the 3rd, Sunday
 * the last moves back to Friday. A date the month does not have is still tried (the 31st of
 * April is the 1st of May), and counts when moving it leads into the month: Quartz 2.3.2 fires 31W
 * on Friday 30 April when that 1 May is a Saturday.
 */
function nearestWorkday(date: number, year: number, month: number, length: number): number {
  const weekday = weekdayOf(dayNumber(year, month, 1) + date - 1);
  let moved = date;
  if (weekday === 6) moved += date === 1 ? 2 : -1;
  else if (weekday === 0) moved += date === length ? -2 : 1;
  return moved >= 1 && moved <= length ? 1 << (moved - 1) : 0;
}

/** The first bit at or above `from`, or -1. `from` up to 31. */
export function nextBit(mask: number, from: number): number {
  const rest = from > 30 ? 0 : mask & (-1 << from);
  return rest === 0 ? -1 : 31 - Math.clz32(rest & -rest);
}

export function bitCount(mask: number): number {
  let bits = mask - ((mask >>> 1) & 0x5555_5555);
  bits = (bits & 0x3333_3333) + ((bits >>> 2) & 0x3333_3333);
  return (((bits + (bits >>> 4)) & 0x0f0f_0f0f) * 0x0101_0101) >>> 24;
}

/**
 * A rule about whole days: which years, which months, which of their days. `years` undefined is
 * every year from 1 on.
 */
export type DayRule = { years: readonly number[] | undefined; months: number; days: MonthDays };

/** The first day at or after `day` that the rule names, or Infinity. No day before year 1. */
export function nextDay(rule: DayRule, day: number): number {
  const packed = packedDate(day);
  let year = packed >> 9;
  let month = (packed >> 5) & 15;
  let date = packed & 31;
  while (year <= YEAR_LAST) {
    if (rule.years !== undefined) {
      const next = nextYear(rule.years, year);
      if (next === undefined) return Number.POSITIVE_INFINITY;
      if (next !== year) {
        year = next;
        month = 1;
        date = 1;
      }
    }
    const next = nextBit(rule.months, month - 1) + 1;
    if (next === 0) {
      year += 1;
      month = 1;
      date = 1;
      continue;
    }
    if (next !== month) {
      month = next;
      date = 1;
    }
    const found = nextBit(monthMask(rule.days, year, month), date - 1);
    if (found >= 0) return dayNumber(year, month, found + 1);
    date = 1;
    month += 1;
    if (month === 13) {
      month = 1;
      year += 1;
    }
  }
  return Number.POSITIVE_INFINITY;
}

/** How many days from `first` to `last`, both counted, the rule names. */
export function countDays(rule: DayRule, first: number, last: number): number {
  let total = 0;
  let day = first;
  while (day <= last) {
    const packed = packedDate(day);
    const year = packed >> 9;
    const month = (packed >> 5) & 15;
    const date = packed & 31;
    const length = monthLength(year, month);
    const end = Math.min(length, date + last - day);
    if ((rule.months >>> (month - 1)) & 1 && (rule.years === undefined || rule.years.includes(year))) {
      const upTo = end === 31 ? 0x7fff_ffff : (1 << end) - 1;
      total += bitCount(monthMask(rule.days, year, month) & upTo & (-1 << (date - 1)));
    }
    day += length - date + 1;
  }
  return total;
}

function nextYear(years: readonly number[], from: number): number | undefined {
  for (const year of years) if (year >= from) return year;
  return undefined;
}
