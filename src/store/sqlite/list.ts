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

  const answers = <T extends object>(questions: ListStatement[]): T[] =>
    questions.flatMap(({ sql, values }) => rows<T>(prepared(sql), ...values));

  /** The rows of a page in order, with one row more where there is a next page. */
  const pageOf = (query: ListQuery, isCrowded: boolean): StoredActor[] => {
    const order = query.order ?? 'newest';
    const { limit, offset = 0 } = query;
    const questions = questionsOf(query, isCrowded);
    if (questions.length <= 1) return answers(questions);
    if (offset === 0) return answers<StoredActor>(questions).sort(inOrder(order));
    // Rows are long. Those before the page are skipped by their positions.
    const positions = answers<ListPosition>(questionsOf(query, isCrowded, 'positions')).sort(inOrder(order));
    const addresses = positions.slice(offset, offset + limit + 1).map(({ address }) => address);
    return rows<StoredActor>(prepared(BY_ADDRESS), JSON.stringify(addresses)).sort(inOrder(order));
  };

  const totalOf = (query: ListQuery, isCrowded: boolean): number =>
    answers<{ count: number }>(questionsOf(query, isCrowded, 'count')).reduce((sum, { count }) => sum + count, 0);

  return {
    async list(query) {
      const order = query.order ?? 'newest';
      const { found, total } = read(() => {
        const isCrowded = hasManyChildren(query);
        return { found: pageOf(query, isCrowded), total: query.total ? totalOf(query, isCrowded) : undefined };
      });
      const shown = found.slice(0, query.limit);
      const last = shown.at(-1);
      const next = last && found.length > shown.length ? listCursor(order, positionOf(last, order)) : null;
      return { items: shown.map(documentOfRow), next, ...(total !== undefined && { total }) };
    },
  };
}

const positionOf = ({ address, at, endedAt }: StoredActor, order: ListOrder): ListPosition => ({
  at: order === 'ended' ? Number(endedAt) : at,
  address,
});

const BY_ADDRESS = `select ${ACTOR_COLUMNS} from actors where _id in (select value from json_each(?))`;

function inOrder(order: ListOrder) {
  return (a: ListPosition, b: ListPosition) =>
    order === 'name' ? compareText(a.address, b.address) : b.at - a.at || compareText(b.address, a.address);
}

type Lead = 'parent' | 'pool' | 'alias' | 'group' | 'status' | 'outcome' | 'host';

/** Up to this number of children of one parent each is checked. */
const MANY_CHILDREN = 1_000;
const COUNT_CHILDREN = `select count(*) as count from
  (select 1 from actors indexed by executions_parent where kind = 'execution' and parent = ? limit ?)`;

interface Way {
  /** Undefined: all of the kind. */
  filter?: Lead;
  /** The index, or the table beside the actors, with the page in order. */
  by: string;
}

const TABLES: ReadonlySet<string> = new Set(['placements', 'failed_placements']);

/**
 * The index of each leading filter, and of all: executions are listed newest first, jobs by name.
 */
const INDEXES: Record<string, { order: ListOrder; by: Partial<Record<Lead | 'all', string>> }> = {
  execution: {
    order: 'newest',
    by: { parent: 'executions_parent', status: 'executions_status', outcome: 'executions_outcome', host: 'placements' },
  },
  job: {
    order: 'name',
    by: {
      alias: 'jobs_alias',
      parent: 'jobs_parent',
      status: 'jobs_status',
      outcome: 'jobs_outcome',
      group: 'jobs_group',
      pool: 'jobs_pool',
      all: 'jobs_name',
    },
  },
};

function wayOf(query: ListQuery, order: ListOrder, hasManyChildren: boolean): Way | undefined {
  if (order === 'ended')
    return query.kind === 'execution' && query.parent !== undefined ? { filter: 'parent', by: 'executions_ended' } : undefined;
  const indexes = INDEXES[query.kind];
  const filter = leadOf(query, hasManyChildren);
  const by = indexes?.order === order ? indexes.by[filter ?? 'all'] : undefined;
  if (by === undefined) return undefined;
  if (filter === undefined) return { by };
  if (query.kind === 'execution' && filter === 'outcome' && hasFailed(query)) {
    if (query.host !== undefined) return { filter, by: 'failed_placements' };
    if (query.parent !== undefined) return { filter, by: 'executions_failed' };
  }
  return { filter, by };
}

