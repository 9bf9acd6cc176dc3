/**
 * Lists of actors. Of all the filters of a question one leads: its index gives the page in the list's own order, and the others are looked up
 * row by row. `indexed by` makes sure of it: where the index does not fit the question, SQLite refuses to answer.
 */
import type { StatementSync } from 'node:sqlite';
import { type ListOrder, type ListPlace, listCursor, listPlace } from '../cursor.ts';
import { compareText } from '../order.ts';
import type { ActorStore, ListQuery } from '../store.ts';
import { ACTOR_COLUMNS, asDocument, type StoredActor } from './actor-rows.ts';
import { type Reading, rows } from './connections.ts';

type Value = string | number;

/** One statement and what is bound to it. */
export interface Question {
  sql: string;
  values: Value[];
}

export function listReads({ reader, read }: Reading): Pick<ActorStore, 'list'> {
  /** By their text: there are as many as combinations of filters that somebody asks for. */
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => {
    const known = statements.get(sql) ?? reader.prepare(sql);
    statements.set(sql, known);
    return known;
  };

  return {
    async list(query) {
      const order = query.order ?? 'newest';
      const pages = read(() => questionsOf(query).map(({ sql, values }) => rows<StoredActor>(prepared(sql), ...values)));
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

type Lead = 'parent' | 'pool' | 'status' | 'outcome' | 'host';

/** What leads where, and by which index: executions are listed newest first, jobs by name. */
const INDEXES: Record<string, { order: ListOrder; by: Partial<Record<Lead, string>> }> = {
  execution: {
    order: 'newest',
    by: { parent: 'executions_parent', status: 'executions_status', outcome: 'executions_outcome', host: 'placements' },
  },
  job: { order: 'name', by: { parent: 'jobs_parent', pool: 'jobs_pool', status: 'jobs_status', outcome: 'jobs_outcome' } },
};

/** The filter that leaves the fewest rows, as far as that can be known without counting: most executions are done, and have succeeded. */
function leadOf({ kind, status, outcome, parent, pool, host }: ListQuery): Lead | undefined {
  if (kind === 'execution' && status && !status.includes('done')) return 'status';
  if (parent !== undefined) return 'parent';
  if (outcome && !outcome.includes('succeeded')) return 'outcome';
  if (host !== undefined) return 'host';
  if (pool !== undefined) return 'pool';
  if (outcome) return 'outcome';
  return status ? 'status' : undefined;
}

/**
 * The statements that answer a query together, each with its rows in order and one more than asked for, which tells whether there is a next
 * page. Of a lead with several values each gets its own: one for all would have to sort everything first.
 */
export function questionsOf(query: ListQuery): Question[] {
  const order = query.order ?? 'newest';
  const behind = query.cursor === undefined ? undefined : listPlace(order, query.cursor);
  const indexes = INDEXES[query.kind];
  const wanted = leadOf(query);
  const index = wanted && indexes?.order === order ? indexes.by[wanted] : undefined;
  if (wanted === undefined || index === undefined) return [question(query, order, behind)];
  const values = query[wanted];
  return [...new Set(typeof values === 'string' ? [values] : values)].map(value =>
    question(query, order, behind, { filter: wanted, index, value }),
  );
}

function question(
  query: ListQuery,
  order: ListOrder,
  behind: ListPlace | undefined,
  lead?: { filter: Lead; index: string; value: string },
): Question {
  const conditions: string[] = [];
  const values: Value[] = [];
  const where = (condition: string, ...bound: Value[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  // The kinds that have a lead are ours and known; a bound one would hide from SQLite that a partial index may be used.
  // By name without a lead the primary key gives the order (addresses begin with their kind), and the plus sign keeps other indexes away.
  if (lead) where(`kind = '${query.kind}'`);
  else where(order === 'name' ? '+kind = ?' : 'kind = ?', query.kind);
  where(`life <> 'tombstone'`);
  const byHost = lead?.filter === 'host';
  const [at, id] = byHost ? ['since', 'actor'] : ['at', '_id'];

  if (lead) where(`${lead.filter} = ?`, lead.value);
  const others = (['parent', 'pool', 'status', 'outcome'] as const).filter(filter => filter !== lead?.filter);
  for (const filter of others) {
    const asked = query[filter];
    if (typeof asked === 'string') where(`${filter} = ?`, asked);
    // One parameter however many there are, so that the statement stays the same.
    else if (asked) where(`${filter} in (select value from json_each(?))`, JSON.stringify(asked));
  }
  if (query.host !== undefined && !byHost) {
    where('exists (select 1 from placements where host = ? and since = at and actor = _id)', query.host);
  }
  if (query.from !== undefined) where(`${at} >= ?`, query.from);
  // Of two bounds on one side the index would take the first, which may be the wider one.
  if (query.to !== undefined && !(order === 'newest' && behind && behind.at < query.to)) where(`${at} < ?`, query.to);
  if (behind && order === 'newest') where(`(${at}, ${id}) < (?, ?)`, behind.at, behind.address);
  if (order === 'name' || query.prefix !== undefined) {
    const start = `${query.kind}/${query.prefix ?? ''}`;
    const isWithin = behind && order === 'name' && compareText(behind.address, start) >= 0;
    where(`${id} ${isWithin ? '>' : '>='} ?`, isWithin ? behind.address : start);
    where(`${id} < ?`, `${start}${LAST}`);
  }

  const from = byHost ? 'placements cross join actors on _id = actor' : `actors${indexedBy(order, lead?.index)}`;
  const orderBy = order === 'name' ? '_id' : `${at} desc, ${id} desc`;
  return {
    sql: `select ${ACTOR_COLUMNS} from ${from} where ${conditions.join(' and ')} order by ${orderBy} limit ?`,
    values: [...values, query.limit + 1],
  };
}

/** Behind everything that may stand in a name. */
const LAST = '\u{10ffff}';

const indexedBy = (order: ListOrder, lead: string | undefined): string => {
  const index = lead ?? (order === 'newest' ? 'actors_newest' : undefined);
  return index === undefined ? '' : ` indexed by ${index}`;
};
