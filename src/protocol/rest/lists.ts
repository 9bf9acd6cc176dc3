/** Lists: `limit` and `cursor` of the query, `{items, next}` of the answer. */
import { z } from 'zod';
import { choice, digits, field, once } from './fields.ts';

const LIMIT_DEFAULT = 50;
export const LIMIT_MAX = 200;

const CURSOR = 'MzAuNQ';

/** Fields of every list's query. */
export const paging = {
  limit: field(digits(1, LIMIT_MAX), 'most items of the page', { example: 100 }).default(LIMIT_DEFAULT),
  cursor: field(z.string('a cursor').max(1_000, 'a cursor'), '`next` of the page before', {
    example: CURSOR,
    takes: 'CURSOR',
    help: 'go on where an earlier list ended',
  }).optional(),
};

/** Of lists that are read from either end. A cursor goes on in the order that it was given in. */
export const order = field(choice(['oldest', 'newest']), 'the end of the list that comes first').default('oldest');

const Unreadable = once(() =>
  z
    .array(
      z.object({
        name: field(z.string(), 'its name', { example: 'nightly' }),
        reason: field(z.string(), 'why this center cannot read it', { example: 'was written by version 2 of the job' }),
      }),
    )
    .meta({
      id: 'Unreadable',
      description: 'only where there are any: things of this page that are stored, and that this center cannot read',
    }),
);

/** A list of `/v1`: `next` is the cursor of the page behind, null on the last one. */
export const listOf = <T extends z.ZodType>(item: T) =>
  z.object({
    items: field(z.array(item), 'the things of this page'),
    next: field(z.string().nullable(), '`cursor` of the page behind; null on the last one', { example: CURSOR }),
    unreadable: Unreadable().optional(),
  });
