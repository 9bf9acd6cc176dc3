/** A page of two lists as one: each record once, in order, whatever lies before the page. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { mergedPage, type Ordered } from '../../src/api/cloudtask/merged-page.ts';

/** Newest first; counts what is read of it. */
function aList(name: string, instants: number[]) {
  const items = instants.toSorted((a, b) => b - a).map((at, nth) => ({ at, item: `${name}${nth}@${at}` }));
  let reads = 0;
  const list: Ordered<string> = {
    total: items.length,
    async instantAt(index) {
      reads += 1;
      return items[index]?.at;
    },
    page: async (offset, limit) => items.slice(offset, offset + limit),
  };
  return { list, items, reads: () => reads };
}

describe('a merged page', () => {
  test('a merged page is that part of both lists put together', async () => {
    const instants = fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(
        instants,
        instants,
        fc.integer({ min: 0, max: 65 }),
        fc.integer({ min: 1, max: 10 }),
        async (a, b, offset, limit) => {
          const [first, second] = [aList('a', a), aList('b', b)];
          const all = [...first.items, ...second.items].sort((x, y) => y.at - x.at).map(({ item }) => item);
          expect(await mergedPage(first.list, second.list, { offset, limit })).toEqual(all.slice(offset, offset + limit));
        },
      ),
      { seed: 20261122, numRuns: 2_000 },
    );
  });

  test('a merged page looks at a few records before it, however many there are', async () => {
    const first = aList(
      'a',
      Array.from({ length: 10_000 }, (_, nth) => nth * 3),
    );
    const second = aList(
      'b',
      Array.from({ length: 10_000 }, (_, nth) => nth * 2),
    );
    const [item] = await mergedPage(first.list, second.list, { offset: 12_345, limit: 1 });
    const all = [...first.items, ...second.items].sort((x, y) => y.at - x.at);
    expect(item).toBe(all[12_345]?.item);
    expect(first.reads()).toBeLessThan(20);
  });

  test('a merged page reads nothing before it where one of the lists is empty', async () => {
    const [first, second] = [aList('a', [1, 2, 3]), aList('b', [])];
    expect(await mergedPage(first.list, second.list, { offset: 1, limit: 9 })).toEqual(['a1@2', 'a2@1']);
    expect(await mergedPage(second.list, first.list, { offset: 2, limit: 9 })).toEqual(['a2@1']);
    expect(first.reads() + second.reads()).toBe(0);
  });
});
