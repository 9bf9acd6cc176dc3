/**
 * What clocks show: for one zone, a table of periods of time with one offset each, found by
 * asking Intl and bisecting.
 *
 *     period           offset   labels shown
 *     ... 00:59:59Z     +1h      ... 01:59:59
 *     01:00:00Z ...     +2h      03:00:00 ...
 *
 *     `high`: labels below it were shown in earlier periods
 *     in spring         high 02:00, the period begins with 03:00: a gap
 *     in autumn         high 03:00, the period begins with 02:00: repeated
 *
 * Instants and labels are whole seconds; a label is what the clock shows, counted as if it were
 * UTC. Asking Intl costs microseconds, the table nanoseconds, so Intl is asked only to lengthen the
 * table. Offsets are never kept outside of it.
 */
import { DAY, dayNumber, YEAR_LAST } from './days.ts';

/**
 * Samples stand this far apart. Two clock changes closer together than two samples could hide each
 * other; the closest pair in the zone data since 1900 is four days (Freetown, September 1939),
 * since 1970 seven.
 */
const SAMPLE = 3 * DAY;
const YEAR = 366 * DAY;
/** Clocks never shift by more than this: Samoa and Kwajalein left out a day. */
export const SHIFT_MAX = 2 * DAY;
/** Limits of every table: earlier times count as its first period, no rule is due later. */
const TABLE_FLOOR = dayNumber(1850, 1, 1) * DAY;
const TABLE_END = dayNumber(YEAR_LAST + 2, 1, 1) * DAY;
/**
 * Names kept with their tables (Intl knows about 600); beyond, the oldest is deleted and computed
 * again on demand.
 */
const ZONES_MAX = 1_024;

const zones = new Map<string, Zone>();

/** The zone of an IANA name; undefined: Intl does not have it. */
export function zoneNamed(name: string): Zone | undefined {
  const known = zones.get(name);
  if (known !== undefined) return known;
  // Intl also takes "+01:00", which is an offset and not a zone.
  if (!/^[A-Za-z]/.test(name)) return undefined;
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const zone = new Zone(name);
  if (zones.size >= ZONES_MAX) for (const oldest of zones.keys()) if (zones.delete(oldest)) break;
  zones.set(name, zone);
  return zone;
}

export class Zone {
  readonly name: string;
  /** One entry per period. */
  private readonly starts: number[] = [];
  private readonly offsets: number[] = [];
  private readonly highs: number[] = [];
  /** End of the table, seconds. */
  private known = Number.NEGATIVE_INFINITY;
  private hint = 0;

  constructor(name: string) {
    this.name = name;
    if (/^(etc\/)?(utc|gmt|uct|zulu|universal|greenwich)$/i.test(name)) {
      this.starts.push(Number.NEGATIVE_INFINITY);
      this.offsets.push(0);
      this.highs.push(Number.NEGATIVE_INFINITY);
      this.known = Number.POSITIVE_INFINITY;
    }
  }

  /** Is the table long enough to answer for this instant at once? */
  covers(second: number): boolean {
    return second < this.known && second - SHIFT_MAX >= (this.starts[0] as number);
  }

  /** The period of an instant. Lengthens the table if needed, which may renumber periods. */
  periodAt(second: number): number {
    if (!this.covers(second)) this.cover(second);
    const starts = this.starts;
    let low = this.hint;
    if ((starts[low] as number) <= second && second < this.end(low)) return low;
    low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] as number) <= second) low = middle;
      else high = middle - 1;
    }
    this.hint = low;
    return low;
  }

  start(period: number): number {
    return this.starts[period] as number;
  }

  offset(period: number): number {
    return this.offsets[period] as number;
  }

  /** Labels below this one were shown before this period began, or were left out. */
  high(period: number): number {
    return this.highs[period] as number;
  }

  /**
   * The first second that is no longer known to belong to the period: the next clock change, or
   * the end of the table.
   */
  end(period: number): number {
    return period + 1 < this.starts.length ? (this.starts[period + 1] as number) : this.known;
  }

  hasNext(period: number): boolean {
    return period + 1 < this.starts.length;
  }

  /** Seconds to add to an instant to get the label shown at it. */
  offsetAt(second: number): number {
    return this.offset(this.periodAt(second));
  }

  /** Makes the table reach past this instant. Numbers of periods stay. */
  lengthen(second: number): void {
    if (second < this.known) return;
    const ask = offsetsOf(this.name);
    this.scan(ask, Math.min(second, TABLE_END) + YEAR);
    // Beyond the last year of any rule the last offset has no end, so that the table has one.
    if (this.known > TABLE_END) this.known = Number.POSITIVE_INFINITY;
  }

  private cover(second: number): void {
    const first = this.starts[0];
    if (first === undefined || second - SHIFT_MAX < first) this.restart(second);
    this.lengthen(second);
  }

  /** Starts the table again at an earlier instant. Rare: schedules go forwards. */
  private restart(second: number): void {
    const known = this.known;
    const from = Math.max(TABLE_FLOOR, Math.min(second, TABLE_END) - YEAR);
    const ask = offsetsOf(this.name);
    this.starts.length = this.offsets.length = this.highs.length = 0;
    this.hint = 0;
    const offset = ask(from);
    // At the floor the first period has no beginning.
    this.starts.push(from === TABLE_FLOOR ? Number.NEGATIVE_INFINITY : from);
    this.offsets.push(offset);
    this.highs.push(from === TABLE_FLOOR ? Number.NEGATIVE_INFINITY : from + offset);
    this.known = from + 1;
    if (known > from) this.scan(ask, Math.min(known, TABLE_END));
    if (known === Number.POSITIVE_INFINITY) this.known = known;
  }

  private scan(ask: (second: number) => number, until: number): void {
    let at = this.known - 1;
    while (this.known < until) {
      const next = at + SAMPLE;
      const offset = ask(next);
      for (let last = this.offsets[this.offsets.length - 1] as number; last !== offset; ) {
        let before = at;
        let after = next;
        while (after - before > 1) {
          const middle = Math.floor((before + after) / 2);
          if (ask(middle) === last) before = middle;
          else after = middle;
        }
        last = this.change(after, ask(after));
        at = after;
      }
      at = next;
      this.known = next + 1;
    }
  }

  private change(second: number, offset: number): number {
    const period = this.starts.length - 1;
    this.highs.push(Math.max(this.highs[period] as number, second + (this.offsets[period] as number)));
    this.starts.push(second);
    this.offsets.push(offset);
    return offset;
  }
}

/**
 * Label minus instant, from Intl. The formatter lives for one lengthening only: kept for each zone
 * of a large fleet, formatters take tens of megabytes.
 */
function offsetsOf(timeZone: string): (second: number) => number {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return second => {
    const [month, date, year, hour, minute, rest] = (format.format(second * 1000).match(/\d+/g) ?? []).map(Number) as [
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    return dayNumber(year, month, date) * DAY + hour * 3600 + minute * 60 + rest - second;
  };
}
