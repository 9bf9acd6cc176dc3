/** A schedule in words says what the schedule does, not what was written. */
import { describe, expect, test } from 'bun:test';
import { describeSchedule, type JobSchedule } from '../../actors/schedule/index.ts';

const CRON: [string, string][] = [
  ['0 0 2 * * ?', 'at 02:00, every day'],
  ['0 0 9 ? * 1-5', 'at 09:00, Sunday to Thursday'],
  ['0 0 9 ? * 2-6', 'at 09:00, Monday to Friday'],
  ['0 0 9 ? * SAT,SUN', 'at 09:00, Saturday and Sunday'],
  ['0/10 * * * * ?', 'every 10 seconds'],
  ['* * * * * ?', 'every second'],
  ['30 * * * * ?', 'at second 30 of every minute'],
  ['0 */5 * * * ?', 'every 5 minutes'],
  ['0 30 * * * ?', 'at minute 30 of every hour'],
  ['0 0 * * * ?', 'every hour'],
  ['0 0 0/2 * * ?', 'at minute 0 of every 2nd hour, every day'],
  ['0 0/15 8-18 ? * MON-FRI', 'every 15 minutes from 08:00 to 18:59, Monday to Friday'],
  ['0 0/7 * * * ?', 'every 7th minute from 0 to 56 of every hour'],
  ['0 5,35 22-2 ? * SAT', 'every 30 minutes from minute 5 on from 22:00 to 02:59, Saturday'],
  ['0 0 0 1 1 ? 2030', 'at 00:00, on day 1 of the month, in January, in 2030'],
  ['0 0 0 L * ?', 'at 00:00, on the last day of the month'],
  ['0 0 0 L-3 * ?', 'at 00:00, 3 days before the last day of the month'],
  ['0 0 0 15W * ?', 'at 00:00, on the working day nearest to day 15 of the month'],
  ['0 0 0 LW * ?', 'at 00:00, on the last working day of the month'],
  ['0 0 8,12 ? JAN-MAR 6#3', 'at 08:00 and 12:00, on the third Friday of the month, in January to March'],
  ['5 0 8 ? * 6L', 'at 08:00:05, on the last Friday of the month'],
  ['0 0 9 1-5,20 * ?', 'at 09:00, on days 1 to 5 and 20 of the month'],
];

const start = { type: 'calendar', startdate: '11/22/2026' } as const;
const CALENDAR: [JobSchedule, string][] = [
  [{ ...start, turnmode: 1, interval: 10 }, 'every 10 seconds, from 11/22/2026'],
  [{ ...start, turnmode: 2, interval: 1, starttime: '9:00', endtime: '17:30' }, 'every minute from 09:00 to 17:30, from 11/22/2026'],
  [
    { ...start, turnmode: 4, interval: 3, starttime: '09:30', enddate: '12/31/2026' },
    'at 09:30, every 3 days, from 11/22/2026 until 12/31/2026',
  ],
  [
    { ...start, turnmode: 5, interval: 2, starttime: '09:30', selectat: '1,5' },
    'at 09:30, Monday and Friday, every 2 weeks, from 11/22/2026',
  ],
  [
    { ...start, turnmode: 6, starttime: '09:30', selectat: '1,6', monthlyof: { day: 0, week: '0:5' }, enabled: 0 },
    'at 09:30, on the last Friday of the month, in January and June, from 11/22/2026, disabled',
  ],
];

describe('a schedule in words', () => {
  test.each(CRON)('the schedule %s in words', (cron, words) => {
    expect(describeSchedule({ type: 'cron', cron }, 'UTC')).toBe(`${words} (UTC)`);
  });

  test.each(CALENDAR)('the schedule %j in words', (schedule, words) => {
    expect(describeSchedule({ ...schedule, timeZone: 'Asia/Tokyo' }, 'UTC')).toBe(`${words} (Asia/Tokyo)`);
  });
});
