/**
 * Lists of actors. One filter of a query leads: its index gives the page in the order of the list,
 * and the other filters are checked row by row. `indexed by` forces that index: SQLite refuses a
 * query that it does not fit.
 */
import type { StatementSync } from 'node:sqlite';
import { type ListOrder, type ListPosition, listCursor, listPosition } from '../cursor.ts';
import { compareText } from '../order.ts';
import type { ActorStore, ListQuery } from '../port.ts';
import { ACTOR_COLUMNS, documentOfRow, type StoredActor } from './actor-rows.ts';
import { type ReadConnection, rows } from './connections.ts';

type Value = string | number;

/** A statement and its bound values. */
export interface ListStatement {
  sql: string;
  values: Value[];
}

export function listReads({ reader, read }: ReadConnection): Pick<ActorStore, 'list'> {
  /** Keyed by their text: one per combination of filters in use. */
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => {
    const known = statements.get(sql) ?? reader.prepare(sql);
    statements.set(sql, known);
    return known;
  };

  /**
   * Whether the parent has too many children to check each. Runs only where it decides the leading
   * filter.
   */
  const hasManyChildren = ({ kind, parent, host }: ListQuery): boolean => {
    if (kind !== 'execution' || parent === undefined || host === undefined) return false;
    return rows<{ count: number }>(prepared(COUNT_CHILDREN), parent, MANY_CHILDREN)[0]?.count === MANY_CHILDREN;
  };

  return {
    async list(query) {
      const order = query.order ?? 'newest';
      const pages = read(() =>
        questionsOf(query, hasManyChildren(query)).map(({ sql, values }) => rows<StoredActor>(prepared(sql), ...values)),
      );
      const found = pages.length === 1 ? pages.flat() : pages.flat().sort(inOrder(order));
      const shown = found.slice(0, query.limit);
      const last = shown.at(-1);
      return { items: shown.map(documentOfRow), next: last && found.length > shown.length ? listCursor(order, last) : null };
    },
  };
}

function inOrder(order: ListOrder) {
  return (a: ListPosition, b: ListPosition) =>
    order === 'name' ? compareText(a.address, b.address) : b.at - a.at || compareText(b.address, a.address);
}

type Lead = 'parent' | 'pool' | 'status' | 'outcome' | 'host';

/** Up to this number of children of one parent each is checked. */
const MANY_CHILDREN = 1_000;
const COUNT_CHILDREN = `select count(*) as count from
  (select 1 from actors indexed by executions_parent where kind = 'execution' and parent = ? limit ?)`;

interface Way {
  filter: Lead;
  /** The index, or the table beside the actors, with the page in order. */
  by: string;
}

const TABLES: ReadonlySet<string> = new Set(['placements', 'failed_placements']);

/** The index of each leading filter: executions are listed newest first, jobs by name. */
const INDEXES: Record<string, { order: ListOrder; by: Partial<Record<Lead, string>> }> = {
  execution: {
    order: 'newest',
    by: { parent: 'executions_parent', status: 'executions_status', outcome: 'executions_outcome', host: 'placements' },
  },
  job: { order: 'name', by: { parent: 'jobs_parent', pool: 'jobs_pool', status: 'jobs_status', outcome: 'jobs_outcome' } },
};

/**
 * The filter with probably the fewest rows, without counting: most executions are done and have
 * succeeded.
 */
function wayOf(query: ListQuery, order: ListOrder, hasManyChildren: boolean): Way | undefined {
  const indexes = INDEXES[query.kind];
  const filter = leadOf(query, hasManyChildren);
  const by = filter && indexes?.order === order ? indexes.by[filter] : undefined;
  if (filter === undefined || by === undefined) return undefined;
  if (query.kind === 'execution' && filter === 'outcome' && hasFailed(query)) {
    if (query.host !== undefined) return { filter, by: 'failed_placements' };
    if (query.parent !== undefined) return { filter, by: 'executions_failed' };
  }
  return { filter, by };
}

const hasFailed = ({ outcome }: ListQuery): boolean => outcome !== undefined && !outcome.includes('succeeded');

