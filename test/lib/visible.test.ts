/** Untrusted text in logs and on terminals. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createTerminalOutput, type Piece } from '../../src/cli/output.ts';
import { createPrinter } from '../../src/cli/printer.ts';
import { singleLine } from '../../src/cli/width.ts';
import { createLog } from '../../src/lib/log.ts';
import { coloured, createColouredText, visible, visibleJson } from '../../src/lib/visible.ts';
import { aShell } from '../cli/support/shell.ts';
import { createManualClock } from '../support/manual-clock.ts';

/** Characters that act on a terminal or deceive a reader: controls, formats, separators. */
const ACTS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;
const EVIL = 'a\u001b[2Jb\u009b2Jc\u202ed\u2066e\u200bf\u2028g\u007fh\u0085i\ufeffj\u{e0041}k\u0007';
const SEEN = 'a\\x1b[2Jb\\x9b2Jc\\u202ed\\u2066e\\u200bf\\u2028g\\x7fh\\x85i\\ufeffj\\u{e0041}k\\x07';
const anyText = () => fc.string({ unit: 'binary' }).map(text => `${text}${EVIL}${text}`);
/** Joiners inside of words belong to some scripts. */
const withoutJoiners = (text: string) => text.replace(/[\u200c\u200d]/g, '');

describe('untrusted text', () => {
  test('untrusted text shows every control and format character', () => {
    expect(visible(EVIL)).toBe(SEEN);
    expect(visible('two\nlines\r\n\tand a tab')).toBe('two\\nlines\\r\\n\\tand a tab');
    expect(visible('\ud800')).toBe('\\ud800');
  });

  test('untrusted text keeps what only looks unusual', () => {
    for (const text of ['naïve café', '中文 日本語 한국어', 'مرحبا', 'می\u200cخواهم', '👩‍👩‍👧', '🏳️‍🌈', 'क्\u200dष', 'a\u0301'])
      expect(visible(text)).toBe(text);
    expect(visible('a\u200d b\u200c')).toBe('a\\u200d b\\u200c');
  });

  test('untrusted text has no effect on a terminal, whatever it is', () => {
    fc.assert(
      fc.property(anyText(), text => {
        expect(ACTS.test(withoutJoiners(visible(text)))).toBe(false);
        expect(ACTS.test(withoutJoiners(singleLine(text)))).toBe(false);
        expect(ACTS.test(visibleJson(JSON.stringify({ text })))).toBe(false);
        expect(JSON.parse(visibleJson(JSON.stringify({ text }, null, 2)))).toEqual({ text });
      }),
    );
  });
});

test.each(['pretty', 'json'] as const)('a %s log line has no effect on a terminal, whatever untrusted text is in it', format => {
  const lines: string[] = [];
  const log = createLog(createManualClock(), { level: 'info', format }, line => lines.push(line));
  fc.assert(
    fc.property(anyText(), text => {
      lines.length = 0;
      log.warn(text, { text, list: [text], error: new Error(text) });
      const [line = ''] = lines;
      expect([line.endsWith('\n'), ACTS.test(withoutJoiners(line.slice(0, -1)))]).toEqual([true, false]);
      if (format === 'json') expect(JSON.parse(line)).toMatchObject({ message: text, text, list: [text] });
    }),
  );
});

test.each([true, false])('the output of a verb has no effect on a terminal (json: %p)', async json => {
  const shell = aShell({ isTerminal: true, columns: 80 });
  const print = createPrinter(shell, { json });
  const columns = [{ head: 'NAME', cell: (row: { name: string }) => row.name }];
  await print.show({ name: EVIL }, () => [...print.table([{ name: EVIL }], columns), ...print.record([['name', EVIL]]), EVIL]);
  await print.each({ name: EVIL }, () => EVIL);
  expect(ACTS.test(shell.out().replaceAll('\n', ''))).toBe(false);
});

