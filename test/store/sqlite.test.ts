import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSqliteStore, createThreadedSqliteStore } from '../../src/store/sqlite.ts';
import { storeContract } from '../support/store-contract.ts';

const forms = { sqlite: createSqliteStore, 'sqlite with a thread that writes': createThreadedSqliteStore };

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
      async cleanup() {
        await store.close();
        await rm(directory, { recursive: true });
      },
    };
  });
}
