/** Where clocks change: named facts, then two years of minutes against another library. */
import { describe, expect, test } from 'bun:test';
import {
  countDues,
  isTimeZone,
  type JobSchedule,
  localText,
  nextDue,
  nextDues,
  parseSchedule,
  ScheduleError,
} from '../../actors/schedule/index.ts';
import { labelsShown, opinionOf, tabled, walk } from './schedule-oracle.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

describe('row 11: where the clock skips labels', () => {
  test('a fixed rule is due at the first instant after a gap of the clock', () => {
    expect(locals(aCron('0 30 2 * * ?'), 'Europe/Berlin', '2026-03-28T00:00Z', 3)).toEqual([
      '2026-03-28T02:30:00.000+01:00',
      '2026-03-29T03:00:00.000+02:00',
      '2026-03-30T02:30:00.000+02:00',
    ]);
  });

  test('a fixed rule is due once after a gap, however many of its labels fell in', () => {
    expect(locals(aCron('0 0,15,30,45 2 * * ?'), 'Europe/Berlin', '2026-03-28T01:40Z', 3)).toEqual([
      '2026-03-28T02:45:00.000+01:00',
      '2026-03-29T03:00:00.000+02:00',
      '2026-03-30T02:00:00.000+02:00',
    ]);
  });

  test('a fixed rule that is due right after the gap anyway is due there once', () => {
    expect(locals(aCron('0 0,30 2,3 * * ?'), 'Europe/Berlin', '2026-03-28T12:00Z', 3)).toEqual([
      '2026-03-29T03:00:00.000+02:00',
      '2026-03-29T03:30:00.000+02:00',
      '2026-03-30T02:00:00.000+02:00',
    ]);
  });

  test('an interval rule has no due time in a gap of the clock', () => {
    expect(locals(aCron('0 30 */2 * * ?'), 'Europe/Berlin', '2026-03-28T23:00Z', 3)).toEqual([
      '2026-03-29T00:30:00.000+01:00',
      '2026-03-29T04:30:00.000+02:00',
      '2026-03-29T06:30:00.000+02:00',
    ]);
    expect(locals(aCron('0 0/30 * * * ?'), 'Europe/Berlin', '2026-03-29T00:20Z', 3)).toEqual([
      '2026-03-29T01:30:00.000+01:00',
      '2026-03-29T03:00:00.000+02:00',
      '2026-03-29T03:30:00.000+02:00',
    ]);
  });

  test('the last label before the gap and the first after it are due when they are named', () => {
    expect(locals(aCron('59 59 1 * * ?'), 'Europe/Berlin', '2026-03-28T12:00Z', 1)).toEqual(['2026-03-29T01:59:59.000+01:00']);
    expect(locals(aCron('0 0 3 * * ?'), 'Europe/Berlin', '2026-03-28T12:00Z', 1)).toEqual(['2026-03-29T03:00:00.000+02:00']);
  });

  test('a rule in a gap at midnight is due at one o’clock of the same day', () => {
    // Chile goes from 23:59:59 on Saturday to 01:00 on Sunday.
    expect(locals(aCron('0 0 0 ? * SUN'), 'America/Santiago', '2026-09-05T00:00Z', 2)).toEqual([
      '2026-09-06T01:00:00.000-03:00',
      '2026-09-13T00:00:00.000-03:00',
    ]);
  });

  test('the clock skips half an hour on Lord Howe Island', () => {
    expect(locals(aCron('0 0,15,30,45 2 * * ?'), 'Australia/Lord_Howe', '2026-10-03T10:00Z', 3)).toEqual([
      '2026-10-04T02:30:00.000+11:00',
      '2026-10-04T02:45:00.000+11:00',
      '2026-10-05T02:00:00.000+11:00',
    ]);
  });

  test('the clock skips two hours at Troll', () => {
    expect(locals(aCron('0 30 2 * * ?'), 'Antarctica/Troll', '2026-03-28T12:00Z', 1)).toEqual(['2026-03-29T03:00:00.000+02:00']);
  });

  test('the clock skips a day on Samoa', () => {
    expect(locals(aCron('0 0 9 * * ?'), 'Pacific/Apia', '2011-12-29T00:00Z', 3)).toEqual([
      '2011-12-29T09:00:00.000-10:00',
      '2011-12-31T00:00:00.000+14:00',
      '2011-12-31T09:00:00.000+14:00',
    ]);
    expect(locals(aCron('0 0 */12 * * ?'), 'Pacific/Apia', '2011-12-29T12:00Z', 3)).toEqual([
      '2011-12-29T12:00:00.000-10:00',
      '2011-12-31T00:00:00.000+14:00',
      '2011-12-31T12:00:00.000+14:00',
    ]);
  });

  test('days and weeks of a calendar are fixed rules, minutes are interval rules', () => {
    const daily: JobSchedule = { type: 'calendar', turnmode: 4, interval: 1, startdate: '01/01/2026', starttime: '02:30' };
    expect(locals(daily, 'America/New_York', '2026-03-07T12:00Z', 2)).toEqual([
      '2026-03-08T03:00:00.000-04:00',
      '2026-03-09T02:30:00.000-04:00',
    ]);
    const often: JobSchedule = {
      type: 'calendar',
      turnmode: 2,
      interval: 45,
      startdate: '01/01/2026',
      starttime: '01:00',
      endtime: '04:00',
    };
    expect(locals(often, 'America/New_York', '2026-03-08T00:00Z', 4)).toEqual([
      '2026-03-08T01:00:00.000-05:00',
      '2026-03-08T01:45:00.000-05:00',
      '2026-03-08T03:15:00.000-04:00',
      '2026-03-08T04:00:00.000-04:00',
    ]);
  });
});

