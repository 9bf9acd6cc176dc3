/** Output below and beyond its cap, and a store that fails. */
import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { createMemorySpool } from '../../src/keeper/memory-spool.ts';
import { createOutputLog } from '../../src/keeper/output-log.ts';
import { attemptKey, CHUNK_WEIGHT } from '../../src/services/output/attempt.ts';
import { createOutputService, type OutputService } from '../../src/services/output/index.ts';
import { accountedBytes, keptBytes, type OutputPiece, readPieces } from '../../src/services/output/read.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { type OutputChunk, type OutputStore, StoreUnavailable } from '../../src/store/port.ts';
import { aChunk, placing } from '../support/store-builders.ts';

const NAME = { execution: 'e1', item: 0, attempt: 1 };
const all = (store: OutputStore) => store.output({ execution: 'e1', limit: 100_000 });
const sums = (chunks: { stream: string; bytes: number; leftOut: number }[]) => {
  const bytes = { stdout: 0, stderr: 0 } as Record<string, number>;
  for (const chunk of chunks) bytes[chunk.stream] = (bytes[chunk.stream] ?? 0) + chunk.bytes + chunk.leftOut;
  return bytes;
};
const ofLength = (seq: number, length: number, changes: Partial<OutputChunk> = {}) => aChunk({ seq, text: 'x'.repeat(length), ...changes });

/** Takes pieces with a count of left out bytes before them. */
const aKeeper = (parts: Parameters<typeof createOutputService>[0], place = placing()) => {
  const { keep, onKept } = createOutputService(parts);
  return { onKept, keep: (chunks: OutputChunk[]) => keep(place(chunks)) };
};

async function pieces(store: OutputStore, after = { attempt: 0, seq: 0 }, limit = 3): Promise<OutputPiece[]> {
  const found: OutputPiece[] = [];
  for (let at: typeof after | undefined = after; at; ) {
    const page = await readPieces(store, { execution: 'e1', item: 0, after: at, limit });
    found.push(...page.pieces);
    at = page.next;
  }
  return found;
}

describe('output below the cap', () => {
  test('output below the cap is kept as it came, and a repeat changes nothing', async () => {
    const store = createMemoryStore();
    const keeper = aKeeper({ store });
    const chunks = [aChunk({ seq: 1 }), aChunk({ seq: 2, stream: 'stderr', leftOut: 5 }), aChunk({ seq: 4 })];
    await keeper.keep(chunks.slice(0, 2));
    await keeper.keep(chunks);
    await aKeeper({ store }).keep(chunks);
    expect(await all(store)).toEqual(chunks);
  });

  test('output below the cap is counted once where an acknowledgement was lost and the host has dropped what it covered', async () => {
    const store = createMemoryStore();
    const log = createOutputLog(createMemorySpool().segments('1'), { headBytes: 0, tailBytes: 3 });
    const letters = (text: string) => {
      for (const letter of text) log.add('stdout', 0, new TextEncoder().encode(letter));
    };
    const send = (keeper: OutputService) => keeper.keep(log.read(0, 100).map(chunk => ({ ...NAME, ...chunk })));
    letters('ab');
    await send(createOutputService({ store }));
    letters('cdefg');
    log.finish(0);
    // The host never had the answer and goes on from 0; it has a and b no more.
    await send(createOutputService({ store }));
    expect(await accountedBytes(store, NAME)).toEqual({ stdout: 7, stderr: 0 });
    expect((await all(store)).map(({ text, leftOut }) => [text, leftOut])).toEqual([
      ['a', 0],
      ['b', 0],
      ['e', 2],
      ['f', 0],
      ['g', 0],
    ]);
  });

  test('output below the cap is sent to those who follow the execution, and repeats are not', async () => {
    const keeper = aKeeper({ store: createMemoryStore() });
    const news: number[] = [];
    const stop = keeper.onKept('e1', item => news.push(item));
    await keeper.keep([aChunk({ item: 3 }), aChunk({ execution: 'e2' })]);
    await keeper.keep([aChunk({ item: 3 })]);
    stop();
    await keeper.keep([aChunk({ item: 4 })]);
    expect(news).toEqual([3]);
  });
});

