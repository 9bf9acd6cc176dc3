/**
 * The ORM brings the tables to what the entities say; what it does not know is added, and rows of
 * an older version get what is new.
 */
import { MikroORM, NodeSqliteDialect, SqliteDriver } from '@mikro-orm/sql';
import type { StoredFormat } from '../../lib/stored-format.ts';
import { entities } from '../entities.ts';
import { formatRows } from './initial-schema.ts';
import { PLACEMENTS } from './placements.ts';

/**
 * Safe to run again after a crash in the middle: the version is written last, with its
 * fingerprint. `safe` never drops a column or table.
 */
export async function migrate(file: string, { pageBytes, to, sql }: { pageBytes: number; to: StoredFormat; sql: string[] }): Promise<void> {
  const orm = await MikroORM.init({
    driver: SqliteDriver,
    driverOptions: new NodeSqliteDialect(file),
    dbName: file,
    entities: [...entities],
  });
  try {
    // Heeded only while the file is empty, and never once the log exists.
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