function leadOf(query: ListQuery, hasManyChildren: boolean): Lead | undefined {
  const { status, outcome, parent, pool, host } = query;
  const isExecution = query.kind === 'execution';
  if (isExecution && status && !status.includes('done')) return 'status';
  // Failures of a job or on a host have an index of their own.
  if (isExecution && hasFailed(query)) return 'outcome';
  if (parent !== undefined && !hasManyChildren) return 'parent';
  if (hasFailed(query)) return 'outcome';
  if (host !== undefined) return 'host';
  if (pool !== undefined) return 'pool';
  if (outcome) return 'outcome';
  return status ? 'status' : undefined;
}

/**
 * The statements that together answer a query. Each returns its rows in order, and one row more
 * than the limit to show whether a next page exists. A leading filter with several values has one
 * statement per value, because a common one would sort all rows. `hasManyChildren`: the parent has
 * very many.
 */
export function questionsOf(query: ListQuery, hasManyChildren = false): ListStatement[] {
  const order = query.order ?? 'newest';
  const behind = query.cursor === undefined ? undefined : listPosition(order, query.cursor);
  const way = wayOf(query, order, hasManyChildren);
  if (!way) return [question(query, order, behind)];
  const values = query[way.filter];
  return [...new Set(typeof values === 'string' ? [values] : values)].map(value => question(query, order, behind, { ...way, value }));
}

function question(query: ListQuery, order: ListOrder, behind: ListPosition | undefined, way?: Way & { value: string }): ListStatement {
  const conditions: string[] = [];
  const values: Value[] = [];
  const where = (condition: string, ...bound: Value[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  // Kinds with a leading filter are constants: with a bound value SQLite could not choose a partial
  // index. By name without a leading filter the primary key gives the order (addresses begin with
  // their kind), and the plus sign excludes other indexes.
  if (way) where(`kind = '${query.kind}'`);
  else where(order === 'name' ? '+kind = ?' : 'kind = ?', query.kind);
  where(`life <> 'tombstone'`);
  const table = way && TABLES.has(way.by) ? way.by : undefined;
  const [at, id, parent, outcome] = table ? ['since', 'actor', 'job', table === 'failed_placements' ? 'ended' : 'outcome'] : PLAIN_COLUMNS;
  const columns = { parent, pool: 'pool', status: 'status', outcome, host: 'host' };

  if (way) where(`${columns[way.filter]} = ?`, way.value);
  if (way?.by === 'executions_failed') where(`outcome <> 'succeeded'`);
  const others = (['parent', 'pool', 'status', 'outcome'] as const).filter(filter => filter !== way?.filter);
  for (const filter of others) {
    const asked = query[filter];
    if (typeof asked === 'string') where(`${columns[filter]} = ?`, asked);
    // One parameter for any number of values keeps the statement the same.
    else if (asked) where(`${columns[filter]} in (select value from json_each(?))`, JSON.stringify(asked));
  }
  if (query.host !== undefined && way?.filter !== 'host') {
    if (table) where('host = ?', query.host);
    else where('exists (select 1 from placements where host = ? and since = at and actor = _id)', query.host);
  }
  if (query.from !== undefined) where(`${at} >= ?`, query.from);
  // Of two upper bounds the index would use the first, which may be the wider one.
  if (query.to !== undefined && !(order === 'newest' && behind && behind.at < query.to)) where(`${at} < ?`, query.to);
  if (behind && order === 'newest') where(`(${at}, ${id}) < (?, ?)`, behind.at, behind.address);
  if (order === 'name' || query.prefix !== undefined) {
    const start = `${query.kind}/${query.prefix ?? ''}`;
    const isWithin = behind && order === 'name' && compareText(behind.address, start) >= 0;
    where(`${id} ${isWithin ? '>' : '>='} ?`, isWithin ? behind.address : start);
    where(`${id} < ?`, `${start}${LAST}`);
  }

  const from = table ? `${table} cross join actors on _id = actor` : `actors${indexedBy(order, way?.by)}`;
  const orderBy = order === 'name' ? '_id' : `${at} desc, ${id} desc`;
  return {
    sql: `select ${ACTOR_COLUMNS} from ${from} where ${conditions.join(' and ')} order by ${orderBy} limit ?`,
    values: [...values, query.limit + 1],
  };
}

const PLAIN_COLUMNS = ['at', '_id', 'parent', 'outcome'];

/** Sorts after every character of a name. */
const LAST = '\u{10ffff}';

const indexedBy = (order: ListOrder, by: string | undefined): string => {
  const index = by ?? (order === 'newest' ? 'actors_newest' : undefined);
  return index === undefined ? '' : ` indexed by ${index}`;
};
