/**
 * Lists of actors, each from one index in its own order; a list of statuses is merged from that
 * index by the server.
 */
import type { FilterQuery } from '@mikro-orm/core';
import { type ListPosition, listCursor, listPosition } from '../cursor.ts';
import type { ActorStore, ListQuery } from '../port.ts';
import { managerOf, type Orm } from './connection.ts';
import { ActorRecord } from './entities.ts';
import { asked } from './errors.ts';
import { type ActorRow, asDocument } from './rows.ts';

export function createList(orm: Orm): Pick<ActorStore, 'list'> {
  return {
    async list(query) {
      const order = query.order ?? 'newest';
      const behind = query.cursor === undefined ? undefined : listPosition(order, query.cursor);
      // One more than the limit shows whether there is a next page.
      const where = (order === 'name' ? byName(query, behind) : newest(query, behind)) as FilterQuery<ActorRow>;
      const all = wanted(query) as FilterQuery<ActorRow>;
      const orderBy = order === 'name' ? ({ [keyOf(query)]: 'asc' } as const) : ({ [instantOf(query)]: 'desc', address: 'desc' } as const);
      const { limit, offset = 0 } = query;
      const [rows, total] = await Promise.all([
        limit <= 0 ? [] : asked(() => managerOf(orm).find(ActorRecord, where, { orderBy, limit: limit + 1, offset })),
        query.total ? asked(() => managerOf(orm).count(ActorRecord, all)) : undefined,
      ]);
      const items = rows.slice(0, query.limit).map(asDocument);
      const last = items.at(-1);
      const next =
        last && rows.length > items.length ? listCursor(order, { at: last.index[instantOf(query)] ?? 0, address: last.address }) : null;
      return { items, next, ...(total !== undefined && { total }) };
    },
  };
}

/** By which the order goes. */
const instantOf = ({ order }: ListQuery) => (order === 'ended' ? 'endedAt' : 'at');

/** The lower bound of ends leaves out those without one, as the index does. */
function boundsOf({ order, from = order === 'ended' ? Number.MIN_SAFE_INTEGER : undefined, to }: ListQuery) {
  return { ...(from !== undefined && { $gte: from }), ...(to !== undefined && { $lt: to }) };
}

function wanted(query: ListQuery) {
  const { kind, parent, pool, alias, group, prefix, text, status, outcome, states, host } = query;
  const bounds = boundsOf(query);
  return {
    kind,
    listed: true,
    ...(parent !== undefined && { parent }),
    ...(pool !== undefined && { pool }),
    ...(alias !== undefined && { alias }),
    ...(group !== undefined && { group }),
    ...(status && { status: oneOf(status) }),
    ...(outcome && { outcome: oneOf(outcome) }),
    ...(states && (states.length > 0 ? { $or: states.map(stateOf) } : { status: oneOf([]) })),
    ...(host !== undefined && { hosts: host }),
    ...(Object.keys(bounds).length > 0 ? { [instantOf(query)]: bounds } : {}),
    ...(prefix !== undefined && { [keyOf(query)]: { $gte: span(query).from, $lt: span(query).to } }),
    ...(text !== undefined && { $and: [{ [keyOf(query)]: { $regex: nameWith(kind, text) } }] }),
  };
}

/**
 * Of addresses whose name contains the text, ASCII letters in any case. A text, because a stand-in
 * of the tests refuses regular expressions of BSON.
 */
function nameWith(kind: string, text: string): string {
  const escaped = text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  return `^${kind}/[\\s\\S]*${escaped.replace(/[A-Za-z]/g, letter => `[${letter.toUpperCase()}${letter.toLowerCase()}]`)}`;
}

/**
 * Addresses begin with their kind, so the primary key has each kind in one piece. Jobs have an
 * index of names, and behind a filter the index of that filter has them in order.
 */
const keyOf = ({ kind, parent, status, outcome, states }: ListQuery) =>
  kind !== 'job' && (parent ?? status ?? outcome ?? states) === undefined ? '_id' : 'address';

function byName(query: ListQuery, behind: ListPosition | undefined) {
  const { from, to } = span(query);
  return { ...wanted(query), [keyOf(query)]: behind ? { $gt: behind.address, $lt: to } : { $gte: from, $lt: to } };
}

/** Of addresses, by how the name begins; no text is greater than the last code point. */
function span({ kind, prefix = '' }: ListQuery) {
  return { from: `${kind}/${prefix}`, to: prefix === '' ? `${kind}0` : `${kind}/${prefix}\u{10ffff}` };
}

/** Two spans of the same index one behind the other, which the server merges. */
function newest(query: ListQuery, behind: ListPosition | undefined) {
  const filter = wanted(query);
  if (!behind) return filter;
  const { at, address } = behind;
  const name = instantOf(query);
  const bounds = boundsOf(query);
  return {
    $or: [
      { ...filter, [name]: { ...bounds, $lt: Math.min(at, query.to ?? at) } },
      { ...filter, [name]: { ...bounds, $eq: at }, address: { $lt: address } },
    ],
  };
}

const stateOf = ({ status, outcome }: NonNullable<ListQuery['states']>[number]) => ({
  status,
  ...(outcome && { outcome: { $in: outcome } }),
});

/** A single value is an equality, which an index goes on ordering behind. */
const oneOf = <T extends ActorRow['status']>(values: T[]) => (values.length === 1 ? (values[0] as T) : { $in: [...new Set(values)] });