describe('row 11: where the clock repeats labels', () => {
  test('a fixed rule is due in the first pass of a repeated hour only', () => {
    expect(locals(aCron('0 30 2 * * ?'), 'Europe/Berlin', '2026-10-24T12:00Z', 2)).toEqual([
      '2026-10-25T02:30:00.000+02:00',
      '2026-10-26T02:30:00.000+01:00',
    ]);
  });

  test('a fixed rule asked in the middle of the second pass is due on the next day', () => {
    expect(locals(aCron('0 0/10 2 * * ?'), 'Europe/Berlin', '2026-10-25T01:15Z', 1)).toEqual(['2026-10-26T02:00:00.000+01:00']);
  });

  test('an interval rule is due in both passes of a repeated hour', () => {
    expect(locals(aCron('0 30 * * * ?'), 'Europe/Berlin', '2026-10-25T00:00Z', 3)).toEqual([
      '2026-10-25T02:30:00.000+02:00',
      '2026-10-25T02:30:00.000+01:00',
      '2026-10-25T03:30:00.000+01:00',
    ]);
  });

  test('the last labels of an interval rule repeat with the repeated hour', () => {
    const once = aCron('0 30 2/22 25 10 ? 2026');
    expect(locals(once, 'Europe/Berlin', '2026-10-01T00:00Z', 5)).toEqual([
      '2026-10-25T02:30:00.000+02:00',
      '2026-10-25T02:30:00.000+01:00',
    ]);
    expect(locals(once, 'Europe/Berlin', '2026-10-25T00:45Z', 5)).toEqual(['2026-10-25T02:30:00.000+01:00']);
  });

  test('the hours 0-23 make a fixed rule, and * an interval rule', () => {
    expect(locals(aCron('0 0 0-23 * * ?'), 'Europe/Berlin', '2026-10-25T00:00Z', 1)).toEqual(['2026-10-25T03:00:00.000+01:00']);
    expect(locals(aCron('0 0 * * * ?'), 'Europe/Berlin', '2026-10-25T00:00Z', 1)).toEqual(['2026-10-25T02:00:00.000+01:00']);
  });

  test('the clock repeats half an hour on Lord Howe Island', () => {
    expect(locals(aCron('0 45 * * * ?'), 'Australia/Lord_Howe', '2026-04-04T14:30Z', 3)).toEqual([
      '2026-04-05T01:45:00.000+11:00',
      '2026-04-05T01:45:00.000+10:30',
      '2026-04-05T02:45:00.000+10:30',
    ]);
    expect(locals(aCron('0 45 1 * * ?'), 'Australia/Lord_Howe', '2026-04-04T14:30Z', 2)).toEqual([
      '2026-04-05T01:45:00.000+11:00',
      '2026-04-06T01:45:00.000+10:30',
    ]);
  });

  test('minutes of a calendar are due in both passes, days in one', () => {
    const often: JobSchedule = { type: 'calendar', turnmode: 3, interval: 1, startdate: '01/01/2026' };
    expect(locals(often, 'America/New_York', '2026-11-01T04:30Z', 3)).toEqual([
      '2026-11-01T01:00:00.000-04:00',
      '2026-11-01T01:00:00.000-05:00',
      '2026-11-01T02:00:00.000-05:00',
    ]);
    const daily: JobSchedule = { type: 'calendar', turnmode: 5, interval: 1, selectat: '0', startdate: '01/01/2026', starttime: '01:15' };
    expect(locals(daily, 'America/New_York', '2026-11-01T04:30Z', 2)).toEqual([
      '2026-11-01T01:15:00.000-04:00',
      '2026-11-08T01:15:00.000-05:00',
    ]);
  });
});

