/** The spool's arithmetic: every byte is either delivered or counted as left out. */
import { describe, expect, test } from 'bun:test';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { createMemorySpool } from '../../src/keeper/memory-spool.ts';
import { createOutputLog } from '../../src/keeper/output-log.ts';
import { createFileSpool } from '../../src/keeper/spool.ts';
import { wholeCharacters } from '../../src/keeper/utf8.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { tempDir } from '../support/temp-dir.ts';
import { accounted, textOf, withGaps } from './keeper-system.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const directory = tempDir('spool');
let spoolsMade = 0;
const aFileSpool = (clock = createManualClock()) => {
  const own = join(directory, String(++spoolsMade));
  return { own, spool: createFileSpool({ directory: own, clock }) };
};
const spools = {
  memory: () => createMemorySpool(),
  files: () => aFileSpool().spool,
};

describe('a spool whose directory was removed', () => {
  test('a spool whose directory was removed takes what it can, counts the rest, and does not bring the directory back', async () => {
    const clock = createManualClock();
    const { own, spool } = aFileSpool(clock);
    const log = createOutputLog(spool.segments('1'), { headBytes: 4_000, tailBytes: 4_000 });
    const line = bytes(`${'x'.repeat(99)}\n`);
    for (let i = 0; i < 100; i++) log.add('stdout', i, line);
    log.read(0, 5_000);
    rmSync(own, { recursive: true });
    for (let i = 0; i < 100; i++) log.add('stdout', i, line);
    log.finish(200);
    expect(accounted(log.read(0, 1_000_000)).stdout).toBe(20_000);
    // Also what the journal does from time to time.
    for (let i = 0; i < 3_000; i++) spool.segments(String(i)).append(0, bytes('h'), bytes('d'));
    await clock.advance(2_000);
    expect(spool.segments('new').append(0, bytes('h'), bytes('d'))).toBe(true);
    expect(existsSync(own)).toBe(false);
  });
});

for (const [name, aSpool] of Object.entries(spools)) {
  describe(`the output of a run, spooled in ${name}`, () => {
    test(`the output of a run in ${name} is its head, a gap with its size, and its tail`, () => {
      const log = createOutputLog(aSpool().segments('1'), { headBytes: 10, tailBytes: 400 });
      for (let i = 0; i < 100; i++) log.add('stdout', i, bytes(`line ${String(i).padStart(4, '0')}\n`));
      log.finish(100);
      const chunks = withGaps(log.read(0, 100_000));
      expect(chunks[0]).toMatchObject({ seq: 1, text: 'line 0000\n', leftOut: 0 });
      expect(chunks[1]?.leftOut).toBeGreaterThan(0);
      expect(chunks.at(-1)?.text).toBe('line 0099\n');
      expect(accounted(chunks)).toEqual({ stdout: 1_000, stderr: 0 });
      const tail = chunks.slice(1).reduce((sum, chunk) => sum + chunk.bytes, 0);
      expect(tail).toBeGreaterThanOrEqual(400);
      expect(tail).toBeLessThanOrEqual(510);
    });

    test(`the output of a run in ${name} counts bytes missing at the end in an empty piece`, () => {
      const log = createOutputLog(aSpool().segments('1'), { headBytes: 4, tailBytes: 0 });
      log.add('stdout', 1, bytes('head and more'));
      log.add('stderr', 1, bytes('nothing of this'));
      log.finish(2);
      const chunks = withGaps(log.read(0, 1_000));
      expect(chunks.map(({ text, leftOut }) => [text, leftOut])).toEqual([
        ['head', 0],
        ['', 9],
        ['', 15],
      ]);
      expect(log.lastSeq()).toBe(3);
    });

    test(`the output of a run in ${name} is counted once for a reader who was there in time`, () => {
      const log = createOutputLog(aSpool().segments('1'), { headBytes: 0, tailBytes: 100 });
      let given = 0;
      let last = 0;
      const ends = { stdout: 0, stderr: 0 };
      for (let i = 0; i < 200; i++) {
        log.add(i % 3 ? 'stdout' : 'stderr', i, bytes('0123456789'));
        if (i % 7 > 0) continue;
        for (const chunk of withGaps(log.read(last, 30), ends)) {
          given += chunk.bytes + chunk.leftOut;
          last = chunk.seq;
        }
      }
      log.finish(200);
      for (let more = log.read(last, 30); more.length > 0; more = log.read(last, 30)) {
        for (const chunk of withGaps(more, ends)) {
          given += chunk.bytes + chunk.leftOut;
          last = chunk.seq;
        }
      }
      expect(given).toBe(2_000);
    });

    test(`the output of a run in ${name} is the same for the next keeper`, () => {
      const spool = aSpool();
      const log = createOutputLog(spool.segments('1'), { headBytes: 3_000, tailBytes: 1_000 });
      for (let i = 0; i < 50; i++) log.add(i % 2 ? 'stdout' : 'stderr', i, bytes('€'.repeat(99)));
      log.finish(50);
      const totals = { stdout: log.written('stdout'), stderr: log.written('stderr') };
      const next = createOutputLog(spool.segments('1'), { headBytes: 0, tailBytes: 0 }, { totals });
      expect(next.read(0, 100_000)).toEqual(log.read(0, 100_000));
      expect(next.lastSeq()).toBe(log.lastSeq());
      // Also where its reader goes on from a piece that the earlier keeper gave it: what is stored
      // is not left out.
      const later = createOutputLog(spool.segments('1'), { headBytes: 0, tailBytes: 0 }, { totals });
      expect(later.read(5, 100_000)).toEqual(log.read(5, 100_000));
      for (const stream of ['stdout', 'stderr'] as const) expect(later.leftOut(stream)).toBe(log.leftOut(stream));
      expect(later.leftOut('stdout')).toBeGreaterThan(0);
    });
  });
}

