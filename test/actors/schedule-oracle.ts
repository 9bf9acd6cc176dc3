/**
 * A second opinion about due times, slow and simple on purpose: it shares no line with
 * actors/schedule.
 *
 * A rule is asked about every label of the clock, one by one; a zone's labels are read from Intl,
 * instant by instant; then one walk through the instants says what is due. Labels are milliseconds,
 * counted as if they were UTC.
 */
import type { JobSchedule } from '../../actors/schedule/index.ts';

const MINUTE = 60_000;
const DAY = 86_400_000;
const HALF_HOUR = 30 * MINUTE;

/** Is this label named by the rule? */
export type Names = (label: number) => boolean;

export type Opinion = { kind: 'interval' | 'fixed'; names: Names };

export function opinionOf(schedule: JobSchedule): Opinion {
  if (schedule.type === 'cron') {
    const hours = schedule.cron.trim().split(/\s+/)[2] as string;
    return { kind: /[*/]/.test(hours) ? 'interval' : 'fixed', names: cronNames(schedule.cron) };
  }
  if (schedule.type === 'crontab') {
    const hours = schedule.crontab.trim().split(/\s+/)[1] as string;
    return { kind: /[*/]/.test(hours) ? 'interval' : 'fixed', names: crontabNames(schedule.crontab) };
  }
  return { kind: schedule.turnmode <= 3 ? 'interval' : 'fixed', names: calendarNames(schedule) };
}

/**
 * The label shown at each instant from `from` to `until`, `step` apart, in steps (whole numbers
 * that fit a word are walked through four times as fast). Clocks of the zones and years asked about
 * change on half hours.
 */
export function labelsShown(zone: string, from: number, until: number, step: number): Int32Array {
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' });
  const labels = new Int32Array(Math.floor((until - from) / step) + 1);
  let half = Number.NaN;
  let offset = 0;
  for (let index = 0; index < labels.length; index += 1) {
    const instant = from + index * step;
    if (Math.floor(instant / HALF_HOUR) !== half) {
      half = Math.floor(instant / HALF_HOUR);
      offset = Date.parse(`${format.format(half * HALF_HOUR).replace(' ', 'T')}Z`) - half * HALF_HOUR;
    }
    labels[index] = (instant + offset) / step;
  }
  return labels;
}

/** Due instants among those walked through: the rule of "Clock changes", literally. */
export function walk(labels: Int32Array, from: number, step: number, kind: Opinion['kind'], table: Table): number[] {
  const { named, base } = table;
  const dues: number[] = [];
  let seen = labels[0] as number;
  for (let index = 1; index < labels.length; index += 1) {
    const label = labels[index] as number;
    const repeated = label <= seen;
    let due = (kind === 'interval' || !repeated) && named[label - base] === 1;
    if (kind === 'fixed') for (let skipped = seen + 1; skipped < label && !due; skipped += 1) due = named[skipped - base] === 1;
    if (due) dues.push(from + index * step);
    if (!repeated) seen = label;
  }
  return dues;
}

/**
 * A rule's answers for the labels from `from` to `until`: it is asked once per label, however many
 * zones are walked through.
 */
export type Table = { named: Uint8Array; base: number };

export function tabled(names: Names, from: number, until: number, step: number): Table {
  const named = new Uint8Array((until - from) / step + 1);
  for (let index = 0; index < named.length; index += 1) named[index] = names(from + index * step) ? 1 : 0;
  return { named, base: from / step };
}

