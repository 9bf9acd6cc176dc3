/** Placement: pack, spread, sticky, and properties of every placement. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { runKeyOf } from '../../actors/execution/run-spec.ts';
import { release, reserve } from '../../actors/pool/ledger.ts';
import { place } from '../../actors/pool/placement.ts';
import type { LedgerHost } from '../../actors/pool/types.ts';
import { aRequest, aRun } from '../support/builders.ts';

const aHost = (id: string, cpus = 4, memoryMB = 4_000, difference: Partial<LedgerHost> = {}): LedgerHost => ({
  id,
  name: id,
  hostname: id,
  address: '10.0.0.1',
  total: { cpu: cpus * 1_000, memory: memoryMB * 1_000 },
  open: true,
  reservations: {},
  apps: {},
  used: { cpu: 0, memory: 0 },
  ...difference,
});
const shards = (count: number) => Array.from({ length: count }, (_, item) => ({ item, attempt: 1 }));
const app = { name: 'my_app', resources: { cpus: 1, memoryMB: 100 } };
const hostsOf = (found: ReturnType<typeof place>) => found.placed.map(each => each.host);

describe('placement', () => {
  test('placement fills one host before it begins another', () => {
    const found = place([aHost('a', 1), aHost('b', 1)], aRequest({ runs: shards(3) }));
    expect(hostsOf(found)).toEqual(['a', 'a', 'b']);
  });

  test('placement spread distributes shards over hosts', () => {
    const found = place([aHost('a'), aHost('b'), aHost('c')], aRequest({ runs: shards(4), placement: 'spread' }));
    expect(hostsOf(found)).toEqual(['a', 'b', 'c', 'a']);
  });

  test('placement spread counts the first shards of an execution for later shards and attempts', () => {
    const request = aRequest({ runs: [{ item: 2, attempt: 1 }], placement: 'spread' });
    const [here, there] = [0, 1].map(item => aRun('e1', item));
    const many = [aRun('other', 0), aRun('other', 1), aRun('other', 2)];
    const a = [here, there].reduce((host, run) => reserve(host, run ?? aRun(), request), aHost('a', 8));
    const b = many.reduce((host, run) => reserve(host, run, request), aHost('b', 4));
    expect(hostsOf(place([a, b], request))).toEqual(['b']);
    expect(hostsOf(place([a, b], { ...request, execution: 'e2' }))).toEqual(['a']);
  });

  test('placement counts the resources of the app itself once per host', () => {
    const request = aRequest({ runs: shards(4), app, resources: { cpus: 1, memoryMB: 10 } });
    expect(hostsOf(place([aHost('a', 3), aHost('b', 3)], request))).toEqual(['a', 'a', 'b', 'b']);
    const warm = reserve(aHost('a', 3), aRun('other'), { resources: { cpus: 0, memoryMB: 0 }, app });
    expect(hostsOf(place([warm], { ...request, runs: shards(2) }))).toEqual(['a', 'a']);
  });

  test('placement skips hosts that are closed', () => {
    expect(hostsOf(place([aHost('a', 4, 4_000, { open: false }), aHost('b')], aRequest()))).toEqual(['b']);
  });

  test('placement returns how many shards do not fit, and why', () => {
    const found = place([aHost('a', 1), aHost('b', 0.4)], aRequest({ runs: shards(5), app: null }));
    expect(found.missing).toBe(3);
    expect(found.reason).toBe('needs 5 x 0.5 cpu and 10 MB; the pool has 1.4 cpu and 8000 MB free on 2 hosts');
    expect(place([], aRequest({ app })).reason).toBe(
      'needs 1 x 0.5 cpu and 10 MB, and once per host 1 cpu and 100 MB for app my_app; the pool has no host that is ready',
    );
  });

  test('placement handles an app named like a property of every object', () => {
    for (const name of ['constructor', 'toString', 'hasOwnProperty']) {
      const request = aRequest({ app: { ...app, name }, job: name, placement: 'sticky' });
      const [host] = [aHost('a')];
      const held = reserve(host, aRun(), request);
      expect([name, held.used.cpu]).toEqual([name, 1_500]);
      expect(hostsOf(place([held], { ...request, runs: [{ item: 0, attempt: 2, host: 'a' }] }))).toEqual(['a']);
      expect(release(held, runKeyOf(aRun()))).toEqual(host);
    }
  });

  test('placement does not change the ledger', () => {
    const hosts = [aHost('a')];
    const before = structuredClone(hosts);
    place(hosts, aRequest({ runs: shards(2), app }));
    expect(hosts).toEqual(before);
  });
});

describe('any placement', () => {
  const hosts = fc.array(
    fc.record({ cpus: fc.integer({ min: 0, max: 8_000 }), memory: fc.integer({ min: 0, max: 8_000 }), open: fc.boolean() }),
    { maxLength: 6 },
  );
  const request = fc.record({
    runs: fc.integer({ min: 1, max: 12 }).map(shards),
    resources: fc.record({ cpus: fc.integer({ min: 0, max: 3_000 }).map(milli), memoryMB: fc.integer({ min: 0, max: 3_000 }) }),
    app: fc.option(fc.constant(app)),
    placement: fc.constantFrom<'pack' | 'spread' | 'sticky'>('pack', 'spread', 'sticky'),
  });

  test('any placement is the same for the same ledger, fits, and reserves its own cost', () => {
    fc.assert(
      fc.property(hosts, request, (sizes, difference) => {
        const ledger = sizes.map(({ cpus, memory, open }, place) => aHost(`h${place}`, cpus / 1_000, memory, { open }));
        const asked = aRequest(difference);
        const found = place(ledger, asked);
        expect(place(structuredClone(ledger), structuredClone(asked))).toEqual(found);
        expect(found.placed.length + found.missing).toBe(asked.runs.length);
        const after = new Map(ledger.map(host => [host.id, host]));
        for (const { item, attempt, host } of found.placed) {
          after.set(host, reserve(after.get(host) as LedgerHost, aRun('e1', item, attempt), asked));
        }
        for (const host of after.values()) {
          if (host.used.cpu > 0 || host.used.memory > 0) expect(host.open).toBe(true);
          expect(host.used.cpu).toBeLessThanOrEqual(host.total.cpu);
          expect(host.used.memory).toBeLessThanOrEqual(host.total.memory);
        }
        // A shard that is not placed fits on no host.
        if (found.missing > 0) expect(place([...after.values()], { ...asked, runs: shards(1) }).placed).toEqual([]);
      }),
    );
  });

  test('any placement released in any order, twice or not at all, leaves exactly the open reservations', () => {
    const run = fc.record({
      item: fc.integer({ min: 0, max: 9 }),
      cpus: fc.integer({ min: 0, max: 999 }).map(milli),
      withApp: fc.boolean(),
    });
    const steps = fc.array(fc.record({ run, give: fc.boolean() }), { maxLength: 60 });
    fc.assert(
      fc.property(steps, moves => {
        let host = aHost('a', 1_000, 1_000_000);
        for (const { run, give } of moves) {
          const name = aRun('e1', run.item);
          const cost = { resources: { cpus: run.cpus, memoryMB: 7 }, app: run.withApp ? app : null };
          host = give ? reserve(host, name, cost) : release(host, runKeyOf(name));
          const held = Object.values(host.reservations);
          const apps = held.filter(each => each.app !== null).length;
          expect(host.used).toEqual({
            cpu: held.reduce((sum, each) => sum + each.cost.cpu, apps > 0 ? 1_000 : 0),
            memory: held.reduce((sum, each) => sum + each.cost.memory, apps > 0 ? 100_000 : 0),
          });
          expect(host.apps.my_app?.runs ?? 0).toBe(apps);
        }
        for (const key of Object.keys(host.reservations)) host = release(host, key);
        expect(host).toEqual(aHost('a', 1_000, 1_000_000));
      }),
    );
  });
});

function milli(thousandths: number): number {
  return thousandths / 1_000;
}
