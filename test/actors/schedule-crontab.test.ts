/**
 * The five fields of a crontab: due times of cron.c, due times of croner for random ones, and hints
 * of refusals.
 */
import { describe, expect, test } from 'bun:test';
import { Cron } from 'croner';
import fc from 'fast-check';
import { numericWeekdays, stepsTooLong } from '../../actors/schedule/hints.ts';
import { describeSchedule, type JobSchedule, nextDues, parseSchedule, ScheduleError } from '../../actors/schedule/index.ts';

const NEW_YEAR = Date.UTC(2026, 0, 1);
const SEED = 20261130;

const aCrontab = (crontab: string, timeZone = 'UTC') => parseSchedule({ type: 'crontab', crontab, timeZone }, 'UTC');
const dues = (crontab: string, count = 4) =>
  nextDues(aCrontab(crontab), NEW_YEAR, count).map(due => new Date(due).toISOString().slice(0, 16).replace('T', ' '));

/** 2026-01-01 is a Thursday. */
const DUE: [string, ...string[]][] = [
  ['0 2 * * *', '2026-01-01 02:00', '2026-01-02 02:00', '2026-01-03 02:00', '2026-01-04 02:00'],
  ['*/20 8 * * *', '2026-01-01 08:00', '2026-01-01 08:20', '2026-01-01 08:40', '2026-01-02 08:00'],
  ['0 9 * * 1-5', '2026-01-01 09:00', '2026-01-02 09:00', '2026-01-05 09:00', '2026-01-06 09:00'],
  ['0 9 * * 0', '2026-01-04 09:00', '2026-01-11 09:00', '2026-01-18 09:00', '2026-01-25 09:00'],
  ['0 9 * * 7', '2026-01-04 09:00', '2026-01-11 09:00', '2026-01-18 09:00', '2026-01-25 09:00'],
  ['0 9 * * 5-7', '2026-01-02 09:00', '2026-01-03 09:00', '2026-01-04 09:00', '2026-01-09 09:00'],
  ['0 9 * * sun,Wed', '2026-01-04 09:00', '2026-01-07 09:00', '2026-01-11 09:00', '2026-01-14 09:00'],
  // Both day fields: either counts.
  ['0 0 13 * fri', '2026-01-02 00:00', '2026-01-09 00:00', '2026-01-13 00:00', '2026-01-16 00:00'],
  ['30 4 1,15 * 5', '2026-01-01 04:30', '2026-01-02 04:30', '2026-01-09 04:30', '2026-01-15 04:30'],
  // A range that names every day is no star: each day counts.
  ['0 12 1-31 * 1', '2026-01-01 12:00', '2026-01-02 12:00', '2026-01-03 12:00', '2026-01-04 12:00'],
  // A field that begins with a star: both must count.
  ['0 12 */2 * fri', '2026-01-09 12:00', '2026-01-23 12:00', '2026-02-13 12:00', '2026-02-27 12:00'],
  ['0 12 13 * */2', '2026-01-13 12:00', '2026-06-13 12:00', '2026-08-13 12:00', '2026-09-13 12:00'],
  ['0 12 *,13 * fri', '2026-01-02 12:00', '2026-01-09 12:00', '2026-01-16 12:00', '2026-01-23 12:00'],
  ['0 0 29 2 *', '2028-02-29 00:00', '2032-02-29 00:00', '2036-02-29 00:00', '2040-02-29 00:00'],
  ['0 0 1 JAN-jun/2 *', '2026-03-01 00:00', '2026-05-01 00:00', '2027-01-01 00:00', '2027-03-01 00:00'],
  ['@hourly', '2026-01-01 01:00', '2026-01-01 02:00', '2026-01-01 03:00', '2026-01-01 04:00'],
  ['@daily', '2026-01-02 00:00', '2026-01-03 00:00', '2026-01-04 00:00', '2026-01-05 00:00'],
  ['@midnight', '2026-01-02 00:00', '2026-01-03 00:00', '2026-01-04 00:00', '2026-01-05 00:00'],
  ['@weekly', '2026-01-04 00:00', '2026-01-11 00:00', '2026-01-18 00:00', '2026-01-25 00:00'],
  ['@Monthly', '2026-02-01 00:00', '2026-03-01 00:00', '2026-04-01 00:00', '2026-05-01 00:00'],
  ['@yearly', '2027-01-01 00:00', '2028-01-01 00:00', '2029-01-01 00:00', '2030-01-01 00:00'],
  ['@annually', '2027-01-01 00:00', '2028-01-01 00:00', '2029-01-01 00:00', '2030-01-01 00:00'],
];

