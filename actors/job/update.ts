/** What a job decides when its configuration changes, its switch included. */
import { type Decision, tell, updatedBy } from '../decision.ts';
import type { Effect, EventOf, JobEvent, JobFact } from '../types.ts';
import { claims, givesUp, noAllocation, reclaims, unasked } from './allocation.ts';
import { cancels, isActive, unblockNext } from './open-executions.ts';
import type { JobContext } from './types.ts';
import { decideEnabled, dueTimer, rearmed, verdictForAll } from './verdicts.ts';

type Decided = Decision<JobContext, JobFact>;
type Event<T extends JobEvent['type']> = EventOf<'job', T>;

export const update = (context: JobContext, event: Event<'job.update'>): Decided => updated(context, event, unblockNext);

/** `unblocks`: lets blocked executions start where the new limit allows it. */
function updated(context: JobContext, event: Event<'job.update'>, unblocks: typeof unblockNext | null): Decided & { context: JobContext } {
  const before = decideEnabled(context, event.at);
  const after = withConfig(before.context, event);
  const allocated = unblocks
    ? reclaims(before.context, after.context)
    : { context: { ...after.context, ...noAllocation }, effects: givesUp(before.context, 'the job was disabled') };
  const unblocked = unblocks && isActive(allocated.context) ? unblocks(allocated.context) : { context: allocated.context, effects: [] };
  const next = rearmed(unblocked.context);
  return {
    context: next,
    effects: [...before.effects, ...(after.effects ?? []), ...allocated.effects, ...unblocked.effects],
    facts: [...before.facts, ...(after.facts ?? [])],
    timers: [dueTimer(next.nextAt)],
  };
}

export function updateDisabled(context: JobContext, event: Event<'job.update'>): Decided {
  const before = verdictForAll(context, event.at, 'disabled', 'the job was disabled');
  const after = withConfig(before.context, event);
  return {
    context: { ...after.context, nextAt: null },
    effects: [...before.effects, ...(after.effects ?? [])],
    facts: [...before.facts, ...(after.facts ?? [])],
  };
}

export function updateOff(context: JobContext, event: Event<'job.update'>): Decided {
  const { context: after, effects = [], facts = [] } = updated(context, event, null);
  return {
    context: { ...after, nextAt: null },
    effects: [...effects, ...cancels(after, false, 'the job was disabled')],
    facts: [...facts, { type: 'job.disabled', job: context.config.name, kill: false }],
    timers: [dueTimer(null)],
  };
}

export function updateOn(context: JobContext, event: Event<'job.update'>): Decided {
  const after = updateDisabled(context, event);
  const next = { ...rearmed({ ...context, ...after.context }), unallocated: unasked(event) };
  return {
    ...after,
    context: next,
    effects: [...(after.effects ?? []), ...claims(next)],
    facts: [...(after.facts ?? []), { type: 'job.enabled', job: context.config.name }],
    timers: [dueTimer(next.nextAt)],
  };
}

function withConfig(context: JobContext, event: Event<'job.update'>): Pick<Decided, 'effects' | 'facts'> & { context: JobContext } {
  const effects: Effect[] = [];
  const before = context.config.app;
  const after = event.config.app;
  if (before !== after) {
    if (before) effects.push(tell(`app/${before}`, { type: 'app.detach', job: context.config.name }));
    if (after) effects.push(tell(`app/${after}`, { type: 'app.attach', job: context.config.name }));
  }
  const version = context.version + 1;
  return {
    context: {
      ...context,
      config: event.config,
      version,
      updatedAt: event.at,
      ...updatedBy(event),
      watermark: Math.max(context.watermark, event.at),
      app: before === after ? context.app : null,
    },
    effects,
    facts: [{ type: 'job.updated', job: context.config.name, version }],
  };
}
