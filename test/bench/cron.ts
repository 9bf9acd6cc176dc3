/**
 * Next due times per second: mixed patterns in mixed zones, ours and croner's in the same run.
 *
 * One computation is one `nextDue` from an instant spread over two years, so that clock changes,
 * month ends and far-off dates are met as a running center meets them, and no answer can be reused.
 * Parsing is measured beside it.
 */
import { Cron } from 'croner';
import { type CompiledSchedule, nextDue, parseSchedule } from '../../actors/schedule/index.ts';
import { calendars } from './calendars.ts';
import { medianRate, someInstant, ZONES } from './rate.ts';
import { atLeast, type BenchResult, type Size } from './report.ts';

const PATTERNS = [
  '* * * * * ?',
  '0/5 * * * * ?',
  '0 0/15 * * * ?',
  '0 30 2 * * ?',
  '0 0 9-17 ? * MON-FRI',
  '0 15 10 L * ?',
  '0 0 0 LW * ?',
  '0 0 12 15W * ?',
  '0 15 10 ? * 6L',
  '0 15 10 ? * 6#3',
  '0 0 6 1,15 JAN,APR,JUL,OCT ?',
  '0 0 0 29 2 ?',
  '0 0 0-2,22,23 * * ?',
  '0 0/20 8-18/2 * * ?',
];

export const bench = async (_: Size): Promise<BenchResult[]> => [patterns(), calendars()];

function patterns(): BenchResult {
  const rules = ZONES.flatMap(zone => PATTERNS.map(cron => ({ cron, zone })));
  const ours: CompiledSchedule[] = rules.map(({ cron, zone }) => parseSchedule({ type: 'cron', cron, timeZone: zone }, 'UTC'));
  const theirs = rules.map(({ cron, zone }) => new Cron(cron, { timezone: zone, sloppyRanges: true, alternativeWeekdays: true }));

  const figures: Record<string, number | string> = {};
  const nextPerSecond = medianRate(index => nextDue(ours[index % ours.length] as CompiledSchedule, someInstant(index)));
  const cronerPerSecond = medianRate(index => theirs[index % theirs.length]?.nextRun(new Date(someInstant(index))));
  figures.cronerNextPerSecond = Math.round(cronerPerSecond);
  figures.timesCroner = Math.round((nextPerSecond / cronerPerSecond) * 10) / 10;
  figures.parsesPerSecond = Math.round(
    medianRate(index => {
      const { cron, zone } = rules[index % rules.length] as { cron: string; zone: string };
      return parseSchedule({ type: 'cron', cron, timeZone: zone }, 'UTC');
    }),
  );
  figures.patterns = PATTERNS.length;
  figures.zones = ZONES.length;
  return { name: 'cron', judged: [atLeast('next due times', Math.round(nextPerSecond), 200_000, '1/s')], figures };
}
