/**
 * Instants on a command line: a few words, spans from now, and dates and times in the zone of the
 * user.
 */
import { readDuration } from '../lib/durations.ts';

export interface InstantReading {
  /** Epoch ms. */
  now: number;
  /** Dates and times without an offset are in UTC instead of the zone of this machine. */
  utc: boolean;
}

/** Completes "must be …". */
export const INSTANTS =
  'now, today, yesterday, tomorrow, a span from now such as -2h, a date such as 2026-11-22, or an instant such as "2026-11-22 08:00"';

const DATE = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,3})?))?)?\s*(Z|[+-]\d\d:?\d\d)?$/i;
const DAYS: Record<string, number> = { yesterday: -1, today: 0, tomorrow: 1 };

/** An instant in ISO 8601, UTC; undefined for any other text. */
export function readInstant(text: string, { now, utc }: InstantReading): string | undefined {
  const word = text.trim().toLowerCase();
  if (word === 'now') return isoOf(now);
  if (Object.hasOwn(DAYS, word)) return isoOf(midnight(now, utc, DAYS[word] ?? 0));
  const [, sign, length] = /^([+-])(.+)$/.exec(word) ?? [];
  if (length !== undefined) {
    const ms = readDuration(length);
    return ms === undefined ? undefined : isoOf(sign === '-' ? now - ms : now + ms);
  }
  const [, date, time = '00:00', seconds = '00', offset] = DATE.exec(text.trim()) ?? [];
  if (date === undefined) return undefined;
  const zone = offset?.toUpperCase().replace(/^([+-]\d\d)(\d\d)$/, '$1:$2') ?? (utc ? 'Z' : '');
  // `Date.parse` would turn a day that the month does not have into one of the next month.
  if (isoOf(Date.parse(`${date}T00:00:00Z`))?.slice(0, 10) !== date) return undefined;
  return isoOf(Date.parse(`${date}T${time}:${seconds}${zone}`));
}

const isoOf = (at: number): string | undefined => (Math.abs(at) <= 8.64e15 ? new Date(at).toISOString() : undefined);

/** Midnight of the day `days` after that of `now`. */
function midnight(now: number, utc: boolean, days: number): number {
  const at = new Date(now);
  if (utc) return Date.UTC(at.getUTCFullYear(), at.getUTCMonth(), at.getUTCDate() + days);
  return new Date(at.getFullYear(), at.getMonth(), at.getDate() + days).getTime();
}
