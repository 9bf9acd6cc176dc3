/** Cloudtask's calendar schedules: the six turn modes, windows, and what is refused. */
import { describe, expect, test } from 'bun:test';
import { countDues, type JobSchedule, nextDue, nextDueOf, nextDues, parseSchedule, ScheduleError } from '../../actors/schedule/index.ts';

type Calendar = Extract<JobSchedule, { type: 'calendar' }>;

const NEW_YEAR = Date.UTC(2026, 0, 1);

describe('seconds, minutes and hours', () => {
  test('a calendar grid begins at starttime every day', () => {
    const rule = aCalendar({ turnmode: 2, interval: 25, starttime: '08:10', endtime: '09:30' });
    expect(dues(rule, '2026-01-01 00:00', 6)).toEqual([
      '2026-01-01 08:10:00',
      '2026-01-01 08:35:00',
      '2026-01-01 09:00:00',
      '2026-01-01 09:25:00',
      '2026-01-02 08:10:00',
      '2026-01-02 08:35:00',
    ]);
  });

  test('a calendar runs to the last second of the minute endtime', () => {
    const rule = aCalendar({ turnmode: 1, interval: 20, starttime: '23:58', endtime: '23:59' });
    expect(dues(rule, '2026-01-01 23:59:01', 3)).toEqual(['2026-01-01 23:59:20', '2026-01-01 23:59:40', '2026-01-02 23:58:00']);
  });

  test('a calendar fills the day from 00:00 to 23:59 when no window is given', () => {
    const rule = aCalendar({ turnmode: 3, interval: 7, starttime: '', endtime: '' });
    expect(dues(rule, '2026-01-01 07:01', 3)).toEqual(['2026-01-01 14:00:00', '2026-01-01 21:00:00', '2026-01-02 00:00:00']);
  });

  test('a calendar window goes over midnight when endtime is before starttime', () => {
    const rule = aCalendar({ turnmode: 2, interval: 90, starttime: '22:00', endtime: '02:00' });
    expect(dues(rule, '2026-01-01 00:00', 4)).toEqual([
      '2026-01-01 22:00:00',
      '2026-01-01 23:30:00',
      '2026-01-02 01:00:00',
      '2026-01-02 22:00:00',
    ]);
  });

  test('a calendar window over midnight belongs to the day that began it, and startdate and enddate judge that day', () => {
    const rule = aCalendar({
      turnmode: 3,
      interval: 2,
      startdate: '01/05/2026',
      enddate: '01/06/2026',
      starttime: '22:00',
      endtime: '02:00',
    });
    expect(dues(rule, '2026-01-01 00:00', 9)).toEqual([
      '2026-01-05 22:00:00',
      '2026-01-06 00:00:00',
      '2026-01-06 02:00:00',
      '2026-01-06 22:00:00',
      '2026-01-07 00:00:00',
      '2026-01-07 02:00:00',
    ]);
  });

  test('a calendar window has one minute when endtime is starttime', () => {
    const rule = aCalendar({ turnmode: 1, interval: 30, starttime: '12:00', endtime: '12:00' });
    expect(dues(rule, '2026-01-01 00:00', 3)).toEqual(['2026-01-01 12:00:00', '2026-01-01 12:00:30', '2026-01-02 12:00:00']);
  });

  test('a calendar step of exactly a day is due at starttime', () => {
    const rule = aCalendar({ turnmode: 3, interval: 24, starttime: '05:00', endtime: '04:00' });
    expect(dues(rule, '2026-01-01 06:00', 2)).toEqual(['2026-01-02 05:00:00', '2026-01-03 05:00:00']);
  });

  test('a calendar step longer than a day counts from startdate, and is due inside the windows only', () => {
    const rule = aCalendar({ turnmode: 3, interval: 30, startdate: '01/01/2026', starttime: '00:00', endtime: '12:00' });
    // 30-hour steps: 00:00, 06:00, 12:00, then 18:00 outside, then 00:00 again, five days after the
    // first.
    expect(dues(rule, '2025-12-31 00:00', 5)).toEqual([
      '2026-01-01 00:00:00',
      '2026-01-02 06:00:00',
      '2026-01-03 12:00:00',
      '2026-01-06 00:00:00',
      '2026-01-07 06:00:00',
    ]);
  });

  test('a calendar ends with enddate, to its endtime and no later', () => {
    const rule = aCalendar({ turnmode: 2, interval: 30, starttime: '08:00', endtime: '09:00', enddate: '01/02/2026' });
    expect(dues(rule, '2026-01-02 08:31', 5)).toEqual(['2026-01-02 09:00:00']);
    expect(nextDue(rule, at('2026-01-02 09:00'))).toBeUndefined();
  });

  test('due times of a calendar are counted without being walked', () => {
    const rule = aCalendar({ turnmode: 1, interval: 1, starttime: '20:00', endtime: '03:59' });
    expect(countDues([rule], at('2026-01-01 12:00'), at('2027-01-01 12:00'))).toEqual({
      count: 365 * 8 * 3600,
      first: at('2026-01-01 20:00'),
      last: at('2027-01-01 04:00') - 1_000,
    });
  });
});

