/** Maps and sets at their limit: the oldest goes, the newest stays. */
import { describe, expect, test } from 'bun:test';
import { createBoundedMap, createBoundedSet, keepNewest } from '../../src/lib/bounded-map.ts';

describe('a bounded map', () => {
  test('a bounded map removes the oldest entry at its limit', () => {
    const map = createBoundedMap<string, number>({ max: 2 });
    map.set('a', 1).set('b', 2).set('c', 3);
    expect([...map]).toEqual([
      ['b', 2],
      ['c', 3],
    ]);
  });

  test('a bounded map counts an entry that is set again as the newest', () => {
    const map = createBoundedMap<string, number>({ max: 2 });
    map.set('a', 1).set('b', 2).set('a', 3).set('c', 4);
    expect([...map.keys()]).toEqual(['a', 'c']);
  });

  test('a bounded map has room again after an entry was deleted, and all of it after it was cleared', () => {
    const map = createBoundedMap<string, number>({ max: 2 });
    map.set('a', 1).set('b', 2);
    expect([map.delete('a'), map.delete('a')]).toEqual([true, false]);
    map.set('c', 3);
    expect([...map.keys()]).toEqual(['b', 'c']);
    map.clear();
    map.set('d', 4).set('e', 5);
    expect([...map.keys()]).toEqual(['d', 'e']);
  });

  test('a bounded map limits the sum of the weights, but keeps its newest entry', () => {
    const map = createBoundedMap<string, number>({ max: 10, weightOf: value => value });
    map.set('a', 4).set('b', 4).set('c', 4);
    expect([...map.keys()]).toEqual(['b', 'c']);
    map.set('b', 1).set('d', 5);
    expect([...map.keys()]).toEqual(['c', 'b', 'd']);
    map.set('whole', 11);
    expect([...map.keys()]).toEqual(['whole']);
  });
});

describe('a bounded set', () => {
  test('a bounded set removes the oldest value at its limit, and counts a repeat as the newest', () => {
    const set = createBoundedSet<string>(2);
    set.add('a').add('b').add('a').add('c');
    expect([...set]).toEqual(['a', 'c']);
  });
});

test('keepNewest removes the oldest entries of a plain map', () => {
  const map = new Map([1, 2, 3].map(each => [each, each]));
  keepNewest(map, 2);
  expect([...map.keys()]).toEqual([2, 3]);
  keepNewest(map, 5);
  expect(map.size).toBe(2);
});