/**
 * Zones with changes of 30, 60 and 120 minutes, at midnight and elsewhere, on both halves of the
 * globe, and some without.
 */
const ZONES = [
  'Europe/Berlin',
  'Europe/Dublin',
  'America/New_York',
  'America/St_Johns',
  'America/Santiago',
  'America/Scoresbysund',
  'Australia/Lord_Howe',
  'Australia/Adelaide',
  'Pacific/Chatham',
  'Antarctica/Troll',
  'Africa/Casablanca',
  'Africa/Cairo',
  'Asia/Beirut',
  'Asia/Kolkata',
  'UTC',
];

/**
 * Older changes that no zone makes today: a day left out, a day ending, a changed standard time.
 */
const OLDER: [string, string, string][] = [
  ['Pacific/Apia', '2011-12-20T00:00Z', '2012-01-10T00:00Z'],
  ['Pacific/Kwajalein', '1993-08-10T00:00Z', '1993-09-01T00:00Z'],
  ['Pacific/Kwajalein', '1969-09-20T00:00Z', '1969-10-10T00:00Z'],
  ['America/Caracas', '2007-12-01T00:00Z', '2007-12-20T00:00Z'],
  ['Asia/Pyongyang', '2015-08-05T00:00Z', '2015-08-25T00:00Z'],
  ['Asia/Pyongyang', '2018-04-25T00:00Z', '2018-05-15T00:00Z'],
  ['Europe/Istanbul', '2016-03-20T00:00Z', '2016-04-05T00:00Z'],
  ['Europe/Istanbul', '2016-10-20T00:00Z', '2016-11-10T00:00Z'],
  ['America/Sao_Paulo', '2018-11-01T00:00Z', '2018-11-10T00:00Z'],
  ['America/Sao_Paulo', '2019-02-10T00:00Z', '2019-02-20T00:00Z'],
];

const BY_MINUTE: JobSchedule[] = [
  aCron('0 0/3 * * * ?'),
  aCron('0 0/7 * * * ?'),
  aCron('0 0,30 */2 * * ?'),
  aCron('0 5/20 1-5/2 * * ?'),
  aCron('0 0,15,30,45 0-3 * * ?'),
  aCron('0 30 0,1,2,3 ? * SUN,MON'),
  aCron('0 0 22-2 * * ?'),
  aCron('0 15 2 LW * ?'),
  aCron('0 45 1 L-3 * ?'),
  aCron('0 0 0 ? MAR,OCT,NOV 1L'),
  aCron('0 0 2 ? * SUN#1'),
  aCron('0 20 1 29 * ? 2025,2026'),
  aCron('0 0 3 15W * ?'),
  { type: 'calendar', turnmode: 2, interval: 25, startdate: '01/15/2025', enddate: '11/30/2026', starttime: '22:10', endtime: '04:20' },
  { type: 'calendar', turnmode: 3, interval: 5, startdate: '01/15/2025', starttime: '01:30', endtime: '' },
  { type: 'calendar', turnmode: 3, interval: 31, startdate: '01/15/2025', starttime: '00:30', endtime: '12:00' },
  { type: 'calendar', turnmode: 2, interval: 10, startdate: '01/15/2025', starttime: '02:30', endtime: '2:30' },
  { type: 'calendar', turnmode: 4, interval: 3, startdate: '01/15/2025', starttime: '02:30' },
  { type: 'calendar', turnmode: 5, interval: 2, selectat: '6,0,3', startdate: '01/15/2025', enddate: '12/01/2026', starttime: '02:05' },
  {
    type: 'calendar',
    turnmode: 6,
    selectat: '3,4,9,10,11',
    monthlyof: { day: 0, week: '0:0' },
    startdate: '01/15/2025',
    starttime: '1:45',
  },
  { type: 'calendar', turnmode: 6, selectat: '3,11,10,4', monthlyof: { day: -3, week: '' }, startdate: '01/15/2025', starttime: '00:00' },
];

