/** The occurrence ledger of a job: every due time with its verdict. */
import { z } from 'zod';
import { VERDICTS } from '../../../actors/job/occurrence.ts';
import { endpoints } from './endpoint.ts';
import { choice, field, inOrder, instant, once, queryFlag } from './fields.ts';
import { listOf, order, paging } from './lists.ts';
import { count, moment } from './responses.ts';

const Occurrence = once(() =>
  z
    .object({
      dueAt: moment('the due time; of a range the first'),
      until: moment('only of a range: its last due time').optional(),
      count: count('only of a range: how many due times it has', { example: 17 }).optional(),
      verdict: field(
        z.enum(VERDICTS),
        'waiting: its execution has started no process yet; ran: one began; notStarted: the execution ended without one; unknown: a host that was lost may have begun one',
      ),
      execution: field(z.string().nullable(), 'the execution that it became', { example: 'nightly@20261122T080000.000Z' }),
      reason: field(z.string().nullable(), 'why it became that', { example: 'the execution before it still runs' }),
      decidedAt: moment('when that was decided'),
    })
    .meta({ id: 'Occurrence' }),
);

/** Due times per verdict. */
const Summary = once(() =>
  z
    .object(
      Object.fromEntries(VERDICTS.map(verdict => [verdict, count(`due times with the verdict ${verdict}`)])) as Record<
        (typeof VERDICTS)[number],
        ReturnType<typeof count>
      >,
    )
    .meta({ id: 'OccurrenceSummary' }),
);

const kept = () => ({ keptAfter: moment('due times up to here are deleted').optional() });

export const occurrenceEndpoints = endpoints({
  'GET /v1/jobs/:name/occurrences': {
    tag: 'occurrences',
    access: 'user',
    summary:
      'Due times with their verdicts, oldest first unless `order` says newest; with summary=true how many of each. Due times up to `keptAfter`, where the answer has it, are deleted.',
    query: z
      .object({
        ...paging,
        order,
        from: field(instant(), 'not earlier').optional(),
        to: field(instant(), 'not later').optional(),
        verdict: field(choice(VERDICTS), 'only those with this verdict').optional(),
        summary: field(queryFlag(), 'how many of each verdict, instead of the due times').default(false),
      })
      .superRefine(inOrder),
    answers: () => z.union([listOf(Occurrence()).extend(kept()), Summary().extend(kept())]),
  },
});
