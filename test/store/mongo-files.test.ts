/** Files in GridFS: nothing stays of an upload that ended early. */
import { describe, expect, test } from 'bun:test';
import { ObjectId } from 'mongodb';
import { openOrm } from '../../src/store/mongo/connection.ts';
import { mongoServers } from '../support/mongo.ts';
import { aMongoStore } from '../support/mongo-store.ts';
import { hex, piecesOf, someBytes } from '../support/store-contract/files.ts';

const servers = await mongoServers();
const HOUR_MS = 3_600_000;

describe('files in GridFS', () => {
  // nx-27017 answers no query on the chunks of GridFS.
  const showing = servers.filter(({ kind }) => !kind.startsWith('nx-27017'));
  if (showing.length === 0) test.skip('files in GridFS leave no chunks behind (no server that shows them)', () => {});
  for (const server of showing) {
    test(`files in GridFS leave no chunks behind, neither of a broken upload nor of a center that died (${server.kind})`, async () => {
      const database = server.database();
      const store = await aMongoStore({ url: database.url });
      const orm = await openOrm(database.url);
      const chunks = orm.driver.getConnection().getDb().collection('content.chunks');
      const owners = async () => new Set((await chunks.find({}).toArray()).map(({ files_id }) => String(files_id)));
      const bytes = someBytes(2_500_000);
      await store.files.put({ name: 'whole', bytes: piecesOf(bytes, 100_000), at: 1 });
      const kept = await owners();
      expect(kept.size).toBe(1);

      const broken = async function* () {
        yield* piecesOf(someBytes(2_500_000, 2), 100_000);
        throw new Error('the client is gone');
      };
      await expect(store.files.put({ name: 'broken', bytes: broken(), at: 2 })).rejects.toThrow('the client is gone');
      expect(await owners()).toEqual(kept);

      // As a center leaves them that is killed before it names the file.
      const old = ObjectId.createFromTime(Math.floor((Date.now() - 2 * HOUR_MS) / 1_000));
      const fresh = new ObjectId();
      for (const files_id of [old, fresh]) {
        for (const n of [0, 1]) await chunks.insertOne({ files_id, n, data: Buffer.from('half') });
      }
      await store.files.sweep(Date.now() - HOUR_MS);
      expect(await owners()).toEqual(new Set([...kept, String(fresh)]));
      expect((await store.files.stat(hex('sha256', bytes)))?.bytes).toBe(bytes.length);

      await orm.close();
      await store.close();
      if (!server.isOurs) await database.drop();
    });
  }
});
