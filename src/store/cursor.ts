/**
 * Cursors are opaque to those who carry them: base64url of a version, what they stand in, and a
 * place. A text that is not exactly what we would have written is a BadCursor, so nobody can come
 * to depend on making their own.
 */
import { BadCursor } from './port.ts';

/** Version of the text inside; another one means another way to place facts. */
const FEED = '1';

/** The place of a fact in the feed; 0 is the empty beginning. */
export function feedCursor(sequence: number): string {
  // Of digits and a point base64 makes neither + nor /, so but for its padding it is base64url;
  // every fact is placed and read by this, and a Buffer takes four times as long.
  const text = btoa(`${FEED}.${sequence}`);
  const end = text.indexOf('=');
  return end < 0 ? text : text.slice(0, end);
}

/**
 * Throws BadCursor for anything but a text of `feedCursor`, and for a place behind `head`: that one
 * belongs to another store, or to a later life of this one.
 */
export function feedSequence(cursor: string, head: number): number {
  const text = decoded(cursor);
  const sequence = text.startsWith(`${FEED}.`) ? Number(text.slice(FEED.length + 1)) : Number.NaN;
  if (!Number.isSafeInteger(sequence) || sequence < 0 || feedCursor(sequence) !== cursor) {
    throw new BadCursor(`"${cursor.slice(0, 40)}" is not a cursor of this feed`);
  }
  if (sequence > head) throw new BadCursor(`cursor "${cursor}" lies ahead of this feed; it was given out by another store`);
  return sequence;
}

/** '' for what is no base64. */
function decoded(cursor: string): string {
  try {
    return atob(cursor);
  } catch {
    return '';
  }
}

export type ListOrder = 'newest' | 'name';

/** The last item of a page; the next page is strictly behind it. */
export interface ListPosition {
  at: number;
  address: string;
}

export function listCursor(order: ListOrder, position: ListPosition): string {
  return Buffer.from(JSON.stringify([order, position.at, position.address])).toString('base64url');
}

/** Throws BadCursor for anything but a text of `listCursor` with the same order. */
export function listPosition(order: ListOrder, cursor: string): ListPosition {
  const position = parsePosition(Buffer.from(cursor, 'base64url').toString());
  if (!position || listCursor(order, position) !== cursor) throw new BadCursor(`"${cursor.slice(0, 40)}" is not a cursor of this list`);
  return position;
}

function parsePosition(text: string): ListPosition | undefined {
  try {
    const [, at, address]: unknown[] = JSON.parse(text);
    return typeof at === 'number' && typeof address === 'string' ? { at, address } : undefined;
  } catch {
    // Not JSON, or JSON that is no array: not ours, and the caller says so.
    return undefined;
  }
}
