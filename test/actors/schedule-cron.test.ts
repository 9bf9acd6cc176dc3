/**
 * Quartz's dialect: answers of Quartz 2.3.2, answers of croner for random patterns, and the texts
 * of refusals.
 */
import { describe, expect, test } from 'bun:test';
import { Cron } from 'croner';
import { countDues, nextDue, nextDues, parseSchedule, ScheduleError } from '../../actors/schedule/index.ts';

const NEW_YEAR = Date.UTC(2026, 0, 1);

/**
 * Seen, not computed: the first four times after 2026-01-01 00:00:00 that Quartz 2.3.2 itself gave,
 * in UTC.
 */
const SEEN_IN_QUARTZ: [string, ...string[]][] = [
  ['0 0 12 * * ?', '2026-01-01 12:00:00', '2026-01-02 12:00:00', '2026-01-03 12:00:00', '2026-01-04 12:00:00'],
  ['0 15 10 ? * *', '2026-01-01 10:15:00', '2026-01-02 10:15:00', '2026-01-03 10:15:00', '2026-01-04 10:15:00'],
  ['0 0/5 14 * * ?', '2026-01-01 14:00:00', '2026-01-01 14:05:00', '2026-01-01 14:10:00', '2026-01-01 14:15:00'],
  ['0 0/5 14,18 * * ?', '2026-01-01 14:00:00', '2026-01-01 14:05:00', '2026-01-01 14:10:00', '2026-01-01 14:15:00'],
  ['0 0-5 14 * * ?', '2026-01-01 14:00:00', '2026-01-01 14:01:00', '2026-01-01 14:02:00', '2026-01-01 14:03:00'],
  ['0 10,44 14 ? 3 WED', '2026-03-04 14:10:00', '2026-03-04 14:44:00', '2026-03-11 14:10:00', '2026-03-11 14:44:00'],
  ['0 15 10 ? * MON-FRI', '2026-01-01 10:15:00', '2026-01-02 10:15:00', '2026-01-05 10:15:00', '2026-01-06 10:15:00'],
  ['0 15 10 15 * ?', '2026-01-15 10:15:00', '2026-02-15 10:15:00', '2026-03-15 10:15:00', '2026-04-15 10:15:00'],
  ['0 15 10 L * ?', '2026-01-31 10:15:00', '2026-02-28 10:15:00', '2026-03-31 10:15:00', '2026-04-30 10:15:00'],
  ['0 15 10 L-2 * ?', '2026-01-29 10:15:00', '2026-02-26 10:15:00', '2026-03-29 10:15:00', '2026-04-28 10:15:00'],
  ['0 15 10 L-30 * ?', '2026-01-01 10:15:00', '2026-03-01 10:15:00', '2026-05-01 10:15:00', '2026-07-01 10:15:00'],
  ['0 15 10 ? * 6L', '2026-01-30 10:15:00', '2026-02-27 10:15:00', '2026-03-27 10:15:00', '2026-04-24 10:15:00'],
  ['0 15 10 ? * friL', '2026-01-30 10:15:00', '2026-02-27 10:15:00', '2026-03-27 10:15:00', '2026-04-24 10:15:00'],
  ['0 15 10 ? * 6L 2027-2029', '2027-01-29 10:15:00', '2027-02-26 10:15:00', '2027-03-26 10:15:00', '2027-04-30 10:15:00'],
  ['0 15 10 ? * 6#3', '2026-01-16 10:15:00', '2026-02-20 10:15:00', '2026-03-20 10:15:00', '2026-04-17 10:15:00'],
  ['0 15 10 ? * TUE#5', '2026-03-31 10:15:00', '2026-06-30 10:15:00', '2026-09-29 10:15:00', '2026-12-29 10:15:00'],
  ['0 0 12 1/5 * ?', '2026-01-01 12:00:00', '2026-01-06 12:00:00', '2026-01-11 12:00:00', '2026-01-16 12:00:00'],
  ['0 11 11 11 11 ?', '2026-11-11 11:11:00', '2027-11-11 11:11:00', '2028-11-11 11:11:00', '2029-11-11 11:11:00'],
  ['0 0 0 29 2 ?', '2028-02-29 00:00:00', '2032-02-29 00:00:00', '2036-02-29 00:00:00', '2040-02-29 00:00:00'],
  ['0 0 0 31 * ?', '2026-01-31 00:00:00', '2026-03-31 00:00:00', '2026-05-31 00:00:00', '2026-07-31 00:00:00'],
  ['0 0 12 15W * ?', '2026-01-15 12:00:00', '2026-02-16 12:00:00', '2026-03-16 12:00:00', '2026-04-15 12:00:00'],
  ['0 0 12 1W * ?', '2026-01-01 12:00:00', '2026-02-02 12:00:00', '2026-03-02 12:00:00', '2026-04-01 12:00:00'],
  ['0 0 12 31W * ?', '2026-01-30 12:00:00', '2026-03-31 12:00:00', '2026-05-29 12:00:00', '2026-07-31 12:00:00'],
  ['0 0 12 30W * ?', '2026-01-30 12:00:00', '2026-03-30 12:00:00', '2026-04-30 12:00:00', '2026-05-29 12:00:00'],
  ['0 0 12 31W 4 ?', '2027-04-30 12:00:00', '2032-04-30 12:00:00', '2038-04-30 12:00:00', '2049-04-30 12:00:00'],
  ['0 0 12 LW * ?', '2026-01-30 12:00:00', '2026-02-27 12:00:00', '2026-03-31 12:00:00', '2026-04-30 12:00:00'],
  ['0 0 12 L-3W * ?', '2026-01-28 12:00:00', '2026-02-25 12:00:00', '2026-03-27 12:00:00', '2026-04-27 12:00:00'],
  ['0 0 12 L-27W 2 ?', '2026-02-02 12:00:00', '2027-02-01 12:00:00', '2028-02-02 12:00:00', '2029-02-01 12:00:00'],
  ['0 0 22-2 * * ?', '2026-01-01 01:00:00', '2026-01-01 02:00:00', '2026-01-01 22:00:00', '2026-01-01 23:00:00'],
  ['0 0 22-2/3 * * ?', '2026-01-01 01:00:00', '2026-01-01 22:00:00', '2026-01-02 01:00:00', '2026-01-02 22:00:00'],
  ['50-10/5 59 23 31 12 ?', '2026-12-31 23:59:00', '2026-12-31 23:59:05', '2026-12-31 23:59:10', '2026-12-31 23:59:50'],
  ['0 0 0 28-3 * ?', '2026-01-02 00:00:00', '2026-01-03 00:00:00', '2026-01-28 00:00:00', '2026-01-29 00:00:00'],
  ['0 0 0 1 NOV-FEB ?', '2026-02-01 00:00:00', '2026-11-01 00:00:00', '2026-12-01 00:00:00', '2027-01-01 00:00:00'],
  ['0 0 0 1 nov,feb ?', '2026-02-01 00:00:00', '2026-11-01 00:00:00', '2027-02-01 00:00:00', '2027-11-01 00:00:00'],
  ['0 0 0 ? * FRI-MON', '2026-01-02 00:00:00', '2026-01-03 00:00:00', '2026-01-04 00:00:00', '2026-01-05 00:00:00'],
  ['0 0 0 ? * L', '2026-01-03 00:00:00', '2026-01-10 00:00:00', '2026-01-17 00:00:00', '2026-01-24 00:00:00'],
  ['0 0 0 ? * 2/2', '2026-01-02 00:00:00', '2026-01-05 00:00:00', '2026-01-07 00:00:00', '2026-01-09 00:00:00'],
  ['0 0 0 ? * 7-1', '2026-01-03 00:00:00', '2026-01-04 00:00:00', '2026-01-10 00:00:00', '2026-01-11 00:00:00'],
  ['0 0 0 1 1/5 ? */3', '2027-01-01 00:00:00', '2027-06-01 00:00:00', '2027-11-01 00:00:00', '2030-01-01 00:00:00'],
  ['0 0 0 1 1 ? 2030/10', '2030-01-01 00:00:00', '2040-01-01 00:00:00', '2050-01-01 00:00:00', '2060-01-01 00:00:00'],
  ['/20 30 8 1 1 ?', '2026-01-01 08:30:00', '2026-01-01 08:30:20', '2026-01-01 08:30:40', '2027-01-01 08:30:00'],
  ['*/45 30 8 1 1 ?', '2026-01-01 08:30:00', '2026-01-01 08:30:45', '2027-01-01 08:30:00', '2027-01-01 08:30:45'],
  ['7/30 30 8 1 1 ?', '2026-01-01 08:30:07', '2026-01-01 08:30:37', '2027-01-01 08:30:07', '2027-01-01 08:30:37'],
  ['0-59/70 30 8 1 1 ?', '2026-01-01 08:30:00', '2027-01-01 08:30:00', '2028-01-01 08:30:00', '2029-01-01 08:30:00'],
  ['1,1,1-3 30 8 1 1 ?', '2026-01-01 08:30:01', '2026-01-01 08:30:02', '2026-01-01 08:30:03', '2027-01-01 08:30:01'],
  ['05 030 8 01 1 ?', '2026-01-01 08:30:05', '2027-01-01 08:30:05', '2028-01-01 08:30:05', '2029-01-01 08:30:05'],
];

