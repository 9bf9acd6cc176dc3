/** Lists of `/v1`: `limit`, `cursor`, and the answer `{items, next}`. */
import { z } from 'zod';
import type { Kind } from '../../../actors/index.ts';
import type { View } from '../../runtime/document.ts';
import type { Page as Views } from '../../runtime/views.ts';
import { choice, digits } from '../fields.ts';
import { Problem } from '../errors.ts';

export const LIMIT_DEFAULT = 50;
export const LIMIT_MAX = 200;

/** Fields of every list's query. */
export const paging = {
  limit: digits(1, LIMIT_MAX).default(LIMIT_DEFAULT),
  cursor: z.string('a cursor').max(1_000, 'a cursor').optional(),
};

/** Of lists that are read from either end. A cursor goes on in the order that it was given in. */
export const order = choice(['oldest', 'newest']).default('oldest');

export interface Page<T> {
  items: T[];
  next: string | null;
  /** Only where there are any: things of this page that are stored, and that this center cannot read. */
  unreadable?: { name: string; reason: string }[];
}

/** A page of actors as the callers see it. */
export function pageOf<K extends Kind>({ items, next, unreadable }: Views<K>, shape: (view: View<K>) => unknown): Page<unknown> {
  const unread = unreadable.map(({ address, reason }) => ({ name: address.slice(address.indexOf('/') + 1), reason }));
  return { items: items.map(shape), next, ...(unread.length > 0 ? { unreadable: unread } : {}) };
}

/** A place in a list that has no cursor of its own: a few whole numbers, opaque to whoever carries them. */
export const cursorOf = (...place: number[]): string => Buffer.from(JSON.stringify(place)).toString('base64url');

/** Throws Problem for anything but a text of `cursorOf` with so many numbers. */
export function placeOf(cursor: string, length: number, field = 'cursor'): number[] {
  const wrong = (cause?: unknown) => new Problem('invalid', `${field} is not a cursor of this list.`, { field, cause });
  let place: unknown;
  try {
    place = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch (cause) {
    throw wrong(cause);
  }
  if (
    !Array.isArray(place) ||
    place.length !== length ||
    !place.every(part => Number.isSafeInteger(part)) ||
    cursorOf(...place) !== cursor
  ) {
    throw wrong();
  }
  return place as number[];
}