describe('days', () => {
  test('days of a calendar are multiples of interval after startdate', () => {
    const rule = aCalendar({ turnmode: 4, interval: 10, startdate: '12/28/2025', starttime: '6:05' });
    expect(dues(rule, '2026-01-01 00:00', 3)).toEqual(['2026-01-07 06:05:00', '2026-01-17 06:05:00', '2026-01-27 06:05:00']);
  });

  test('days of a calendar ignore endtime', () => {
    const rule = aCalendar({ turnmode: 4, interval: 1, starttime: '10:00', endtime: '09:00', enddate: '01/01/2026' });
    expect(dues(rule, '2026-01-01 00:00', 9)).toEqual(['2026-01-01 10:00:00']);
  });

  test('days of a calendar do not begin before startdate, and begin with it', () => {
    const rule = aCalendar({ turnmode: 4, interval: 2, startdate: '03/01/2026', starttime: '00:00' });
    expect(dues(rule, '2026-01-01 00:00', 2)).toEqual(['2026-03-01 00:00:00', '2026-03-03 00:00:00']);
  });
});

describe('weeks', () => {
  test('weeks of a calendar begin on Sunday and take weekdays in any order', () => {
    // 2026-01-01 is a Thursday; its week began on Sunday 28 December.
    const rule = aCalendar({ turnmode: 5, interval: 2, selectat: '6, 1,0', startdate: '01/01/2026', starttime: '09:00' });
    expect(dues(rule, '2026-01-01 00:00', 5)).toEqual([
      '2026-01-03 09:00:00',
      '2026-01-11 09:00:00',
      '2026-01-12 09:00:00',
      '2026-01-17 09:00:00',
      '2026-01-25 09:00:00',
    ]);
  });

  test('a weekly calendar whose days are all before the weekday of startdate begins in the next week that counts', () => {
    const rule = aCalendar({ turnmode: 5, interval: 3, selectat: '1', startdate: '01/01/2026', starttime: '09:00' });
    expect(dues(rule, '2025-01-01 00:00', 2)).toEqual(['2026-01-19 09:00:00', '2026-02-09 09:00:00']);
  });
});

describe('months', () => {
  test('-1 in a monthly calendar is the last day of every month', () => {
    const rule = aCalendar({ turnmode: 6, selectat: '1,2,3,4', monthlyof: { day: -1, week: '' }, starttime: '23:00' });
    expect(dues(rule, '2026-01-01 00:00', 4)).toEqual([
      '2026-01-31 23:00:00',
      '2026-02-28 23:00:00',
      '2026-03-31 23:00:00',
      '2026-04-30 23:00:00',
    ]);
  });

  test('31 and -31 in a monthly calendar do not fire in a month of thirty days', () => {
    for (const [day, date] of [
      [31, '31'],
      [-31, '01'],
    ] as const) {
      const rule = aCalendar({ turnmode: 6, selectat: '4,5,6,7', monthlyof: { day, week: '' }, starttime: '00:00' });
      expect(dues(rule, '2026-01-01 00:00', 2)).toEqual([`2026-05-${date} 00:00:00`, `2026-07-${date} 00:00:00`]);
    }
  });

  test('29 February in a calendar waits for a leap year', () => {
    const rule = aCalendar({ turnmode: 6, selectat: '2', monthlyof: { day: 29, week: '' }, starttime: '12:00' });
    expect(dues(rule, '2026-01-01 00:00', 2)).toEqual(['2028-02-29 12:00:00', '2032-02-29 12:00:00']);
  });

  test('0 in a monthly calendar names the first to fourth or the last of a weekday', () => {
    const second = aCalendar({ turnmode: 6, selectat: '1,2', monthlyof: { day: 0, week: '2:2' }, starttime: '12:00' });
    expect(dues(second, '2026-01-01 00:00', 2)).toEqual(['2026-01-13 12:00:00', '2026-02-10 12:00:00']);
    const last = aCalendar({ turnmode: 6, selectat: '1,2', monthlyof: { day: 0, week: '0:5' }, starttime: '12:00' });
    expect(dues(last, '2026-01-01 00:00', 2)).toEqual(['2026-01-30 12:00:00', '2026-02-27 12:00:00']);
  });

  test('months of a calendar ignore interval, even a wrong one', () => {
    const rule = aCalendar({
      turnmode: 6,
      interval: 0,
      selectat: '1',
      monthlyof: { day: 1, week: '' },
      starttime: '00:00',
      startdate: '01/01/2026',
    });
    expect(nextDue(rule, NEW_YEAR - 1)).toBe(NEW_YEAR);
  });
});