describe('a crontab schedule', () => {
  test.each(DUE)('the crontab schedule %s is due when cron runs it', (crontab, ...expected) => {
    expect(dues(crontab)).toEqual(expected);
  });

  test('a crontab schedule agrees with croner on random expressions', () => {
    const field = (low: number, high: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min: low, max: high }).map(String),
        fc
          .tuple(fc.integer({ min: low, max: high }), fc.integer({ min: low, max: high }))
          .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
        fc.uniqueArray(fc.integer({ min: low, max: high }), { minLength: 2, maxLength: 4 }).map(values => values.join(',')),
      );
    const stepped = (low: number, high: number) =>
      fc.oneof(
        field(low, high),
        fc.integer({ min: 1, max: high }).map(step => `*/${step}`),
      );
    const expressions = fc.tuple(stepped(0, 59), stepped(0, 23), field(1, 31), stepped(1, 12), field(0, 7)).map(fields => fields.join(' '));
    const zones = fc.constantFrom('UTC', 'Asia/Kolkata', 'Asia/Tokyo');
    const instants = fc.integer({ min: Date.UTC(2024, 0, 1), max: Date.UTC(2036, 0, 1) });
    fc.assert(
      fc.property(expressions, zones, instants, (crontab, timeZone, after) => {
        const theirs = new Cron(crontab, { timezone: timeZone, domAndDow: false }).nextRuns(3, new Date(after)).map(due => due.getTime());
        if (theirs.length < 3) return;
        expect(nextDues(aCrontab(crontab, timeZone), after, 3)).toEqual(theirs);
      }),
      { seed: SEED, numRuns: 1_000 },
    );
  });

  test.each<[string, string, ...string[]]>([
    // 2026-03-29, Berlin: 02:00 to 02:59 is skipped; 2026-10-25: it comes twice.
    ['30 2 * * *', '2026-03-28T12:00:00Z', '2026-03-29T01:00:00.000Z', '2026-03-30T00:30:00.000Z'],
    ['30 */2 * * *', '2026-03-29T00:00:00Z', '2026-03-29T02:30:00.000Z', '2026-03-29T04:30:00.000Z'],
    ['30 2 * * *', '2026-10-24T12:00:00Z', '2026-10-25T00:30:00.000Z', '2026-10-26T01:30:00.000Z'],
    ['30 * * * *', '2026-10-25T00:00:00Z', '2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z', '2026-10-25T02:30:00.000Z'],
  ])('the crontab %s after %s in Berlin follows the rule of clock changes', (crontab, after, ...expected) => {
    const found = nextDues(aCrontab(crontab, 'Europe/Berlin'), Date.parse(after), expected.length);
    expect(found.map(due => new Date(due).toISOString())).toEqual(expected);
  });

  test.each([
    ['0 9 * * 1-5', 'at 09:00, Monday to Friday'],
    ['0 0 13 * fri', 'at 00:00, on day 13 of the month or on Friday'],
    ['0 0 */2 * fri', 'at 00:00, on every 2nd day from 1 to 31 of the month that are Friday'],
    ['0 0 1-31 * 1', 'at 00:00, every day'],
    ['@weekly', 'at 00:00, Sunday'],
  ])('the crontab %s reads as %s', (crontab, words) => {
    expect(describeSchedule({ type: 'crontab', crontab }, 'UTC')).toBe(`${words} (UTC)`);
  });
});