function cronNames(cron: string): Names {
  const [second, minute, hour, date, month, weekday, year = '*'] = cron.trim().toUpperCase().split(/\s+/) as string[];
  const seconds = plain(second as string, 0, 59);
  const minutes = plain(minute as string, 0, 59);
  const hours = plain(hour as string, 0, 23);
  const months = plain(month as string, 1, 12, 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC');
  const years = plain(year, 1970, 2199);
  const dayNamed = remembered(day => {
    const { y, m, d, lastDate } = dateOf(day);
    if (!years(y) || !months(m)) return false;
    if (weekday === '?') return dateNamed(date as string, y, m, d, lastDate);
    return weekdayNamed(weekday as string, day, d, lastDate);
  });
  return label => {
    const day = Math.floor(label / DAY) * DAY;
    const second = (label - day) / 1_000;
    return seconds(second % 60) && minutes(Math.floor(second / 60) % 60) && hours(Math.floor(second / 3_600)) && dayNamed(day);
  };
}

/** cron.c: "this is why we keep dow_star and dom_star". */
function crontabNames(crontab: string): Names {
  const [minute, hour, date, month, weekday] = crontab.trim().toUpperCase().split(/\s+/) as [string, string, string, string, string];
  const [minutes, hours, months] = [
    plain(minute, 0, 59),
    plain(hour, 0, 23),
    plain(month, 1, 12, 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'),
  ];
  const dates = plain(date, 1, 31);
  const weekdays = plain(weekday, 0, weekday.startsWith('*') ? 6 : 7, 'SUN MON TUE WED THU FRI SAT');
  const dayNamed = remembered(day => {
    const { m, d } = dateOf(day);
    const today = new Date(day).getUTCDay();
    const isWeekday = weekdays(today) || (today === 0 && weekdays(7));
    const hasStar = date.startsWith('*') || weekday.startsWith('*');
    return months(m) && (hasStar ? dates(d) && isWeekday : dates(d) || isWeekday);
  });
  return label => {
    const day = Math.floor(label / DAY) * DAY;
    const second = (label - day) / 1_000;
    return second % 60 === 0 && minutes((second / 60) % 60) && hours(Math.floor(second / 3_600)) && dayNamed(day);
  };
}

function dateNamed(text: string, year: number, month: number, date: number, lastDate: number): boolean {
  if (!/[LW]/.test(text)) return plain(text, 1, 31)(date);
  const back = Number(/L-(\d+)/.exec(text)?.[1] ?? 0);
  const meant = text.startsWith('L') ? lastDate - back : Number.parseInt(text, 10);
  if (!text.endsWith('W')) return date === meant;
  if (meant > lastDate || meant < 1) throw new Error('the oracle has no opinion on a nearest weekday to a day that is not there');
  // Of the weekdays of this month, the nearest to the one meant.
  const distance = (other: number) => Math.abs(other - meant);
  const workdays = Array.from({ length: lastDate }, (_, index) => index + 1).filter(
    other => ![0, 6].includes(new Date(Date.UTC(year, month - 1, other)).getUTCDay()),
  );
  return workdays.sort((a, b) => distance(a) - distance(b))[0] === date;
}

function weekdayNamed(text: string, day: number, date: number, lastDate: number): boolean {
  const names = 'SUN MON TUE WED THU FRI SAT';
  const today = new Date(day).getUTCDay() + 1;
  const [which, nth] = text.split('#') as [string, string?];
  if (nth !== undefined) return plain(which, 1, 7, names)(today) && Math.ceil(date / 7) === Number(nth);
  if (text === 'L') return today === 7;
  if (text.endsWith('L')) return plain(text.slice(0, -1), 1, 7, names)(today) && date + 7 > lastDate;
  return plain(text, 1, 7, names)(today);
}

function plain(text: string, low: number, high: number, names = ''): (value: number) => boolean {
  const numbers = names.split(' ').reduce((rest, name, index) => (name === '' ? rest : rest.replaceAll(name, `${index + low}`)), text);
  const named = new Set<number>();
  for (const item of numbers.split(',')) {
    const [range, step] = item.split('/') as [string, string?];
    const [from, to] = range === '*' || range === '' ? [low, high] : (range.split('-').map(Number) as [number, number?]);
    const end = to ?? (step === undefined ? from : high);
    // Step by step round the dial, until the end of the range has been met.
    for (let value = from, walked = 0; ; value = value === high ? low : value + 1, walked += 1) {
      if (walked % Number(step ?? 1) === 0) named.add(value);
      if (value === end) break;
    }
  }
  return value => named.has(value);
}

function calendarNames(schedule: Extract<JobSchedule, { type: 'calendar' }>): Names {
  const [start, end] = [schedule.startdate, schedule.enddate || '12/31/2199'].map(text => {
    const [month, date, year] = text.split('/').map(Number) as [number, number, number];
    return Date.UTC(year, month - 1, date);
  }) as [number, number];
  const [begin, close] = [schedule.starttime || '00:00', schedule.endtime || '23:59'].map(text => {
    const [hour, minute] = text.split(':').map(Number) as [number, number];
    return (hour * 60 + minute) * MINUTE;
  }) as [number, number];
  const isDay = (day: number) => day >= start && day <= end;
  const interval = schedule.interval ?? 1;
  if (schedule.turnmode <= 3) {
    const step = interval * ([1_000, MINUTE, 60 * MINUTE][schedule.turnmode - 1] as number);
    const length = (close < begin ? close + DAY : close) + MINUTE - 1_000 - begin;
    return label =>
      // The window of today, or that of yesterday which runs over midnight.
      [0, DAY].some(back => {
        const day = Math.floor(label / DAY) * DAY - back;
        const since = label - day - begin;
        if (!isDay(day) || since < 0 || since > length) return false;
        return (step > DAY ? label - start - begin : since) % step === 0;
      });
  }
  const listed = (schedule.selectat ?? '').split(',').map(Number);
  const dayNamed = remembered(day => {
    if (!isDay(day)) return false;
    if (schedule.turnmode === 4) return ((day - start) / DAY) % interval === 0;
    const { y, m, d, lastDate } = dateOf(day);
    const weekday = new Date(day).getUTCDay();
    if (schedule.turnmode === 5) {
      const sunday = (of: number) => of - new Date(of).getUTCDay() * DAY;
      return listed.includes(weekday) && ((sunday(day) - sunday(start)) / (7 * DAY)) % interval === 0;
    }
    if (!listed.includes(m) || y > 2199) return false;
    const { day: nth, week } = schedule.monthlyof as { day: number; week: string };
    if (nth !== 0) return nth > 0 ? d === nth : d === lastDate + 1 + nth;
    const [which, at] = week.split(':').map(Number);
    return weekday === at && (which === 0 ? d + 7 > lastDate : Math.ceil(d / 7) === which);
  });
  return label => label - Math.floor(label / DAY) * DAY === begin && dayNamed(label - begin);
}

function dateOf(day: number) {
  const date = new Date(day);
  const [y, m, d] = [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()];
  return { y, m, d, lastDate: new Date(Date.UTC(y, m, 0)).getUTCDate() };
}

function remembered(decide: (day: number) => boolean): (day: number) => boolean {
  const known = new Map<number, boolean>();
  return day => {
    const answer = known.get(day) ?? decide(day);
    known.set(day, answer);
    return answer;
  };
}