describe('a cron schedule', () => {
  test.each(SEEN_IN_QUARTZ)('the cron schedule %s is due when Quartz 2.3.2 fires it', (cron, ...seen) => {
    expect(dues(cron, NEW_YEAR, seen.length)).toEqual(seen);
  });

  test('a cron schedule is due strictly after the instant asked about, to the millisecond', () => {
    const cron = aCron('30 * * * * ?');
    const due = Date.UTC(2026, 0, 1, 0, 0, 30);
    expect(nextDue(cron, due - 1)).toBe(due);
    expect(nextDue(cron, due)).toBe(due + 60_000);
    expect(nextDue(cron, due + 1)).toBe(due + 60_000);
  });

  test('a cron schedule has no due time after its last year', () => {
    const cron = aCron('0 0 0 31 12 ? 2027');
    expect(nextDue(cron, NEW_YEAR)).toBe(Date.UTC(2027, 11, 31));
    expect(nextDue(cron, Date.UTC(2027, 11, 31))).toBeUndefined();
  });

  test('a cron schedule ends with the year 2199 and begins with 1970', () => {
    const cron = aCron('0 0 0 1 1 ?');
    expect(nextDue(cron, Date.UTC(2198, 5, 1))).toBe(Date.UTC(2199, 0, 1));
    expect(nextDue(cron, Date.UTC(2199, 0, 1))).toBeUndefined();
    expect(nextDue(cron, Date.UTC(2500, 0, 1))).toBeUndefined();
    expect(nextDue(cron, Date.UTC(1950, 0, 1))).toBe(0);
    expect(nextDue(cron, -8.64e15)).toBe(0);
  });

  test('a cron schedule takes tabs, spaces around it and letters of any case', () => {
    expect(dues(' 0\t0  12 ?  jan,Feb  mon-FRI ', NEW_YEAR, 1)).toEqual(['2026-01-01 12:00:00']);
  });

  test('a cron schedule agrees with croner on random patterns', () => {
    const random = aRandom(20_261_122);
    for (let round = 0; round < 1_500; round += 1) {
      const cron = aPattern(random);
      const zone = random.of(['UTC', 'Asia/Kolkata', 'Asia/Tokyo']);
      const after = Date.UTC(
        2024 + random.below(12),
        random.below(12),
        1 + random.below(28),
        random.below(24),
        random.below(60),
        random.below(60),
      );
      const theirs = new Cron(cron, { timezone: zone, sloppyRanges: true, alternativeWeekdays: true })
        .nextRuns(3, new Date(after))
        .map(due => due.getTime());
      if (theirs.length < 3) continue;
      expect([cron, zone, after, ...nextDues(parseSchedule({ type: 'cron', cron, timeZone: zone }, 'UTC'), after, 3)]).toEqual([
        cron,
        zone,
        after,
        ...theirs,
      ]);
    }
  });

  test('a cron schedule counts a year of seconds without walking through it', () => {
    const year = countDues([aCron('* * * * * ?')], NEW_YEAR, Date.UTC(2027, 0, 1));
    expect(year).toEqual({ count: 31_536_000, first: NEW_YEAR + 1_000, last: Date.UTC(2027, 0, 1) });
  });
});

