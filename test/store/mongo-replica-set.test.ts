/**
 * The store before a replica set that changes its primary, does not reach its majority, and refuses
 * for reasons of its own.
 */
import { describe, expect, test } from 'bun:test';
import { type Store, StoreUnavailable } from '../../src/store/port.ts';
import { type MongoServer, mongoServer } from '../support/mongo.ts';
import { aMongoStore, type MongoStoreOptions } from '../support/mongo-store.ts';
import { aReplicaSet, type Command, type Fate } from '../support/replica-set.ts';
import { aChunk, aFact, anOccurrence, aWrite } from '../support/store-builders.ts';

const server = await mongoServer();

/**
 * A store before a set of its own: a change of the primary is half a second of waiting, so the
 * tests wait together.
 */
async function aStore() {
  const database = (server as MongoServer).database();
  const set = await aReplicaSet(server as MongoServer);
  const open = (options = '', more: Pick<MongoStoreOptions, 'process'> = {}) =>
    aMongoStore({ url: `${set.urlFor(database.name)}${options}`, ...more });
  const store = await open();

  /** The reaction of the center to an unknown outcome and to a lost race: it reads the document. */
  async function committed(rev: number): Promise<boolean> {
    const writeId = `w${rev}`;
    const outcome = await store.commit([aWrite({ rev, writeId, facts: [aFact({ rev })] })]).catch((error: unknown) => error);
    if (outcome instanceof Error && !(outcome instanceof StoreUnavailable)) throw outcome;
    const stands = (await store.load('job/nightly'))?.writeId === writeId;
    if (Array.isArray(outcome) && outcome[0].committed) expect(stands).toBeTrue();
    return stands;
  }

  return {
    set,
    store,
    open,
    committed,
    /** Befalls the first that it is meant for. */
    once(fate: Fate, isMeant: (command: Command) => boolean) {
      let over = false;
      set.judge(command => {
        if (over || !isMeant(command)) return { do: 'serve' };
        over = true;
        return fate;
      });
    },
    publishedRevs: async () => (await store.facts({})).facts.map(({ rev }) => rev),
    async [Symbol.asyncDispose]() {
      set.judge(() => ({ do: 'serve' }));
      await store.close();
      await set.close();
      await database.drop();
    },
  };
}

const isCommit = ({ name, collection, fields }: Command) =>
  name === 'update' && collection === 'actors' && JSON.stringify(fields.updates).includes('"writeId"');

const STEPPED_DOWN = { code: 189, codeName: 'PrimarySteppedDown', retryable: true };
const NO_MAJORITY = { code: 64, codeName: 'WriteConcernFailed' };
const FATES: [string, boolean, Fate][] = [
  ['refused by who is shutting down, to be asked no more', false, { do: 'refuse', code: 11600, codeName: 'InterruptedAtShutdown' }],
  ['applied by a primary that steps down before it answers', true, { do: 'apply and refuse', ...STEPPED_DOWN }],
  ['applied by one that is interrupted, to be asked no more', true, { do: 'apply and refuse', code: 11602, codeName: 'Interrupted' }],
  ['applied, and not seen by a majority in time', true, { do: 'doubt', ...NO_MAJORITY, isApplied: true }],
  ['rolled back, and not seen by a majority in time', false, { do: 'doubt', ...NO_MAJORITY, isApplied: false }],
  ['rolled back by a change of the primary', true, { do: 'doubt', ...STEPPED_DOWN, isApplied: false }],
  ['applied, and its answer cut off', true, { do: 'cut', isApplied: true }],
  ['refused as a duplicate of something else', false, { do: 'refuse each', code: 11000 }],
  ['refused for a conflict', false, { do: 'refuse each', code: 112 }],
];

