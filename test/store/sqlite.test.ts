import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteStore } from '../../src/store/sqlite.ts';
import { storeContract } from '../support/store-contract.ts';

storeContract('sqlite', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'troupe-store-'));
  let store = await createSqliteStore({ directory });
  return {
    store,
    async reopen() {
      await store.close();
      store = await createSqliteStore({ directory });
      return store;
    },
    async cleanup() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
});