/** cron, the field that must be named, and words of the reason. */
const REFUSED: [string, ...string[]][] = [
  ['', '6 or 7 fields', '0'],
  ['* * * * *', '6 or 7 fields', 'has 5'],
  ['0 0 0 * * ? * 5', '6 or 7 fields', 'has 8'],
  ['60 * * * * ?', 'second', '"60"', '0-59'],
  ['* 60 * * * ?', 'minute', '"60"', '0-59'],
  ['* * 24 * * ?', 'hour', '"24"', '0-23'],
  ['* * * 0 * ?', 'day of month', '"0"', '1-31'],
  ['* * * 32 * ?', 'day of month', '"32"', '1-31'],
  ['* * * ? 0 *', 'month', '"0"', '1-12'],
  ['* * * ? 13 *', 'month', '"13"', 'JAN-DEC'],
  ['* * * ? FOO *', 'month', '"FOO"', 'JAN-DEC'],
  ['* * * ? * 0', 'day of week', '"0"', '1 is Sunday'],
  ['* * * ? * 8', 'day of week', '"8"', 'SUN-SAT'],
  ['* * * ? * MAN', 'day of week', '"MAN"'],
  ['* * * * * ? 1969', 'year', '"1969"', '1970-2199'],
  ['* * * * * ? 2200', 'year', '"2200"', '1970-2199'],
  ['* * * * * ? 2030-2027', 'year', 'backwards'],
  ['* * * * * *', 'day of week', '"?"', 'exactly one', 'day of month'],
  ['* * * ? * ?', 'day of week', '"?"', 'exactly one', 'both'],
  ['? * * * * ?', 'second', '"?"'],
  ['* * ? * * ?', 'hour', '"?"'],
  ['*/60 * * * * ?', 'second', '"*/60"', 'at most 59'],
  ['* 0/60 * * * ?', 'minute', 'at most 59'],
  ['* * */24 * * ?', 'hour', 'at most 23'],
  ['* * * 1/32 * ?', 'day of month', 'at most 31'],
  ['* * * ? 1/13 *', 'month', 'at most 12'],
  ['* * * ? * 1/8', 'day of week', 'at most 7'],
  ['*/0 * * * * ?', 'second', 'at least 1'],
  ['0/ * * * * ?', 'second', '"0/"'],
  ['5- * * * * ?', 'second', '"5-"'],
  ['5X * * * * ?', 'second', '"5X"'],
  ['5,,6 * * * * ?', 'second', '"5,,6"'],
  ['-5 * * * * ?', 'second', '"-5"'],
  ['1.5 * * * * ?', 'second', '"1.5"'],
  ['L * * * * ?', 'second', '"L"'],
  ['* * * ? L *', 'month', '"L"'],
  ['* * * L,5 * ?', 'day of month', 'alone'],
  ['* * * 1W,15W * ?', 'day of month', 'alone'],
  ['* * * L-31 * ?', 'day of month', 'at most 30'],
  ['* * * 32W * ?', 'day of month', '"32W"'],
  ['* * * 0W * ?', 'day of month', '"0W"'],
  ['* * * W * ?', 'day of month', '"W"'],
  ['* * * ? * 15W', 'day of week', '"15W"'],
  ['* * * ? * 6L,2', 'day of week', 'alone'],
  ['* * * ? * 2#1,3', 'day of week', 'alone'],
  ['* * * ? * 6#6', 'day of week', '1-5'],
  ['* * * ? * 6#0', 'day of week', '1-5'],
  ['* * * ? * 8#1', 'day of week', '"8#1"'],
  ['* * * ? * 9L', 'day of week', '"9L"'],
  ['* * * ? * MONDAY', 'day of week', '"MONDAY"'],
  ['* * * ? * MON-6', 'day of week', 'two names'],
  ['* * * ? * MON-FRI/2', 'day of week', 'not names'],
  ['* * * 31 2 ?', 'names no day that exists'],
  ['* * * 30,31 FEB ?', 'names no day that exists'],
  ['* * * 29 2 ? 2027', 'names no day that exists'],
  ['* * * 31 4,6,9,11 ?', 'names no day that exists'],
];

