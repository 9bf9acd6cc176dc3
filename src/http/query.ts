/**
 * The query of `/v1`: every parameter at most once, and no unknown ones. A list that ignored a
 * mistyped filter would answer with all items.
 */
import type { z } from 'zod';
import { quotedValue } from '../../actors/schedule/error.ts';
import { nearest } from '../lib/suggest.ts';
import { Problem } from './errors.ts';
import { parse, schemaFields } from './parse.ts';

/** Parameters of one route that a refusal names. */
const NAMED_MAX = 20;
/** Characters of a name that a refusal quotes. */
const SHOWN_MAX = 60;

/** `url` as received; `route` for messages. Throws Problem `invalid` naming the parameter. */
export function readQuery<S extends z.ZodType>(schema: S | undefined, url: string, route: string): z.output<S> | undefined {
  const known = schema ? schemaFields(schema, []) : [];
  const query: Record<string, string> = {};
  for (const [name, value] of url.includes('?') ? new URL(url).searchParams : []) {
    const field = name.slice(0, SHOWN_MAX);
    if (!known.includes(name)) throw new Problem('invalid', unknown(field, known, route), { field });
    if (Object.hasOwn(query, name)) throw new Problem('invalid', repeated(name, query[name] ?? '', value), { field });
    query[name] = value;
  }
  return schema && parse(schema, query, 'query');
}

function unknown(name: string, known: string[], route: string): string {
  const meant = nearest(name, known);
  if (meant) return `unknown query parameter ${JSON.stringify(name)} of ${route}; did you mean ${JSON.stringify(meant)}?`;
  const takes = known.length === 0 ? 'none' : known.slice(0, NAMED_MAX).join(', ');
  return `unknown query parameter ${JSON.stringify(name)}: ${route} takes ${takes}.`;
}

const repeated = (name: string, first: string, next: string): string =>
  `${name} is repeated (${quotedValue(first)}, ${quotedValue(next)}), but must be given once.`;