describe.skipIf(!server)('a commit on a replica set', () => {
  test.concurrent.each(FATES)('a commit on a replica set that is %s has a known outcome', async (_, stands, fate) => {
    await using world = await aStore();
    const { committed, once, publishedRevs } = world;
    expect(await committed(1)).toBeTrue();
    once(fate, isCommit);
    expect(await committed(2)).toBe(stands);
    // Either way the next one follows.
    expect(await committed(stands ? 3 : 2)).toBeTrue();
    expect(await publishedRevs()).toEqual(stands ? [1, 2, 3] : [1, 2]);
  });

  test.concurrent.each([
    ['placed in silence', { do: 'apply and refuse', code: 11602, codeName: 'Interrupted' }],
    ['placed without a majority', { do: 'doubt', ...NO_MAJORITY, isApplied: true }],
    ['rolled back', { do: 'doubt', ...NO_MAJORITY, isApplied: false }],
  ] as [string, Fate][])('a commit on a replica set whose facts are %s has them in the feed once', async (_, fate) => {
    await using world = await aStore();
    const { committed, once, publishedRevs } = world;
    once(fate, ({ name, collection }) => name === 'insert' && collection === 'facts');
    expect(await committed(1)).toBeTrue();
    expect(await committed(2)).toBeTrue();
    expect(await publishedRevs()).toEqual([1, 2]);
  });

  test.concurrent('a commit on a replica set waits for the next primary', async () => {
    await using world = await aStore();
    const { committed, set, store, publishedRevs } = world;
    await store.claim('center-1');
    set.stepDown(100);
    expect(await committed(1)).toBeTrue();
    expect(await publishedRevs()).toEqual([1]);
  });

  test.concurrent('a commit on a replica set waits for a majority and its journal whatever the address asks for', async () => {
    await using world = await aStore();
    const { open, set } = world;
    const asked = new Set<string>();
    set.judge(({ name, fields: { writeConcern, readConcern } }) => {
      if (name === 'update') asked.add(JSON.stringify(writeConcern));
      if (name === 'find') asked.add(JSON.stringify(readConcern));
      return { do: 'serve' };
    });
    const careless = await open('&w=1&journal=false&readConcernLevel=local&readPreference=secondary');
    await careless.commit([aWrite()]);
    expect(await careless.facts({})).toEqual({ facts: [] });
    await careless.close();
    expect([...asked].toSorted()).toEqual(['{"level":"majority"}', '{"w":"majority","j":true}']);
  });

  test.concurrent('a commit on a replica set by a user who may only read is refused at the start, for good', async () => {
    await using world = await aStore();
    const { open, set } = world;
    set.judge(({ name }) => (name === 'find' ? { do: 'serve' } : { do: 'refuse', code: 13, codeName: 'Unauthorized' }));
    const error = await open('', { process: { host: 'h', pid: 1, machine: 'm' } }).catch((error: unknown) => error);
    expect(error).not.toBeInstanceOf(StoreUnavailable);
    expect(String(error)).toMatch(/^Error: mongodb:\S+ cannot be opened: Unauthorized/);
  });
});

const GONE = { gone: ['execution/e1'], deleted: 2 };
const DELETIONS: [string, string, (store: Store) => Promise<unknown>, unknown][] = [
  ['an execution', 'actors', store => store.deleteExecutions({ addresses: ['execution/e1'], limit: 10 }), GONE],
  ['the output of an execution', 'output', store => store.deleteExecutions({ addresses: ['execution/e1'], limit: 10 }), GONE],
  ['pieces of output', 'output', store => store.dropOutput({ execution: 'e1', item: 0, attempt: 1, from: 0, to: 9 }), undefined],
  ['facts', 'facts', store => store.deleteFacts({ before: 0, keep: 1, limit: 10 }), 1],
  ['entries of the ledger', 'occurrences', store => store.deleteOccurrences({ before: 1e12, limit: 10 }), { deleted: 1, next: null }],
];
const FAILURES: [string, Fate][] = [
  ['refused by a primary that steps down', { do: 'refuse', ...STEPPED_DOWN }],
  ['done by a primary that steps down before it answers', { do: 'apply and refuse', ...STEPPED_DOWN }],
  ['cut off before it arrives', { do: 'cut', isApplied: false }],
];

describe.skipIf(!server)('a deletion on a replica set', () => {
  const cases = DELETIONS.flatMap(([what, ...deletion]) => FAILURES.map(([how, fate]) => [what, how, deletion, fate] as const));
  test.concurrent.each(cases)('a deletion of %s that is %s is repeated', async (_what, _how, [collection, work, result], fate) => {
    await using world = await aStore();
    const { store, once } = world;
    await store.commit([aWrite({ address: 'execution/e1', life: 'done' }), aWrite({ facts: [aFact(), aFact({ position: 1 })] })]);
    await store.keepOutput([aChunk()]);
    await store.record([anOccurrence()]);
    let failed = 0;
    once(fate, command => {
      const isMeant = command.name === 'delete' && command.collection === collection;
      if (isMeant) failed += 1;
      return isMeant;
    });
    const found = await work(store);
    expect([found, failed]).toEqual([result, 1]);
  });
});
