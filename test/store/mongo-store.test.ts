/**
 * What only the store on MongoDB has to see to: facts after their commit, writes that land late,
 * other centers, other databases.
 */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { once } from 'node:events';
import { connect } from 'node:net';
import { systemClock } from '../../src/lib/clock.ts';
import { collectionsOf, type Orm, openOrm } from '../../src/store/mongo/connection.ts';
import { records } from '../../src/store/mongo/entities.ts';
import { indexesOf, MONGO_SCHEMA, prepareSchema } from '../../src/store/mongo/schema.ts';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import { aChaosProxy } from '../support/chaos-proxy.ts';
import { type MongoDatabase, mongoServer } from '../support/mongo.ts';
import { aMongoStore } from '../support/mongo-store.ts';
import { aFact, aWrite } from '../support/store-builders.ts';

const server = await mongoServer();

let database: MongoDatabase;
let store: Store;
/** Milliseconds by which the clock of the store is ahead. */
let late = 0;
const clock = { ...systemClock, monotonic: () => systemClock.monotonic() + late };
const open = (url = database.url, more: { center?: string } = {}) => aMongoStore({ url, clock, ...more });
beforeEach(async () => {
  if (!server) return;
  late = 0;
  database = server.database();
  store = await open();
});
afterEach(async () => {
  if (!server) return;
  await store.close();
  await database.drop();
});

/** Changes the collections behind the store's back. */
async function behindItsBack(work: (collections: ReturnType<typeof collectionsOf>, orm: Orm) => Promise<unknown>): Promise<void> {
  const orm = await openOrm(database.url);
  try {
    await work(collectionsOf(orm), orm);
  } finally {
    await orm.close();
  }
}

/** Every document and every index of the database. */
async function everything(): Promise<unknown[]> {
  const found: unknown[] = [];
  await behindItsBack(async collections => {
    for (const [name, collection] of Object.entries(collections)) {
      const some = collection as ReturnType<typeof collectionsOf>['meta'];
      const indexes = await some.indexes().catch(() => []);
      found.push([name, await some.find().sort({ _id: 1 }).toArray(), indexes.map(({ name: index }) => index)]);
    }
  });
  return found;
}

async function one(name: 'actors' | 'meta', filter: object): Promise<Record<string, unknown> | null> {
  let found: Record<string, unknown> | null = null;
  await behindItsBack(async collections => {
    found = await (collections[name] as unknown as { findOne(by: object): Promise<Record<string, unknown> | null> }).findOne(filter);
  });
  return found;
}

/**
 * A store whose first write with this text does not arrive, until it arrives later on another
 * connection.
 */
async function withALateWrite(word: string) {
  const { host, port } = server as NonNullable<typeof server>;
  const proxy = await aChaosProxy({ target: { host, port } });
  const away = await open(`${database.urlAt(proxy.port)}&timeoutMS=700`);
  let held: Buffer | undefined;
  proxy.treat('up', {
    do: 'judge',
    judge: bytes => {
      if (held || !bytes.includes(word)) return 'pass';
      held = Buffer.from(bytes);
      return 'swallow';
    },
  });
  return {
    away,
    async arrives() {
      const line = connect(port, host);
      line.write(held as Buffer);
      await once(line, 'data');
      line.destroy();
    },
    async close() {
      await away.close();
      await proxy.close();
    },
  };
}

const published = async () => (await store.facts({})).facts.map(({ address, rev, position }) => `${address}:${rev}:${position}`);

