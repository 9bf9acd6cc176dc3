/** Long texts of a JSON document lose their middle while it arrives. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createJsonTextCutter } from '../../src/lib/json-text-cutter.ts';
import { splitTail } from '../../src/lib/text-tail.ts';

const cut = (document: string, maxBytes: number, pieceLength = document.length): string => {
  const cutter = createJsonTextCutter(maxBytes);
  for (let at = 0; at < document.length; at += pieceLength) cutter.write(document.slice(at, at + pieceLength));
  return cutter.end();
};
const MARK = /\n\[(\d+) bytes are left out here\]\n/;
/** Escapes of every kind, each with its bytes. */
const UNITS: [written: string, bytes: number][] = [
  ...([
    ['\\n', 1],
    ['\\"', 1],
    ['\\\\', 1],
    ['\\u0041', 1],
    ['\\u00e9', 2],
    ['\\u6f22', 3],
    ['\\ud83d\\ude80', 4],
  ] as [string, number][]),
  ...([
    ['x', 1],
    ['é', 2],
    ['漢', 3],
  ] as [string, number][]),
];

describe('a document with short texts', () => {
  test('a document with short texts passes unchanged, in pieces of any length', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.integer({ min: 1, max: 9 }), (value, length) => {
        const document = JSON.stringify(value);
        expect(cut(document, 4_096, length)).toBe(document);
      }),
      { seed: 20261122, numRuns: 300 },
    );
  });

  test.each([
    '',
    '"',
    '{"a":"b',
    '{"a":"b\\',
    '{"a":"\\u12',
    '{"a":"\\ud83d',
    '{"a":"\\ud83d\\u',
    '{"a":"\\ud83dx"}',
    '"\\uzzzz"',
    '}{,"a" "b"',
  ])('a broken document %j passes unchanged, in pieces of any length', document => {
    for (let length = 1; length <= document.length; length++) expect(cut(document, 100, length)).toBe(document);
  });

  test('a text of exactly the limit stays whole, and one of a byte more does not', () => {
    for (const [written, bytes] of UNITS) {
      const text = written.repeat(Math.floor(60_000 / bytes));
      const size = Math.floor(60_000 / bytes) * bytes;
      const isWhole = (maxBytes: number) => cut(`["${text}"]`, maxBytes, 1_000) === `["${text}"]`;
      expect([written, isWhole(size), isWhole(size - 1)]).toEqual([written, true, false]);
    }
  });
});

describe('a document with a long text', () => {
  test('a document with a long text keeps both ends of it, never half a character or escape, and counts the rest', () => {
    for (const [written, bytes] of UNITS) {
      const count = 200_000;
      const document = `{"a":"begin${written.repeat(count)}end","b":1}`;
      for (const length of [997, 65_536]) {
        const read = JSON.parse(cut(document, 40_000, length)) as { a: string; b: number };
        const [head = '', leftOut = '', tail = ''] = read.a.split(MARK);
        expect(head.startsWith('begin') && tail.endsWith('end') && read.b === 1).toBe(true);
        const middle: string = JSON.parse(`"${written}"`).repeat((Buffer.byteLength(head + tail) - 8) / bytes);
        expect(head + tail === `begin${middle}end`).toBe(true);
        expect(Buffer.byteLength(head + tail) + Number(leftOut)).toBe(8 + count * bytes);
        expect(Buffer.byteLength(head)).toBeWithin(20_000 - 3 * 4_096, 20_001);
        expect(Buffer.byteLength(tail)).toBeWithin(20_000 - 3 * 4_096, 20_001 + 3 * 4_096);
      }
    }
  });

  test('each long text of a document is cut by itself, names as well', () => {
    const [a, b] = ['a'.repeat(50_000), 'b'.repeat(50_000)];
    const read = JSON.parse(cut(JSON.stringify({ [a]: [b, 'short'] }), 10_000)) as Record<string, string[]>;
    const [name = ''] = Object.keys(read);
    expect([MARK.test(name), MARK.test(read[name]?.[0] ?? ''), read[name]?.[1]]).toEqual([true, true, 'short']);
  });
});

describe('the end of a text', () => {
  test('the end of a text is split off by its bytes, never within a character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme-composite', maxLength: 50 }), fc.integer({ min: 0, max: 60 }), (text, bytes) => {
        const { before, tail } = splitTail(text, bytes);
        expect(before + tail).toBe(text);
        expect(Buffer.byteLength(tail)).toBeLessThanOrEqual(bytes);
        const next = [...before].at(-1);
        if (next !== undefined) expect(Buffer.byteLength(next + tail)).toBeGreaterThan(bytes);
      }),
      { seed: 20261122, numRuns: 500 },
    );
  });
});
