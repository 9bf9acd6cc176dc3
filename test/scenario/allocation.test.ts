/**
 * Sticky jobs on a real center with three real agents: where their rows go when a host dies, comes
 * back, drains, leaves the servers of its pool, or returns smaller.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import { type MongoDatabase, mongoServer } from '../support/mongo.ts';

setDefaultTimeout(120_000);

const HOSTS = ['a', 'b', 'c'];
/** From the end of its socket until the rows of a host are elsewhere; 3 s of it is the grace. */
const ELSEWHERE_MS = 5_000;

let cluster: Cluster;
let database: MongoDatabase | undefined;
afterEach(async () => {
  await cluster.close();
  await database?.drop();
  database = undefined;
});

interface Row {
  job: string;
  hosts: string[];
  next: string[] | null;
}
const read = () => cluster.call<{ version: number; rows: Row[] }>('GET', '/v1/pools/default/allocation');

/** Rows by job, no proposal pending. */
async function settledRows(what: string, isRight: (rows: Map<string, string>) => boolean, pending: string[] = []) {
  let version = 0;
  let rows = new Map<string, string>();
  await until(what, async () => {
    const table = await read();
    version = table.version;
    rows = new Map(table.rows.map(({ job, hosts }) => [job, hosts.join()]));
    const next = table.rows.filter(row => row.next !== null).map(({ job }) => job);
    return isRight(rows) && next.join() === pending.join();
  });
  return { version, rows };
}
type Rows = Map<string, string>;
const on = (rows: Rows, host: string) => [...rows].filter(([, each]) => each === host).map(([job]) => job);
const without = (host: string) => (rows: Rows) => on(rows, host).length === 0;
const like = (wanted: Rows) => (rows: Rows) => moved(wanted, rows).length === 0 && rows.size === wanted.size;
const moved = (from: Rows, to: Rows) => [...from].filter(([job, host]) => to.get(job) !== host).map(([job]) => job);

async function aClusterOfThree(env: Record<string, string> = {}) {
  cluster = await aCluster({ env });
  await cluster.startCenter();
  for (const host of HOSTS) cluster.startAgent(host);
  await cluster.ready(...HOSTS);
}

/** Jobs of one shard, each of which runs until `open` is called. */
async function jobs(count: number, more: (nth: number) => object = () => ({})) {
  const gate = join(cluster.directory, 'go');
  const command = ['sh', '-c', `while [ ! -e ${gate} ]; do sleep 0.1; done`];
  const one = (nth: number) => {
    const resources = { cpus: 0.1, memoryMB: 1 };
    return cluster.call('POST', '/v1/jobs', { name: `job${nth}`, command, placement: 'sticky', resources, ...more(nth) });
  };
  for (let nth = 0; nth < count; nth += 10) await Promise.all(Array.from({ length: Math.min(10, count - nth) }, (_, at) => one(nth + at)));
  return { table: await settledRows('all jobs have a row', rows => rows.size === count), open: () => Bun.write(gate, '') };
}