describe('several schedules of one job', () => {
  const hourly = aCalendar({ turnmode: 3, interval: 1 });
  const quarter = parseSchedule({ type: 'cron', cron: '0 0/15 * * * ?' }, 'UTC');
  const disabled = aCalendar({ turnmode: 1, interval: 1, enabled: 0 });

  test('several schedules of one job are due when any is, and once when two are', () => {
    expect(nextDueOf([hourly, quarter], NEW_YEAR)).toBe(NEW_YEAR + 900_000);
    expect(countDues([hourly, quarter], NEW_YEAR, NEW_YEAR + 7_200_000)).toEqual({
      count: 8,
      first: NEW_YEAR + 900_000,
      last: NEW_YEAR + 7_200_000,
    });
    expect(countDues([hourly, hourly], NEW_YEAR, NEW_YEAR + 7_200_000).count).toBe(2);
  });

  test('several schedules of one job leave out the disabled ones', () => {
    expect(nextDueOf([disabled, hourly], NEW_YEAR)).toBe(NEW_YEAR + 3_600_000);
    expect(nextDueOf([disabled], NEW_YEAR)).toBeUndefined();
    expect(nextDueOf([], NEW_YEAR)).toBeUndefined();
    expect(countDues([disabled], NEW_YEAR, NEW_YEAR + 60_000)).toEqual({ count: 0 });
  });

  test('several schedules of one job are counted up to a limit', () => {
    expect(countDues([hourly, quarter], NEW_YEAR, NEW_YEAR + 86_400_000, 3)).toEqual({
      count: 3,
      first: NEW_YEAR + 900_000,
      last: NEW_YEAR + 2_700_000,
    });
    expect(countDues([quarter], NEW_YEAR, NEW_YEAR + 86_400_000, 3).last).toBe(NEW_YEAR + 2_700_000);
    expect(countDues([quarter], NEW_YEAR, NEW_YEAR + 86_400_000, 0)).toEqual({ count: 0 });
    expect(countDues([quarter], NEW_YEAR, NEW_YEAR - 5)).toEqual({ count: 0 });
  });
});

