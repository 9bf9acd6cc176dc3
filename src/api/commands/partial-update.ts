/**
 * Updates through a surface that has fields for only a part of a thing.
 *
 *   response for the thing now + body  ->  fields that differ  ->  their terms, laid over the thing
 *
 * A response that is sent back changes nothing, even where its text is lossy or would be refused.
 * What the surface has no field for stays, also beside a field that changes.
 */
import { isDeepStrictEqual } from 'node:util';
import { redactField } from '../../security/secrets.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The meaning of some fields. Applied in the order of the table where a field differs. */
export interface Term<Body, Thing> {
  /** `cron`; of an object within the body one of its keys: `props.timeZone`. */
  fields: readonly string[];
  means(body: Body, before: Thing): Partial<Thing>;
}

/** The fields of a body by path; those of an object in it one by one. */
function fieldsIn(body: Json): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [field, value] of Object.entries(body)) {
    if (isObject(value)) for (const [key, inner] of Object.entries(value)) fields.set(`${field}.${key}`, inner);
    else fields.set(field, value);
  }
  return fields;
}

/**
 * Paths of the fields in which `body` differs from `response`, the thing as it is now; also from
 * what a token that may only read gets of it. Absent, null and '' are the `usual` value of a field,
 * by default nothing: an absent field is back at its default.
 */
export function changedFields(response: Json, body: Json, usual: Json = {}): Set<string> {
  const [is, wanted] = [fieldsIn(response), fieldsIn(body)];
  const read = (fields: Map<string, unknown>, path: string) => {
    const value = fields.get(path);
    return value === undefined || value === null || value === '' ? (usual[path] ?? '') : value;
  };
  const isUnchanged = (path: string) => {
    const [now, came] = [read(is, path), read(wanted, path)];
    return isDeepStrictEqual(came, now) || isDeepStrictEqual(came, redactField(path, now));
  };
  return new Set([...is.keys(), ...wanted.keys()].filter(path => !isUnchanged(path)));
}

/** The fields of a body that are among `changed`. */
export function onlyChanged(body: Json, changed: ReadonlySet<string>): Json {
  const result: Json = {};
  for (const [field, value] of Object.entries(body)) {
    if (!isObject(value)) {
      if (changed.has(field)) result[field] = value;
      continue;
    }
    const inner = Object.entries(value).filter(([key]) => changed.has(`${field}.${key}`));
    if (inner.length > 0) result[field] = Object.fromEntries(inner);
  }
  return result;
}

/** `before` with what the changed fields mean. */
export function laidOver<Body, Thing>(before: Thing, body: Body, terms: readonly Term<Body, Thing>[], changed: ReadonlySet<string>): Thing {
  let thing = before;
  for (const { fields, means } of terms) if (fields.some(field => changed.has(field))) thing = { ...thing, ...means(body, thing) };
  return thing;
}

/** Every field of a table: what a registration means, laid over the defaults. */
export const allFields = <Body, Thing>(terms: readonly Term<Body, Thing>[]): Set<string> => new Set(terms.flatMap(({ fields }) => fields));
