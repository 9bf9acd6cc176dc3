/** The contract of every store, on MongoDB or what stands in for it. */
import { describe, expect, test } from 'bun:test';
import { openOrm } from '../../src/store/mongo/connection.ts';
import { mongoServers } from '../support/mongo.ts';
import { aMongoStore } from '../support/mongo-store.ts';
import { DAMAGED_TABLES } from '../support/store-contract/damaged.ts';
import { storeContract } from '../support/store-contract.ts';

const servers = await mongoServers();

if (servers.length === 0) describe('the mongodb store', () => test.skip('the mongodb store keeps the contract (no server)', () => {}));
for (const server of servers) {
  storeContract(`mongodb (${server.kind})`, async () => {
    const database = server.database();
    const open = () => aMongoStore({ url: database.url });
    let store = await open();
    let orm: Awaited<ReturnType<typeof openOrm>> | undefined;
    return {
      store,
      async reopen() {
        await store.close();
        store = await open();
        return store;
      },
      async damage(table, column, value) {
        const row = DAMAGED_TABLES[table]?.id as string | { mongodb: string };
        orm ??= await openOrm(database.url);
        const collection = orm.em.getCollection<{ _id: string }>(table);
        const filter = { _id: typeof row === 'string' ? row : row.mongodb };
        const before = (await collection.findOne(filter)) as unknown as Record<string, unknown>;
        const put = (what: unknown) => collection.updateOne(filter, { $set: { [column]: what } });
        expect((await put(value)).matchedCount).toBe(1);
        return async () => void (await put(before[column]));
      },
      async cleanup() {
        await orm?.close();
        await store.close();
        // One of ours ends with the tests; on the slower one a drop takes longer than most tests.
        if (!server.isOurs) await database.drop();
      },
    };
  });
}
