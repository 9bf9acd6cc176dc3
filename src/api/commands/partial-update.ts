/**
 * Updates through a surface that has fields for only a part of a resource.
 *
 *   current response + body  ->  fields that differ  ->  their terms, applied to the resource
 *
 * A response that is sent back changes nothing, even where its text is lossy or would be refused.
 * Properties without a field stay, also beside a field that changes.
 */
import { isDeepStrictEqual } from 'node:util';
import type { z } from 'zod';
import { parse } from '../../http/parse.ts';
import { redactField } from '../../security/secrets.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);
const isEmpty = (value: unknown): boolean => isObject(value) && Object.keys(value).length === 0;

/** The meaning of some fields. Applied in the order of the table where a field differs. */
export interface Term<Body, Thing> {
  /** `cron`, or a key of an inner object: `props.timeZone`. */
  fields: readonly string[];
  means(body: Body, before: Thing): Partial<Thing>;
}

/** How an API reads and writes a thing. */
export interface Mapping<Body, Thing> {
  /** The response of GET. */
  json(thing: Thing): Json;
  /** Checks the fields of a body that differ; every field is optional. */
  schema: z.ZodType;
  terms: readonly Term<Body, Thing>[];
  /** What an absent field means: no change, or its default as null does. */
  absent: 'unchanged' | 'default';
  /** What absent, null and '' stand for, by path. Default: ''. */
  usual?: Json;
}

export interface Update<Body, Thing> {
  after: Thing;
  /** Its changed fields are parsed, the others as they came; null and absent ones are left out. */
  body: Body;
  /** Paths of the fields that differ. */
  changed: ReadonlySet<string>;
}

/**
 * Applies an update through one API to a stored thing: `before` and `raw`, and how this API writes
 * a thing. Only fields that differ from the response of GET are checked and applied. Throws Problem
 * `invalid`.
 */
export function updateOf<Body, Thing>(raw: Json, before: Thing, mapping: Mapping<Body, Thing>): Update<Body, Thing> {
  const { json, schema, terms, absent, usual = {} } = mapping;
  const response = json(before);
  const whole = absent === 'unchanged' ? { ...response, ...raw } : raw;
  const changed = changedFields(response, whole, usual);
  const parsed = parse(schema, onlyChanged(whole, changed)) as Json;
  const body = withParsed(whole, parsed, changed, usual) as Body;
  return { after: laidOver(before, body, terms, changed), body, changed };
}

/** The body with its changed fields as parsed. */
function withParsed(raw: Json, parsed: Json, changed: ReadonlySet<string>, usual: Json): Json {
  // An empty text instead of a number or a boolean means its usual value.
  const isLeftOut = (path: string, value: unknown) => value === null || (value === '' && Object.hasOwn(usual, path));
  const body: Json = {};
  for (const [field, value] of Object.entries(raw)) {
    if (isObject(value)) {
      const unchanged = Object.entries(value).filter(([key, inner]) => {
        const path = `${field}.${key}`;
        return !changed.has(path) && !isLeftOut(path, inner);
      });
      body[field] = { ...Object.fromEntries(unchanged), ...(parsed[field] as Json | undefined) };
    } else if (changed.has(field)) body[field] = parsed[field];
    else if (!isLeftOut(field, value)) body[field] = value;
  }
  return body;
}

/** The fields of a body by path, inner objects key by key. An empty object is a value. */
function fieldsIn(body: Json): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [field, value] of Object.entries(body)) {
    if (isObject(value) && !isEmpty(value)) for (const [key, inner] of Object.entries(value)) fields.set(`${field}.${key}`, inner);
    else fields.set(field, value);
  }
  return fields;
}

/**
 * Paths of the fields in which `body` differs from `response`, the current one; a redacted value of
 * a read-only token counts as equal. Absent, null and '' count as the `usual` value of a field,
 * default '': an absent field returns to its default.
 */
function changedFields(response: Json, body: Json, usual: Json): Set<string> {
  const [is, wanted] = [fieldsIn(response), fieldsIn(body)];
  const read = (fields: Map<string, unknown>, path: string) => {
    const value = fields.get(path);
    return value === undefined || value === null || value === '' ? (usual[path] ?? '') : value;
  };
  // Of an object whose response is empty, the keys in the body decide.
  const isCompared = (path: string) => !(isEmpty(response[path]) && isObject(body[path]));
  const isUnchanged = (path: string) => {
    const [now, came] = [read(is, path), read(wanted, path)];
    return isDeepStrictEqual(came, now) || isDeepStrictEqual(came, redactField(path, now));
  };
  return new Set([...is.keys(), ...wanted.keys()].filter(path => isCompared(path) && !isUnchanged(path)));
}

/** The fields of a body that are among `changed`. */
function onlyChanged(body: Json, changed: ReadonlySet<string>): Json {
  const result: Json = {};
  for (const [field, value] of Object.entries(body)) {
    if (!isObject(value) || changed.has(field)) {
      if (changed.has(field)) result[field] = value;
      continue;
    }
    const inner = Object.entries(value).filter(([key]) => changed.has(`${field}.${key}`));
    if (inner.length > 0) result[field] = Object.fromEntries(inner);
  }
  return result;
}

/** `before` with the terms of the changed fields. */
export function laidOver<Body, Thing>(before: Thing, body: Body, terms: readonly Term<Body, Thing>[], changed: ReadonlySet<string>): Thing {
  let thing = before;
  for (const { fields, means } of terms) if (fields.some(field => changed.has(field))) thing = { ...thing, ...means(body, thing) };
  return thing;
}

/** Every field of a table: a registration applies them all to the defaults. */
export const allFields = <Body, Thing>(terms: readonly Term<Body, Thing>[]): Set<string> => new Set(terms.flatMap(({ fields }) => fields));