type Write = { stream: 'stdout' | 'stderr'; data: Uint8Array; read: number; back: number };
const aWrite = (length: number, read: number, back: number): Write => ({ stream: 'stdout', data: new Uint8Array(length), read, back });

test('every byte is read or counted, whatever the limits, the bytes and the moments of reading', () => {
  const write = fc.record({
    stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    data: fc.uint8Array({ maxLength: 300 }),
    read: fc.nat(400),
    // A reader whose line was cut goes on from a piece it had before, also from one that it has
    // meanwhile gone back behind and read anew.
    back: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 60 }), fc.nat(300), fc.nat(300), fc.nat(4_000), (writes, headBytes, tailBytes, capacity) => {
      const spool = createMemorySpool({ capacityBytes: () => capacity });
      const log = createOutputLog(spool.segments('1'), { headBytes, tailBytes });
      const wrote = { stdout: [] as number[], stderr: [] as number[] };
      const given = { stdout: new Map<number, number>(), stderr: new Map<number, number>() };
      let ends = { stdout: 0, stderr: 0 };
      const past = [{ last: 0, ends }];
      let last = 0;
      const read = (max: number): boolean => {
        const chunks = log.read(last, max);
        for (const { seq, stream, start, bytes: size, text } of chunks) {
          expect(seq).toBeGreaterThan(last);
          expect(start).toBeGreaterThanOrEqual(ends[stream]);
          const written = Uint8Array.from(wrote[stream].slice(start, start + size));
          expect(text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(written));
          given[stream].set(start, size);
          ends = { ...ends, [stream]: start + size };
          last = seq;
          past.push({ last, ends });
        }
        return chunks.length > 0;
      };
      for (const { stream, data, read: max, back } of writes) {
        log.add(stream, 0, data);
        wrote[stream].push(...data);
        const earlier = past.at(-1 - back);
        if (back > 0 && back < 10 && earlier !== undefined) ({ last, ends } = earlier);
        if (max > 200) read(max - 200);
      }
      log.finish(0);
      read(1);
      const leftOut = { stdout: log.leftOut('stdout'), stderr: log.leftOut('stderr') };
      while (read(200));
      const written = { stdout: wrote.stdout.length, stderr: wrote.stderr.length };
      expect(ends).toEqual(written);
      const got = (stream: 'stdout' | 'stderr') => [...given[stream].values()].reduce((sum, size) => sum + size, 0);
      // Known with the end, before the rest was read.
      expect(leftOut).toEqual({ stdout: written.stdout - got('stdout'), stderr: written.stderr - got('stderr') });
      expect({ stdout: log.written('stdout'), stderr: log.written('stderr') }).toEqual(written);
    }),
    {
      examples: [
        // It reads 1 and 2, goes back to 0 when 1 is gone, reads on, and goes on from the 2 of the
        // first time.
        [[aWrite(1, 0, 0), aWrite(1, 202, 0), aWrite(1, 0, 0), aWrite(1, 203, 2), aWrite(0, 0, 3)], 0, 3, 99],
        // It reads 1 to 3, goes back and reads 1 again, and 2 and 3 fall out: they were given.
        [
          [aWrite(1, 0, 0), aWrite(1, 0, 0), aWrite(1, 203, 0), aWrite(0, 201, 3), aWrite(1, 0, 0), aWrite(1, 0, 0), aWrite(1, 0, 0)],
          0,
          3,
          4_000,
        ],
      ],
    },
  );
});

test('text stays as it was written, however it was cut on the way', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 200 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 50 }),
      (text, cuts) => {
        const log = createOutputLog(createMemorySpool().segments('1'), { headBytes: 7, tailBytes: 1 << 20 });
        let rest = bytes(text);
        for (const cut of cuts) {
          log.add('stdout', 0, rest.subarray(0, cut));
          rest = rest.subarray(cut);
        }
        log.add('stdout', 0, rest);
        log.finish(0);
        expect(textOf(log.read(0, 1 << 20), 'stdout')).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes(text)));
      },
    ),
  );
});

describe('a cut between characters', () => {
  test.each([
    ['plain text', 'abc', 2, 2],
    ['a character that does not fit', 'a€', 2, 1],
    ['a character that fits exactly', 'a€', 4, 4],
    ['a first character that does not fit', '𝄞', 3, 0],
  ])('a cut between characters: %s', (_, text, max, cut) => {
    expect(wholeCharacters(bytes(text), max, false)).toBe(cut);
  });

  test('a cut between characters waits for the rest of a character, but not at the end', () => {
    const half = bytes('a€').subarray(0, 3);
    expect(wholeCharacters(half, 100, false)).toBe(1);
    expect(wholeCharacters(half, 100, true)).toBe(3);
  });
});
