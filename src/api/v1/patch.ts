/**
 * PATCH as RFC 7396 has it, laid over what GET tells: objects are merged, null takes a member away (a field is back at its default), the rest
 * replaces. What GET tells and nobody can write may be sent back as it was read, and is refused with any other value.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Problem } from '../errors.ts';
import { hidden } from '../secrets.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields that are told and cannot be written, each with what to do instead: the end of "cannot be written; …". */
export type ReadOnly = Readonly<Record<string, ReadOnlyField>>;
interface ReadOnlyField {
  instead: string;
  /** It changes without an edit, so that an older reading may hold another value. A list: only among these. */
  moves?: true | readonly unknown[];
  /** Told in some answers only: it belongs to none of the fields by which a whole reading is known, and is put aside. */
  beside?: true;
}

export const LEAVE_OUT = 'leave it out';

export const PatchBody = z.record(z.string(), z.unknown(), 'a JSON object with the fields to change');

/** The whole that a patch makes of `before`, which is what GET answers. Throws Problem for a patch that renames, or writes what cannot be written. */
export function patched(before: Json, patch: Json, readOnly: ReadOnly): Json {
  if ('name' in patch && patch.name !== before.name) {
    throw new Problem('invalid', `name is ${JSON.stringify(patch.name)}, but must stay ${JSON.stringify(before.name)}.`, { field: 'name' });
  }
  const isWhole = isReading(patch, readOnly);
  const isOlder = isWhole && typeof patch.rev === 'number' && patch.rev < Number(before.rev);
  for (const [field, { moves = [], beside }] of Object.entries(readOnly)) {
    if (!(field in patch) || beside || isDeepStrictEqual(patch[field], before[field])) continue;
    const hasMoved = isOlder && (moves === true || (moves.includes(patch[field]) && moves.includes(before[field])));
    if (!hasMoved) throw new Problem('invalid', sentenceOf(field, patch[field], readOnly), { field });
  }
  // Read by who may not see secrets, and sent back by who may write: what was hidden stays.
  const isHidden = (field: string, value: unknown) =>
    isWhole && !isDeepStrictEqual(value, before[field]) && isDeepStrictEqual(value, hidden(field, before[field]));
  const written = Object.entries(patch).filter(([field, value]) => !Object.hasOwn(readOnly, field) && !isHidden(field, value));
  return merged(before, Object.fromEntries(written));
}

const sentenceOf = (field: string, value: unknown, readOnly: ReadOnly): string => {
  const shown = typeof value === 'object' && value !== null ? '' : ` is ${JSON.stringify(value).slice(0, 60)}, but`;
  return `${field}${shown} cannot be written; ${readOnly[field]?.instead ?? LEAVE_OUT}.`;
};

/** Whether a body has every field that is told and not taken: it was read somewhere, and is not written by hand. */
const isReading = (body: Json, readOnly: ReadOnly): boolean =>
  Object.entries(readOnly).every(([field, { beside }]) => beside || field in body);

function merged(before: unknown, patch: Json): Json {
  const result: Json = isObject(before) ? { ...before } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = isObject(value) ? merged(result[key], value) : value;
  }
  return result;
}

/**
 * The schema of a whole thing, for bodies that may be what was read before: all the fields together that are told and not taken are put aside. A
 * single one of them is something that the writer wants, and is refused.
 */
export const taking = <S extends z.ZodType>(schema: S, readOnly: ReadOnly) =>
  z.preprocess((input, context) => {
    if (!isObject(input)) return input;
    const isCopy = isReading(input, readOnly);
    for (const [field, { beside }] of Object.entries(readOnly)) {
      if (isCopy || beside || !(field in input)) continue;
      context.issues.push({ code: 'custom', input, path: [field], message: sentenceOf(field, input[field], readOnly) });
    }
    return Object.fromEntries(Object.entries(input).filter(([key]) => !Object.hasOwn(readOnly, key)));
  }, schema);