describe('output of a process on a terminal', () => {
  const piece = (text: string, more: Partial<Piece> = {}): Piece => ({
    ...{ seq: 1, at: '2026-11-22T08:00:00.000Z', stream: 'stdout', text, item: 0, attempt: 1 },
    ...more,
  });
  const copied = async (pieces: Piece[], { isTerminal = true, namesShards = false } = {}) => {
    const shell = aShell({ isTerminal, env: { NO_COLOR: '1' } });
    const output = createTerminalOutput({ shell, print: createPrinter(shell, {}) }, { namesShards });
    for (const one of pieces) await output.write(one);
    await output.end();
    return { out: shell.out(), err: shell.err() };
  };

  test('output of a process on a terminal passes colours, lines, tabs and returns, and shows every other escape', async () => {
    const text = 'plain \u001b[1;31mred\u001b[0m\ttab\r\n50%\r60%\n\u001b]0;title\u0007\u001b[2J\u009b31m\u001b[31;?1m\u202e\u001b(0';
    expect((await copied([piece(text)])).out).toBe(
      'plain \u001b[1;31mred\u001b[0m\ttab\r\n50%\r60%\n\\x1b]0;title\\x07\\x1b[2J\\x9b31m\\x1b[31;?1m\\u202e\\x1b(0',
    );
  });

  test('output of a process on a terminal joins a colour that was torn at any place, and shows one that never ends', async () => {
    const red = '\u001b[38;5;196mred\u001b[0m';
    for (let cut = 0; cut <= red.length; cut += 1) {
      expect((await copied([piece(red.slice(0, cut)), piece(red.slice(cut))])).out).toBe(red);
    }
    expect((await copied([piece('a\u001b'), piece('[2J')])).out).toBe('a\\x1b[2J');
    expect((await copied([piece('a\u001b[3')])).out).toBe('a\\x1b[3');
    expect((await copied([piece(`\u001b[${'1;'.repeat(50)}m`)])).out).toStartWith('\\x1b[1;');
  });

  test('output of a process on a terminal is the same in pieces as in one, and has no effect but colours', () => {
    const some = fc.array(fc.constantFrom('\u001b', '[', '3', '1', ';', 'm', 'J', '\n', 'x', '\u009b', '\u202e', '\u001b[0m'), {
      maxLength: 40,
    });
    fc.assert(
      fc.property(some, fc.nat(40), (letters, cut) => {
        const text = letters.join('');
        const inPieces = createColouredText();
        const shown = inPieces.push(text.slice(0, cut)) + inPieces.push(text.slice(cut)) + inPieces.end();
        expect(shown).toBe(coloured(text));
        // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what it is about.
        expect(ACTS.test(shown.replace(/\x1b\[[0-9;:]*m|\n/g, ''))).toBe(false);
      }),
    );
  });

  test('output of a process on a terminal keeps its two streams apart, and gives the terminal its colours back at the end', async () => {
    const both = await copied([
      piece('\u001b[3'),
      piece('\u001b[4', { stream: 'stderr' }),
      piece('1mred'),
      piece('2J', { stream: 'stderr' }),
    ]);
    expect(both).toEqual({ out: '\u001b[31mred\u001b[0m', err: '\\x1b[42J' });
  });

  test('output of a process on a terminal overwrites nothing in front of its lines', async () => {
    const { out } = await copied([piece('a\r[1] forged\u001b[31m\r\nb\u001b[2K\n')], { namesShards: true });
    expect(out).toBe('[0] a\\r[1] forged\u001b[31m\r\u001b[0m\n[0] b\\x1b[2K\n');
  });

  test('output of a process on a terminal reaches a pipe or a file as it is', async () => {
    const text = `${EVIL}\u001b[31mred`;
    expect((await copied([piece(text), piece(text, { stream: 'stderr' })], { isTerminal: false })).out).toBe(text);
    expect((await copied([piece(`${text}\n`)], { isTerminal: false, namesShards: true })).out).toBe(`[0] ${text}\n`);
  });
});
