/**
 * Calendar schedules: next due times per second of each turn mode, and memory of 100,000 compiled.
 * Rules begin before the first instant and have no end, as those of people who let a job run on.
 */
import type { CalendarSchedule } from '../../actors/schedule/calendar.ts';
import { type CompiledSchedule, nextDue, parseSchedule } from '../../actors/schedule/index.ts';
import { medianRate, someInstant, ZONES } from './rate.ts';
import { atLeast, atMost, type BenchResult, type Judged } from './report.ts';

const COMPILED = 100_000;
const GOAL = 500_000;
const GOAL_MB = 100;

type Rule = Omit<CalendarSchedule, 'type' | 'turnmode' | 'startdate' | 'timeZone'>;

/** Windows of a part of a day and over midnight; days, weeks and months in all forms. */
const MODES: Record<number, Rule[]> = {
  1: [{ interval: 5 }, { interval: 30, starttime: '09:00', endtime: '17:30' }, { interval: 7, starttime: '22:00', endtime: '04:00' }],
  2: [{ interval: 1 }, { interval: 15, starttime: '08:00', endtime: '18:00' }, { interval: 45, starttime: '20:00', endtime: '06:00' }],
  3: [{ interval: 1 }, { interval: 6, starttime: '01:30' }, { interval: 50 }],
  4: [
    { interval: 1, starttime: '02:30' },
    { interval: 3, starttime: '12:00' },
    { interval: 30, starttime: '23:59' },
  ],
  5: [
    { interval: 1, selectat: '1,2,3,4,5', starttime: '08:00' },
    { interval: 2, selectat: '0', starttime: '02:30' },
    { interval: 4, selectat: '3,6', starttime: '18:00' },
  ],
  6: [
    { selectat: '1,2,3,4,5,6,7,8,9,10,11,12', monthlyof: { day: 1, week: '' }, starttime: '00:00' },
    { selectat: '1,4,7,10', monthlyof: { day: 31, week: '' }, starttime: '06:00' },
    { selectat: '3,6,9,12', monthlyof: { day: 0, week: '0:5' }, starttime: '17:00' },
  ],
};

export function calendars(): BenchResult {
  const judged: Judged[] = Object.keys(MODES).map(mode => {
    const compiled = ZONES.flatMap(zone => rulesOf(Number(mode)).map(rule => compile(Number(mode), rule, zone, 0)));
    const rate = medianRate(index => nextDue(compiled[index % compiled.length] as CompiledSchedule, someInstant(index)));
    return atLeast(`next due times of calendar mode ${mode}`, Math.round(rate), GOAL, '1/s');
  });
  const modes = Object.keys(MODES).map(Number);
  const before = residentMB();
  const kept = Array.from({ length: COMPILED }, (_, index) => {
    const mode = modes[index % modes.length] as number;
    const rules = rulesOf(mode);
    return compile(mode, rules[index % rules.length] as Rule, ZONES[index % ZONES.length] as string, index % 700);
  });
  const grown = residentMB() - before;
  if (kept.some(({ enabled }) => !enabled)) throw new Error('a schedule is not enabled');
  judged.push(atMost('100,000 compiled calendar schedules', Math.round(grown * 10) / 10, GOAL_MB, 'MB'));
  return { name: 'cron', judged, figures: { zones: ZONES.length, rulesOfEachMode: rulesOf(1).length } };
}

const rulesOf = (mode: number): Rule[] => MODES[mode] ?? [];

/** `day`: counted from the first of January 2024, so that rules differ. */
function compile(mode: number, rule: Rule, timeZone: string, day: number): CompiledSchedule {
  const [year = '', month = '', date = ''] = new Date(Date.UTC(2024, 0, 1 + day)).toISOString().slice(0, 10).split('-');
  return parseSchedule({ type: 'calendar', turnmode: mode, startdate: `${month}/${date}/${year}`, ...rule, timeZone }, 'UTC');
}

/** Of the process, with what its heap has free. */
function residentMB(): number {
  Bun.gc(true);
  return process.memoryUsage.rss() / 1e6;
}
