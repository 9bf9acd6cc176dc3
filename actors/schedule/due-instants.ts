/**
 * From labels to instants: which of the times a rule names on the clock are due, and when, where
 * clocks change.
 *
 *                             interval rule        fixed rule
 *     gap (labels left out)   not due              due once, at the first instant after the gap
 *     repeated labels         due in both passes   due in the first pass only
 *
 * This file does not depend on cron or calendars: a rule names labels, a zone has their instants.
 */
import { DAY, dayNumber, YEAR_LAST } from './days.ts';
import { SHIFT_MAX, type Zone } from './zone.ts';

/** A set of labels: seconds that a clock may show, counted as if they were UTC. */
export type LabelRule = {
  readonly kind: 'interval' | 'fixed';
  /** The first label at or after `from`, or Infinity. */
  next(from: number): number;
  /** How many labels there are from `from` to `until`, both counted. */
  count(from: number, until: number): number;
};

/** No rule has due times before the year 1. */
export const EARLIEST = dayNumber(1, 1, 3) * DAY;
/** Instants from here on show labels of years that no rule names. */
const LATEST = dayNumber(YEAR_LAST + 1, 1, 3) * DAY;

/** The first due instant at or after the second `from`, or Infinity. */
export function nextDueSecond(rule: LabelRule, zone: Zone, from: number): number {
  let second = Math.max(from, EARLIEST);
  if (!(second < LATEST)) return Number.POSITIVE_INFINITY;
  if (!zone.covers(second)) {
    // Far beyond the zone's table: find the first label before the table is lengthened by all the
    // years up to it.
    const first = rule.next(Math.max(EARLIEST, second - SHIFT_MAX));
    if (first === Number.POSITIVE_INFINITY) return first;
    second = Math.max(second, first - SHIFT_MAX);
  }
  const fixed = rule.kind === 'fixed';
  let period = zone.periodAt(second);
  // The rule names no label from `checked` up to `label`, so it is not evaluated again until a
  // period begins outside of that.
  let checked = 0;
  let label = Number.NEGATIVE_INFINITY;
  for (;;) {
    const offset = zone.offset(period);
    let low = second + offset;
    if (fixed) {
      const high = zone.high(period);
      if (low < high) low = high;
      else if (high < low && second === zone.start(period)) {
        label = rule.next(high);
        checked = high;
        if (label < low) return second;
      }
    }
    if (low < checked || low > label) {
      label = rule.next(low);
      checked = low;
    }
    const due = label - offset;
    const end = zone.end(period);
    if (due < end) return due;
    // No label is left, unless an hour that is repeated soon shows the last ones again.
    if (due === Number.POSITIVE_INFINITY && (fixed || end > second + SHIFT_MAX)) return due;
    if (zone.hasNext(period)) {
      period += 1;
      second = end;
    } else {
      zone.lengthen(due === Number.POSITIVE_INFINITY ? second + SHIFT_MAX : due);
    }
  }
}

/** How many due instants lie from the second `from` to the second `until`, both counted. */
export function countDueSeconds(rule: LabelRule, zone: Zone, from: number, until: number): number {
  const fixed = rule.kind === 'fixed';
  const last = Math.min(until, LATEST);
  let second = Math.max(from, EARLIEST);
  if (second > last) return 0;
  let total = 0;
  let period = zone.periodAt(second);
  zone.lengthen(last);
  for (; second <= last; period += 1) {
    const offset = zone.offset(period);
    const end = Math.min(last, zone.end(period) - 1);
    let low = second + offset;
    if (fixed) {
      const high = zone.high(period);
      if (low < high) low = high;
      else if (high < low && second === zone.start(period) && rule.next(high) < low && rule.next(low) > low) total += 1;
    }
    if (low <= end + offset) total += rule.count(low, end + offset);
    second = end + 1;
  }
  return total;
}

/**
 * The due instant number `nth` (from 1) at or after the second `from`, found by halving; there must
 * be one at or before `until`.
 */
export function nthDueSecond(rule: LabelRule, zone: Zone, from: number, until: number, nth: number): number {
  let low = Math.max(from, EARLIEST);
  let high = Math.min(until, LATEST);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (countDueSeconds(rule, zone, from, middle) >= nth) high = middle;
    else low = middle + 1;
  }
  return low;
}
