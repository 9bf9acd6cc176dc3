/** Next due times of a job, and of a schedule that is not stored. */
import { parse } from '../../http/parse.ts';
import { type Route, serving } from '../../http/route.ts';
import { Schedule, scheduleEndpoints } from '../../protocol/rest/schedule.ts';
import { checkSchedule } from '../commands/job-checks.ts';
import { jobOf } from '../commands/jobs.ts';
import type { Center } from '../route-context.ts';
import { dueTimes } from './due-times.ts';

const on = serving(scheduleEndpoints);

export const scheduleRoutes = (center: Center): Route[] => [
  on('GET /v1/jobs/:name/next', async ({ params, query }) => {
    const { schedules, timeZone } = (await jobOf(center, params.name)).context.config;
    return { items: dueTimes(schedules, timeZone, query.from ?? center.clock.now(), query.count), next: null };
  }),
  on('POST /v1/schedules/preview', ({ body }) => {
    // Refusals name the fields of the schedule without a prefix.
    const schedule = parse(Schedule, body.schedule, 'schedule');
    checkSchedule(schedule, center.config.timeZone, issue => issue);
    return { items: dueTimes([schedule], center.config.timeZone, body.from ?? center.clock.now(), body.count), next: null };
  }),
];