describe.skipIf(!server)('the store on MongoDB', () => {
  test('the store on MongoDB finds facts that a crash left unpublished, publishes each once, and trims them', async () => {
    await store.commit([aWrite({ facts: [aFact(), aFact({ position: 1 })] })]);
    await store.close();
    // As if it had died with one of the two in the feed, and another actor's not at all.
    const fresh = aWrite({ address: 'job/other', facts: [aFact({ address: 'job/other', at: 1_800_000_000_000 })] });
    await behindItsBack(async ({ actors, facts }) => {
      const both = JSON.stringify([aFact(), aFact({ position: 1 })]);
      await actors.updateOne({ _id: 'job/nightly' }, { $set: { unpublished: true, facts: [both] } });
      await facts.deleteOne({ address: 'job/nightly', position: 1 });
    });
    store = await open();
    await store.commit([fresh]);
    await store.close();
    store = await open();
    await store.claim('center-1');
    expect((await published()).toSorted()).toEqual(['job/nightly:1:0', 'job/nightly:1:1', 'job/other:1:0']);
    await behindItsBack(async ({ actors }) => expect(await actors.find({ unpublished: true }).toArray()).toEqual([]));
    await store.claim('center-1');
    expect(await published()).toHaveLength(3);
  });

  test('the store on MongoDB lets two centers publish at once: no position is taken twice, none is left out', async () => {
    const other = await open();
    const factsOf = (address: string, count: number) => Array.from({ length: count }, (_, position) => aFact({ address, position }));
    const cursors: string[] = [];
    let count = 0;
    // Of different sizes, and again and again: each finds places taken that it thought free.
    for (let round = 0; round < 4; round++) {
      const results = await Promise.all(
        [store, other, store, other, store].map((each, nth) => {
          const address = `job/j${round}-${nth}`;
          count += 1 + ((round + nth) % 3);
          return each.commit([aWrite({ address, facts: factsOf(address, 1 + ((round + nth) % 3)) })]);
        }),
      );
      cursors.push(...results.flat().flatMap(result => (result.committed ? result.facts.map(({ cursor }) => cursor) : [])));
    }
    const { facts } = await store.facts({});
    expect(new Set(cursors)).toEqual(new Set(facts.map(({ cursor }) => cursor)));
    const places = facts.map(({ cursor }) => Number(Buffer.from(cursor, 'base64url').toString().split('.')[1]));
    expect(places).toEqual(Array.from({ length: count }, (_, place) => place + 1));
    await other.close();
  });

  test.each([1, 2])('the store on MongoDB fences off a write of rev %d that lands after its outcome was asked for', async rev => {
    if (rev === 2) await store.commit([aWrite()]);
    const { away, arrives, close } = await withALateWrite('writeId');
    const write = aWrite({ rev, writeId: 'late', facts: [aFact({ rev })] });
    await expect(away.commit([write])).rejects.toBeInstanceOf(StoreUnavailable);
    expect((await away.load('job/nightly'))?.rev).toBe(rev === 1 ? undefined : 1);

    // Now it arrives.
    await arrives();
    expect((await store.load('job/nightly'))?.writeId).toBe(rev === 1 ? undefined : 'w1');
    expect((await away.commit([{ ...write, document: { ...write.document, writeId: 'second' } }]))[0]?.committed).toBe(true);
    expect((await store.load('job/nightly'))?.writeId).toBe('second');
    expect(await published()).toEqual([`job/nightly:${rev}:0`]);
    await close();
  });

  test('the store on MongoDB brings back no pending effect by a trim that lands late', async () => {
    await store.commit([aWrite({ pendingEffects: '["first","second"]' })]);
    const { away, arrives, close } = await withALateWrite('hasPending');
    const trim = (pendingEffects: string) => away.acknowledge([{ address: 'job/nightly', rev: 1, pendingEffects }]);
    await expect(trim('["second"]')).rejects.toBeInstanceOf(StoreUnavailable);
    await trim('[]');
    expect((await store.load('job/nightly'))?.pendingEffects).toBe('[]');
    await arrives();
    expect((await store.load('job/nightly'))?.pendingEffects).toBe('[]');
    expect(await store.pending({ limit: 10 })).toEqual([]);
    expect((await away.commit([aWrite({ rev: 2 })]))[0]?.committed).toBe(true);
    await close();
  });

  test('row 8: the store on MongoDB commits nothing more once another center has taken over', async () => {
    await store.claim('center-1');
    await store.commit([aWrite()]);
    const other = await open();
    await other.claim('center-2');
    await expect(store.probe()).rejects.toThrow('another center has taken over');
    await other.probe();
    await other.load('job/nightly');
    // Nor does it put a fence in the way.
    late = 2_000;
    await expect(store.load('job/nightly')).rejects.toThrow('another center has taken over');
    expect((await other.commit([aWrite({ rev: 2 })]))[0]?.committed).toBe(true);
    await other.close();
  });

  test('the store on MongoDB is not ready any more once another center has taken over, also where it claimed nothing itself', async () => {
    await store.claim('center-1');
    const front = await open(database.url, { center: 'center-1' });
    await front.probe();
    await store.claim('center-2', { from: 200, to: 255 });
    await expect(front.probe()).rejects.toThrow('another center has taken over this database (partition 200 is owned by "center-2")');
    await front.close();
  });

  test('the store on MongoDB leaves nothing behind of queries for unknown actors', async () => {
    await store.claim('center-1');
    expect(await store.load('job/nobody')).toBeUndefined();
    await store.close();
    store = await open();
    await behindItsBack(async ({ actors }) => expect(await actors.findOne({ _id: 'job/nobody' })).toBeNull());
    expect((await store.commit([aWrite({ address: 'job/nobody' })]))[0]?.committed).toBe(true);
  });

  test('the store on MongoDB commits nothing more for partitions that its own center has given to another worker', async () => {
    await store.claim('center-1', { from: 0, to: 127 });
    await store.commit([aWrite()]);
    const other = await open();
    await other.claim('center-1', { from: 128, to: 255 });
    await store.probe();
    await other.claim('center-1', { from: 0, to: 127 });
    await expect(store.probe()).rejects.toThrow('partition 0 has a newer owner');
    await other.probe();
    await other.close();
  });

  test('the store on MongoDB refuses what an older revision wrote with one sentence, untouched', async () => {
    const { version, fingerprint } = MONGO_SCHEMA;
    const older: [Record<string, unknown>, string][] = [
      [
        { $set: { value: 1 }, $unset: { fingerprint: '' } },
        'format version 1 without a fingerprint, written by an older revision of Troupe',
      ],
      [
        { $set: { value: 5 }, $unset: { fingerprint: '' } },
        'format version 5 without a fingerprint, written by an older revision of Troupe',
      ],
      [{ $set: { value: 1, fingerprint: 'abc' } }, 'format version 1 with fingerprint abc, written by another revision of Troupe'],
    ];
    for (const [update, what] of older) {
      await behindItsBack(({ meta }) => meta.updateOne({ _id: 'schemaVersion' }, update));
      const before = await everything();
      await expect(open()).rejects.toThrow(
        `has ${what}; this one reads version ${version} with fingerprint ${fingerprint} and changed nothing: ` +
          'start the center with an empty database, or start the revision that wrote it',
      );
      expect(await everything()).toEqual(before);
    }
    await behindItsBack(({ meta }) => meta.deleteOne({ _id: 'schemaVersion' }));
    await expect(open()).rejects.toThrow('no format version without a fingerprint');
  });

  test('the store on MongoDB finishes a first start that was cut short, if this revision began it', async () => {
    const { fingerprint } = MONGO_SCHEMA;
    await behindItsBack(({ meta }) => meta.updateOne({ _id: 'schemaVersion' }, { $set: { value: 0, fingerprint: 'abc' } }));
    await expect(open()).rejects.toThrow('format version 0 with fingerprint abc');
    await behindItsBack(({ meta }) => meta.updateOne({ _id: 'schemaVersion' }, { $set: { fingerprint } }));
    await (await open()).close();
    await behindItsBack(async ({ meta }) => expect(await meta.findOne({ _id: 'schemaVersion' })).toMatchObject({ value: 1, fingerprint }));
  });

  test('the store on MongoDB upgrades the form that was released, step by step, and again where it was cut short', async () => {
    await store.commit([aWrite()]);
    const { fingerprint: from } = MONGO_SCHEMA;
    const marked =
      (mark: string) =>
      async ({ actors }: ReturnType<typeof collectionsOf>) =>
        void (await actors.updateMany({ kind: 'job' }, { $set: { writeId: mark } }));
    const prepare = (third: () => Promise<void>, first = from) =>
      behindItsBack((collections, orm) => {
        const upgrades = { 2: { from: first, step: marked('second') }, 3: { from: 'x', step: third } };
        const schema = { version: 3, fingerprint: 'new', upgrades };
        return prepareSchema({ orm, collections, shown: 'it', mayWrite: async () => {}, schema });
      });
    const found = async () => {
      const [actor, meta] = [await one('actors', { kind: 'job' }), await one('meta', { _id: 'schemaVersion' })];
      return [actor?.writeId, meta?.value, meta?.fingerprint];
    };
    const before = await everything();
    await expect(prepare(async () => {}, 'of another revision')).rejects.toThrow('format version 1');
    expect(await everything()).toEqual(before);
    await expect(prepare(() => Promise.reject(new Error('the server has no room')))).rejects.toThrow('no room');
    expect(await found()).toEqual(['second', 1, from]);
    let steps = 0;
    await prepare(async () => void steps++);
    expect([steps, ...(await found())]).toEqual([1, 'second', 3, 'new']);
    await prepare(async () => void steps++);
    expect(steps).toBe(1);
  });

  test('the store on MongoDB refuses a newer schema, and the database of another program, untouched', async () => {
    await store.close();
    await behindItsBack(({ meta }) => meta.updateOne({ _id: 'schemaVersion' }, { $set: { value: 99 } }));
    await expect(open()).rejects.toThrow(`format version 99 with fingerprint ${MONGO_SCHEMA.fingerprint}, written by a newer Troupe`);
    await behindItsBack(async collections => {
      for (const collection of Object.values(collections)) await (collection as { drop(): Promise<unknown> }).drop();
      const orm = await openOrm(database.url);
      await orm.em.getCollection<{ _id: string }>('songs').insertOne({ _id: 'x' });
      await orm.close();
    });
    await expect(open()).rejects.toThrow('has a collection "songs"');
  });

  test('the store on MongoDB has an index for each list that has one on SQLite, in the order of the list', async () => {
    const executions = ['kind', 'parent', 'status', 'outcome', 'hosts', 'hosts outcome', 'parent outcome'].map(by => `${by} at address`);
    const jobs = ['parent', 'pool', 'status', 'outcome'].map(by => `${by} address`);
    await behindItsBack(async ({ actors }) => {
      const found = (await actors.indexes()).map(({ key }) => Object.keys(key).join(' '));
      // Further columns only spare a look at the document.
      expect([...executions, ...jobs].filter(key => !found.some(each => `${each} `.startsWith(`${key} `)))).toEqual([]);
    });
  });

  test('the store on MongoDB has the indexes that its entities declare, each on fields of them', async () => {
    await behindItsBack(async (_, orm) => {
      for (const { meta } of records) {
        const stored = await orm.em
          .getCollection(meta.tableName as string)
          .indexes()
          .catch(() => []);
        const keysOf = (indexes: { key: object }[]) => indexes.map(({ key }) => Object.keys(key).join(' ')).filter(key => key !== '_id');
        const declared = indexesOf(meta);
        expect(keysOf(stored).toSorted()).toEqual(keysOf(declared).toSorted());
        const fields = Object.keys(meta.properties);
        expect(declared.flatMap(({ key }) => Object.keys(key)).filter(field => !fields.includes(field))).toEqual([]);
      }
    });
  });

  test('the store on MongoDB reports that no server answers, without the password', async () => {
    const error = await open('mongodb://me:secret@127.0.0.1:1/troupe?serverSelectionTimeoutMS=300').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(StoreUnavailable);
    expect(String(error)).toContain('mongodb://127.0.0.1:1/troupe cannot be opened');
    expect(String(error)).not.toContain('secret');
  });
});
