/**
 * Additions to the response of job create and update: warnings, the schedules as sentences, the
 * next due times. A new warning is one entry of CHECKS.
 */

import type { JobConfig } from '../../../actors/job/types.ts';
import { type Shortage, shortageOf } from '../../../actors/pool/capacity.ts';
import { numericWeekdays, stepsTooLong } from '../../../actors/schedule/hints.ts';
import { compileCached, describeSchedule, endFieldOf, isOver, lastDueOf } from '../../../actors/schedule/index.ts';
import { CommandProblem, splitCommand } from '../../lib/command-words.ts';
import { toIso } from '../iso.ts';
import type { Center } from '../route-context.ts';
import { dueTimes } from './due-times.ts';

export interface Warning {
  /** The field of the body: `schedules[0].cron`. */
  field: string;
  /** The hazard, and what to do. */
  message: string;
}

/** The input of the checks. The configuration is checked and stored. */
export interface Judged {
  config: JobConfig;
  enabled: boolean;
  center: Pick<Center, 'views' | 'clock'>;
}

type Check = (judged: Judged) => Warning[] | Promise<Warning[]>;

const CHECKS: readonly Check[] = [numbersForDays, longSteps, schedulesOver, operatorsOfShell, neverFits, keepsNothing];

/** In the order of the checks. */
async function warningsOf(judged: Judged): Promise<Warning[]> {
  return (await Promise.all(CHECKS.map(check => check(judged)))).flat();
}

/** Next due times in a response. */
const NEXT_DUES = 3;

/** A job that is not enabled has no next due times. */
export async function adviceOf(judged: Judged) {
  const { config, enabled, center } = judged;
  const { schedules, timeZone } = config;
  return {
    warnings: await warningsOf(judged),
    scheduleText: schedules.map(schedule => describeSchedule(schedule, timeZone)),
    nextDue: enabled ? dueTimes(schedules, timeZone, center.clock.now(), NEXT_DUES).map(({ dueAt }) => dueAt) : [],
  };
}

/** An execution that does not fit on the hosts of its pool waits until a larger one joins. */
async function neverFits({ config, center }: Judged): Promise<Warning[]> {
  const [pool, app] = await Promise.all([
    center.views.get(`pool/${config.pool}`),
    config.app === null ? undefined : center.views.get(`app/${config.app}`),
  ]);
  const { name: job, resources, placement, partial, shards, servers = [] } = config;
  const runs = Array.from({ length: shards.total }, (_, item) => ({ item, attempt: 1 }));
  const known = app ? { name: app.context.config.name, resources: app.context.config.resources } : null;
  const request = { execution: '', job, runs, resources, app: known, placement, partial, servers };
  const shortage = shortageOf(Object.values(pool?.context.hosts ?? {}), request);
  if (!shortage) return [];
  const amount = ({ cpu, memory }: Shortage['price']) => `${cpu / 1_000} cpu and ${memory / 1_000} MB`;
  const { of, price, largest, together } = shortage;
  const each = `${amount(price)}${known ? ', its app included' : ''}`;
  if (of === 'servers') {
    const message = `none of the hosts of pool ${config.pool} is among the servers of the job: no execution starts there. Name a host of the pool, or let one of them join.`;
    return [{ field: 'servers', message }];
  }
  if (of === 'together') {
    const message = `the hosts of pool ${config.pool} can run ${together} of ${shards.total} shards of ${each} at once: no execution starts there. Set fewer or smaller shards or "partial", or add hosts.`;
    return [{ field: 'shards.total', message }];
  }
  const field = { cpu: 'resources.cpus', memory: 'resources.memoryMB', both: 'resources' }[of];
  const message = `no host of pool ${config.pool} can run a shard of ${each}; the largest has ${amount(largest)}: no execution starts there. Set less, or add a larger host.`;
  return [{ field, message }];
}

/** In Quartz Sunday is 1, in other dialects of cron 0. */
function numbersForDays({ config }: Judged): Warning[] {
  return config.schedules.flatMap((schedule, index) => {
    const message = schedule.type === 'cron' ? numericWeekdays(schedule.cron) : undefined;
    return message === undefined ? [] : [{ field: `schedules[${index}].cron`, message }];
  });
}

/** Every cron dialect runs "every 90 minutes" each hour. */
function longSteps({ config }: Judged): Warning[] {
  return config.schedules.flatMap((schedule, index) => {
    const message = schedule.type === 'crontab' ? stepsTooLong(schedule.crontab) : undefined;
    return message === undefined ? [] : [{ field: `schedules[${index}].crontab`, message }];
  });
}

/** An enabled job may keep a schedule that is over, and a disabled job may receive one. */
function schedulesOver({ config, center }: Judged): Warning[] {
  const now = center.clock.now();
  return config.schedules.flatMap((schedule, index) => {
    const compiled = compileCached(schedule, config.timeZone);
    if (!isOver(compiled, now)) return [];
    const last = toIso(lastDueOf(compiled, now) ?? null);
    return [
      {
        field: `schedules[${index}].${endFieldOf(schedule)}`,
        message: `this schedule is over: its last due time was ${last}. Set a new one.`,
      },
    ];
  });
}

/** The runs of an app work in its own directory. */
function keepsNothing({ config: { app, keepDirectory } }: Judged): Warning[] {
  if (app === null || !keepDirectory) return [];
  const message = `keepDirectory has no effect: app ${app} brings the directory of the runs. Set it to false, or give the job a file instead of the app.`;
  return [{ field: 'keepDirectory', message }];
}

/**
 * Without a shell its operators become arguments of the program. A job without a command runs the
 * command of its app.
 */
async function operatorsOfShell({ config, center }: Judged): Promise<Warning[]> {
  if (config.shell) return [];
  const app = config.command === null && config.app !== null ? await center.views.get(`app/${config.app}`) : undefined;
  const command = config.command ?? app?.context.config.command ?? [];
  const [first = ''] = typeof command === 'string' ? [] : command;
  if (config.app === null && /\s/.test(first)) {
    const message = `the program name ${JSON.stringify(first)} contains spaces: pass the words as separate arguments, or one text for a shell (--shell).`;
    return [{ field: 'command', message }];
  }
  const words = typeof command === 'string' ? bareWords(command) : command.filter(word => OPERATOR.test(word));
  const operators = new Set(words.flatMap(word => operatorsIn(word)));
  if (operators.size === 0) return [];
  const found = [...operators].map(operator => JSON.stringify(operator)).join(', ');
  const where = app ? ` in the command of app ${config.app}` : '';
  const message = `no shell interprets ${found}${where}: the program receives the words unchanged. Set shell to true (--shell), or quote them.`;
  return [{ field: app ? 'app' : 'command', message }];
}

/** Empty for an unsplittable command: the job is stored, so no warning may fail the request. */
function bareWords(command: string): string[] {
  try {
    return splitCommand(command).bare;
  } catch (error) {
    if (error instanceof CommandProblem) return [];
    throw error;
  }
}

const OPERATOR = /^(\|\|?|&&|;|\d?>{1,2}|<{1,3})$/;

/** Shell operators in an unquoted word. A semicolon in an address is part of it. */
const operatorsIn = (bare: string): string[] =>
  (bare.match(/\|\|?|&&|;|\d?>{1,2}|<{1,3}/g) ?? []).filter(operator => operator !== ';' || !bare.includes('://'));