describe('a wrong cron expression', () => {
  test.each(REFUSED)('the cron expression %p is refused with a hint', (cron, ...words) => {
    const error = refusal(() => aCron(cron));
    expect(error.field).toBe('cron');
    for (const word of words) expect(error.message).toContain(word);
    expect(error.message).toMatch(/^[^\n]*\.$/);
  });

  test('a cron expression is refused when it is not a text', () => {
    expect(refusal(() => aCron(null as never)).message).toContain('null');
    expect(refusal(() => aCron(5 as never)).field).toBe('cron');
  });

  test('an endless cron expression is refused and not repeated', () => {
    const error = refusal(() => aCron(`${'1,'.repeat(5_000)}1 * * * * ?`));
    expect(error.message).toContain('at most 2000');
    expect(refusal(() => aCron(`${'x'.repeat(900)} * * * * ?`)).message.length).toBeLessThan(250);
  });

  test('a cron expression is refused when its only hour is one that clocks skip', () => {
    // 2/22 is the hour 2 with a step: an interval rule, so the skipped 02:30 of 29 March 2026 is
    // not made up for.
    const cron = '0 30 2/22 29 3 ? 2026';
    expect(refusal(() => parseSchedule({ type: 'cron', cron }, 'Europe/Berlin')).message).toContain('Europe/Berlin');
    expect(nextDue(parseSchedule({ type: 'cron', cron }, 'Asia/Tokyo'), 0)).toBe(Date.UTC(2026, 2, 28, 17, 30));
  });
});

