/** Due times up to an instant, as a job's decision: executions, entries of the ledger, facts. */
import type { Effect, JobFact } from '../types.ts';
import { executionId, nextAtOf, occurrenceRange, resolveDueTimes } from './due-times.ts';
import type { OccurrenceEntry } from './occurrence.ts';
import { createExecution, isActive } from './open-executions.ts';
import type { JobContext } from './types.ts';

export const dueTimer = (dueAt: number | null) => ({ id: 'due', dueAt, event: { type: 'job.due' } });
export const iso = (at: number): string => new Date(at).toISOString();

/** Gives each due time in (watermark, at] its verdict; those that are run become executions. */
export function decideDue(context: JobContext, at: number): { context: JobContext; effects: Effect[]; facts: JobFact[] } {
  const name = context.config.name;
  const resolved = resolveDueTimes(context.config, context.watermark, at, context.open, dueAt => executionId(name, dueAt));
  let next: JobContext = { ...context, watermark: Math.max(context.watermark, at) };
  const effects: Effect[] = [];
  const facts: JobFact[] = [];
  for (const fire of resolved.fires) {
    const created = createExecution(next, fire, at);
    next = created.context;
    effects.push(...created.effects);
    facts.push({ type: 'job.fired', job: name, execution: executionId(name, fire.dueAt), dueAt: iso(fire.dueAt), trigger: fire.trigger });
  }
  return recorded(next, resolved.entries, effects, facts);
}

/** Gives all due times in (watermark, at] the same verdict. */
export function verdictForAll(
  context: JobContext,
  at: number,
  verdict: 'disabled' | 'refused',
  reason: string,
): ReturnType<typeof decideDue> {
  const entries = occurrenceRange(context.config, context.watermark, at, { verdict, reason, decidedAt: at });
  return recorded({ ...context, watermark: Math.max(context.watermark, at) }, entries, [], []);
}

/** Of an enabled job: while its app is disabled, due times get that verdict. */
export const decideEnabled = (context: JobContext, at: number): ReturnType<typeof decideDue> =>
  isActive(context) ? decideDue(context, at) : verdictForAll(context, at, 'disabled', 'its app was disabled');

function recorded(context: JobContext, entries: OccurrenceEntry[], effects: Effect[], facts: JobFact[]): ReturnType<typeof decideDue> {
  if (entries.length > 0) effects.push({ type: 'record', params: { entries } });
  for (const entry of entries) {
    if (entry.verdict === 'waiting') continue;
    facts.push({
      type: 'job.skipped',
      job: context.config.name,
      from: iso(entry.from),
      to: iso(entry.to),
      count: entry.count,
      verdict: entry.verdict,
      reason: entry.reason,
    });
  }
  return { context, effects, facts };
}

export const rearmed = (context: JobContext): JobContext => ({
  ...context,
  nextAt: isActive(context) ? nextAtOf(context.config, context.watermark) : null,
});