const hasFailed = ({ outcome }: ListQuery): boolean => outcome !== undefined && !outcome.includes('succeeded');

/**
 * Of jobs. An app leads because it has few jobs. The index of each other filter has the columns of
 * all filters behind it here, so that a count reads no rows.
 */
const LEADS_OF_JOBS = ['alias', 'parent', 'status', 'outcome', 'group', 'pool'] as const satisfies Lead[];

/**
 * The filter with probably the fewest rows, without counting: most executions are done and have
 * succeeded.
 */
function leadOf(query: ListQuery, hasManyChildren: boolean): Lead | undefined {
  const { kind, status, states, outcome, parent, host } = query;
  if (states) return 'status';
  if (kind === 'job') return LEADS_OF_JOBS.find(filter => query[filter] !== undefined);
  if (status && !status.includes('done')) return 'status';
  // Failures of a job or on a host have an index of their own.
  if (hasFailed(query)) return 'outcome';
  if (parent !== undefined && !hasManyChildren) return 'parent';
  if (host !== undefined) return 'host';
  if (outcome) return 'outcome';
  return status ? 'status' : undefined;
}

/** What a statement selects: whole rows, the positions of the same rows, or how many match. */
type Want = 'rows' | 'positions' | 'count';

/** One value of the leading filter; of `states` also its outcomes. */
interface Leader {
  value: string;
  outcome?: (string | null)[] | undefined;
}

/**
 * The statements that together answer a query. Each returns its rows in order, and one row more
 * than the limit to show whether a next page exists. A leading filter with several values has one
 * statement per value, because a common one would sort all rows; each also returns the rows before
 * the page. `hasManyChildren`: the parent has very many.
 */
export function questionsOf(query: ListQuery, hasManyChildren = false, want: Want = 'rows'): ListStatement[] {
  const order = query.order ?? 'newest';
  const behind = query.cursor === undefined || want === 'count' ? undefined : listPosition(order, query.cursor);
  const way = wayOf(query, order, hasManyChildren);
  const leaders = way?.filter === undefined ? [undefined] : leadersOf(query, way.filter);
  const { limit, offset = 0 } = query;
  const span: Value[] = leaders.length > 1 ? [limit + offset + 1, 0] : [limit + 1, offset];
  return leaders.map(leader => question({ query, want, order, behind, way, leader, span }));
}

function leadersOf({ states, ...query }: ListQuery, filter: Lead): Leader[] {
  if (states) return states.map(({ status, outcome }) => ({ value: status, outcome }));
  const values = query[filter];
  return [...new Set(typeof values === 'string' ? [values] : values)].map(value => ({ value }));
}

interface Question {
  query: ListQuery;
  want: Want;
  order: ListOrder;
  behind: ListPosition | undefined;
  way: Way | undefined;
  leader: Leader | undefined;
  /** Limit and offset. */
  span: Value[];
}

