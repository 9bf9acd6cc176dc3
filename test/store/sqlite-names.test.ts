/**
 * The prepared statements of SQLite take their names from the entities: each is prepared against
 * tables that the ORM made of them, and its result columns have the names of their properties.
 */
import { beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { MikroORM, NodeSqliteDialect, SqliteDriver } from '@mikro-orm/sql';
import { entities } from '../../src/store/entities.ts';
import type { ListQuery } from '../../src/store/port.ts';
import { migrate } from '../../src/store/sqlite/migrate.ts';
import { openSqliteWrites } from '../../src/store/sqlite/open.ts';
import { openSqliteReads } from '../../src/store/sqlite/open-reads.ts';
import { SQLITE_SCHEMA } from '../../src/store/sqlite/upgrades.ts';
import { tempDir } from '../support/temp-dir.ts';

/**
 * Result columns that are no property by that name: `_id` and what is selected to count or skip.
 */
const ALIASES: Record<string, string[]> = { _id: ['address', 'sequence'], parent: ['job'] };
/** Tables that are no entities: kept by triggers, and of SQLite itself. */
const BESIDE = new Set(['placements', 'failed_placements', 'sqlite_sequence', 'sqlite_master', 'json_each']);
/** What each table has beside its columns; '' reads none of them. */
const NO_COLUMNS = new Set(['', 'ROWID']);
/** Actions of SQLite: insert into, delete from; read, update. */
const NAMES_TABLE = new Set([18, 9]);
const NAMES_COLUMN = new Set([20, 23]);

let directory: string;
let statements: string[];
/** Property by column, by table. */
let known: Map<string, Map<string, string>>;

/** Every statement that is prepared until `work` is done. */
async function preparedBy(work: () => Promise<void>): Promise<string[]> {
  const { prepare } = DatabaseSync.prototype;
  const seen = new Set<string>();
  DatabaseSync.prototype.prepare = function (this: DatabaseSync, sql: string) {
    seen.add(sql);
    return prepare.call(this, sql);
  };
  try {
    await work();
  } finally {
    DatabaseSync.prototype.prepare = prepare;
  }
  return [...seen];
}

/** Each subset of the filters, in both orders, from the start and behind a page. */
function* queries(): Generator<ListQuery> {
  const filters = { parent: 'p', pool: 'o', status: ['idle'], outcome: ['failed'], host: 'h', prefix: 'n', from: 1, to: 9 };
  const others = {
    alias: 'a',
    group: 'g',
    text: 't',
    states: [{ status: 'idle', outcome: [null] }, { status: 'done' }],
    offset: 1,
    total: true,
  };
  const names = Object.keys(filters) as (keyof typeof filters)[];
  for (const kind of ['execution', 'job', 'host'] as const) {
    for (const order of ['newest', 'name', 'ended'] as const) {
      for (const [name, value] of Object.entries(others)) yield { kind, order, limit: 1, [name]: value } as ListQuery;
      yield { kind, order, limit: 1, ...others };
    }
  }
  for (let bits = 0; bits < 2 ** names.length; bits++) {
    const some = Object.fromEntries(names.filter((_, nth) => bits & (1 << nth)).map(name => [name, filters[name]]));
    for (const kind of ['execution', 'job', 'host'] as const) {
      for (const order of ['newest', 'name', 'ended'] as const) yield { kind, order, limit: 1, ...some } as ListQuery;
    }
  }
}

async function useAll(): Promise<void> {
  const writes = await openSqliteWrites({ directory });
  const { reads, close } = openSqliteReads(directory);
  for (const query of queries()) await reads.list(query);
  const after = { item: 0, attempt: 1, seq: 1 };
  for (const filter of [{}, { item: 0 }, { stream: 'stdout' as const }, { after }, { item: 0, stream: 'stderr' as const, after }]) {
    for (const order of ['oldest', 'newest'] as const) await reads.output({ execution: 'e', limit: 1, order, ...filter });
  }
  for (const range of [undefined, { item: 0, attempt: 1, from: 0, to: 1 }]) {
    await reads.outputSums({ executions: ['e'], ...(range && { range }) });
  }
  const file = { uploadedAt: 1, sha256: 's', name: 'n' };
  for (const filter of [{}, { sha256: 's' }, { md5: 'm' }, { name: 'n' }]) {
    for (const position of [{}, { after: file }]) await reads.fileRows({ limit: 1, ...filter, ...position });
  }
  const position = { at: 1, id: 'i' };
  for (const filter of [{}, { stat: 0 }, { from: 1 }, { to: 9 }, { after: position }, { stat: 0, from: 1, to: 9, after: position }]) {
    await reads.postedLogs({ job: 'j', limit: 1, ...filter });
    await reads.countPostedLogs({ job: 'j', ...filter });
  }
  writes.writes.claim('center', { from: 0, to: 255 });
  writes.writes.claim('center', { from: 0, to: 255 }, 1);
  close();
  writes.close();
}

beforeAll(async () => {
  directory = tempDir('names');
  const file = join(directory, 'troupe.sqlite');
  await migrate(file, { pageBytes: 2_048, to: SQLITE_SCHEMA, sql: [] });
  const orm = await MikroORM.init({
    driver: SqliteDriver,
    driverOptions: new NodeSqliteDialect(file),
    dbName: file,
    entities: [...entities],
  });
  const metas = [...orm.getMetadata()].filter(({ tableName }) => tableName);
  known = new Map(
    metas.map(({ tableName, props }) => [tableName, new Map(props.map(({ fieldNames, name }) => [String(fieldNames[0]), name]))]),
  );
  await orm.close();
  statements = await preparedBy(useAll);
});

describe('the statements of SQLite', () => {
  test('the statements of SQLite are many, and reach every table of the entities', () => {
    expect(statements.length).toBeGreaterThan(60);
    const unused = [...known.keys()].filter(table => !statements.some(sql => new RegExp(`\\b${table}\\b`).test(sql)));
    expect(unused).toEqual([]);
  });

  test('name no table and no column but those that the ORM made of the entities', () => {
    const db = new DatabaseSync(join(directory, 'troupe.sqlite'));
    const strange = new Set<string>();
    db.setAuthorizer((action, table, column) => {
      const columns = known.get(String(table));
      const isKnown = columns
        ? !NAMES_COLUMN.has(action) || columns.has(String(column)) || NO_COLUMNS.has(String(column))
        : BESIDE.has(String(table));
      if ((NAMES_COLUMN.has(action) || NAMES_TABLE.has(action)) && !isKnown) strange.add(`${table}.${column}`);
      return 0;
    });
    for (const sql of statements) db.prepare(sql);
    db.close();
    expect([...strange]).toEqual([]);
  });

  test('give each column back by the name of its property', () => {
    const db = new DatabaseSync(join(directory, 'troupe.sqlite'));
    const strange = statements.flatMap(sql =>
      db
        .prepare(sql)
        .columns()
        .filter(({ table, column, name }) => {
          const property = known.get(String(table))?.get(String(column));
          return property !== undefined && name !== property && !ALIASES[property]?.includes(name);
        })
        .map(({ table, column, name }) => `${table}.${column} as ${name}`),
    );
    db.close();
    expect([...new Set(strange)]).toEqual([]);
  });

  test('statements of SQLite with an unknown name are refused, in quotes too', () => {
    const db = new DatabaseSync(join(directory, 'troupe.sqlite'));
    for (const name of ['fromm', '"fromm"', '`fromm`']) {
      expect(() => db.prepare(`select ${name} from occurrences`)).toThrow('no such column');
    }
    db.close();
  });
});
