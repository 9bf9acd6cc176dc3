/** The contract of every store, on MongoDB or what stands in for it. */
import { describe, test } from 'bun:test';
import { systemClock } from '../../src/clock.ts';
import { createMongoStore } from '../../src/store/mongo.ts';
import { mongoServer } from '../support/mongo.ts';
import { storeContract } from '../support/store-contract.ts';

const server = await mongoServer();

if (!server) describe('the mongodb store', () => test.skip('keeps the contract (no server)', () => {}));
else {
  storeContract(`mongodb (${server.kind})`, async () => {
    const database = server.database();
    const open = () => createMongoStore({ url: database.url, clock: systemClock, drawId: () => crypto.randomUUID() });
    let store = await open();
    return {
      store,
      async reopen() {
        await store.close();
        store = await open();
        return store;
      },
      async cleanup() {
        await store.close();
        await database.drop();
      },
    };
  });
}
