/**
 * The ORM updates the tables to match the entities: it adds what is missing, and the upgrades fill
 * rows of an older version.
 */
import { MikroORM, NodeSqliteDialect, SqliteDriver } from '@mikro-orm/sql';
import type { StoredFormat } from '../../lib/stored-format.ts';
import { entities } from '../entities.ts';
import { formatRows } from './initial-schema.ts';
import { PLACEMENTS } from './placements.ts';

/**
 * Idempotent, also after a crash in the middle: version and fingerprint are written last. `safe`
 * never drops a column or table.
 */
export async function migrate(file: string, { pageBytes, to, sql }: { pageBytes: number; to: StoredFormat; sql: string[] }): Promise<void> {
  const orm = await MikroORM.init({
    driver: SqliteDriver,
    driverOptions: new NodeSqliteDialect(file),
    dbName: file,
    entities: [...entities],
  });
  try {
    // SQLite applies the page size only while the file is empty and has no WAL.
    await orm.em.execute(`pragma page_size = ${pageBytes}`);
    await orm.em.execute('pragma journal_mode = wal');
    await orm.em.execute('pragma synchronous = full');
    await orm.schema.update({ safe: true });
    for (const statement of [...PLACEMENTS, ...sql]) await orm.em.execute(statement);
    await orm.em.execute(`insert or ignore into meta (_id, value) values ('probe', 0), ('revision', 0)`);
    await orm.em.execute(`insert or replace into meta (_id, value) values ${formatRows(to)}`);
  } finally {
    await orm.close();
  }
}