async function trigger(job: string) {
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`);
  return execution;
}
const isDone = (execution: string) => async () => (await cluster.execution(execution)).status === 'done';

const hostId = async (name: string) =>
  (await cluster.call<{ items: { id: string; name: string }[] }>('GET', '/v1/hosts')).items.find(host => host.name === name)?.id ?? '';

/** When a fact of this actor was decided, the newest one. */
async function factAt(address: string, type: string): Promise<number> {
  const { items } = await cluster.call<{ items: { type: string; at: string }[] }>('GET', `/v1/history/${address}?limit=200`);
  return Date.parse(items.find(fact => fact.type === type)?.at ?? '');
}

/** A stand-in makes some hundred commits a second: fewer jobs show the same. */
const stores: [string, number, () => string | undefined][] = [['SQLite', 100, () => undefined]];
const server = await mongoServer();
if (server) {
  stores.push([
    server.kind,
    30,
    () => {
      database = server.database();
      return database.url;
    },
  ]);
}

test.each(stores)(
  'a dead host: its jobs go to the two others, return with it, and what runs stays until it is done (%s)',
  async (_, count, store) => {
    const url = store();
    await aClusterOfThree(url === undefined ? {} : { TROUPE_STORE: url, TROUPE_WORKERS: '1' });
    const { table: before, open } = await jobs(count);
    for (const host of HOSTS) expect(on(before.rows, host).length).toBeGreaterThan(0);
    const own = on(before.rows, 'c');
    const ofHost = `host/${await hostId('c')}`;

    await cluster.killHost('c');
    const lost = await settledRows('no row names the dead host', without('c'));
    expect(moved(before.rows, lost.rows)).toEqual(own);
    expect(lost.version).toBeGreaterThan(before.version);
    const suspected = await factAt(ofHost, 'host.suspect');
    const last = Math.max(...(await Promise.all(own.map(job => factAt(`job/${job}`, 'job.allocated')))));
    expect(last - suspected).toBeLessThan(ELSEWHERE_MS);

    const busy = own[0] as string;
    const execution = await trigger(busy);
    await until('it runs', async () => (await cluster.execution(execution)).shards[0]?.status === 'running');
    expect((await cluster.execution(execution)).shards[0]?.hostName).toBe(lost.rows.get(busy) as string);

    cluster.startAgent('c');
    await cluster.ready('c');
    const exceptBusy = new Map(before.rows).set(busy, lost.rows.get(busy) as string);
    const back = await settledRows('its jobs are back but for the one that runs', like(exceptBusy), [busy]);
    expect(back.version).toBeGreaterThan(lost.version);

    await cluster.killCenter();
    await cluster.startCenter();
    await cluster.ready(...HOSTS);
    const again = await settledRows('the table is the same after a restart', like(exceptBusy), [busy]);
    expect(again.version).toBeGreaterThanOrEqual(back.version);

    await open();
    await until('the execution is done', isDone(execution));
    expect((await cluster.execution(execution)).outcome).toBe('succeeded');
    const after = await settledRows('the last job is back', like(before.rows));
    expect(after.version).toBeGreaterThan(again.version);
  },
);

describe('a host that takes no more runs', () => {
  test('a drained host gives up its rows and gets them back when it resumes', async () => {
    await aClusterOfThree();
    const { table: before } = await jobs(30);
    const own = on(before.rows, 'b');
    await cluster.call('POST', `/v1/hosts/${await hostId('b')}/drain`);
    const drained = await settledRows('no row names the drained host', without('b'));
    expect(moved(before.rows, drained.rows)).toEqual(own);
    await cluster.call('POST', `/v1/hosts/${await hostId('b')}/resume`);
    const resumed = await settledRows('its rows are back', like(before.rows));
    expect([drained.version > before.version, resumed.version > drained.version]).toEqual([true, true]);
  });

  test('a host that the servers of its pool do not name gives up its rows, finishes its run, and returns with its name', async () => {
    await aClusterOfThree();
    const { table: before, open } = await jobs(30);
    const own = on(before.rows, 'b');
    const busy = own[0] as string;
    const execution = await trigger(busy);
    await until('it runs', async () => (await cluster.execution(execution)).shards[0]?.status === 'running');
    await cluster.call('PATCH', '/v1/pools/default', { servers: ['A', 'c'] });
    const rest = (rows: Rows) => on(rows, 'b').join() === busy;
    const excluded = await settledRows('its idle jobs are elsewhere', rest, [busy]);
    expect(moved(before.rows, excluded.rows)).toEqual(own.filter(job => job !== busy));
    await open();
    await until('the execution is done', isDone(execution));
    expect((await cluster.execution(execution)).shards[0]).toMatchObject({ hostName: 'b', outcome: 'succeeded' });
    await settledRows('no row names it', without('b'));
    await cluster.call('PATCH', '/v1/pools/default', { servers: ['a', 'B', 'c'] });
    await settledRows('its rows are back', like(before.rows));
  });

  test('a host that comes back smaller gives up just the rows of jobs that it cannot hold', async () => {
    await aClusterOfThree();
    const large = (nth: number) => nth % 2 === 1;
    const { table: before } = await jobs(30, nth => (large(nth) ? { resources: { cpus: 4, memoryMB: 1 } } : {}));
    const own = on(before.rows, 'b');
    const tooLarge = own.filter(job => large(Number(job.slice(3))));
    expect([tooLarge.length > 0, tooLarge.length < own.length]).toEqual([true, true]);
    await cluster.killHost('b');
    await settledRows('no row names the dead host', without('b'));
    cluster.startAgent('b', { cpus: 2 });
    await cluster.ready('b');
    const small = (rows: Rows) => moved(before.rows, rows).join() === tooLarge.join();
    await settledRows('what it can hold is back', small);
  });
});

test('an execution in a pool without a host waits with the reason and starts on the first host that comes', async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  await cluster.call('POST', '/v1/jobs', { name: 'early', command: ['true'], placement: 'sticky' });
  const execution = await trigger('early');
  await until('it says why', async () => (await cluster.execution(execution)).reason === 'pool default has no host');
  expect((await read()).rows).toEqual([]);
  cluster.startAgent('a');
  await until('the execution is done', isDone(execution));
  expect((await cluster.execution(execution)).shards[0]).toMatchObject({ hostName: 'a', outcome: 'succeeded' });
  expect((await read()).rows).toMatchObject([{ job: 'early', hosts: ['a'], next: null }]);
});
