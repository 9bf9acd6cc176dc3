/**
 * Properties of every schedule, instant and zone. A failing random case is shrunk and printed with
 * its seed.
 */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  type CompiledSchedule,
  compileCached,
  countDues,
  type JobSchedule,
  localText,
  nextDue,
  nextDueOf,
  nextDues,
  parseSchedule,
  ScheduleError,
} from '../../actors/schedule/index.ts';
import { opinionOf } from './schedule-oracle.ts';

const DAY = 86_400_000;
const RUNS = 400;

const zones = fc.constantFrom(
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'America/St_Johns',
  'America/Santiago',
  'Australia/Lord_Howe',
  'Pacific/Chatham',
  'Africa/Casablanca',
  'Asia/Tehran',
  'Pacific/Apia',
  'Antarctica/Troll',
  'Asia/Kolkata',
);

const instants = fc.integer({ min: Date.UTC(2005, 0, 1), max: Date.UTC(2045, 0, 1) });

const crons = fc
  .tuple(
    aField(0, 59),
    aField(0, 59),
    aField(0, 23),
    fc.oneof(
      fc.tuple(fc.oneof(aField(1, 31), fc.constantFrom('L', 'LW', 'L-3', 'L-2W', '15W', '1W', '*')), fc.constant('?')),
      fc.tuple(fc.constant('?'), fc.oneof(aField(1, 7), fc.constantFrom('6L', 'friL', '2#1', 'SUN#5', 'MON-FRI', 'fri-mon', 'L', '*'))),
    ),
    fc.oneof(aField(1, 12), fc.constantFrom('*', 'NOV-FEB', 'mar,oct')),
  )
  .map(
    ([second, minute, hour, [date, weekday], month]): JobSchedule => ({
      type: 'cron',
      cron: `${second} ${minute} ${hour} ${date} ${month} ${weekday}`,
    }),
  );

const starred = (high: number) => fc.integer({ min: 1, max: high }).map(step => `*/${step}`);
const listed = (low: number, high: number) =>
  fc
    .uniqueArray(
      fc.oneof(
        fc.integer({ min: low, max: high }).map(String),
        fc.tuple(fc.integer({ min: low, max: high }), fc.nat(9)).map(([from, length]) => `${from}-${Math.min(high, from + length)}/2`),
      ),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .map(items => items.join(','));
const crontabField = (low: number, high: number) => fc.oneof(fc.constant('*'), starred(high), listed(low, high));

const crontabs = fc
  .tuple(
    crontabField(0, 59),
    crontabField(0, 23),
    crontabField(1, 31),
    fc.oneof(crontabField(1, 12), fc.constantFrom('*', 'nov,feb', 'mar-oct')),
    fc.oneof(crontabField(0, 7), fc.constantFrom('sun', 'MON-FRI', '5-7', '*,3')),
  )
  .map((fields): JobSchedule => ({ type: 'crontab', crontab: fields.join(' ') }));

const times = fc.tuple(fc.nat(23), fc.nat(59)).map(([hour, minute]) => `${hour}:${String(minute).padStart(2, '0')}`);

const calendars = fc
  .record({
    turnmode: fc.integer({ min: 1, max: 6 }),
    interval: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 100_000 })),
    startdate: fc.constantFrom('01/01/2000', '02/29/2024', '03/29/2026', '12/31/2010'),
    enddate: fc.constantFrom('', '', '06/30/2044', '04/01/2026'),
    starttime: times,
    endtime: fc.oneof(times, fc.constant('')),
    months: fc.uniqueArray(fc.integer({ min: 1, max: 12 }), { minLength: 1 }),
    day: fc.integer({ min: -29, max: 29 }),
    which: fc.nat(4),
    weekday: fc.nat(6),
  })
  .map(
    ({ months, day, which, weekday, ...rest }): JobSchedule => ({
      type: 'calendar',
      ...rest,
      selectat: months.map(month => (rest.turnmode === 5 ? month % 7 : month)).join(','),
      monthlyof: { day, week: `${which}:${weekday}` },
    }),
  );

const schedules = fc.oneof(crons, crontabs, calendars);

