/**
 * Next due times per second: mixed patterns in mixed zones, ours and croner's in the same run.
 *
 * One computation is one `nextDue` from an instant spread over two years, so that clock changes,
 * month ends and far-off dates are met as a running center meets them, and no answer can be reused.
 * Parsing is measured beside it.
 */
import { Cron } from 'croner';
import { type CompiledSchedule, nextDue, parseSchedule } from '../../actors/schedule/index.ts';
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
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Asia/Kolkata',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
  'Asia/Tokyo',
  'Pacific/Apia',
  'Africa/Casablanca',
  'America/St_Johns',
];
const FROM = Date.UTC(2026, 0, 1);
const SPAN = 2 * 365 * 86_400_000;
const ROUNDS = 3;
const ROUND_MS = 500;

export async function bench(_: Size): Promise<BenchResult> {
  const rules = ZONES.flatMap(zone => PATTERNS.map(cron => ({ cron, zone })));
  const ours: CompiledSchedule[] = rules.map(({ cron, zone }) => parseSchedule({ type: 'cron', cron, timeZone: zone }, 'UTC'));
  const theirs = rules.map(({ cron, zone }) => new Cron(cron, { timezone: zone, sloppyRanges: true, alternativeWeekdays: true }));

  const figures: Record<string, number | string> = {};
  const nextPerSecond = median(index => nextDue(ours[index % ours.length] as CompiledSchedule, instant(index)));
  const cronerPerSecond = median(index => theirs[index % theirs.length]?.nextRun(new Date(instant(index))));
  figures.cronerNextPerSecond = Math.round(cronerPerSecond);
  figures.timesCroner = Math.round((nextPerSecond / cronerPerSecond) * 10) / 10;
  figures.parsesPerSecond = Math.round(
    median(index => {
      const { cron, zone } = rules[index % rules.length] as { cron: string; zone: string };
      return parseSchedule({ type: 'cron', cron, timeZone: zone }, 'UTC');
    }),
  );
  figures.patterns = PATTERNS.length;
  figures.zones = ZONES.length;
  return { name: 'cron', judged: [atLeast('next due times', Math.round(nextPerSecond), 200_000, '1/s')], figures };
}

/** Instants in no order, each index its own. */
function instant(index: number): number {
  return FROM + ((index * 7_919_000_003) % SPAN);
}

/** Operations per second: a warm-up, three rounds, the one in the middle. */
function median(operation: (index: number) => unknown): number {
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const rate = perSecond(operation);
    if (round > 0) rounds.push(rate);
  }
  return rounds.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number;
}

function perSecond(operation: (index: number) => unknown): number {
  const begin = performance.now();
  let done = 0;
  let spent = 0;
  // Kept and looked at, so that no engine may leave the work out.
  let kept: unknown;
  while (spent < ROUND_MS) {
    for (let burst = 0; burst < 100; burst += 1) {
      kept = operation(done);
      done += 1;
    }
    spent = performance.now() - begin;
  }
  if (kept === null) throw new Error('the last operation had no result');
  return (done / spent) * 1000;
}
