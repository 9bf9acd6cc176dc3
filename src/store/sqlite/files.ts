/** Names of files. They change rarely, and their content is beside the database. */
import type { StatementSync } from 'node:sqlite';
import type { FileRows, FileTotals, StoredFile } from '../file-port.ts';
import { fileId } from '../record-ids.ts';
import type { Sync } from '../sync.ts';
import { type ReadConnection, rows, type WriteConnection } from './connections.ts';

export function fileWrites({ writer, transact }: WriteConnection): Sync<Pick<FileRows, 'putFileRow' | 'removeFileRow'>> {
  const put = writer.prepare(
    'insert or replace into files (_id, name, sha256, md5, bytes, uploaded_at, needed_at) values (?, ?, ?, ?, ?, ?, ?)',
  );
  const removal = writer.prepare('delete from files where _id = ?');

  return {
    putFileRow({ name, sha256, md5, bytes, uploadedAt, neededAt }) {
      transact(() => void put.run(fileId({ sha256, name }), name, sha256, md5, bytes, uploadedAt, neededAt));
    },
    removeFileRow(file) {
      transact(() => void removal.run(fileId(file)));
    },
  };
}

export function fileReads({ reader, read }: ReadConnection): Pick<FileRows, 'fileRows' | 'fileTotals'> {
  /** Keyed by their text: one per combination of filters. */
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => {
    const known = statements.get(sql) ?? reader.prepare(sql);
    statements.set(sql, known);
    return known;
  };
  const totals = reader.prepare(
    `select (select count(*) from files) as files,
       (select coalesce(sum(bytes), 0) from (select bytes from files group by sha256)) as bytes`,
  );

  return {
    async fileRows({ sha256, md5, name, after, limit }) {
      const filters = Object.entries({ sha256, md5, name }).filter((each): each is [string, string] => each[1] !== undefined);
      const conditions = filters.map(([column]) => `${column} = ?`);
      if (after) conditions.push('(uploaded_at, _id) < (?, ?)');
      const sql = `select name, sha256, md5, bytes, uploaded_at as uploadedAt, needed_at as neededAt from files
        ${conditions.length === 0 ? '' : `where ${conditions.join(' and ')}`} order by uploaded_at desc, _id desc limit ?`;
      const values = [...filters.map(([, value]) => value), ...(after ? [after.uploadedAt, fileId(after)] : [])];
      return read(() => rows<StoredFile>(prepared(sql), ...values, limit)).map(row => ({ ...row }));
    },
    async fileTotals() {
      const [found] = read(() => rows<FileTotals>(totals));
      return { files: found?.files ?? 0, bytes: found?.bytes ?? 0 };
    },
  };
}
