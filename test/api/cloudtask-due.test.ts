/**
 * Calendar schedules through the Cloudtask dialect: what `POST jobs` stores is due as the rules
 * say, by hand-written days and by a second opinion that shares no line with the schedules.
 */
import { beforeAll, describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { JobSchedule } from '../../actors/schedule/index.ts';
import { labelsShown, opinionOf, tabled, walk } from '../actors/schedule-oracle.ts';
import { anApi, type TestApi } from './support.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;

const seed = (difference: Record<string, unknown>) => ({
  enabled: 1,
  turnmode: 2,
  interval: 1,
  startdate: '01/01/2026',
  enddate: '',
  starttime: '00:00',
  endtime: '23:59',
  selectat: '',
  monthlyof: { day: 1, week: '' },
  ...difference,
});

let api: TestApi;
let made = 0;
beforeAll(async () => {
  api = await anApi();
});

async function duesOf(schedule: Record<string, unknown>[], timezone: string, from: string, count: number): Promise<string[]> {
  const name = `due${made++}`;
  // Disabled, since a rule may be over by the clock of the center.
  const answer = await api.post('/cloudtask/v2/jobs', { name, location: 'default', cmd: 'true', enabled: 0, schedule, timezone });
  if (answer.status !== 201) throw new Error(answer.text);
  const { items } = (await api.get(`/v1/jobs/${name}/next?count=${count}&from=${from}`)).body;
  return items.map((item: { dueAt: string }) => item.dueAt.replace('.000Z', 'Z'));
}

/** [what, schedules, zone, from, due]. 2026-11-22 is a Sunday. */
const HAND: [string, Record<string, unknown>[], string, string, string[]][] = [
  [
    'every 20 seconds of a window of one minute, then the next day',
    [seed({ turnmode: 1, interval: 20, starttime: '12:00', endtime: '12:00' })],
    'UTC',
    '2026-11-22T12:00:10Z',
    ['2026-11-22T12:00:20Z', '2026-11-22T12:00:40Z', '2026-11-23T12:00:00Z'],
  ],
  [
    'the seed: every 2 minutes, strictly after',
    [seed({ interval: 2 })],
    'UTC',
    '2026-11-22T23:56:00Z',
    ['2026-11-22T23:58:00Z', '2026-11-23T00:00:00Z'],
  ],
  [
    'a grid that begins anew each day',
    [seed({ interval: 50, starttime: '08:10', endtime: '09:30' })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-11-22T08:10:00Z', '2026-11-22T09:00:00Z', '2026-11-23T08:10:00Z'],
  ],
  [
    'a window over midnight that belongs to the day that began it',
    [seed({ turnmode: 3, interval: 2, startdate: '11/23/2026', enddate: '11/23/2026', starttime: '22:00', endtime: '02:00' })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-11-23T22:00:00Z', '2026-11-24T00:00:00Z', '2026-11-24T02:00:00Z'],
  ],
  [
    'steps longer than a day, counted from startdate',
    [seed({ turnmode: 3, interval: 30, startdate: '11/23/2026', starttime: '00:00', endtime: '12:00' })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-11-23T00:00:00Z', '2026-11-24T06:00:00Z', '2026-11-25T12:00:00Z', '2026-11-28T00:00:00Z'],
  ],
  [
    'the empty window, which is the whole day',
    [seed({ turnmode: 3, interval: 7, starttime: '', endtime: '' })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-11-22T14:00:00Z', '2026-11-22T21:00:00Z', '2026-11-23T00:00:00Z'],
  ],
  [
    'the last run at the minute of endtime on enddate',
    [seed({ turnmode: 2, interval: 30, starttime: '08:00', endtime: '09:00', enddate: '11/22/2026' })],
    'UTC',
    '2026-11-22T08:15:00Z',
    ['2026-11-22T08:30:00Z', '2026-11-22T09:00:00Z'],
  ],
  [
    'minutes in both passes of a repeated hour',
    [seed({ turnmode: 2, interval: 30, starttime: '02:00', endtime: '02:59' })],
    'Europe/Berlin',
    '2026-10-24T23:59:00Z',
    ['2026-10-25T00:00:00Z', '2026-10-25T00:30:00Z', '2026-10-25T01:00:00Z', '2026-10-25T01:30:00Z', '2026-10-26T01:00:00Z'],
  ],
  [
    'no minutes of an hour that clocks skip',
    [seed({ turnmode: 2, interval: 30, starttime: '01:30', endtime: '03:00' })],
    'Europe/Berlin',
    '2027-03-28T00:00:00Z',
    ['2027-03-28T00:30:00Z', '2027-03-28T01:00:00Z', '2027-03-28T23:30:00Z'],
  ],
  [
    'every third day from startdate, endtime plays no part',
    [seed({ turnmode: 4, interval: 3, startdate: '11/20/2026', starttime: '9:30', endtime: '00:00' })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-11-23T09:30:00Z', '2026-11-26T09:30:00Z'],
  ],
  [
    'a day inside a gap at its first instant after',
    [seed({ turnmode: 4, starttime: '02:30' })],
    'Europe/Berlin',
    '2027-03-27T12:00:00Z',
    ['2027-03-28T01:00:00Z', '2027-03-29T00:30:00Z'],
  ],
  [
    'a repeated label of a day in its first pass only',
    [seed({ turnmode: 4, starttime: '02:30' })],
    'Europe/Berlin',
    '2026-10-24T12:00:00Z',
    ['2026-10-25T00:30:00Z', '2026-10-26T01:30:00Z'],
  ],
  [
    'unsorted weekdays of every second week',
    [seed({ turnmode: 5, interval: 2, startdate: '11/18/2026', starttime: '07:00', selectat: '5,0,3' })],
    'UTC',
    '2026-11-18T08:00:00Z',
    ['2026-11-20T07:00:00Z', '2026-11-29T07:00:00Z', '2026-12-02T07:00:00Z', '2026-12-04T07:00:00Z', '2026-12-13T07:00:00Z'],
  ],
  [
    'the last day of every month',
    [seed({ turnmode: 6, starttime: '06:00', selectat: '1,2,3,4', monthlyof: { day: -1, week: '' } })],
    'UTC',
    '2027-12-31T00:00:00Z',
    ['2028-01-31T06:00:00Z', '2028-02-29T06:00:00Z', '2028-03-31T06:00:00Z', '2028-04-30T06:00:00Z'],
  ],
  [
    'the 31st, which a month of 30 days does not have',
    [seed({ turnmode: 6, interval: 0, starttime: '06:00', selectat: '10,11,12', monthlyof: { day: 31, week: '' } })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-12-31T06:00:00Z', '2027-10-31T06:00:00Z'],
  ],
  [
    'the third Thursday',
    [seed({ turnmode: 6, starttime: '06:00', selectat: '11,12', monthlyof: { day: 0, week: '3:4' } })],
    'UTC',
    '2026-11-01T00:00:00Z',
    ['2026-11-19T06:00:00Z', '2026-12-17T06:00:00Z'],
  ],
  [
    'the last Friday',
    [seed({ turnmode: 6, starttime: '06:00', selectat: '11,12', monthlyof: { day: 0, week: '0:5' } })],
    'UTC',
    '2026-11-01T00:00:00Z',
    ['2026-11-27T06:00:00Z', '2026-12-25T06:00:00Z'],
  ],
  [
    'two schedules with one id, their common instant once',
    [seed({ id: '1623e5f1a23', interval: 2 }), seed({ id: '1623e5f1a23', interval: 3 })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-11-22T08:02:00Z', '2026-11-22T08:03:00Z', '2026-11-22T08:04:00Z', '2026-11-22T08:06:00Z', '2026-11-22T08:08:00Z'],
  ],
  [
    'only the schedule that is enabled',
    [seed({ enabled: 0 }), seed({ turnmode: 4, starttime: '10:00' })],
    'UTC',
    '2026-11-22T08:00:00Z',
    ['2026-11-22T10:00:00Z', '2026-11-23T10:00:00Z'],
  ],
];

describe('a calendar schedule through Cloudtask, by hand', () => {
  test.each(HAND)('a calendar schedule through Cloudtask is due as its rule says: %s', async (_, schedule, zone, from, due) => {
    expect(await duesOf(schedule, zone, from, due.length)).toEqual(due);
  });
});

const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Asia/Tehran',
  'Pacific/Apia',
  'Antarctica/Troll',
  'Asia/Kolkata',
);
const halves = fc.nat(47).map(half => `${String(half >> 1).padStart(2, '0')}:${half % 2 === 0 ? '00' : '30'}`);
const minutes = fc.tuple(fc.nat(23), fc.nat(59)).map(([hour, minute]) => `${hour}:${String(minute).padStart(2, '0')}`);
const startdate = fc.constantFrom('01/01/2020', '02/29/2024', '03/27/2027', '10/29/2026', '12/31/2025');
const enddate = fc.constantFrom('', '12/31/2028');
const listOf = (low: number, high: number) =>
  fc.uniqueArray(fc.integer({ min: low, max: high }), { minLength: 1, maxLength: 5 }).map(list => list.join(','));

const windowed = (turnmode: 1 | 2 | 3, most: number) =>
  fc
    .record({
      interval: fc.integer({ min: 1, max: most }),
      startdate,
      enddate,
      starttime: minutes,
      endtime: fc.oneof(minutes, fc.constant('')),
    })
    .map(rest => seed({ turnmode, ...rest }));
const daily = fc
  .record({ interval: fc.integer({ min: 1, max: 40 }), startdate, enddate, starttime: halves })
  .map(rest => seed({ turnmode: 4, ...rest }));
const weekly = fc
  .record({ interval: fc.integer({ min: 1, max: 5 }), startdate, enddate, starttime: halves, selectat: listOf(0, 6) })
  .map(rest => seed({ turnmode: 5, ...rest }));
const monthly = fc
  .record({
    startdate,
    enddate,
    starttime: halves,
    selectat: listOf(1, 12),
    monthlyof: fc.oneof(
      fc.record({ day: fc.integer({ min: -28, max: 28 }).filter(day => day !== 0), week: fc.constant('') }),
      fc.tuple(fc.nat(4), fc.nat(6)).map(([which, weekday]) => ({ day: 0, week: `${which}:${weekday}` })),
    ),
  })
  .map(rest => seed({ turnmode: 6, ...rest }));

/** Where the walks begin. */
const AROUND = ['2026-11-22T08:00:00Z', '2027-03-26T00:00:00Z', '2026-10-30T00:00:00Z', '2027-10-29T12:00:00Z', '2027-03-12T00:00:00Z'];
/** Of each kind: its rules, how fine and how far its labels are walked. */
const KINDS: [name: string, rules: fc.Arbitrary<Record<string, unknown>>, step: number, span: number][] = [
  ['seconds', windowed(1, 5_000), 1_000, DAY / 4],
  ['minutes', windowed(2, 2_000), MINUTE, 4 * DAY],
  ['hours', windowed(3, 50), MINUTE, 6 * DAY],
  ['days', daily, 15 * MINUTE, 200 * DAY],
  ['weeks', weekly, 15 * MINUTE, 200 * DAY],
  ['months', monthly, 15 * MINUTE, 400 * DAY],
];
/** Most due times of one answer. */
const COUNT = 1_000;
/** Of each kind: 240 in all. */
const CASES = 40;

/** The due times in (from, from + span] of a union, by the second opinion. */
function expectedOf(rules: Record<string, unknown>[], zone: string, from: number, step: number, span: number): string[] {
  const before = from - 3 * DAY;
  const labels = labelsShown(zone, before, from + span, step);
  const base = before - 2 * DAY;
  const all = rules.flatMap(rule => {
    const { kind, names } = opinionOf({ type: 'calendar', ...rule } as JobSchedule);
    return walk(labels, before, step, kind, tabled(names, base, from + span + 2 * DAY, step));
  });
  const dues = [...new Set(all)].sort((a, b) => a - b).filter(due => due > from);
  return dues.slice(0, COUNT).map(due => new Date(due).toISOString().replace('.000Z', 'Z'));
}

describe('a calendar schedule through Cloudtask, by a second opinion', () => {
  test.each(KINDS)(
    'a calendar schedule of %s through Cloudtask, alone or beside another, is due as a second opinion says',
    async (_, rules, step, span) => {
      let compared = 0;
      await fc.assert(
        fc.asyncProperty(
          fc.array(rules, { minLength: 1, maxLength: 2 }),
          zones,
          fc.constantFrom(...AROUND),
          async (schedule, zone, begin) => {
            const from = Date.parse(begin);
            const until = new Date(from + span).toISOString();
            const expected = expectedOf(schedule, zone, from, step, span);
            const due = (await duesOf(schedule, zone, begin, COUNT)).filter(at => at <= until.replace('.000Z', 'Z'));
            expect(due).toEqual(expected);
            compared += expected.length;
          },
        ),
        { seed: 20261130, numRuns: CASES },
      );
      expect(compared).toBeGreaterThan(100);
    },
    60_000,
  );
});
