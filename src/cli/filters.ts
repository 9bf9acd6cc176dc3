/**
 * The flags that filter a list, made from the schema of its query, and the query that they give.
 * One table has the flags whose form differs from the query.
 */
import type { z } from 'zod';
import type { WrittenQuery } from '../protocol/rest/index.ts';
import { LIST_DEFAULT } from './client.ts';
import { flagOf, type HumanForm } from './field-option.ts';
import { flagOption, type Options, wholeOption } from './options.ts';

/** Fields that the help names last. */
const PAGING = ['limit', 'cursor'];
/** Longest list that one call of a verb reads. */
const LIST_MAX = 100_000;

/** By field of a query. `queried`: its value, from that of the flag or undefined. */
const FORMS: Readonly<Record<string, HumanForm & { queried?(given: unknown): unknown }>> = {
  // A verb reads as many pages as the limit needs.
  limit: { option: () => limitOption(LIST_DEFAULT) },
  // The newest come first: they are the ones that people look for.
  order: {
    flag: 'oldest-first',
    option: () => flagOption('begin with the oldest, instead of the newest'),
    queried: isOldestFirst => (isOldestFirst ? 'oldest' : 'newest'),
  },
  from: { more: ', such as yesterday, -2h or "2026-11-22 08:00"' },
  follow: { option: () => flagOption('continue until it is done', { short: 'f' }) },
};

export const limitOption = (usual: number) => wholeOption('N', `at most N items (default: ${usual})`, 1, LIST_MAX);

function filtersIn(query: z.ZodObject) {
  const fields = Object.entries(query.shape).sort(([a], [b]) => Number(PAGING.includes(a)) - Number(PAGING.includes(b)));
  return fields.flatMap(([field, schema]) => {
    const form = Object.hasOwn(FORMS, field) ? FORMS[field] : undefined;
    const flag = flagOf(field, schema as z.ZodType, form ? { form } : {});
    return flag === undefined || 'group' in flag ? [] : [{ field, ...flag, queried: form?.queried }];
  });
}

/** Flags by name. */
export const filterFlags = (query: z.ZodObject): Options => Object.fromEntries(filtersIn(query).map(({ name, option }) => [name, option]));

/** The part of a request that the given flags make. */
export const queryOf = <Q extends z.ZodObject>(query: Q, values: Readonly<Record<string, unknown>>): WrittenQuery<Q> =>
  Object.fromEntries(
    filtersIn(query).map(({ field, name, queried }) => [field, queried ? queried(values[name]) : values[name]]),
  ) as WrittenQuery<Q>;