const BY_SECOND: JobSchedule[] = [
  aCron('* * * * * ?'),
  aCron('0/7 0/5 * * * ?'),
  aCron('59,0,1 59,0,29,30 0,1,2,3,22,23 * * ?'),
  aCron('30-10/9 * 1-23/1 * * ?'),
  { type: 'calendar', turnmode: 1, interval: 11, startdate: '01/01/1969', starttime: '00:00', endtime: '03:30' },
  { type: 'calendar', turnmode: 1, interval: 86_413, startdate: '01/01/1969', starttime: '23:00', endtime: '04:00' },
];

describe('row 11: every due time of two years', () => {
  const from = Date.UTC(2025, 0, 1);
  const until = Date.UTC(2027, 0, 1);
  const opinions = BY_MINUTE.map(schedule => {
    const { kind, names } = opinionOf(schedule);
    return { kind, table: tabled(names, from - 2 * DAY, until + 2 * DAY, MINUTE) };
  });

  test.each(ZONES)('every due time of two years is found in %s: by minute, and by second around each clock change', zone => {
    const minutes = labelsShown(zone, from, until, MINUTE);
    for (const [index, schedule] of BY_MINUTE.entries()) {
      const { kind, table } = opinions[index] as (typeof opinions)[number];
      agree(schedule, zone, from, until, walk(minutes, from, MINUTE, kind, table));
    }
    for (const change of changes(minutes, from)) {
      const begin = change - 3 * HOUR;
      const end = change + 3 * HOUR;
      const seconds = labelsShown(zone, begin, end, 1_000);
      for (const schedule of BY_SECOND) {
        const { kind, names } = opinionOf(schedule);
        agree(
          schedule,
          zone,
          begin,
          end,
          walk(seconds, begin, 1_000, kind, tabled(names, (seconds[0] as number) * 1_000, (seconds.at(-1) as number) * 1_000, 1_000)),
        );
      }
    }
  });
});

describe('older clock changes', () => {
  test.each(OLDER)('older clock changes are found in %s from %s', (zone, begin, end) => {
    const [from, until] = [Date.parse(begin), Date.parse(end)];
    const labels = labelsShown(zone, from, until, MINUTE);
    const schedules = BY_MINUTE.map(schedule =>
      schedule.type === 'calendar' ? { ...schedule, startdate: '01/15/1969', enddate: '' } : schedule,
    );
    for (const schedule of schedules) {
      if (schedule.type === 'cron' && schedule.cron.includes('2025')) continue;
      const { kind, names } = opinionOf(schedule);
      agree(schedule, zone, from, until, walk(labels, from, MINUTE, kind, tabled(names, from - 2 * DAY, until + 2 * DAY, MINUTE)));
    }
  });

  test('older clock changes are known to the second', () => {
    // Monrovia stood 44 minutes and 30 seconds behind until 7 January 1972.
    expect(localText(Date.UTC(1971, 11, 31, 12), 'Africa/Monrovia')).toBe('1971-12-31T11:15:30.000-00:44:30');
    expect(locals(aCron('0 0 12 * * ?'), 'Africa/Monrovia', '1972-01-06T00:00Z', 2)).toEqual([
      '1972-01-06T12:00:00.000-00:44:30',
      '1972-01-07T12:00:00.000+00:00',
    ]);
  });

  test('older clock changes do not depend on what was asked before', () => {
    const schedule = aCron('0 30 2 * * ?');
    const compiled = parseSchedule(schedule, 'Europe/Paris');
    const years = [2150, 1971, 2026, 1900, 2090, 1976, 2026];
    const asked = years.map(year => nextDues(compiled, Date.UTC(year, 2, 20), 20));
    expect(asked[2]).toEqual(asked[6] as number[]);
    expect(asked[2]?.map(due => localText(due, 'Europe/Paris'))).toContain('2026-03-29T03:00:00.000+02:00');
    // France's first summer time began at one o’clock, a year later at two.
    expect(nextDue(compiled, Date.UTC(1976, 2, 27, 12))).toBe(Date.UTC(1976, 2, 28, 0, 30));
    expect(nextDue(compiled, Date.UTC(1977, 3, 2, 12))).toBe(Date.UTC(1977, 3, 3, 1));
  });
});

