/** Pages of the lists of `/v1`, and cursors of those that make their own. */
import type { Kind } from '../../../actors/types.ts';
import { Problem } from '../../http/errors.ts';
import type { View } from '../../runtime/document.ts';
import { Unreadable } from '../../runtime/errors.ts';
import type { ViewPage as Views } from '../../runtime/views.ts';

export interface ListPage<T> {
  items: T[];
  next: string | null;
  /** Only where there are any: stored things of this page that this center cannot read. */
  unreadable?: { name: string; reason: string }[];
}

/** A page of actors as the callers see it. */
export function pageOf<K extends Kind, T>({ items, next, unreadable }: Views<K>, shape: (view: View<K>) => T): ListPage<T> {
  const unread = unreadable.map(({ address, reason }) => ({ name: nameIn(address), reason }));
  const shown = shapesOf(items, ({ address }) => nameIn(address), shape);
  return { items: shown.items, next, ...unreadableOf([...unread, ...shown.unreadable]) };
}

const nameIn = (address: string): string => address.slice(address.indexOf('/') + 1);

/**
 * What can be shown, and the names of the rest: one value that no answer can hold must not cost the
 * whole list.
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

/** Only there where there are any. */
export const unreadableOf = (unreadable: { name: string; reason: string }[]) => (unreadable.length > 0 ? { unreadable } : {});

/** A cursor of a list that has none of its own: a few whole numbers, opaque to clients. */
export const cursorOf = (...position: number[]): string => Buffer.from(JSON.stringify(position)).toString('base64url');

/** Throws Problem for anything but a text of `cursorOf` with so many numbers. */
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
