/** Tables, records and the width of text on a terminal. */
import { describe, expect, test } from 'bun:test';
import { createPrinter } from '../../src/cli/printer.ts';
import { recordOf, tableOf } from '../../src/cli/table.ts';
import { cutToWidth, widthOf, wrapped } from '../../src/cli/width.ts';
import { ago, spanText } from '../../src/cli/words.ts';
import { aShell } from './support/shell.ts';

const columns = [
  { head: 'NAME', cell: (row: { name: string; size: number }) => row.name },
  { head: 'SIZE', cell: (row: { name: string; size: number }) => String(row.size), right: true },
  { head: 'NAME AGAIN', cell: (row: { name: string; size: number }) => row.name },
];

describe('a table', () => {
  test('a table aligns texts to the left and numbers to the right', () => {
    expect(
      tableOf(
        [
          { name: 'a', size: 5 },
          { name: 'longer', size: 12345 },
        ],
        columns,
      ),
    ).toEqual(['NAME     SIZE  NAME AGAIN', 'a           5  a', 'longer  12345  longer']);
  });

  test('a table counts columns as a terminal shows them: wide, combined and joined characters', () => {
    const [, chinese, accent, family] = tableOf(
      [
        { name: '夜间任务', size: 1 },
        { name: 'e\u0301tude', size: 1 },
        { name: '👩‍👩‍👧 x', size: 1 },
      ],
      columns,
    );
    expect(chinese).toBe('夜间任务     1  夜间任务');
    expect(accent).toBe('e\u0301tude        1  e\u0301tude');
    expect(family).toBe('👩‍👩‍👧 x         1  👩‍👩‍👧 x');
  });

  test('a table gives the last column what a narrow terminal has left', () => {
    const rows = tableOf([{ name: 'a rather long name', size: 1 }], columns, 40);
    expect(rows[1]).toBe('a rather long name     1  a rather long…');
    expect(Math.max(...rows.map(widthOf))).toBeLessThanOrEqual(40);
  });

  test('a table leaves spare columns out until the others fit', () => {
    const spare = columns.map((column, place) => ({ ...column, spare: place < 2 }));
    const rows = [{ name: 'a rather long name', size: 1 }];
    expect(tableOf(rows, spare, 40)[0]).toBe('NAME                SIZE  NAME AGAIN');
    expect(tableOf(rows, spare, 34)[0]).toBe('NAME                NAME AGAIN');
    expect(tableOf(rows, spare, 20)[1]).toBe('a rather long name');
  });

  test('a table cuts nothing where no terminal shows it', () => {
    expect(tableOf([{ name: 'x'.repeat(500), size: 1 }], columns)[1]).toContain('x'.repeat(500));
  });

  test('a table lets no name move the cursor or colour the screen', () => {
    const [, row] = tableOf([{ name: 'a\u001b[31m\r\nb\u009b2J', size: 1 }], columns);
    expect(row).toBe('a\\x1b[31m b\\x9b2J     1  a\\x1b[31m b\\x9b2J');
  });

  test('a table keeps its columns under colour', () => {
    const painted = { head: 'STATE', cell: (row: string) => row, paint: (shown: string) => `<${shown}>` };
    expect(tableOf(['ok', 'failed'], [painted, { head: 'END', cell: () => '.' }])).toEqual(['STATE   END', '<ok>      .', '<failed>  .']);
  });
});

describe('a record', () => {
  test('a record leaves out what has no value', () => {
    expect(
      recordOf([
        ['name', 'x'],
        ['reason', undefined],
        ['pool', ''],
        ['status', 'idle'],
      ]),
    ).toEqual(['name    x', 'status  idle']);
  });

  test('a record is coloured last: a colour takes no room and loses nothing, and a value has none of its own', () => {
    const red = (shown: string) => `\u001b[31m${shown}\u001b[0m`;
    const lines = recordOf([['status', 'quarantined: three\u001b[7m faults in a row', red]], 34);
    expect(lines).toEqual(['status  \u001b[31mquarantined: three\\x1b[7m\u001b[0m', '        faults in a row']);
  });
});

describe('the width of a text', () => {
  test.each([
    ['', 0],
    ['abc', 3],
    ['日本', 4],
    ['한국', 4],
    ['ｱｲ', 2],
    ['Ａ', 2],
    ['é', 1],
    ['e\u0301', 1],
    ['🚀', 2],
    ['🇩🇪', 2],
    ['✓', 1],
    ['…', 1],
    ['㈱', 2],
    ['ｶﾞ', 2],
    ['\u200b', 0],
    ['👍🏽', 2],
    ['⚠\ufe0f', 2],
  ])('the width of the text %p is %p', (text, width) => {
    expect(widthOf(text)).toBe(width);
  });

  test('the width of a text is never overrun by a cut', () => {
    expect(cutToWidth('日本語', 6)).toBe('日本語');
    expect(cutToWidth('日本語', 5)).toBe('日本…');
    expect(cutToWidth('日本語', 4)).toBe('日…');
    expect(cutToWidth('abcdef', 4)).toBe('abc…');
  });
});

describe('a text that is broken into lines', () => {
  test('a text that is broken into lines keeps its indent, its inner blanks and words that are too long', () => {
    expect(wrapped('  --flag N   how many of them', 15, '    ')).toEqual(['  --flag N', '    how many of', '    them']);
    expect(wrapped('a  b', 4)).toEqual(['a  b']);
    expect(wrapped('an-endless-word and', 6)).toEqual(['an-endless-word', 'and']);
    expect(wrapped('a b', 1, '    ')).toEqual(['a', '    b']);
  });

  test('a text that is broken into lines takes no more columns than there are, wide characters included', () => {
    const lines = wrapped('每天 夜间 任务 nightly e\u0301tude', 9, '  ');
    expect(lines).toEqual(['每天 夜间', '  任务', '  nightly', '  \u00e9tude']);
    expect(Math.max(...lines.map(widthOf))).toBeLessThanOrEqual(9);
  });

  test('a text that is broken into lines stays whole where it fits or no terminal shows it', () => {
    expect(wrapped(' a b ', 5)).toEqual([' a b ']);
    expect(wrapped('a '.repeat(500), Number.POSITIVE_INFINITY)).toEqual(['a '.repeat(500)]);
  });
});

describe('a span', () => {
  test.each([
    [0, '0.0s'],
    [4, '4ms'],
    [94, '94ms'],
    [95, '0.1s'],
    [400, '0.4s'],
    [9_949, '9.9s'],
    [42_000, '42s'],
    [185_000, '3m5s'],
  ])('a span of %p ms is %p', (ms, text) => {
    expect(spanText(ms)).toBe(text);
  });

  test('a span since an instant of another clock is "now" under a second', () => {
    expect([ago(-5_000), ago(30), ago(2_000)]).toEqual(['now', 'now', '2.0s ago']);
  });
});

describe('colour', () => {
  const painted = (shell: Parameters<typeof aShell>[0]) => createPrinter(aShell(shell), {}).paint.state('failed');
  test('colour is for terminals only', () => {
    expect(painted({ isTerminal: false })).toBe('failed');
    expect(painted({ isTerminal: true })).toBe('\u001b[31mfailed\u001b[0m');
  });
  test('colour is off where the environment says no', () => {
    expect(painted({ isTerminal: true, env: { NO_COLOR: '1' } })).toBe('failed');
    expect(painted({ isTerminal: true, env: { TERM: 'dumb' } })).toBe('failed');
    expect(painted({ isTerminal: true, env: { NO_COLOR: '' } })).toBe('\u001b[31mfailed\u001b[0m');
  });
});
