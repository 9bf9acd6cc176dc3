/** Instants and durations on the command line. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { readInstant } from '../../src/cli/instants.ts';
import { createTimes } from '../../src/cli/words.ts';
import { duration, readDuration } from '../../src/lib/durations.ts';

/** What a program prints in another zone: the zone of a process is fixed at its start. */
async function inZone(zone: string, expression: string): Promise<unknown> {
  const imports = `
    import { readInstant } from '${import.meta.dirname}/../../src/cli/instants.ts';
    import { createTimes } from '${import.meta.dirname}/../../src/cli/words.ts';
    const now = Date.parse('2026-11-22T08:30:00.000Z');
    console.log(JSON.stringify(${expression}));`;
  const child = Bun.spawn([process.execPath, '-e', imports], { env: { ...process.env, TZ: zone }, stdout: 'pipe' });
  return JSON.parse(await new Response(child.stdout).text());
}

describe('an instant on the command line', () => {
  const now = Date.parse('2026-11-22T08:30:00.000Z');
  const read = (text: string) => readInstant(text, { now, utc: true });

  test.each([
    ['now', '2026-11-22T08:30:00.000Z'],
    ['today', '2026-11-22T00:00:00.000Z'],
    ['Yesterday', '2026-11-21T00:00:00.000Z'],
    ['tomorrow', '2026-11-23T00:00:00.000Z'],
    ['-2h', '2026-11-22T06:30:00.000Z'],
    ['+1h30m', '2026-11-22T10:00:00.000Z'],
    ['2026-11-01', '2026-11-01T00:00:00.000Z'],
    ['2026-11-01 07:05', '2026-11-01T07:05:00.000Z'],
    ['2026-11-01T07:05:09.25', '2026-11-01T07:05:09.250Z'],
    ['2026-11-01 07:05:09+01:00', '2026-11-01T06:05:09.000Z'],
    ['2026-11-01T07:05:09+0530', '2026-11-01T01:35:09.000Z'],
    ['2026-11-01T07:05:09z', '2026-11-01T07:05:09.000Z'],
  ])('the instant %s on the command line is %s', (text, iso) => {
    expect(read(text)).toBe(iso);
  });

  test.each(['', 'yest', '-2', '2h', '-', '2026-02-30', '2026-13-01', '2026-11-01 25:00', '11/01/2026', '1700000000', '-999999999999d'])(
    'the text "%s" is no instant on the command line',
    text => {
      expect(read(text)).toBeUndefined();
    },
  );

  test('an instant on the command line is in the zone of the machine, with --utc in UTC, on the day of a clock change too', async () => {
    const asked = `['today', 'yesterday', '2026-11-22 08:00', '2026-03-29', '2026-03-30'].map(text => readInstant(text, { now, utc: false }))`;
    expect(await inZone('Europe/Berlin', asked)).toEqual([
      '2026-11-21T23:00:00.000Z',
      '2026-11-20T23:00:00.000Z',
      '2026-11-22T07:00:00.000Z',
      '2026-03-28T23:00:00.000Z',
      '2026-03-29T22:00:00.000Z',
    ]);
    expect(await inZone('America/Los_Angeles', `readInstant('today', { now, utc: true })`)).toBe('2026-11-22T00:00:00.000Z');
  });
});

describe('times', () => {
  test('times are shown with their offset, and read as they are shown', async () => {
    const shown = `['2026-11-22T08:00:00.000Z', '2026-07-01T23:59:59.999Z'].map(iso => createTimes(false).instant(iso, 'ms'))`;
    expect(await inZone('Europe/Berlin', shown)).toEqual(['2026-11-22 09:00:00.000+01:00', '2026-07-02 01:59:59.999+02:00']);
    expect(await inZone('Asia/Kathmandu', shown)).toEqual(['2026-11-22 13:45:00.000+05:45', '2026-07-02 05:44:59.999+05:45']);
    expect(await inZone('America/St_Johns', shown)).toEqual(['2026-11-22 04:30:00.000-03:30', '2026-07-01 21:29:59.999-02:30']);
    expect(await inZone('Europe/Berlin', `createTimes(true).instant('2026-11-22T08:00:00.000Z')`)).toBe('2026-11-22 08:00:00Z');
    expect(await inZone('Europe/Berlin', `readInstant(createTimes(false).instant('2026-07-01T08:00:00.000Z'), { now, utc: false })`)).toBe(
      '2026-07-01T08:00:00.000Z',
    );
  });

  test('times in a sentence of the center follow the same rule', () => {
    expect(createTimes(true).localised('failed at 2026-11-22T08:00:00.000Z, due 2026-11-22T08:00:00.250Z')).toBe(
      'failed at 2026-11-22 08:00:00Z, due 2026-11-22 08:00:00.250Z',
    );
  });
});

describe('a duration', () => {
  test.each([
    ['0', 0],
    ['250ms', 250],
    ['90s', 90_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    ['0s', 0],
    ['1m5ms', 60_005],
  ])('the duration "%s" is %d ms', (text, ms) => {
    expect(readDuration(text)).toBe(ms);
  });

  test.each(['', '5', '5 m', '-5m', 'm', '1.s', '5min', '1e3s', '5M', '0.0001s', '1h1h', '5s1h', '1mss'])(
    'the text "%s" is no duration',
    text => {
      expect(readDuration(text)).toBeUndefined();
    },
  );

  test.each([
    [0, '0s'],
    [90_000, '90s'],
    [60_000, '1m'],
    [500, '500ms'],
    [5_400_000, '1h30m'],
    [1_500, '1s500ms'],
  ])('a duration of %d ms is written %s', (ms, text) => {
    expect(duration(ms)).toBe(text);
  });

  test('a duration is read as it is written', () => {
    fc.assert(fc.property(fc.nat(4_000_000_000), ms => readDuration(duration(ms)) === ms));
  });
});
