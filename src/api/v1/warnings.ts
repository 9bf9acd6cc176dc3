/**
 * What a job that was just created or changed is answered with beside itself: what is legal and probably not meant, its schedules in words, and
 * when it is due next. A further warning is one more entry of CHECKS.
 */
import type { JobConfig } from '../../../actors/config.ts';
import { scheduleText } from '../../../actors/schedule.ts';
import type { Center } from '../center.ts';
import { dueTimes } from './due-times.ts';

export interface Warning {
  /** The field of the body that it is about: `schedules[0].cron`. */
  field: string;
  /** One sentence: what is so, and what to do about it. */
  message: string;
}

/** What a warning may be judged by. The configuration was checked and stored. */
export interface Judged {
  config: JobConfig;
  enabled: boolean;
  center: Pick<Center, 'views' | 'clock'>;
}

type Check = (judged: Judged) => Warning[] | Promise<Warning[]>;

const CHECKS: readonly Check[] = [];

/** In the order of the checks; empty where nothing is to be said. */
export async function warningsOf(judged: Judged): Promise<Warning[]> {
  return (await Promise.all(CHECKS.map(check => check(judged)))).flat();
}

/** Due times that are told with the answer. */
const NEXT_DUES = 3;

/** What stands beside the job in the answer of create and update. A job that is not enabled has no coming due times. */
export async function adviceOf(judged: Judged) {
  const { config, enabled, center } = judged;
  const { schedules, timeZone } = config;
  return {
    warnings: await warningsOf(judged),
    scheduleText: schedules.map(schedule => scheduleText(schedule, timeZone)),
    nextDue: enabled ? dueTimes(schedules, timeZone, center.clock.now(), NEXT_DUES).map(({ dueAt }) => dueAt) : [],
  };
}
