/**
 * What answers are made of: the counterpart of `fields.ts`, for the reference and for the tests
 * that hold the door to it.
 */
import { z } from 'zod';

/** ISO 8601, UTC, milliseconds. */
export const moment = () => z.string().meta({ format: 'date-time' });

/** Everything that a schema tells, nothing else: what a shape must have. */
export type Told<S extends z.ZodType> = Record<keyof z.output<S>, unknown>;

export const count = () => z.int().min(0);

/** A list of `/v1`: `next` is the cursor of the page behind, null on the last one. */
export const listOf = (item: z.ZodType) =>
  z.object({ items: z.array(item), next: z.string().nullable(), unreadable: Unreadable.optional() });

const Unreadable = z.array(z.object({ name: z.string(), reason: z.string() })).meta({
  id: 'Unreadable',
  description: 'only where there are any: things of this page that are stored, and that this center cannot read',
});

/** What the ElasticJob dialect says when it is done. */
export const done = () => z.literal(true);

/** Whatever goes wrong. `field` names what of the request it is about. */
export const ErrorAnswer = z
  .object({ error: z.object({ code: z.string(), message: z.string(), field: z.string().optional() }) })
  .meta({ id: 'Error' });

/** The one answer for which ElasticJob's clients know another body. */
export const Unauthorized = z.object({ message: z.literal('Unauthorized.') }).meta({ id: 'Unauthorized' });
