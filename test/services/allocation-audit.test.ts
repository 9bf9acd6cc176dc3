/** The allocation audit mends rows that differ from their jobs, and finds nothing otherwise. */
import { describe, expect, test } from 'bun:test';
import { noEntries, putEntry } from '../../actors/table/entries.ts';
import type { TableContext, TableEntry } from '../../actors/table/types.ts';
import { decodeState, encodeState } from '../../src/runtime/document.ts';
import { createAllocationAudit } from '../../src/services/allocation-audit.ts';
import { aJob } from '../support/builders.ts';
import { aRuntime, restarted, type TestRuntime } from '../support/runtime.ts';

const HOSTS = ['h1', 'h2', 'h3'];
const JOBS = ['a', 'b', 'c', 'd', 'e', 'f'];

async function aWorld(): Promise<TestRuntime> {
  const world = await aRuntime();
  for (const host of HOSTS) await world.aHost(host);
  for (const [index, name] of JOBS.entries()) {
    const config = aJob({ name, id: String(index).repeat(24), placement: 'sticky' });
    await world.ask(`job/${name}`, { type: 'job.register', config });
  }
  return world;
}

/** A whole pass, with the time that it takes. */
async function pass({ views, runtime, clock }: TestRuntime) {
  const service = createAllocationAudit({ views, runtime, clock, everyMs: 320_000, log() {} });
  const found = service.runOnce();
  let isOver = false;
  void found.finally(() => {
    isOver = true;
  });
  for (let waits = 0; !isOver && waits < 50; waits++) await clock.advance(500);
  const repaired = (await found).map(({ job, reason }) => [job, reason]);
  await clock.advance(500);
  return { repaired, status: service.status() };
}

/** The stored document of the table changes, and a center begins with it. */
async function withTable(world: TestRuntime, change: (entries: TableEntry[], context: TableContext) => TableEntry[]): Promise<TestRuntime> {
  world.kill();
  const { store } = world.durable;
  const document = await store.load('table/default');
  if (!document) throw new Error('there is no table');
  const state = decodeState(document);
  const snapshot = state.snapshot as { context: TableContext };
  const changed = change(snapshot.context.buckets.flat(), snapshot.context);
  snapshot.context.buckets = changed.reduce(putEntry, { buckets: noEntries() }).buckets;
  await store.commit([
    { document: { ...document, rev: document.rev + 1, writeId: 'broken', state: encodeState('table/default', state) }, facts: [] },
  ]);
  return restarted(world);
}

const rowOf = async (world: TestRuntime, name: string): Promise<string[] | null | undefined> =>
  (await world.context('table/default')).context.buckets.flat().find(({ job }) => job === name)?.hosts;
const hostsOf = async (world: TestRuntime, name: string) => (await world.context(`job/${name}`)).context.allocatedHosts;
const otherThan = (hosts: string[] | null): string[] => HOSTS.filter(host => host !== hosts?.[0]).slice(0, 1);

