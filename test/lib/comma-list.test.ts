/** Texts with commas between their entries. */
import { expect, test } from 'bun:test';
import { commaEntries, commaList } from '../../src/lib/comma-list.ts';

test('a comma list has the entries without spaces around them and without empty ones', () => {
  expect(commaList(' a, b c ,,d,')).toEqual(['a', 'b c', 'd']);
  expect(commaList(' , ')).toEqual([]);
});

test('comma entries keep empty ones', () => {
  expect(commaEntries('a,, b ')).toEqual(['a', '', 'b']);
  expect(commaEntries('')).toEqual(['']);
});
