/**
 * Updates through a surface that has fields for only a part of a resource.
 *
 *   current response + body  ->  fields that differ  ->  their terms, applied to the resource
 *
 * A response that is sent back changes nothing, even where its text is lossy or would be refused.
 * Properties without a field stay, also beside a field that changes.
 */
import { isDeepStrictEqual } from 'node:util';
import { redactField } from '../../security/secrets.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The meaning of some fields. Applied in the order of the table where a field differs. */
export interface Term<Body, Thing> {
  /** `cron`, or a key of an inner object: `props.timeZone`. */
  fields: readonly string[];
  means(body: Body, before: Thing): Partial<Thing>;
}

/** The fields of a body by path, inner objects key by key. An empty object is a value. */
function fieldsIn(body: Json): Map<string, unknown> {
  const fields = new Map<string, unknown>();
  for (const [field, value] of Object.entries(body)) {
    if (isObject(value) && Object.keys(value).length > 0)
      for (const [key, inner] of Object.entries(value)) fields.set(`${field}.${key}`, inner);
    else fields.set(field, value);
  }
  return fields;
}

/**
 * Paths of the fields in which `body` differs from `response`, the current one; a redacted value of
 * a read-only token counts as equal. Absent, null and '' count as the `usual` value of a field,
 * default '': an absent field returns to its default.
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