function question({ query, want, order, behind, way, leader, span }: Question): ListStatement {
  const conditions: string[] = [];
  const values: Value[] = [];
  const where: Where = (condition, ...bound) => {
    conditions.push(condition);
    values.push(...bound);
  };
  // Kinds with a leading filter are constants: with a bound value SQLite could not choose a partial
  // index. By name without an index of its own the primary key gives the order (addresses begin
  // with their kind), and the plus sign excludes other indexes.
  if (way) where(`kind = '${query.kind}'`);
  else where(order === 'name' ? '+kind = ?' : 'kind = ?', query.kind);
  where('listed = true');
  if (order === 'ended') where('ended_at is not null');
  const table = way && TABLES.has(way.by) ? way.by : undefined;
  const columns = columnsOf(table, order);
  const { at, id } = columns;

  if (way?.filter && leader) where(...isLed(columns[way.filter], columns.outcome, leader));
  else if (query.states) {
    const states = leadersOf(query, 'status').map(state => isLed('status', columns.outcome, state));
    where(`(${states.map(([condition]) => condition).join(' or ') || 'false'})`, ...states.flatMap(([, ...bound]) => bound));
  }
  if (way?.by === 'executions_failed') where(`outcome <> 'succeeded'`);
  filterRows(query, { columns, lead: way?.filter, table, where });
  if (query.from !== undefined) where(`${at} >= ?`, query.from);
  // Of two upper bounds the index would use the first, which may be the wider one.
  if (query.to !== undefined && !(order !== 'name' && behind && behind.at < query.to)) where(`${at} < ?`, query.to);
  if (behind && order !== 'name') where(`(${at}, ${id}) < (?, ?)`, behind.at, behind.address);
  if (order === 'name' || query.prefix !== undefined) {
    const start = `${query.kind}/${query.prefix ?? ''}`;
    const isWithin = behind && order === 'name' && compareText(behind.address, start) >= 0;
    where(`${id} ${isWithin ? '>' : '>='} ?`, isWithin ? behind.address : start);
    where(`${id} < ?`, `${start}${LAST}`);
  }

  const from = table ? `${table} cross join actors on _id = actor` : `actors${indexedBy(order, way?.by)}`;
  const matching = `from ${from} where ${conditions.join(' and ')}`;
  if (want === 'count') return { sql: `select count(*) as count ${matching}`, values };
  const orderBy = order === 'name' ? '_id' : `${at} desc, ${id} desc`;
  // By name the index has no instant, and nothing reads it.
  const position = order === 'name' ? '_id as address, 0 as at' : `${id} as address, ${at} as at`;
  const selected = want === 'rows' ? ACTOR_COLUMNS : position;
  return { sql: `select ${selected} ${matching} order by ${orderBy} limit ? offset ?`, values: [...values, ...span] };
}

type Where = (condition: string, ...bound: Value[]) => void;
type Columns = Record<Lead | 'at' | 'id', string>;

const columnsOf = (table: string | undefined, order: ListOrder): Columns => ({
  pool: 'pool',
  alias: 'alias',
  group: '"group"',
  status: 'status',
  host: 'host',
  ...(table
    ? { at: 'since', id: 'actor', parent: 'job', outcome: table === 'failed_placements' ? 'ended' : 'outcome' }
    : { at: order === 'ended' ? 'ended_at' : 'at', id: '_id', parent: 'parent', outcome: 'outcome' }),
});

/** A condition with its bound values. */
function isLed(column: string, outcomeColumn: string, { value, outcome }: Leader): [string, ...Value[]] {
  if (!outcome) return [`${column} = ?`, value];
  const outcomes = JSON.stringify(outcome.map(each => each ?? ''));
  return [`(${column} = ? and ifnull(${outcomeColumn}, '') in (select value from json_each(?)))`, value, outcomes];
}

/** The filters beside the leading one. */
function filterRows(
  query: ListQuery,
  { columns, lead, table, where }: { columns: Columns; lead: Lead | undefined; table: string | undefined; where: Where },
): void {
  const others = (['parent', 'pool', 'alias', 'group', 'status', 'outcome'] as const).filter(
    filter => filter !== lead || (query.states && filter === 'status'),
  );
  for (const filter of others) {
    const asked = query[filter];
    if (typeof asked === 'string') where(`${columns[filter]} = ?`, asked);
    // One parameter for any number of values keeps the statement the same.
    else if (asked) where(`${columns[filter]} in (select value from json_each(?))`, JSON.stringify(asked));
  }
  if (query.text !== undefined) where(`${columns.id} like ? escape '^'`, `${query.kind}/%${query.text.replace(/[%_^]/g, '^$&')}%`);
  if (query.host !== undefined && lead !== 'host') {
    if (table) where('host = ?', query.host);
    else where('exists (select 1 from placements where host = ? and since = at and actor = _id)', query.host);
  }
}

/** Sorts after every character of a name. */
const LAST = '\u{10ffff}';

const indexedBy = (order: ListOrder, by: string | undefined): string => {
  const index = by ?? (order === 'newest' ? 'actors_newest' : undefined);
  return index === undefined ? '' : ` indexed by ${index}`;
};
