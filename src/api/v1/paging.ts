/** Pages of the lists of `/v1`, and cursors of lists that compute their own. */
import type { Kind } from '../../../actors/types.ts';
import { Problem } from '../../http/errors.ts';
import type { View } from '../../runtime/document.ts';
import { Unreadable } from '../../runtime/errors.ts';
import type { ViewPage as Views } from '../../runtime/views.ts';

export interface ListPage<T> {
  items: T[];
  next: string | null;
  /** Stored resources of this page that this center cannot read. Absent: none. */
  unreadable?: { name: string; reason: string }[];
}

/** A page of actors as a response. */
export function pageOf<K extends Kind, T>({ items, next, unreadable }: Views<K>, shape: (view: View<K>) => T): ListPage<T> {
  const unread = unreadable.map(({ address, reason }) => ({ name: nameIn(address), reason }));
  const shown = shapesOf(items, ({ address }) => nameIn(address), shape);
  return { items: shown.items, next, ...unreadableOf([...unread, ...shown.unreadable]) };
}

const nameIn = (address: string): string => address.slice(address.indexOf('/') + 1);

/**
 * Shapes the items, and names those that cannot be shown: one damaged value must not fail the whole
 * list.
 */
function shapesOf<T, R>(things: T[], nameOf: (thing: T) => string, shape: (thing: T) => R) {
  const items: R[] = [];
  const unreadable: { name: string; reason: string }[] = [];
  for (const thing of things) {
    try {
      items.push(shape(thing));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      unreadable.push({ name: nameOf(thing), reason: error instanceof Unreadable ? error.reason : `cannot be shown: ${why}` });
    }
  }
  return { items, unreadable };
}

/** Empty where there are none. */
export const unreadableOf = (unreadable: { name: string; reason: string }[]) => (unreadable.length > 0 ? { unreadable } : {});

/** A cursor of whole numbers, opaque to clients. */
export const cursorOf = (...position: number[]): string => Buffer.from(JSON.stringify(position)).toString('base64url');

/** Throws Problem unless `cursor` is a result of `cursorOf` with `length` numbers. */
export function positionOf(cursor: string, length: number, field = 'cursor'): number[] {
  const wrong = (cause?: unknown) => new Problem('invalid', `${field} is not a cursor of this list.`, { field, cause });
  let position: unknown;
  try {
    position = JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch (cause) {
    throw wrong(cause);
  }
  if (
    !Array.isArray(position) ||
    position.length !== length ||
    !position.every(part => Number.isSafeInteger(part)) ||
    cursorOf(...position) !== cursor
  ) {
    throw wrong();
  }
  return position as number[];
}
