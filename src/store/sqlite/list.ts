/** Lists of actors, each answered from one index in its own order; the filters that no index knows are looked up row by row. */
import type { StatementSync } from 'node:sqlite';
import { type ListOrder, type ListPlace, listCursor, listPlace } from '../cursor.ts';
import { compareText } from '../order.ts';
import type { ActorStore, ListQuery } from '../store.ts';
import { ACTOR_COLUMNS, asDocument, type StoredActor } from './actor-rows.ts';
import { type Reading, rows } from './connections.ts';

type Value = string | number;

export function listReads({ reader, read }: Reading): Pick<ActorStore, 'list'> {
  /** By their text: there are as many as combinations of filters that somebody asks for. */
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => {
    const known = statements.get(sql) ?? reader.prepare(sql);
    statements.set(sql, known);
    return known;
  };

  const page = (query: ListQuery, order: ListOrder, behind: ListPlace | undefined, status: string | undefined) => {
    const conditions: string[] = [];
    const values: Value[] = [];
    const where = (condition: string, ...bound: Value[]) => {
      conditions.push(condition);
      values.push(...bound);
    };
    // A plus sign keeps the planner, which knows no figures, from an index: a parent has fewer children than a status has bearers, and
    // by name the primary key gives the order (addresses begin with their kind) where another index would have to sort a whole kind.
    const byKey = order === 'name' && query.parent === undefined;
    const others = query.parent === undefined ? '' : '+';
    where(`${byKey ? '+' : ''}kind = ? and life <> 'tombstone'`, query.kind);
    if (byKey) where('_id > ? and _id < ?', `${query.kind}/`, `${query.kind}0`);
    if (query.parent !== undefined) where('parent = ?', query.parent);
    if (status !== undefined) where(`${others}status = ?`, status);
    // One parameter however many there are, so that the statement stays the same.
    if (query.outcome?.length === 1) where(`${others}outcome = ?`, ...query.outcome);
    else if (query.outcome) where('outcome in (select value from json_each(?))', JSON.stringify(query.outcome));
    if (query.host !== undefined) where('exists (select 1 from json_each(hosts) where value = ?)', query.host);
    if (query.from !== undefined) where('at >= ?', query.from);
    if (query.to !== undefined) where('at < ?', query.to);
    if (behind && order === 'name') where('_id > ?', behind.address);
    if (behind && order === 'newest') where('(at, _id) < (?, ?)', behind.at, behind.address);
    const orderBy = order === 'name' ? '_id' : 'at desc, _id desc';
    const sql = `select ${ACTOR_COLUMNS} from actors where ${conditions.join(' and ')} order by ${orderBy} limit ?`;
    // One more than asked for tells whether there is a next page.
    return rows<StoredActor>(prepared(sql), ...values, query.limit + 1);
  };

  return {
    async list(query) {
      const order = query.order ?? 'newest';
      const behind = query.cursor === undefined ? undefined : listPlace(order, query.cursor);
      // One question per status, merged here: each comes in order from its index, where one question for all would sort everything first.
      const statuses = query.status ? [...new Set(query.status)] : [undefined];
      const pages = read(() => statuses.map(status => page(query, order, behind, status)));
      const found = pages.length === 1 ? pages.flat() : pages.flat().sort(inOrder(order));
      const shown = found.slice(0, query.limit);
      const last = shown.at(-1);
      return { items: shown.map(asDocument), next: last && found.length > shown.length ? listCursor(order, last) : null };
    },
  };
}

function inOrder(order: ListOrder) {
  return (a: ListPlace, b: ListPlace) =>
    order === 'name' ? compareText(a.address, b.address) : b.at - a.at || compareText(b.address, a.address);
}
