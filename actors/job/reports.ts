/** What other systems report of a job: facts of its history that change nothing it does. */
import type { Decision } from '../decision.ts';
import type { EventOf, JobFact } from '../types.ts';
import type { JobContext } from './types.ts';

/** Of each kind of message an older one than the last is dropped; one of the same time counts. */
export function reported(context: JobContext, event: EventOf<'job', 'job.reported'>): Decision<JobContext, JobFact> {
  const { timestamp, report } = event;
  const { message } = report;
  const last = context.reported?.[message];
  if (last !== undefined && BigInt(timestamp) < BigInt(last)) return {};
  return {
    context: { reported: { ...context.reported, [message]: timestamp } },
    facts: [{ type: 'job.reported', job: context.config.name, ...report }],
  };
}
