/**
 * What becomes of the due times of a job between its watermark and now: each gets a verdict,
 * exactly once.
 *
 *   watermark ------------------------ now - grace ----------------------- now
 *               missed: `misfire`                     on time: `overlap`
 */
import { type CompiledSchedule, countDues, isEnabled, nextDueOf, parseSchedule } from '../schedule/index.ts';
import type { OccurrenceEntry } from './occurrence.ts';
import { type FireVerdict, onDue, onMisfire } from './overlap.ts';
import type { JobConfig, OpenExecution } from './types.ts';

/** A due time that becomes an execution. */
export interface Fire {
  dueAt: number;
  trigger: 'schedule' | 'misfire';
  verdict: FireVerdict;
}

export interface ResolvedDueTimes {
  entries: OccurrenceEntry[];
  fires: Fire[];
}

/** Longest grace, ms: every due time in it gets an entry of its own, in one turn. */
export const MISFIRE_GRACE_MAX_MS = 3_600_000;
const graceOf = (config: JobConfig): number => Math.min(config.misfireGraceMs, MISFIRE_GRACE_MAX_MS);

const compiledOf = new WeakMap<JobConfig, CompiledSchedule[]>();

/** The job's enabled schedules, compiled once per configuration in memory. */
export function schedulesOf(config: JobConfig): CompiledSchedule[] {
  let compiled = compiledOf.get(config);
  if (!compiled) {
    compiled = config.schedules.filter(isEnabled).map(schedule => parseSchedule(schedule, config.timeZone));
    compiledOf.set(config, compiled);
  }
  return compiled;
}

export const nextAtOf = (config: JobConfig, after: number): number | null => nextDueOf(schedulesOf(config), after) ?? null;

/** A range of more than two due times keeps the schedules that counted it. */
const ruleOf = (config: JobConfig, count: number): Pick<OccurrenceEntry, 'rule'> =>
  count > 2 ? { rule: { schedules: config.schedules, timeZone: config.timeZone } } : {};

type Shared = Pick<OccurrenceEntry, 'verdict' | 'reason' | 'decidedAt'> & { execution?: string };

/** One entry for all due times in (watermark, now] under one verdict; none when there are none. */
export const occurrenceRange = (config: JobConfig, from: number, until: number, entry: Shared): OccurrenceEntry[] =>
  entryOf(config, countDues(schedulesOf(config), from, until), entry);

function entryOf(config: JobConfig, { count, first, last }: ReturnType<typeof countDues>, entry: Shared): OccurrenceEntry[] {
  if (count === 0 || first === undefined || last === undefined) return [];
  return [{ job: config.name, from: first, to: last, count, execution: null, ...ruleOf(config, count), ...entry }];
}

/**
 * Due times of an active job in (watermark, now]: an entry for each, a fire for each that becomes
 * an execution. `open`: the executions that are open now.
 */
export function resolveDueTimes(
  config: JobConfig,
  watermark: number,
  now: number,
  open: OpenExecution[],
  idOf: (dueAt: number) => string,
): ResolvedDueTimes {
  const onTimeFrom = Math.max(watermark, now - graceOf(config) - 1);
  const entries: OccurrenceEntry[] = [];
  const fires: Fire[] = [];
  const standing = [...open];
  const fire = (dueAt: number, trigger: Fire['trigger'], verdict: FireVerdict) => {
    const id = idOf(dueAt);
    const entry = { job: config.name, from: dueAt, to: dueAt, count: 1, decidedAt: now };
    if (verdict.do === 'start' || verdict.do === 'wait' || verdict.do === 'replace') {
      fires.push({ dueAt, trigger, verdict });
      standing.push({ id, blocked: verdict.do === 'start' ? null : 'turn' });
      entries.push({ ...entry, verdict: 'waiting', execution: id, reason: null });
    } else if (verdict.do === 'join') {
      entries.push({ ...entry, verdict: 'coalesced', execution: verdict.execution, reason: `one waits already: ${verdict.execution}` });
    } else {
      entries.push({ ...entry, verdict: verdict.do === 'skip' ? 'skippedOverlap' : 'refused', execution: null, reason: verdict.reason });
    }
  };

  for (const due of missed(config, watermark, onTimeFrom, now, entries)) {
    fire(due, 'misfire', onMisfire(config.overlap, config.overlapLimit, standing));
  }
  let dueAt = nextDueOf(schedulesOf(config), onTimeFrom);
  while (dueAt !== undefined && dueAt <= now) {
    fire(dueAt, 'schedule', onDue(config.overlap, config.overlapLimit, standing));
    dueAt = nextDueOf(schedulesOf(config), dueAt);
  }
  return { entries, fires };
}

/**
 * Applies the misfire policy to the due times before the grace. Adds entries for those that are
 * not run; returns those that are, oldest first.
 */
function missed(config: JobConfig, watermark: number, until: number, now: number, entries: OccurrenceEntry[]): number[] {
  const lateMs = graceOf(config);
  const reason = `passed more than ${lateMs} ms before it could be decided`;
  const found = countDues(schedulesOf(config), watermark, until);
  if (found.count === 0 || found.first === undefined || found.last === undefined) return [];
  if (config.misfire.policy === 'skip') {
    entries.push(...entryOf(config, found, { verdict: 'missedDown', reason, decidedAt: now }));
    return [];
  }
  const keep = lastDues(
    config,
    watermark,
    found.last,
    found.count,
    config.misfire.policy === 'once' ? 1 : Math.max(1, config.misfire.limit),
  );
  const firstKept = keep[0] ?? found.last;
  entries.push(
    ...occurrenceRange(config, watermark, firstKept - 1, {
      verdict: 'coalesced',
      reason,
      decidedAt: now,
      execution: executionId(config.name, firstKept),
    }),
  );
  return keep;
}

/** The last `limit` of `count` due times in (from, last]. */
function lastDues(config: JobConfig, from: number, last: number, count: number, limit: number): number[] {
  if (limit === 1) return [last];
  const compiled = schedulesOf(config);
  // Halve the range from the left until the rest is short enough to walk through.
  let low = from;
  let left = count;
  while (left > limit * 4 && left > 16) {
    const middle = Math.floor((low + last) / 2);
    const right = countDues(compiled, middle, last).count;
    if (right < limit || middle === low) break;
    low = middle;
    left = right;
  }
  const walked: number[] = [];
  for (let due = nextDueOf(compiled, low); due !== undefined && due <= last; due = nextDueOf(compiled, due)) {
    walked.push(due);
    if (walked.length > limit) walked.shift();
  }
  return walked;
}

/** `20261122T080000.000Z` */
export const compactInstant = (at: number): string => new Date(at).toISOString().replace(/[-:]/g, '');

/** Job and due time make the id, so that one due time never makes two executions. */
export const executionId = (job: string, dueAt: number): string => `${job}@${compactInstant(dueAt)}`;
