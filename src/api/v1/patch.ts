/**
 * PATCH by RFC 7396 on the response of GET: objects are merged, null removes a member (the field
 * returns to its default), other values replace. A read-only field may be sent back unchanged, and
 * is refused with any other value.
 */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { Problem } from '../../http/errors.ts';
import { redactField } from '../../security/secrets.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Read-only fields, each with an alternative: the end of the sentence "cannot be written; …".
 */
export type ReadOnly = Readonly<Record<string, ReadOnlyField>>;
/** Fails to compile unless the table has each field of the response that its request lacks. */
export type ReadOnlyOf<Answer, Request> = Readonly<Record<Exclude<keyof Answer, keyof Request>, ReadOnlyField>>;
interface ReadOnlyField {
  instead: string;
  /**
   * It changes without an edit, so an older response may differ. A list: only among these values.
   */
  moves?: true | readonly unknown[];
  /** Part of some responses only: ignored, and a copied response is recognised without it. */
  beside?: true;
  /**
   * A request that creates may have it. That of a copied response is ignored: the copied resource
   * may be there still.
   */
  given?: true;
}

export const LEAVE_OUT = 'leave it out';

/**
 * Applies a patch to `before`, the response of GET. Throws Problem for a patch that renames the
 * resource or writes a read-only field.
 */
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
  // The response of a read-only token has redacted secrets; sent back, these change nothing.
  const isHidden = (field: string, value: unknown) =>
    isWhole && !isDeepStrictEqual(value, before[field]) && isDeepStrictEqual(value, redactField(field, before[field]));
  const written = Object.entries(patch).filter(([field, value]) => !Object.hasOwn(readOnly, field) && !isHidden(field, value));
  return merged(before, Object.fromEntries(written));
}

const sentenceOf = (field: string, value: unknown, readOnly: ReadOnly): string => {
  const shown = typeof value === 'object' && value !== null ? '' : ` is ${JSON.stringify(value).slice(0, 60)}, but`;
  return `${field}${shown} cannot be written; ${readOnly[field]?.instead ?? LEAVE_OUT}.`;
};

/** Whether a body has every read-only field: then it is a copied response. */
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
 * Schema of a complete resource. It ignores the read-only fields if all are present, as in a copied
 * response. It refuses single ones: their caller expects an effect.
 */
export const taking = <S extends z.ZodType>(schema: S, readOnly: ReadOnly) =>
  z.preprocess((input, context) => {
    if (!isObject(input)) return input;
    const isCopy = isReading(input, readOnly);
    for (const [field, { beside, given }] of Object.entries(readOnly)) {
      if (isCopy || beside || given || !(field in input)) continue;
      context.issues.push({ code: 'custom', input, path: [field], message: sentenceOf(field, input[field], readOnly) });
    }
    const isTaken = (field: string) => !Object.hasOwn(readOnly, field) || (!isCopy && readOnly[field]?.given);
    return Object.fromEntries(Object.entries(input).filter(([field]) => isTaken(field)));
  }, schema);