describe('the allocation audit', () => {
  test('the allocation audit finds nothing in a healthy center, also while a proposal is pending and a host is away', async () => {
    const world = await aWorld();
    expect(await pass(world)).toMatchObject({ repaired: [], status: { rows: 6, repairs: 0 } });
    await world.ask('job/a', { type: 'job.trigger' });
    const [home] = (await hostsOf(world, 'a')) ?? [];
    const [start] = world.starts();
    if (!start || home === undefined) throw new Error('nothing was started');
    await world.started(start, home);
    await world.ask(`host/${home}`, { type: 'host.drain' });
    expect((await world.context('job/a')).context.proposal).not.toBeNull();
    const away = HOSTS.find(host => host !== home) as string;
    await world.tell(`host/${away}`, { type: 'host.disconnected', session: `${away}-1`, reason: 'cut' });
    expect((await pass(world)).repaired).toEqual([]);
    await world.ended(start, 'succeeded', home);
    expect(await hostsOf(world, 'a')).not.toEqual([home]);
    expect(await rowOf(world, 'a')).toEqual((await hostsOf(world, 'a')) as string[]);
    expect((await pass(world)).repaired).toEqual([]);
  });

  test.each<[string, (entry: TableEntry) => TableEntry[], string]>([
    ['names another host', entry => [{ ...entry, hosts: otherThan(entry.hosts) }], 'the row names other hosts than the job has'],
    ['is missing', () => [], 'the job is not in the table'],
    ['is of another version', entry => [{ ...entry, version: 9 }], 'the row is of another version of the job'],
    [
      'waits for a proposal that is lost',
      entry => [{ ...entry, proposed: otherThan(entry.hosts) }],
      'the job has no proposal that the table waits for',
    ],
  ])('a row that %s is mended, with a fact and a metric', async (_, damage, reason) => {
    const before = await aWorld();
    const hosts = await hostsOf(before, 'c');
    const world = await withTable(before, entries => entries.flatMap(entry => (entry.job === 'c' ? damage(entry) : [entry])));
    expect(await pass(world)).toMatchObject({ repaired: [['c', reason]], status: { repairs: 1 } });
    expect(world.facts.filter(({ type }) => type === 'table.repaired').map(({ data }) => data)).toEqual([
      { pool: 'default', job: 'c', reason },
    ]);
    expect([await rowOf(world, 'c'), await hostsOf(world, 'c')]).toEqual([hosts, hosts]);
    expect((await pass(world)).repaired).toEqual([]);
  });

  test('a row whose host is not the choice of its job goes to that', async () => {
    const before = await aWorld();
    const hosts = await hostsOf(before, 'c');
    const wrong = otherThan(hosts);
    await before.tell('job/c', { type: 'job.propose', pool: 'default', serial: 1e9, hosts: wrong, name: null, closed: [], reason: null });
    const world = await withTable(before, entries =>
      entries.map(entry => (entry.job === 'c' ? { ...entry, hosts: wrong, proposed: null } : entry)),
    );
    await world.tell('job/c', { type: 'job.propose', pool: 'default', serial: 1e9, hosts: wrong, name: null, closed: [], reason: null });
    const { repaired } = await pass(world);
    expect(repaired.length).toBeLessThan(2);
    expect([await rowOf(world, 'c'), await hostsOf(world, 'c')]).toEqual([hosts, hosts]);
  });

  test('the row of a job that is gone leaves the table', async () => {
    const before = await aWorld();
    const world = await withTable(before, entries => [...entries, { ...(entries[0] as TableEntry), job: 'ghost' }]);
    const { repaired } = await pass(world);
    expect(repaired).toContainEqual(['ghost', 'the table has a job that is not sticky in its pool']);
    expect(await rowOf(world, 'ghost')).toBeUndefined();
  });

  test('a table that lacks a host of its pool gets all of them again', async () => {
    const before = await aWorld();
    const world = await withTable(before, (entries, context) => {
      const { h3: _, ...hosts } = context.hosts;
      Object.assign(context, { hosts, keys: ['h1', 'h2'] });
      return entries;
    });
    expect((await pass(world)).repaired).toEqual([[null, 'the hosts of the table are not those of its pool']]);
    expect(Object.keys((await world.context('table/default')).context.hosts).toSorted()).toEqual(HOSTS);
    expect((await pass(world)).repaired).toEqual([]);
  });

  test('a pool without a table gets one, and its jobs get their rows', async () => {
    const world = await aWorld();
    await world.tell('table/default', { type: 'table.delete' });
    await pass(world);
    await pass(world);
    for (const name of JOBS) expect(await rowOf(world, name)).toEqual(await hostsOf(world, name));
  });

  describe('a requested check', () => {
    /** A center whose row of job c names another host, with its audit running. */
    async function aBroken(everyMs: number) {
      const before = await aWorld();
      const world = await withTable(before, entries =>
        entries.map(entry => (entry.job === 'c' ? { ...entry, hosts: otherThan(entry.hosts) } : entry)),
      );
      const { views, runtime, clock } = world;
      const service = createAllocationAudit({ views, runtime, clock, everyMs, log() {} });
      const ending = new AbortController();
      const running = service.run(ending.signal, () => {});
      const passed = async (ms: number) => {
        for (let at = 0; at < ms; at += 500) await clock.advance(500);
      };
      const isMended = async () => JSON.stringify(await rowOf(world, 'c')) === JSON.stringify(await hostsOf(world, 'c'));
      const stop = async () => {
        ending.abort();
        await running;
      };
      return { service, passed, isMended, stop };
    }

    test.each<[string | null, number]>([
      ['default', 320_000],
      [null, 320_000],
      ['default', 0],
    ])('a requested check of %j mends a row long before the next pass, with a pass every %d ms', async (pool, everyMs) => {
      const { service, passed, isMended, stop } = await aBroken(everyMs);
      await passed(20_000);
      expect(await isMended()).toBe(false);
      for (let count = 0; count < 50; count++) service.request(pool);
      await passed(6_000);
      expect([await isMended(), service.status().repairs]).toEqual([true, 1]);
      await stop();
    });

    test('a requested check of another pool, or of none that exists, leaves this one to its pass', async () => {
      const { service, passed, isMended, stop } = await aBroken(60_000);
      service.request('nowhere');
      await passed(20_000);
      expect(await isMended()).toBe(false);
      await passed(60_000);
      expect(await isMended()).toBe(true);
      await stop();
    });
  });
});