function aCron(cron: string) {
  return parseSchedule({ type: 'cron', cron }, 'UTC');
}

function dues(cron: string, after: number, count: number): string[] {
  return nextDues(aCron(cron), after, count).map(due => new Date(due).toISOString().slice(0, 19).replace('T', ' '));
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

/** Patterns in the part of the dialect that croner shares: no wrapping ranges, no L-n, no 31W. */
function aPattern(random: ReturnType<typeof aRandom>): string {
  const item = (low: number, high: number) => {
    const [a, b] = [low + random.below(high - low + 1), low + random.below(high - low + 1)].sort((x, y) => x - y) as [number, number];
    return random.of([
      `${a}`,
      `${a}`,
      `${a}-${b}`,
      `${a}/${1 + random.below(Math.min(high, 20))}`,
      `*/${1 + random.below(Math.min(high, 20))}`,
      '*',
    ]);
  };
  const field = (low: number, high: number) => Array.from({ length: 1 + random.below(2) }, () => item(low, high)).join(',');
  const days = random.of([
    `${field(1, 28)} ${field(1, 12)} ?`,
    `? ${field(1, 12)} ${field(1, 7)}`,
    `${random.of(['L', 'LW', '1W', '15W', '28W'])} ${field(1, 12)} ?`,
    `? ${random.of(['JAN', 'feb', 'JUN-AUG', '*'])} ${random.of(['MON', 'tue-thu', '6L', '1L', '6#3', '2#1', 'SUN,SAT'])}`,
  ]);
  return `${field(0, 59)} ${field(0, 59)} ${field(0, 23)} ${days}`;
}

/** The same numbers for the same seed, so that a failure can be run again. */
function aRandom(seed: number) {
  let state = seed;
  const below = (limit: number) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b_3c6d) + 0x9e37_79b9) | 0;
    return ((state ^ (state >>> 13)) >>> 0) % limit;
  };
  return { below, of: <T>(choices: readonly T[]): T => choices[below(choices.length)] as T };
}