describe('a zone', () => {
  test('a zone shows the label and the offset of an instant', () => {
    expect(localText(Date.UTC(2026, 10, 22, 8), 'Europe/Berlin')).toBe('2026-11-22T09:00:00.000+01:00');
    expect(localText(Date.UTC(2026, 10, 22, 8, 0, 0, 7), 'UTC')).toBe('2026-11-22T08:00:00.007+00:00');
    expect(localText(Date.UTC(2026, 10, 22, 8), 'America/St_Johns')).toBe('2026-11-22T04:30:00.000-03:30');
    expect(localText(Date.UTC(2026, 10, 22, 8), 'Asia/Kathmandu')).toBe('2026-11-22T13:45:00.000+05:45');
  });

  test.each(['UTC', 'Etc/GMT+5', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'US/Eastern'])(
    'a zone is known by its name %s',
    name => {
      expect(isTimeZone(name)).toBe(true);
    },
  );

  test.each(['', 'Europe/Bielefeld', '+01:00', '-05', 'CEST+1', 'Europe/Berlin ', '../etc/passwd'])(
    'a zone is refused by the name %p',
    name => {
      expect(isTimeZone(name)).toBe(false);
      expect(() => localText(0, name)).toThrow(ScheduleError);
    },
  );

  test('the default zone stands for a schedule that has none, and is named when it is wrong', () => {
    const noon = aCron('0 0 12 * * ?');
    expect(nextDue(parseSchedule(noon, 'Asia/Tokyo'), 0)).toBe(3 * HOUR);
    expect(nextDue(parseSchedule({ ...noon, timeZone: 'UTC' }, 'Asia/Tokyo'), 0)).toBe(12 * HOUR);
    expect(() => parseSchedule({ ...noon, timeZone: 'Mars/Olympus' }, 'UTC')).toThrow('timeZone is "Mars/Olympus"');
    expect(() => parseSchedule(noon, 'nowhere')).toThrow('timeZone is "nowhere"');
  });
});

function aCron(cron: string): Extract<JobSchedule, { type: 'cron' }> {
  return { type: 'cron', cron };
}

function locals(schedule: JobSchedule, zone: string, after: string, count: number): string[] {
  return nextDues(parseSchedule(schedule, zone), Date.parse(after), count).map(due => localText(due, zone));
}

/** Walked one by one, and reckoned. */
function agree(schedule: JobSchedule, zone: string, from: number, until: number, expected: number[]): void {
  const compiled = parseSchedule(schedule, zone);
  const found: number[] = [];
  for (let due = nextDue(compiled, from); due !== undefined && due <= until; due = nextDue(compiled, due)) found.push(due);
  const wrong =
    found.length === expected.length ? found.findIndex((due, index) => due !== expected[index]) : firstDifference(found, expected);
  if (wrong >= 0) {
    const show = (due: number | undefined) => (due === undefined ? 'none' : localText(due, zone));
    throw new Error(`${JSON.stringify(schedule)} in ${zone}: ${show(found[wrong])} is due, but ${show(expected[wrong])} was expected`);
  }
  const counted = countDues([compiled], from, until);
  expect(counted).toEqual(
    expected.length === 0 ? { count: 0 } : { count: expected.length, first: expected[0] as number, last: expected.at(-1) as number },
  );
}

function firstDifference(a: number[], b: number[]): number {
  for (let index = 0; index < Math.max(a.length, b.length); index += 1) if (a[index] !== b[index]) return index;
  return -1;
}

/** The instants at which the clock does not go on by a minute. */
function changes(minutes: Int32Array, from: number): number[] {
  const found: number[] = [];
  for (let index = 1; index < minutes.length; index += 1) {
    if ((minutes[index] as number) - (minutes[index - 1] as number) !== 1) found.push(from + index * MINUTE);
  }
  return found;
}
