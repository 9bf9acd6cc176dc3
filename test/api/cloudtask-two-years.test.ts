/** A job of each turnmode under a manual clock over two years: it fires on the right days. */
import { beforeAll, describe, expect, test } from 'bun:test';
import { createManualClock, type ManualClock } from '../support/manual-clock.ts';
import { START } from '../support/runtime.ts';
import { anApi } from './support.ts';

const SECOND = 1_000;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** 2026-11-22 is a Sunday; the clock begins at 08:00. */
const FIRST_DAY = Date.UTC(2026, 10, 22);
const DAYS = 731;
const END = START + DAYS * DAY;

/** Hours of a day at which a rule is due, by the day. Nothing of `src` or `actors` is in here. */
type DaysRule = (day: { at: number; nth: number; month: number; date: number; last: number; weekday: number }) => boolean;
function onDays(time: number, isDue: DaysRule): number[] {
  const dues: number[] = [];
  for (let at = FIRST_DAY; at <= END; at += DAY) {
    const day = new Date(at);
    const [year, month] = [day.getUTCFullYear(), day.getUTCMonth()];
    const last = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
    const nth = Math.round((at - FIRST_DAY) / DAY);
    if (isDue({ at, nth, month: month + 1, date: day.getUTCDate(), last, weekday: day.getUTCDay() })) dues.push(at + time);
  }
  return dues;
}

/** Steps from the first day on, those whose hour of the day is in the window. */
function steps(begin: number, step: number, from: number, until: number): number[] {
  const dues: number[] = [];
  for (let at = begin; at <= END; at += step) {
    const time = (at - FIRST_DAY) % DAY;
    if (time >= from && time <= until) dues.push(at);
  }
  return dues;
}

const rule = (difference: Record<string, unknown>) => ({
  id: '',
  enabled: 1,
  interval: 1,
  startdate: '11/22/2026',
  enddate: '',
  starttime: '00:00',
  endtime: '23:59',
  selectat: '',
  monthlyof: { day: 1, week: '' },
  ...difference,
});
const month = (day: number, selectat: string, week = '') => rule({ turnmode: 6, starttime: '23:30', selectat, monthlyof: { day, week } });
const EVERY_MONTH = '1,2,3,4,5,6,7,8,9,10,11,12';

/** In order of time, each instant once. */
const union = (...dues: number[][]): number[] => [...new Set(dues.flat())].sort((a, b) => a - b);

const JOBS: [name: string, schedule: Record<string, unknown>[], dues: number[]][] = [
  // 25 hours apart: later each day, and only the first half of a day counts.
  ['seconds', [rule({ turnmode: 1, interval: 90_000, endtime: '11:59' })], steps(FIRST_DAY, 90_000 * SECOND, 0, 12 * HOUR - SECOND)],
  [
    'minutes over midnight',
    [rule({ turnmode: 2, interval: 90, starttime: '23:00', endtime: '00:30' })],
    union(
      onDays(23 * HOUR, () => true),
      onDays(HOUR / 2, ({ nth }) => nth >= 1),
    ),
  ],
  [
    'hours',
    [rule({ turnmode: 3, interval: 31, starttime: '06:00', endtime: '18:00' })],
    steps(FIRST_DAY + 6 * HOUR, 31 * HOUR, 6 * HOUR, 18 * HOUR + 59 * SECOND),
  ],
  ['days', [rule({ turnmode: 4, interval: 9, starttime: '9:30' })], onDays(9.5 * HOUR, ({ nth }) => nth % 9 === 0)],
  // The week of the first day begins with it. Friday stands first, which is of no account.
  [
    'weeks',
    [rule({ turnmode: 5, interval: 3, starttime: '12:00', selectat: '5,1' })],
    onDays(12 * HOUR, ({ nth, weekday }) => Math.floor(nth / 7) % 3 === 0 && (weekday === 1 || weekday === 5)),
  ],
  ['last day of a month', [month(-1, EVERY_MONTH)], onDays(23.5 * HOUR, ({ date, last }) => date === last)],
  ['31st', [month(31, EVERY_MONTH)], onDays(23.5 * HOUR, ({ date }) => date === 31)],
  ['29 February', [month(29, '2')], onDays(23.5 * HOUR, ({ month, date }) => month === 2 && date === 29)],
  [
    'last Friday of a quarter',
    [month(0, '12,3,6,9', '0:5')],
    onDays(23.5 * HOUR, ({ month, date, last, weekday }) => month % 3 === 0 && weekday === 5 && date > last - 7),
  ],
  ['second Tuesday', [month(0, EVERY_MONTH, '2:2')], onDays(23.5 * HOUR, ({ date, weekday }) => weekday === 2 && date > 7 && date <= 14)],
  [
    'union of days and weeks until an enddate',
    [
      rule({ turnmode: 4, interval: 10, starttime: '08:00', enddate: '06/30/2027' }),
      rule({ turnmode: 5, interval: 2, starttime: '08:00', selectat: '0,3' }),
    ],
    union(
      onDays(8 * HOUR, ({ at, nth }) => nth % 10 === 0 && at <= Date.UTC(2027, 5, 30)),
      onDays(8 * HOUR, ({ nth, weekday }) => Math.floor(nth / 7) % 2 === 0 && (weekday === 0 || weekday === 3)),
    ),
  ],
];

/**
 * The runtime looks at the time each second, which in two years is long: the clock is moved to just
 * before the next due time.
 */
function aSkippingClock(): ManualClock & { skip(until: number): void } {
  const clock = createManualClock(START);
  let skipped = 0;
  return {
    ...clock,
    now: () => clock.now() + skipped,
    monotonic: () => clock.monotonic() + skipped,
    skip(until) {
      skipped += Math.max(0, until - clock.now() - skipped);
    },
  };
}

describe('two years of a job of Cloudtask', () => {
  const fired = new Map<string, number[]>();

  beforeAll(async () => {
    const clock = aSkippingClock();
    const api = await anApi({ clock });
    for (const [index, [, schedule]] of JOBS.entries()) {
      const name = `job${index}`;
      const { status, text } = await api.post('/cloudtask/v2/jobs', { name, location: 'default', cmd: 'true', schedule });
      if (status !== 201) throw new Error(text);
      // There is no host. An execution ends before the next due time.
      await api.patch(`/v1/jobs/${name}`, { startWithinMs: 1_000 });
    }
    for (;;) {
      const { items } = (await api.get('/v1/jobs')).body as { items: { nextAt: string | null }[] };
      const next = Math.min(...items.map(({ nextAt }) => (nextAt === null ? Number.POSITIVE_INFINITY : Date.parse(nextAt))));
      if (next > END) break;
      clock.skip(next - SECOND);
      await clock.advance(5 * SECOND);
    }
    for (const { type, data } of api.facts) {
      if (type !== 'job.fired') continue;
      const { job, dueAt } = data as { job: string; dueAt: string };
      fired.set(job, [...(fired.get(job) ?? []), Date.parse(dueAt)]);
    }
  }, 120_000);

  test.each(JOBS.map(([name, , dues], index) => [name, index, dues] as const))(
    'two years of a job of Cloudtask fire it at each due time of its rule and at no other: %s',
    (_, index, dues) => {
      const expected = dues.filter(at => at > START && at <= END);
      expect(expected.length).toBeGreaterThan(0);
      const shown = (list: readonly number[]) => list.map(at => new Date(at).toISOString());
      expect(shown(fired.get(`job${index}`) ?? [])).toEqual(shown(expected));
    },
  );
});