describe('any schedule', () => {
  test('any schedule is due strictly after the instant asked about, later each time, and the same whichever way it is asked', () => {
    check([schedules, zones, instants], (schedule, zone, after) => {
      const compiled = compiledOrNone(schedule, zone);
      if (compiled === undefined) return;
      const dues = nextDues(compiled, after, 20);
      let last = after;
      for (const due of dues) {
        expect(due).toBeGreaterThan(last);
        expect(nextDue(compiled, last)).toBe(due);
        // Nothing is due between, so asking a little earlier or later changes nothing.
        expect(nextDue(compiled, due - 1)).toBe(due);
        expect(nextDue(compiled, last + Math.floor((due - 1 - last) / 2))).toBe(due);
        last = due;
      }
      if (dues.length < 20) expect(nextDue(compiled, last)).toBeUndefined();
    });
  });

  test('any schedule is counted as it is walked', () => {
    check([schedules, zones, instants, fc.integer({ min: 0, max: 400 })], (schedule, zone, after, count) => {
      const compiled = compiledOrNone(schedule, zone);
      if (compiled === undefined) return;
      const dues = nextDues(compiled, after, count);
      const [first, last] = [dues[0], dues.at(-1)];
      if (first === undefined || last === undefined) return;
      const expected = { count: dues.length, first, last };
      expect(countDues([compiled], after, last)).toEqual(expected);
      expect(countDues([compiled], after, last + 200 * DAY, dues.length)).toEqual(expected);
      expect(countDues([compiled], after, last - 1).count).toBe(dues.length - 1);
    });
  });

  test('any schedule is due at labels its rule names, or at the end of a gap', () => {
    check([schedules, zones, instants], (schedule, zone, after) => {
      const compiled = compiledOrNone(schedule, zone);
      if (compiled === undefined) return;
      const { kind, names } = opinionOf(schedule);
      for (const due of nextDues(compiled, after, 5)) {
        const shown = (instant: number) => Date.parse(`${localText(instant, zone).slice(0, 23)}Z`);
        const gapEnd = shown(due) - shown(due - 1) > 1;
        expect(names(shown(due)) || (kind === 'fixed' && gapEnd)).toBe(true);
      }
    });
  });

  test('any schedule joins others without doubling an instant', () => {
    check([fc.array(schedules, { minLength: 2, maxLength: 4 }), zones, instants], (several, zone, after) => {
      const compiled = several.map(schedule => compiledOrNone(schedule, zone)).filter(one => one !== undefined);
      const dues = [...new Set(compiled.flatMap(one => nextDues(one, after, 60)))].sort((a, b) => a - b).slice(0, 60);
      const walked: number[] = [];
      for (let due = nextDueOf(compiled, after); due !== undefined && walked.length < dues.length; due = nextDueOf(compiled, due))
        walked.push(due);
      expect(walked).toEqual(dues);
      const last = dues.at(-1);
      if (last !== undefined) expect(countDues(compiled, after, last)).toEqual({ count: dues.length, first: dues[0] as number, last });
    });
  });

  test('a schedule is compiled once when it is cached', () => {
    check([schedules, zones, instants], (schedule, zone, after) => {
      const compiled = compiledOrNone(schedule, zone);
      if (compiled === undefined) return;
      const remembered = compileCached(schedule, zone);
      expect(compileCached({ ...schedule }, zone)).toBe(remembered);
      expect(nextDue(remembered, after)).toBe(nextDue(compiled, after) as number);
      expect(compileCached({ ...schedule, timeZone: 'Asia/Tokyo' }, zone)).not.toBe(remembered);
    });
  });
});

describe('any instant', () => {
  test('any instant is written so that it can be read back', () => {
    check([instants, zones], (instant, zone) => {
      expect(Date.parse(localText(instant, zone))).toBe(instant);
    });
  });
});

describe('any text', () => {
  test('any text is a cron expression or is refused as one', () => {
    const letters = fc.constantFrom(...'0123456789*?/,-LW#  ABFRI');
    check([fc.array(letters, { maxLength: 30 }).map(parts => parts.join(''))], cron => {
      try {
        parseSchedule({ type: 'cron', cron }, 'UTC');
      } catch (error) {
        expect(error).toBeInstanceOf(ScheduleError);
        expect((error as ScheduleError).field).toBe('cron');
      }
    });
  });
});

function aField(low: number, high: number): fc.Arbitrary<string> {
  const value = fc.integer({ min: low, max: high });
  const step = fc.integer({ min: 1, max: Math.min(high, 23) });
  const item = fc.oneof(
    value.map(String),
    fc.tuple(value, value).map(([a, b]) => `${a}-${b}`),
    fc.tuple(value, value, step).map(([a, b, n]) => `${a}-${b}/${n}`),
    fc.tuple(value, fc.integer({ min: 1, max: high === 7 ? 7 : Math.min(high, 23) })).map(([a, n]) => `${a}/${n}`),
  );
  return fc.oneof(
    fc.constant('*'),
    fc.constant(`*/${Math.min(high, 5)}`),
    item,
    fc.tuple(item, item).map(items => items.join(',')),
  );
}

/** Undefined when the random rule is one that can never be due. */
function compiledOrNone(schedule: JobSchedule, zone: string): CompiledSchedule | undefined {
  try {
    return parseSchedule(schedule, zone);
  } catch (error) {
    if (error instanceof ScheduleError && /at least once|at least one day|never due|exists/.test(error.message)) return undefined;
    throw error;
  }
}

function check<T extends [unknown, ...unknown[]]>(
  arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> },
  holds: (...values: T) => void,
): void {
  fc.assert(
    fc.property(...(arbitraries as unknown as [fc.Arbitrary<unknown>]), (...values) => holds(...(values as unknown as T))),
    {
      numRuns: RUNS,
      seed: 20_261_122,
    },
  );
}
