/** Verdicts of due times since the watermark, and the ledger over any movement of the clock. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { executionId, MISFIRE_GRACE_MAX_MS, occurrenceRange, type ResolvedDueTimes, resolveDueTimes } from '../../actors/job/due-times.ts';
import type { JobConfig, OpenExecution } from '../../actors/job/types.ts';
import { AT } from '../support/actor.ts';
import { aJob } from '../support/builders.ts';

const SECOND = 1_000;
const everySecond = { type: 'cron', cron: '* * * * * ?' } as const;
const everyFive = { type: 'cron', cron: '0/5 * * * * ?' } as const;
const settle = (config: JobConfig, watermark: number, now: number, open: OpenExecution[] = []): ResolvedDueTimes =>
  resolveDueTimes(config, watermark, now, open, dueAt => executionId(config.name, dueAt));
const brief = ({ entries }: ResolvedDueTimes) =>
  entries.map(({ from, to, count, verdict }) => [(from - AT) / SECOND, (to - AT) / SECOND, count, verdict]);

describe('the due times since the watermark', () => {
  test('a due time on time gets its verdict from the overlap policy', () => {
    const account = settle(aJob({ schedules: [everyFive] }), AT, AT + 12 * SECOND);
    expect(brief(account)).toEqual([
      [5, 5, 1, 'waiting'],
      [10, 10, 1, 'skippedOverlap'],
    ]);
    expect(account.fires).toMatchObject([{ dueAt: AT + 5 * SECOND, trigger: 'schedule', verdict: { do: 'start' } }]);
  });

  test('a due time is on time up to the grace and not a millisecond longer', () => {
    const config = aJob({ schedules: [everyFive], misfireGraceMs: 2_000 });
    expect(brief(settle(config, AT, AT + 7_000))).toEqual([[5, 5, 1, 'waiting']]);
    expect(brief(settle(config, AT, AT + 7_001))).toEqual([[5, 5, 1, 'missedDown']]);
  });

  test('due times follow the overlap policy within the grace and the misfire policy beyond it, thirty at once included', () => {
    const late = { schedules: [everySecond], overlap: 'allow', overlapLimit: 10, misfire: { policy: 'all', limit: 10 } } as const;
    const verdicts = (misfireGraceMs: number) =>
      brief(settle(aJob({ ...late, schedules: [everySecond], misfireGraceMs }), AT, AT + 30 * SECOND)).map(([from, , count, verdict]) => [
        from,
        count,
        verdict,
      ]);
    const each = (first: number, count: number, verdict: 'waiting' | 'refused') =>
      Array.from({ length: count }, (_, place) => [first + place, 1, verdict]);
    expect(verdicts(60_000)).toEqual([...each(1, 10, 'waiting'), ...each(11, 20, 'refused')]);
    expect(verdicts(0)).toEqual([[1, 19, 'coalesced'], ...each(20, 10, 'waiting'), [30, 1, 'refused']]);
  });

  test('due times are on time for an hour at most, however long the configured grace', () => {
    const config = aJob({ schedules: [everyFive], misfireGraceMs: 400 * 86_400_000 });
    const account = settle(config, AT, AT + 30 * 86_400_000);
    expect(account.entries[0]).toMatchObject({ verdict: 'missedDown', count: (30 * 86_400_000 - MISFIRE_GRACE_MAX_MS) / 5_000 - 1 });
    expect(account.entries).toHaveLength(1 + MISFIRE_GRACE_MAX_MS / 5_000 + 1);
  });

  test('missed due times become one range with misfire skip', () => {
    const account = settle(aJob({ schedules: [everySecond] }), AT, AT + 3_600 * SECOND, [{ id: 'x', blocked: null }]);
    expect(brief(account)[0]).toEqual([1, 3_539, 3_539, 'missedDown']);
    expect(account.entries).toHaveLength(1 + 61);
    expect(account.fires).toEqual([]);
  });

  test('missed due times run once with misfire once, and the entry of the others names that run', () => {
    const config = aJob({ schedules: [everyFive], misfire: { policy: 'once', limit: 10 }, misfireGraceMs: 0 });
    const account = settle(config, AT, AT + 61 * SECOND);
    expect(brief(account)).toEqual([
      [5, 55, 11, 'coalesced'],
      [60, 60, 1, 'waiting'],
    ]);
    expect(account.entries[0]?.execution).toBe(executionId('nightly', AT + 60 * SECOND));
    expect(account.fires).toMatchObject([{ trigger: 'misfire', verdict: { do: 'start' } }]);
  });

  test('missed due times all run up to the limit with misfire all, without the oldest', () => {
    const config = aJob({ schedules: [everyFive], misfire: { policy: 'all', limit: 3 }, misfireGraceMs: 0 });
    const account = settle(config, AT, AT + 61 * SECOND);
    expect(brief(account)).toEqual([
      [5, 45, 9, 'coalesced'],
      [50, 50, 1, 'waiting'],
      [55, 55, 1, 'waiting'],
      [60, 60, 1, 'waiting'],
    ]);
    expect(account.fires.map(fire => fire.verdict.do)).toEqual(['start', 'wait', 'wait']);
  });

  test('due times have one entry each even with a limit of zero', () => {
    const config = aJob({ schedules: [everyFive], misfire: { policy: 'all', limit: 0 }, misfireGraceMs: 0 });
    expect(brief(settle(config, AT, AT + 11 * SECOND))).toEqual([
      [5, 5, 1, 'coalesced'],
      [10, 10, 1, 'waiting'],
    ]);
  });

  test('no time is due while the wall clock is before the watermark', () => {
    expect(settle(aJob({ schedules: [everySecond] }), AT, AT - 3_600 * SECOND)).toEqual({ entries: [], fires: [] });
  });

  test('due times follow the time zone of an edited job', () => {
    const schedules = [{ type: 'cron', cron: '0 0 9 * * ?' } as const];
    const utc = occurrenceRange(aJob({ schedules }), AT, AT + 86_400 * SECOND, { verdict: 'disabled', reason: null, decidedAt: 0 });
    const berlin = occurrenceRange(aJob({ schedules, timeZone: 'Europe/Berlin' }), AT - 1, AT + 86_400 * SECOND, {
      verdict: 'disabled',
      reason: null,
      decidedAt: 0,
    });
    expect([utc[0]?.from, berlin[0]?.from]).toEqual([AT + 3_600 * SECOND, AT]);
  });
});

describe('the ledger over any run of the clock', () => {
  const schedule = fc.constantFrom<JobConfig['schedules']>(
    [everySecond],
    [everyFive],
    [everyFive, { type: 'cron', cron: '0/3 * * * * ?' } as const],
    [{ type: 'cron', cron: '7 0/2 * * * ?' } as const],
  );
  const config = fc.record({
    schedules: schedule,
    overlap: fc.constantFrom<JobConfig['overlap']>('skip', 'queue', 'allow', 'replace'),
    overlapLimit: fc.integer({ min: 1, max: 3 }),
    misfire: fc.record({
      policy: fc.constantFrom<JobConfig['misfire']['policy']>('skip', 'once', 'all'),
      limit: fc.integer({ min: 1, max: 4 }),
    }),
    misfireGraceMs: fc.constantFrom(0, 1_500, 60_000),
  });
  /** Steps of the wall clock in ms: mostly on, sometimes back. */
  const steps = fc.array(fc.oneof({ weight: 5, arbitrary: fc.integer({ min: 1, max: 90_000 }) }, fc.integer({ min: -120_000, max: 0 })), {
    minLength: 1,
    maxLength: 12,
  });

  test('the ledger has each due time exactly once, and no run without an entry, over any run of the clock', () => {
    fc.assert(
      fc.property(config, steps, (difference, moves) => {
        const job = aJob(difference);
        const entries: ResolvedDueTimes['entries'] = [];
        const fires: ResolvedDueTimes['fires'] = [];
        let watermark = AT;
        let now = AT;
        for (const move of moves) {
          now += move;
          const account = settle(job, watermark, now);
          entries.push(...account.entries);
          fires.push(...account.fires);
          watermark = Math.max(watermark, now);
        }
        const dues = bruteForce(job, watermark);
        const named = entries.flatMap(entry => dues.filter(due => due >= entry.from && due <= entry.to));
        expect(named).toEqual(dues);
        expect(entries.reduce((sum, entry) => sum + entry.count, 0)).toBe(dues.length);
        const waiting = entries.filter(entry => entry.verdict === 'waiting');
        expect(fires.map(fire => fire.dueAt)).toEqual(waiting.map(entry => entry.from));
        for (const entry of entries)
          expect(entry.execution === null || entry.verdict === 'waiting' || entry.verdict === 'coalesced').toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  /** Every due time in (AT, until], read off the seconds of the minute. */
  function bruteForce(job: JobConfig, until: number): number[] {
    const dues: number[] = [];
    for (let at = AT + SECOND; at <= until; at += SECOND) {
      const second = (at / SECOND) % 60;
      const minute = Math.floor(at / 60_000) % 60;
      const named = job.schedules.some(each => {
        const cron = each.type === 'cron' ? each.cron : '';
        if (cron === everySecond.cron) return true;
        if (cron === everyFive.cron) return second % 5 === 0;
        if (cron.startsWith('0/3')) return second % 3 === 0;
        return second === 7 && minute % 2 === 0;
      });
      if (named) dues.push(at);
    }
    return dues;
  }
});
