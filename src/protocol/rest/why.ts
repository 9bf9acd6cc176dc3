/** Why something runs, waits, or ended as it did. */
import { z } from 'zod';
import { endpoints } from './endpoint.ts';
import { field, once } from './fields.ts';
import { moment, words } from './responses.ts';

/** Each fact has values of its own beside its type and its text. */
const Why = once(() =>
  z.object({
    sentence: words('the answer in one sentence', 'job nightly is due at 2026-11-22T08:00:00.000Z'),
    at: moment('when the answer was true'),
    facts: field(
      z.array(
        z.looseObject({
          type: words('what kind of fact it is', 'due'),
          message: words('the fact in words', 'it is due at 2026-11-22T08:00:00.000Z'),
        }),
      ),
      'the facts behind it, each with its own values',
    ),
  }),
);
export type Why = z.output<ReturnType<typeof Why>>;

export const whyEndpoints = endpoints({
  'GET /v1/jobs/:name/why': {
    tag: 'jobs',
    access: 'user',
    summary: 'Why a job runs or does not, in a sentence, with the facts behind it.',
    answers: () =>
      Why().extend({
        trigger: field(
          z.looseObject({ does: field(z.enum(['starts', 'startsInPart', 'waits', 'joins', 'refused']), 'what a trigger would do') }),
          'what would become of a trigger now',
        ),
      }),
  },
  'GET /v1/executions/:id/why': {
    tag: 'executions',
    access: 'user',
    summary: 'Why an execution waits, runs, or ended as it did, in a sentence, with the facts behind it.',
    answers: Why,
  },
});
