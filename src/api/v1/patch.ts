/** PATCH as RFC 7396 has it, laid over what GET tells: objects are merged, null takes a field away (its default comes back), the rest replaces. */
import { z } from 'zod';
import { Problem } from '../errors.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Fields whose value is replaced as a whole: their keys are the caller's own. */
const WHOLE = new Set(['env', 'parameters']);

export const PatchBody = z.record(z.string(), z.unknown(), 'a JSON object with the fields to change');

/** Throws Problem for a patch that renames. */
export function patched(before: Json, patch: Json): Json {
  if ('name' in patch && patch.name !== before.name) {
    throw new Problem('invalid', `name is ${JSON.stringify(patch.name)}, but must stay ${JSON.stringify(before.name)}.`, { field: 'name' });
  }
  return merged(before, patch);
}

function merged(before: Json, patch: Json): Json {
  const result = { ...before };
  for (const [key, value] of Object.entries(patch)) {
    const there = result[key];
    if (value === null) delete result[key];
    else result[key] = isObject(value) && isObject(there) && !WHOLE.has(key) ? merged(there, value) : value;
  }
  return result;
}

/** The schema of a whole thing, for bodies that may be what was read before: fields that are told but not taken are put aside. */
export const taking = <S extends z.ZodType>(schema: S, readOnly: readonly string[]) =>
  z.preprocess(input => withoutRead(input, readOnly), schema);

function withoutRead(input: unknown, readOnly: readonly string[]): unknown {
  if (!isObject(input)) return input;
  return Object.fromEntries(Object.entries(input).filter(([key]) => !readOnly.includes(key)));
}
