/** The store contract on SQLite. */
import { expect } from 'bun:test';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { createSqliteStore, createSqliteStoreWithWriter } from '../../src/store/sqlite/index.ts';
import { DAMAGED_TABLES } from '../support/store-contract/damaged.ts';
import { storeContract } from '../support/store-contract.ts';

const forms = { sqlite: createSqliteStore, 'sqlite with a thread that writes': createSqliteStoreWithWriter };

for (const [name, open] of Object.entries(forms)) {
  storeContract(name, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'troupe-store-'));
    let store = await open({ directory });
    return {
      store,
      async reopen() {
        await store.close();
        store = await open({ directory });
        return store;
      },
      async damage(table, column, value) {
        const row = DAMAGED_TABLES[table]?.id as string | { sqlite: number };
        const name = `"${column.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)}"`;
        const id = typeof row === 'string' ? row : row.sqlite;
        const db = new DatabaseSync(join(directory, 'troupe.sqlite'));
        // Triggers would read the inserted bytes; a damaged disk runs none.
        if (column === 'hosts') db.exec('drop trigger if exists placements_updated; drop trigger if exists failed_placements_updated');
        const before = db.prepare(`select ${name} as value from ${table} where _id = ?`).get(id) as { value: SQLInputValue };
        const put = (what: SQLInputValue) =>
          expect(db.prepare(`update ${table} set ${name} = ? where _id = ?`).run(what, id).changes).toBe(1);
        // The largest number of a database is beyond those of JavaScript.
        put(value === 2 ** 60 ? 9_223_372_036_854_775_807n : (value as SQLInputValue));
        return async () => {
          put(before.value);
          db.close();
        };
      },
      async cleanup() {
        await store.close();
        await rm(directory, { recursive: true });
      },
    };
  });
}
