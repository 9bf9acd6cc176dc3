/** When a job is due next, and when a schedule would be that nobody has saved yet. */
import { z } from 'zod';
import { parse } from '../../http/parse.ts';
import { type Route, route } from '../../http/route.ts';
import type { Center } from '../../http/route-context.ts';
import { digits, instant, whole } from '../../protocol/rest/fields.ts';
import { DueTime } from '../../protocol/rest/job.ts';
import { listOf } from '../../protocol/rest/responses.ts';
import { checkSchedule, jobOf } from '../commands/jobs.ts';
import { COUNT_DEFAULT, COUNT_MAX, dueTimes } from './due-times.ts';
import { ScheduleBody } from './job-body.ts';

const NextQuery = z.object({ count: digits(1, COUNT_MAX).default(COUNT_DEFAULT), from: instant().optional() });

const PreviewBody = z.strictObject(
  { schedule: z.unknown(), count: whole(1, COUNT_MAX).default(COUNT_DEFAULT), from: instant().optional() },
  'a JSON object',
);

export const scheduleRoutes = (center: Center): Route[] => [
  route({
    method: 'GET',
    path: '/v1/jobs/:name/next',
    access: 'user',
    says: 'The coming due times of a job, strictly after `from`.',
    answers: listOf(DueTime),
    query: NextQuery,
    async handle({ params, query }) {
      const { schedules, timeZone } = (await jobOf(center, params.name)).context.config;
      return { items: dueTimes(schedules, timeZone, query.from ?? center.clock.now(), query.count), next: null };
    },
  }),
  route({
    method: 'POST',
    path: '/v1/schedules/preview',
    access: 'user',
    scope: 'read',
    says: 'The same for a schedule that is not saved yet.',
    answers: listOf(DueTime),
    body: PreviewBody,
    bodyTold: PreviewBody.extend({ schedule: ScheduleBody }),
    handle({ body }) {
      // The schedule is the whole of what is asked about: its fields are named without a prefix.
      const schedule = parse(ScheduleBody, body.schedule, 'schedule');
      checkSchedule(schedule, center.config.timeZone, issue => issue);
      return { items: dueTimes([schedule], center.config.timeZone, body.from ?? center.clock.now(), body.count), next: null };
    },
  }),
];
