/** Next due times, as instants and as local times of their zones. */
import { type CompiledSchedule, compileCached, isEnabled, type JobSchedule, localText, nextDue } from '../../../actors/schedule/index.ts';
import type { DueTime } from '../../protocol/rest/schedule.ts';
import { toIso } from '../iso.ts';

/**
 * The next `count` due times strictly after `after` (epoch ms). An instant of several schedules is
 * one due time, in the zone of the first.
 */
export function dueTimes(schedules: readonly JobSchedule[], timeZone: string, after: number, count: number): DueTime[] {
  const rules = schedules.filter(isEnabled).map(schedule => compileCached(schedule, timeZone));
  const times: DueTime[] = [];
  const nexts = rules.map(rule => dueAfter(rule, after));
  for (let due = Math.min(...nexts); due < Number.POSITIVE_INFINITY && times.length < count; due = Math.min(...nexts)) {
    const zone = rules[nexts.indexOf(due)]?.zone.name ?? timeZone;
    times.push({ dueAt: toIso(due), local: localText(due, zone) });
    for (const [index, rule] of rules.entries()) if (nexts[index] === due) nexts[index] = dueAfter(rule, due);
  }
  return times;
}

const dueAfter = (rule: CompiledSchedule, after: number): number => nextDue(rule, after) ?? Number.POSITIVE_INFINITY;