const refusal = (schedule: JobSchedule): ScheduleError => {
  try {
    parseSchedule(schedule, 'UTC');
  } catch (error) {
    if (error instanceof ScheduleError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(schedule)} was not refused`);
};

const REFUSED: [string, ...string[]][] = [
  ['', '5 fields', 'has 0'],
  ['@reboot', '"@reboot"', 'belongs to no machine that boots'],
  ['@every 5m', '"@every 5m"', '@daily'],
  ['CRON_TZ=UTC 0 0 * * *', 'timeZone'],
  ['60 * * * *', 'minute', '"60"', '0-59'],
  ['* 24 * * *', 'hour', '"24"', '0-23'],
  ['* * 0 * *', 'day of month', '"0"', '1-31'],
  ['* * * 13 *', 'month', '"13"', 'JAN-DEC'],
  ['* * * * 8', 'day of week', '"8"', '0 and 7 are Sunday'],
  ['* * * * SUNDAY', 'day of week', '"SUNDAY"', 'write "* * * * SUN"'],
  ['*/0 * * * *', 'minute', 'at least 1'],
  ['*5 * * * *', 'minute', '"*5"'],
  ['5,,6 * * * *', 'minute', '"5,,6"'],
  ['5/10 * * * *', 'minute', 'write "5-59/10"'],
  ['0 22-2 * * *', 'hour', 'write "22-23,0-2"'],
  ['0 0 * * fri-sun', 'day of week', 'write "5-7"'],
  ['0 0 * * 6-1', 'day of week', 'write "6,0-1"'],
  ['0 0 ? * 1', 'day of month', '"*" where others have "?"'],
  ['0 0 L * *', 'day of month', 'belong to Quartz'],
  ['0 0 * * 1#2', 'day of week', 'belong to Quartz'],
  ['0 0 31 2 *', 'names no day that exists'],
  ['0 0 2 * * ?', 'has 6', 'type "cron" (--cron)'],
  ['* * * * * *', 'has 6', 'for type "cron" (--cron) write "* * * * * ?"'],
  ['0 2 * * * /usr/bin/backup --all', 'has 7', 'write "0 2 * * *"', 'command of the job'],
];

describe('a wrong crontab', () => {
  test.each(REFUSED)('the crontab %p is refused with a hint', (crontab, ...words) => {
    const error = refusal({ type: 'crontab', crontab });
    expect(error.field).toBe('crontab');
    for (const word of words) expect(error.message).toContain(word);
    expect(error.message).toMatch(/^[^\n]*\.$/);
  });

  test('a crontab is refused when it is not a text, and not repeated when it is endless', () => {
    expect(refusal({ type: 'crontab', crontab: null as never }).message).toContain('null');
    expect(refusal({ type: 'crontab', crontab: `${'1,'.repeat(5_000)}1 * * * *` }).message).toContain('at most 2000');
    expect(refusal({ type: 'crontab', crontab: `${'x'.repeat(900)} * * * *` }).message.length).toBeLessThan(250);
  });
});

/**
 * Expressions with the habits of another dialect, and the Quartz expressions that the refusal
 * names.
 */
const MEANT: [string, ...string[]][] = [
  ['0 2 * * *', '0 0 2 * * ?'],
  ['*/5 * * * *', '0 */5 * * * ?'],
  ['0 9 * * 1-5', '0 0 9 ? * MON-FRI'],
  ['0 9 * * 7', '0 0 9 ? * SUN'],
  ['0 9 * * */2', '0 0 9 ? * SUN,TUE,THU,SAT'],
  ['0 0 13 * 5', '0 0 0 13 * ?', '0 0 0 ? * FRI'],
  ['@daily', '0 0 0 * * ?'],
  ['@weekly', '0 0 0 ? * SUN'],
  ['0 9 * * ?', '0 0 9 * * ?'],
  ['0 2 L * ?', '0 0 2 L * ?'],
  ['0 0 2 * * *', '0 0 2 * * ?'],
  ['0 0 2 ? * ?', '0 0 2 * * ?'],
  ['0 0 2 * * 1-5', '0 0 2 ? * MON-FRI'],
  ['0 0 2 * * 6L', '0 0 2 ? * 6L'],
  ['0 0 2 L * *', '0 0 2 L * ?'],
  ['0 0 9 ? * 0', '0 0 9 ? * SUN'],
  ['0 0 0 13 * 5', '0 0 0 13 * ?', '0 0 0 ? * FRI'],
  ['0 0 2 * * * *', '0 0 2 * * ? *'],
  ['0 0 2 * * 1-5 2030', '0 0 2 ? * MON-FRI 2030'],
  ['0 10 * * ? *', '0 0 10 * * ? *'],
  ['0 0 9 ? * Monday-Friday', '0 0 9 ? * MON-FRI'],
  ['0 0 9 1 january,February ?', '0 0 9 1 jan,Feb ?'],
  ['0 9 * * sunday', '0 0 9 ? * SUN'],
];

describe('a refused Quartz expression', () => {
  test.each(MEANT)('the refusal of the Quartz expression %p names what was probably meant', (cron, ...expected) => {
    const { message } = refusal({ type: 'cron', cron });
    expect([...message.matchAll(/"([^"]+)"/g)].map(([, quoted]) => quoted)).toEqual(expect.arrayContaining(expected));
    for (const expression of expected) expect(() => parseSchedule({ type: 'cron', cron: expression }, 'UTC')).not.toThrow();
  });

  test('a refused Quartz expression of five fields gets the hint of type crontab, unless that refuses it too', () => {
    expect(refusal({ type: 'cron', cron: '0 0 */2 * 1' }).message).toEndWith('with type "crontab" (--crontab).');
    expect(refusal({ type: 'cron', cron: '0 9 * * ?' }).message).not.toContain('crontab');
    expect(refusal({ type: 'cron', cron: '99 * * * * ?' }).message).not.toContain('write');
  });

  test('a refused Quartz expression without an existing day gets no hint of the other type', () => {
    const { message } = refusal({ type: 'cron', cron: '0 0 2 30 2 ?' });
    expect(message).toEndWith('must be due at least once.');
  });

  test('the hint for a Quartz expression names expressions that are due when the crontab is', () => {
    const field = (low: number, high: number) =>
      fc.oneof(
        fc.constant('*'),
        fc.integer({ min: low, max: high }).map(String),
        fc.integer({ min: 1, max: high }).map(step => `*/${step}`),
      );
    fc.assert(
      fc.property(fc.tuple(field(0, 59), field(0, 23), field(1, 28), field(1, 12), field(0, 7)), fields => {
        const crontab = fields.join(' ');
        const { message } = refusal({ type: 'cron', cron: crontab });
        const named = [...message.matchAll(/write (?:two schedules, )?"([^"]+)"(?: and "([^"]+)")?/g)].flatMap(([, ...found]) =>
          found.filter(expression => expression !== undefined),
        );
        if (named.length === 0) return;
        const theirs = named.flatMap(cron => nextDues(parseSchedule({ type: 'cron', cron }, 'UTC'), NEW_YEAR, 8));
        expect([...new Set(theirs)].sort((a, b) => a - b).slice(0, 8)).toEqual(nextDues(aCrontab(crontab), NEW_YEAR, 8));
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});

describe('a step that is longer than its field', () => {
  test.each([
    ['*/90 * * * *', 'a step counts within its field: minute "*/90" is minute 0 alone; 60 minutes and more are written in the field hour.'],
    ['0 */36 * * *', 'a step counts within its field: hour "*/36" is hour 0 alone; 24 hours and more are written in the fields of days.'],
  ])('the crontab %s has a step longer than its field, with a message', (crontab, message) => {
    expect(stepsTooLong(crontab)).toBe(message);
  });

  test.each(['*/45 * * * *', '*/59 */23 * * *', '0-10/60 * * * *', '0 0 */90 * *', '@hourly'])(
    'the crontab %s has no step longer than its field',
    crontab => {
      expect(stepsTooLong(crontab)).toBeUndefined();
    },
  );
});

describe('a numeric day of the week', () => {
  test.each([
    [
      '0 0 9 ? * 1-5',
      'day of week "1-5" is Sunday to Thursday',
      'write "SUN-THU" to be sure, or "MON-FRI" if it was meant as cron counts.',
    ],
    ['0 0 9 ? * 7', 'day of week "7" is Saturday', 'write "SAT" to be sure, or "SUN"'],
    ['0 0 9 ? * 6L', 'day of week "6L" is the last Friday of the month', 'write "FRIL" to be sure, or "SATL"'],
    ['0 0 9 ? * 6#3', 'day of week "6#3" is the third Friday of the month', 'write "FRI#3" to be sure, or "SAT#3"'],
    ['0 0 9 ? * 2/2', 'day of week "2/2" is Monday, Wednesday and Friday', 'write "MON,WED,FRI" to be sure.'],
  ])('the numeric day of the week in %s gets a message', (cron, means, write) => {
    expect(numericWeekdays(cron)).toContain(means);
    expect(numericWeekdays(cron)).toContain(write);
  });

  test.each(['0 0 9 ? * MON-FRI', '0 0 9 ? * *', '0 0 9 ? * FRI#3', '0 0 9 1 * ?', '0 0 9 ? * L 2030'])(
    'the expression %s has no numeric day of the week',
    cron => {
      expect(numericWeekdays(cron)).toBeUndefined();
    },
  );
});