/** A change of a valid schedule, the field that the error names, and the text of the error. */
const REFUSED: [string, Record<string, unknown>, string, string][] = [
  ['no turnmode', { turnmode: undefined }, 'turnmode', 'nothing'],
  ['an unknown turnmode', { turnmode: 7 }, 'turnmode', '7'],
  ['turnmode 0', { turnmode: 0 }, 'turnmode', '1 (seconds)'],
  ['a turnmode of text', { turnmode: '3' }, 'turnmode', '"3"'],
  ['interval 0', { interval: 0 }, 'interval', '0'],
  ['a negative interval', { interval: -1 }, 'interval', '-1'],
  ['a broken interval', { interval: 1.5 }, 'interval', '1.5'],
  ['no interval', { interval: undefined }, 'interval', 'nothing'],
  ['an interval of text', { interval: '5' }, 'interval', '"5"'],
  ['no startdate', { startdate: '' }, 'startdate', 'MM/DD/YYYY'],
  ['startdate absent', { startdate: undefined }, 'startdate', 'nothing'],
  ['a date of another order', { startdate: '2026-01-01' }, 'startdate', '"2026-01-01"'],
  ['a date of one digit', { startdate: '1/1/2026' }, 'startdate', '"1/1/2026"'],
  ['a date that is not', { startdate: '02/30/2026' }, 'startdate', 'exists'],
  ['a 29 February that is not', { startdate: '02/29/2026' }, 'startdate', 'exists'],
  ['month 13', { startdate: '13/01/2026' }, 'startdate', '"13/01/2026"'],
  ['a date past every due time', { startdate: '01/01/2200' }, 'startdate', '12/31/2199'],
  ['an enddate that is not', { enddate: '04/31/2026' }, 'enddate', '"04/31/2026"'],
  ['an enddate before startdate', { enddate: '12/31/2025' }, 'enddate', 'not before startdate'],
  ['a time that is not', { starttime: '24:00' }, 'starttime', '"24:00"'],
  ['minutes of one digit', { starttime: '8:5' }, 'starttime', 'HH:MM'],
  ['a time with seconds', { endtime: '08:00:00' }, 'endtime', '"08:00:00"'],
  ['minute 60', { endtime: '08:60' }, 'endtime', '"08:60"'],
  ['a time that is a number', { endtime: 8 }, 'endtime', '8'],
  ['days without starttime', { turnmode: 4, starttime: '' }, 'starttime', 'required'],
  ['weeks without starttime', { turnmode: 5, selectat: '1', starttime: undefined }, 'starttime', 'required'],
  ['weeks without weekdays', { turnmode: 5, selectat: '' }, 'selectat', '0 to 6'],
  ['weeks with weekdays absent', { turnmode: 5 }, 'selectat', 'nothing'],
  ['weekday 7', { turnmode: 5, selectat: '1,7' }, 'selectat', '"1,7"'],
  ['weekdays by name', { turnmode: 5, selectat: 'MON' }, 'selectat', '"MON"'],
  ['a list with a hole', { turnmode: 5, selectat: '1,,2' }, 'selectat', '"1,,2"'],
  ['month 0', { turnmode: 6, selectat: '0', monthlyof: { day: 1, week: '' } }, 'selectat', '1 to 12'],
  ['months without a day', { turnmode: 6, selectat: '1' }, 'monthlyof.day', 'nothing'],
  ['day 32', { turnmode: 6, selectat: '1', monthlyof: { day: 32, week: '' } }, 'monthlyof.day', '-31 to 31'],
  ['day -32', { turnmode: 6, selectat: '1', monthlyof: { day: -32, week: '' } }, 'monthlyof.day', '-32'],
  ['day 0 without a week', { turnmode: 6, selectat: '1', monthlyof: { day: 0, week: '' } }, 'monthlyof.week', 'which:weekday'],
  ['a fifth weekday', { turnmode: 6, selectat: '1', monthlyof: { day: 0, week: '5:1' } }, 'monthlyof.week', '"5:1"'],
  ['weekday 7 of a month', { turnmode: 6, selectat: '1', monthlyof: { day: 0, week: '1:7' } }, 'monthlyof.week', '"1:7"'],
  ['31 February', { turnmode: 6, selectat: '2', monthlyof: { day: 31, week: '' } }, 'monthlyof.day', 'never due'],
  ['31 days before the end of June', { turnmode: 6, selectat: '6', monthlyof: { day: -31, week: '' } }, 'monthlyof.day', 'never due'],
  ['an end before the first weekday', { turnmode: 5, selectat: '3', enddate: '01/03/2026' }, 'enddate', 'at least one day'],
  [
    'an end before the first month',
    { turnmode: 6, selectat: '9', monthlyof: { day: 1, week: '' }, enddate: '08/01/2026' },
    'enddate',
    'at least',
  ],
  ['enabled 2', { enabled: 2 }, 'enabled', '0 or 1'],
  ['enabled true', { enabled: true }, 'enabled', 'true'],
  ['another type', { type: 'moon' }, 'type', '"moon"'],
  ['an unknown zone', { timeZone: 'Mars/Olympus' }, 'timeZone', '"Mars/Olympus"'],
];

describe('a wrong calendar schedule', () => {
  test.each(REFUSED)('a calendar schedule with %s is refused', (_what, change, field, word) => {
    const error = refusal(() => parseSchedule({ ...GOOD, ...change } as unknown as Calendar, 'UTC'));
    expect(error.field).toBe(field);
    expect(error.message).toContain(word);
    expect(error.message).toMatch(/^[^\n]*\.$/);
  });

  test('a calendar schedule may have wrong fields that its turnmode does not use', () => {
    const extra = { selectat: 'whatever', monthlyof: { day: 1, week: '' } };
    expect(() => parseSchedule({ ...GOOD, ...extra }, 'UTC')).not.toThrow();
    expect(() => parseSchedule({ ...GOOD, turnmode: 4, endtime: '', ...extra }, 'UTC')).not.toThrow();
  });
});

const GOOD: Calendar = { type: 'calendar', turnmode: 2, interval: 5, startdate: '01/01/2026', starttime: '08:00', endtime: '18:00' };

function aCalendar(change: Partial<Calendar>) {
  return parseSchedule({ type: 'calendar', turnmode: 3, interval: 1, startdate: '01/01/2026', ...change }, 'UTC');
}

function at(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}

/** Due times at or after `from`. */
function dues(rule: ReturnType<typeof aCalendar>, from: string, count: number): string[] {
  return nextDues(rule, at(from) - 1, count).map(due => new Date(due).toISOString().slice(0, 19).replace('T', ' '));
}

function refusal(act: () => unknown): ScheduleError {
  try {
    act();
  } catch (error) {
    if (error instanceof ScheduleError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
