/** Each row of the failures has a test, or a reason why not. */
import { expect, test } from 'bun:test';
import { FAILURES, testsByRow } from './rows.ts';

test('each row of the failures has a test that names it, or says why not', () => {
  const bare = [...testsByRow()].filter(([row, tests]) => tests.length === 0 && FAILURES[row]?.open === undefined);
  expect(bare.map(([row]) => row)).toEqual([]);
});
