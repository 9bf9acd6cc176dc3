/** Which center serves a database, and how a second center detects it. */
import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import type { Store } from '../../src/store/port.ts';
import { aChaosProxy } from '../support/chaos-proxy.ts';
import { until } from '../support/cluster.ts';
import { type MongoDatabase, type MongoServer, mongoServer } from '../support/mongo.ts';
import { aMongoStore } from '../support/mongo-store.ts';

const server = await mongoServer();

let database: MongoDatabase;
let stores: Store[];
beforeEach(() => {
  if (server) database = server.database();
  stores = [];
});
afterEach(async () => {
  await Promise.all(stores.map(store => store.close()));
  if (server) await database.drop();
});

/** A center of process 1 on some machine. `lost` has what another center took from it. */
async function aCenter(host: string, { isAlive = true, pid = 1, url = database.url, standby = false } = {}) {
  const lost: string[] = [];
  const store = await aMongoStore({
    url,
    ...(standby && { standby: { waitsFor() {} } }),
    process: { host, pid, machine: host },
    isAlive: () => isAlive,
    lost: ({ message }) => void lost.push(message),
  });
  stores.push(store);
  return { store, lost };
}

describe.skipIf(!server)('row 8: a center on a database', () => {
  test('a center on a database keeps a second one out while it lives, and admits it at once after its stop', async () => {
    const first = await aCenter('one');
    await expect(aCenter('two')).rejects.toThrow(/is served by another center \(process 1 on one\); stop that one first/);
    await first.store.close();
    const from = performance.now();
    await aCenter('two');
    expect(performance.now() - from).toBeLessThan(1_000);
    expect(first.lost).toEqual([]);
  });

  test('a center whose database was taken over gets the name of the new owner', async () => {
    const first = await aCenter('one');
    // As if it hung: its machine reports that there is no such process.
    await aCenter('one', { pid: 2, isAlive: false });
    await until('it has heard', () => first.lost.length > 0);
    expect(first.lost).toEqual([expect.stringContaining('another center (process 2 on one) has taken over mongodb://')]);
  });

  test('a center detects that its database was emptied', async () => {
    const first = await aCenter('one');
    await database.drop();
    await until('it has heard', () => first.lost.length > 0);
    expect(first.lost).toEqual([expect.stringContaining('was emptied while this center served from it')]);
  });

  test('one of several centers that start at once gets the database', async () => {
    const starts = await Promise.allSettled([aCenter('one'), aCenter('two'), aCenter('three')]);
    expect(starts.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected', 'rejected']);
  });

  test('a center whose database does not answer stops serving before its standby takes over, and ends when it answers again', async () => {
    const { host, port } = server as MongoServer;
    const proxy = await aChaosProxy({ target: { host, port } });
    await using _closed = { [Symbol.asyncDispose]: () => proxy.close() };
    const first = await aCenter('one', { url: database.urlAt(proxy.port) });
    const from = performance.now();
    const since = () => performance.now() - from;
    const tookOver = aCenter('two', { standby: true }).then(since);
    proxy.treat('both', { do: 'swallow' });
    let steppedDown: number | undefined;
    let asked = 0;
    await until('it says that it cannot renew', () => {
      // What is asked before that waits for the line, up to the bound of the database.
      if (since() > asked * 100) first.store.headCursor().catch((error: unknown) => refused(error));
      asked = Math.ceil(since() / 100);
      return steppedDown !== undefined;
    });
    function refused(error: unknown): void {
      if (String(error).includes('could not renew its lease')) steppedDown ??= since();
    }
    const tookOverMs = await tookOver;
    expect(Number(steppedDown)).toBeLessThan(tookOverMs);
    expect(tookOverMs).toBeLessThan(8_000);
    proxy.heal();
    await until('it has ended', () => first.lost.length > 0);
  }, 30_000);
});
