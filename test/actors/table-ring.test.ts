/** The ring of hosts: CRC32, the choice against a direct reckoning, what one more host moves. */
import { describe, expect, test } from 'bun:test';
import { crc32 as zlibCrc32 } from 'node:zlib';
import fc from 'fast-check';
import { choose, crc32, pointName } from '../../actors/table/ring.ts';

/** The rule itself: of all points of candidates the greatest below the job's, else the greatest. */
function reckon(candidates: string[], name: string): string | undefined {
  const points = candidates.flatMap(host => Array.from({ length: 50 }, (_, i) => ({ host, point: zlibCrc32(`${host}|${i}`) })));
  const own = zlibCrc32(name);
  const below = points.filter(({ point }) => point < own);
  const among = below.length > 0 ? below : points;
  const greatest = Math.max(...among.map(({ point }) => point));
  return among
    .filter(({ point }) => point === greatest)
    .map(({ host }) => host)
    .sort()[0];
}

const hex = fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 24, maxLength: 24 });

/** A fixed sequence of numbers: the averages below are the same in every run. */
function drawnBy(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state;
  };
}
const idBy = (draw: () => number): string => [draw(), draw(), draw()].map(part => part.toString(16).padStart(8, '0')).join('');

test('the checksum is CRC32-IEEE of the text in UTF-8', () => {
  expect(crc32('123456789')).toBe(0xcbf43926);
  expect(crc32('')).toBe(0);
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), text => expect(crc32(text)).toBe(zlibCrc32(text))));
});

describe('the choice of a host', () => {
  test('the choice of a host is the greatest point below that of the job, in a thousand random pools', () => {
    const pool = fc.record({
      hosts: fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 12 }),
      closed: fc.array(fc.nat({ max: 11 })),
      id: hex,
      item: fc.nat({ max: 3 }),
    });
    fc.assert(
      fc.property(pool, ({ hosts, closed, id, item }) => {
        const candidates = hosts.filter((_, index) => !closed.includes(index));
        const name = pointName(id, item);
        expect(choose(hosts, name, host => candidates.includes(host))).toBe(reckon(candidates, name));
      }),
      { numRuns: 1_000 },
    );
  });

  test('the order in which hosts came does not change the choice of a host', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.uuid(), { minLength: 1, maxLength: 12 }), hex, (hosts, id) => {
        expect(choose(hosts.toReversed(), id, () => true)).toBe(choose(hosts, id, () => true));
      }),
    );
  });

  test('of two hosts at one point the smaller key is chosen, and the other where that is no candidate', () => {
    // A CRC32 is linear: these two keys of one length have one checksum for each index behind them.
    const keys = ['plumless', 'buckeroo'];
    expect(crc32('plumless|7')).toBe(crc32('buckeroo|7'));
    for (const hosts of [keys, keys.toReversed()]) {
      expect(choose(hosts, 'job', () => true)).toBe('buckeroo');
      expect(choose(hosts, 'job', host => host !== 'buckeroo')).toBe('plumless');
    }
  });

  test('a point at that of the job itself is not below it', () => {
    for (let index = 0; index < 50; index++) {
      const name = `h1|${index}`;
      expect(choose(['h1', 'h2'], name, () => true)).toBe(reckon(['h1', 'h2'], name));
    }
  });

  test('no host is chosen where none is a candidate', () => {
    expect(choose(['a', 'b'], 'job', () => false)).toBeUndefined();
    expect(choose([], 'job', () => true)).toBeUndefined();
  });

  test('the first shard has the point of its job, each further one a point of its own', () => {
    expect([pointName('5a2f', 0), pointName('5a2f', 2)]).toEqual(['5a2f', '5a2f#2']);
  });
});

test('one more host takes only jobs that go to it, and its share on the average of 200 pools', () => {
  const draw = drawnBy(20);
  const shares: number[] = [];
  for (let pool = 0; pool < 200; pool++) {
    const count = 1 + (pool % 20);
    const hosts = Array.from({ length: count }, () => idBy(draw));
    const more = [...hosts, idBy(draw)];
    const jobs = Array.from({ length: 200 }, () => idBy(draw));
    const moved = jobs.filter(job => choose(hosts, job, () => true) !== choose(more, job, () => true));
    for (const job of moved) expect(choose(more, job, () => true)).toBe(more.at(-1) as string);
    // Of what a fair share would be.
    shares.push((moved.length / jobs.length) * (count + 1));
  }
  const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
  expect(mean).toBeGreaterThan(0.8);
  expect(mean).toBeLessThan(1.2);
});
