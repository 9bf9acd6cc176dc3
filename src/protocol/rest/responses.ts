/** Field schemas of answers: the counterpart of `fields.ts`. */
import { z } from 'zod';
import { type FieldNotes, field, once } from './fields.ts';

/** ISO 8601, UTC, milliseconds. */
export const moment = (description: string) =>
  z.string().meta({ format: 'date-time', description, examples: ['2026-11-22T08:00:00.000Z'] });

/** A whole number from 0. */
export const count = (description: string, { example = 0, ...notes }: FieldNotes = {}) =>
  field(z.int().min(0), description, { example, ...notes });

/** A text. */
export const words = (description: string, example: string) => field(z.string(), description, { example });

/**
 * A quarantine: the actor takes no turn and stays readable. A release or a new configuration ends
 * it.
 */
export const Quarantine = once(() =>
  z
    .object({ reason: words('what failed', 'its state has no entry for job.fired'), since: moment('when it began') })
    .nullable()
    .describe('why nothing is done for it; null: it is in no quarantine'),
);
export type Quarantine = z.output<ReturnType<typeof Quarantine>>;

export const amounts = () => ({
  cpus: field(z.number(), 'cores, in thousandths', { unit: 'cores', example: 0.5 }),
  memoryMB: field(z.number(), 'memory', { unit: 'MB', example: 128 }),
});
export const Amounts = once(() => z.object(amounts()));

/** Of every actor: its revision and when it was created. */
export const created = () => ({
  rev: count('grows by one with each event that the actor takes', { example: 7 }),
  createdAt: moment('when it was created'),
});

/** The body of every error. */
export const ErrorAnswer = once(() =>
  z
    .object({
      error: z
        .object({
          code: words('what kind of error it is, for programs', 'invalid'),
          message: words('one sentence: the problem, and the remedy', 'unknown field "crno"; did you mean "cron"?'),
          field: words('the field of the body or the query that it is about', 'schedules[0].cron').optional(),
        })
        .describe('what went wrong'),
    })
    .meta({ id: 'Error' }),
);
