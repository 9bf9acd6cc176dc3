/**
 * The query of the native surface: every parameter at most once, and none that the route does not
 * know. A mistyped filter that was passed over would answer with everything, as if that had been
 * asked for.
 */
import type { z } from 'zod';
import { quotedValue } from '../../actors/schedule/error.ts';
import { nearest } from '../lib/suggest.ts';
import { Problem } from './errors.ts';
import { parse, schemaFields } from './parse.ts';

/** Parameters of one route that a refusal names. */
const NAMED_MAX = 20;
/** Longest part of a name that a refusal repeats. */
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
  if (meant) return `${JSON.stringify(name)} is no query parameter of ${route}; did you mean ${meant}?`;
  const takes = known.length === 0 ? 'none' : known.slice(0, NAMED_MAX).join(', ');
  return `${JSON.stringify(name)} is no query parameter of ${route}, which takes ${takes}.`;
}

const repeated = (name: string, first: string, next: string): string =>
  `${name} came more than once (${quotedValue(first)}, ${quotedValue(next)}), but must come once.`;
