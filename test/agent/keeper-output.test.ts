/** The spool's arithmetic: whatever falls out and whoever reads when, every byte is either told or counted. */
import { describe, expect, test } from 'bun:test';
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { createMemorySpool } from '../../src/agent/keeper/memory-spool.ts';
import { createOutputLog } from '../../src/agent/keeper/output.ts';
import { createFileSpool } from '../../src/agent/keeper/spool.ts';
import { wholeCharacters } from '../../src/agent/keeper/utf8.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { accounted, textOf } from './keeper-house.ts';
import { aPlace } from '../support/place.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const directory = aPlace('spool');
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
  test('takes what it can, counts the rest, and does not bring the directory back', async () => {
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
    test('is its head, a gap with its size, and its tail', () => {
      const log = createOutputLog(aSpool().segments('1'), { headBytes: 10, tailBytes: 400 });
      for (let i = 0; i < 100; i++) log.add('stdout', i, bytes(`line ${String(i).padStart(4, '0')}\n`));
      log.finish(100);
      const chunks = log.read(0, 100_000);
      expect(chunks[0]).toMatchObject({ seq: 1, text: 'line 0000\n', leftOut: 0 });
      expect(chunks[1]?.leftOut).toBeGreaterThan(0);
      expect(chunks.at(-1)?.text).toBe('line 0099\n');
      expect(accounted(chunks)).toEqual({ stdout: 1_000, stderr: 0 });
      const tail = chunks.slice(1).reduce((sum, chunk) => sum + chunk.bytes, 0);
      expect(tail).toBeGreaterThanOrEqual(400);
      expect(tail).toBeLessThanOrEqual(510);
    });

    test('tells bytes missing at the end in an empty piece', () => {
      const log = createOutputLog(aSpool().segments('1'), { headBytes: 4, tailBytes: 0 });
      log.add('stdout', 1, bytes('head and more'));
      log.add('stderr', 1, bytes('nothing of this'));
      log.finish(2);
      const chunks = log.read(0, 1_000);
      expect(chunks.map(({ text, leftOut }) => [text, leftOut])).toEqual([
        ['head', 0],
        ['', 9],
        ['', 15],
      ]);
      expect(log.lastSeq()).toBe(3);
    });

    test('gives a reader who was there in time no second account of what it had', () => {
      const log = createOutputLog(aSpool().segments('1'), { headBytes: 0, tailBytes: 100 });
      let given = 0;
      let last = 0;
      for (let i = 0; i < 200; i++) {
        log.add(i % 3 ? 'stdout' : 'stderr', i, bytes('0123456789'));
        if (i % 7 > 0) continue;
        for (const chunk of log.read(last, 30)) {
          given += chunk.bytes + chunk.leftOut;
          last = chunk.seq;
        }
      }
      log.finish(200);
      for (let more = log.read(last, 30); more.length > 0; more = log.read(last, 30)) {
        for (const chunk of more) {
          given += chunk.bytes + chunk.leftOut;
          last = chunk.seq;
        }
      }
      expect(given).toBe(2_000);
    });

    test('is the same for the next keeper', () => {
      const spool = aSpool();
      const log = createOutputLog(spool.segments('1'), { headBytes: 3_000, tailBytes: 1_000 });
      for (let i = 0; i < 50; i++) log.add(i % 2 ? 'stdout' : 'stderr', i, bytes('€'.repeat(99)));
      log.finish(50);
      const totals = { stdout: log.written('stdout'), stderr: log.written('stderr') };
      const next = createOutputLog(spool.segments('1'), { headBytes: 0, tailBytes: 0 }, { totals });
      expect(next.read(0, 100_000)).toEqual(log.read(0, 100_000));
      expect(next.lastSeq()).toBe(log.lastSeq());
    });
  });
}

test('every byte is told or counted, whatever the limits, the bytes and the moments of reading', () => {
  const write = fc.record({
    stream: fc.constantFrom('stdout' as const, 'stderr' as const),
    data: fc.uint8Array({ maxLength: 300 }),
    read: fc.nat(400),
    // A reader whose line was cut goes on from a piece it had before.
    back: fc.nat(20),
  });
  fc.assert(
    fc.property(fc.array(write, { maxLength: 60 }), fc.nat(300), fc.nat(300), fc.nat(4_000), (writes, headBytes, tailBytes, capacity) => {
      const spool = createMemorySpool({ capacityBytes: () => capacity });
      const log = createOutputLog(spool.segments('1'), { headBytes, tailBytes });
      let told = { stdout: 0, stderr: 0 };
      let missed = { stdout: 0, stderr: 0 };
      const wrote = { stdout: 0, stderr: 0 };
      const past = [{ last: 0, told, missed }];
      let last = 0;
      const read = (max: number): boolean => {
        const chunks = log.read(last, max);
        for (const chunk of chunks) {
          told = { ...told, [chunk.stream]: told[chunk.stream] + chunk.bytes + chunk.leftOut };
          missed = { ...missed, [chunk.stream]: missed[chunk.stream] + chunk.leftOut };
          expect(chunk.seq).toBeGreaterThan(last);
          expect(chunk.leftOut).toBeGreaterThanOrEqual(0);
          last = chunk.seq;
          past.push({ last, told, missed });
        }
        return chunks.length > 0;
      };
      for (const { stream, data, read: max, back } of writes) {
        log.add(stream, 0, data);
        wrote[stream] += data.length;
        const earlier = past.at(-1 - back);
        if (back > 0 && back < 10 && earlier !== undefined) ({ last, told, missed } = earlier);
        if (max > 200) read(max - 200);
      }
      log.finish(0);
      read(1);
      const leftOut = { stdout: log.leftOut('stdout'), stderr: log.leftOut('stderr') };
      while (read(200));
      // Known with the end, before the rest was read.
      expect(leftOut).toEqual(missed);
      expect(told).toEqual(wrote);
      expect({ stdout: log.written('stdout'), stderr: log.written('stderr') }).toEqual(wrote);
    }),
  );
});

test('text comes out as it went in, however it was cut on the way', () => {
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
  ])('%s', (_, text, max, cut) => {
    expect(wholeCharacters(bytes(text), max, false)).toBe(cut);
  });

  test('waits for the rest of a character, but not at the end', () => {
    const half = bytes('a€').subarray(0, 3);
    expect(wholeCharacters(half, 100, false)).toBe(1);
    expect(wholeCharacters(half, 100, true)).toBe(3);
  });
});