describe('row 18: output beyond the cap', () => {
  const piece = 100;
  const capBytes = 10 * (piece + CHUNK_WEIGHT);

  test('output beyond the cap loses its middle, and the sums of each stream stay exact', async () => {
    const store = createMemoryStore();
    const keeper = aKeeper({ store, capBytes });
    for (let seq = 1; seq <= 50; seq++) await keeper.keep([ofLength(seq, piece, { stream: seq % 3 === 0 ? 'stderr' : 'stdout' })]);
    const kept = await all(store);
    expect(sums(kept)).toEqual({ stdout: 34 * piece, stderr: 16 * piece });
    const seqs = kept.map(({ seq }) => seq).filter(seq => seq > 0);
    expect(seqs.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
    expect(seqs.at(-1)).toBe(50);
    expect(seqs.length).toBeLessThanOrEqual(10);
    expect(await accountedBytes(store, NAME)).toEqual({ stdout: 34 * piece, stderr: 16 * piece });
  });

  test('output beyond the cap has for a reader one marker per stream where the middle was', async () => {
    const store = createMemoryStore();
    const keeper = aKeeper({ store, capBytes });
    for (let seq = 1; seq <= 50; seq++) await keeper.keep([ofLength(seq, piece)]);
    const found = await pieces(store);
    const signs = found.filter(one => one.type === 'leftOut');
    const shown = found.filter(one => one.type === 'text').length;
    expect(signs).toHaveLength(1);
    expect(signs[0]).toMatchObject({ from: 6, to: 50 - (shown - 5), stream: 'stdout', bytes: (50 - shown) * piece });
    expect(found.indexOf(signs[0] as OutputPiece)).toBe(5);
  });

  test('output beyond the cap keeps the newest piece even if it alone is larger than the half', async () => {
    const store = createMemoryStore();
    const keeper = aKeeper({ store, capBytes: 100 });
    await keeper.keep([ofLength(1, 500), ofLength(2, 700), ofLength(3, 900)]);
    expect((await all(store)).filter(({ seq }) => seq > 0).map(({ seq }) => seq)).toEqual([3]);
    expect(await accountedBytes(store, NAME)).toEqual({ stdout: 2_100, stderr: 0 });
  });

  test('output beyond the cap is not counted as kept where its removal was interrupted', async () => {
    const store = createMemoryStore();
    const interrupted: OutputStore = { ...store, dropOutput: () => Promise.reject(new StoreUnavailable('away')) };
    const keeper = aKeeper({ store: interrupted, capBytes });
    for (let seq = 1; seq <= 50; seq++) await keeper.keep([ofLength(seq, piece, { stream: seq % 3 === 0 ? 'stderr' : 'stdout' })]);
    const shown = { stdout: 0, stderr: 0 };
    for (const one of await pieces(store)) if (one.type === 'text') shown[one.chunk.stream] += piece;
    expect(shown.stdout + shown.stderr).toBeLessThanOrEqual(10 * piece);
    expect((await keptBytes(store, [NAME.execution])).get(attemptKey(NAME))).toEqual(shown);
  });

  test('output beyond the cap is remembered within a bound, and read again when needed', async () => {
    const store = createMemoryStore();
    const keeper = aKeeper({ store, capBytes, rememberedMax: 4 });
    for (let seq = 1; seq <= 20; seq++) for (const item of [0, 1, 2]) await keeper.keep([ofLength(seq, piece, { item })]);
    for (const item of [0, 1, 2]) expect(await accountedBytes(store, { ...NAME, item })).toEqual({ stdout: 20 * piece, stderr: 0 });
  });
});

describe('a store that fails', () => {
  /** Fails as scripted: before the call takes effect, or after. */
  const failing = (store: OutputStore, script: () => 'no' | 'before' | 'after'): OutputStore => {
    const tried = async (work: () => Promise<void>) => {
      const when = script();
      if (when === 'before') throw new StoreUnavailable('away');
      await work();
      if (when === 'after') throw new StoreUnavailable('away, after it was done');
    };
    return {
      output: query => store.output(query),
      outputSums: query => store.outputSums(query),
      keepOutput: chunks => tried(() => store.keepOutput(chunks)),
      dropOutput: range => tried(() => store.dropOutput(range)),
    };
  };

  test('output on a failing store loses nothing that was acknowledged and counts every byte once (random failures, restarts, batches)', async () => {
    const arbitraryChunk = fc.record({
      length: fc.integer({ min: 0, max: 300 }),
      stream: fc.constantFrom('stdout' as const, 'stderr' as const),
      leftOut: fc.constantFrom(0, 0, 0, 17),
      skip: fc.constantFrom(0, 0, 0, 2),
    });
    const faults = fc.array(fc.constantFrom('no' as const, 'no' as const, 'before' as const, 'after' as const), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        fc.array(arbitraryChunk, { minLength: 1, maxLength: 80 }),
        faults,
        fc.integer({ min: 1, max: 9 }),
        fc.array(fc.boolean(), { maxLength: 60 }),
        async (shapes, scripted, batch, restarting) => {
          const [script, restarts] = [[...scripted], [...restarting]];
          const store = createMemoryStore();
          const fragile = failing(store, () => script.shift() ?? 'no');
          const place = placing();
          let keeper = aKeeper({ store: fragile, capBytes: 3_000 }, place);
          let seq = 0;
          const chunks = shapes.map(({ length, stream, leftOut, skip }) => {
            seq += 1 + skip;
            return ofLength(seq, length, { stream, leftOut });
          });
          for (let from = 0; from < chunks.length; ) {
            if (restarts.shift()) keeper = aKeeper({ store: fragile, capBytes: 3_000 }, place);
            try {
              // Each write repeats some acknowledged pieces, as after a reconnect.
              await keeper.keep(chunks.slice(Math.max(0, from - 2), from + batch));
              from += batch;
            } catch {}
          }
          const found = await pieces(store);
          const seen = { stdout: 0, stderr: 0 };
          for (const one of found) {
            if (one.type === 'text') seen[one.chunk.stream] += one.chunk.bytes;
            else seen[one.stream] += one.bytes;
          }
          expect(seen).toEqual({ stdout: 0, stderr: 0, ...sums(chunks) } as typeof seen);
          expect(await accountedBytes(store, NAME)).toEqual(seen);
          const shown = { stdout: 0, stderr: 0 };
          for (const one of found) if (one.type === 'text') shown[one.chunk.stream] += one.chunk.bytes;
          const kept = (await keptBytes(store, [NAME.execution])).get(attemptKey(NAME));
          expect(kept ?? { stdout: 0, stderr: 0 }).toEqual(shown);
          const last = found.findLast(one => one.type === 'text');
          expect(last?.chunk.seq).toBe(seq);
          const weight = found.reduce((sum, one) => sum + (one.type === 'text' ? one.chunk.bytes + CHUNK_WEIGHT : 0), 0);
          expect(weight).toBeLessThanOrEqual(3_000);
        },
      ),
      { numRuns: 150 },
    );
  });
});
