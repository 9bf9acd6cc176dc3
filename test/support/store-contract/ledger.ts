/** Store contract: the occurrence ledger. */
import { describe, expect, test } from 'bun:test';
import type { Ledger } from '../../../src/store/port.ts';
import { anOccurrence } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export function ledgerContract(underTest: StoreUnderTest): void {
  const froms = async (query: Partial<Parameters<Ledger['occurrences']>[0]> = {}) =>
    (await underTest.store.occurrences({ job: 'nightly', limit: 100, ...query })).map(entry => entry.from);

  describe('the ledger', () => {
    test('the ledger keeps every field of an entry, also across reopening', async () => {
      const entries = [
        anOccurrence({ from: 1_000, execution: 'nightly@1', reason: 'because' }),
        anOccurrence({ from: 2_000, to: 5_000, count: 4, verdict: 'missedDown' }),
      ];
      await underTest.store.record(entries);
      await underTest.reopen();
      expect(await underTest.store.occurrences({ job: 'nightly', limit: 9 })).toEqual(entries);
    });

    test('the ledger lets the first writing of a due time stand', async () => {
      await underTest.store.record([anOccurrence({ verdict: 'ran', execution: 'first' })]);
      await underTest.store.record([anOccurrence({ verdict: 'refused' }), anOccurrence({ from: 2_000 })]);
      await underTest.store.record([anOccurrence({ from: 3_000, reason: 'one' }), anOccurrence({ from: 3_000, reason: 'two' })]);
      expect(await underTest.store.occurrences({ job: 'nightly', limit: 9 })).toEqual([
        anOccurrence({ verdict: 'ran', execution: 'first' }),
        anOccurrence({ from: 2_000 }),
        anOccurrence({ from: 3_000, reason: 'one' }),
      ]);
    });

    test('a waiting entry of the ledger is resolved once, and keeps its other fields', async () => {
      const waiting = anOccurrence({ verdict: 'waiting', execution: 'nightly@1', reason: null, decidedAt: 1 });
      const notStarted = { ...waiting, verdict: 'notStarted' as const, reason: 'no room', decidedAt: 5 };
      await underTest.store.record([waiting]);
      await underTest.store.record([notStarted]);
      await underTest.store.record([{ ...waiting, verdict: 'ran', decidedAt: 9 }, waiting]);
      await underTest.reopen();
      expect(await underTest.store.occurrences({ job: 'nightly', limit: 9 })).toEqual([notStarted]);
      expect(await underTest.store.summary({ job: 'nightly' })).toEqual({ notStarted: 1 });
      expect(await froms({ verdict: 'waiting' })).toEqual([]);
    });

    test('the verdict of a ledger entry stays where it is written before the entry, in one call with it, or again', async () => {
      const at = (from: number, verdict: 'waiting' | 'ran' | 'unknown') =>
        anOccurrence({ from, to: from, verdict, execution: `nightly@${from}`, decidedAt: verdict === 'waiting' ? 1 : 5 });
      await underTest.store.record([at(1_000, 'ran')]);
      await underTest.store.record([at(1_000, 'waiting')]);
      await underTest.store.record([at(2_000, 'waiting'), at(2_000, 'unknown')]);
      await underTest.store.record([at(3_000, 'ran'), at(3_000, 'waiting'), at(3_000, 'ran')]);
      await underTest.store.record([at(4_000, 'waiting')]);
      await underTest.store.record([at(4_000, 'ran')]);
      await underTest.store.record([at(4_000, 'ran'), at(2_000, 'ran')]);
      const found = await underTest.store.occurrences({ job: 'nightly', limit: 9 });
      expect(found).toEqual([at(1_000, 'ran'), at(2_000, 'unknown'), at(3_000, 'ran'), at(4_000, 'ran')]);
    });

    test('the verdict of a ledger entry that expired meanwhile is removed with the next step, and moves no mark back', async () => {
      const waiting = anOccurrence({ from: 1_000, to: 1_000, verdict: 'waiting', execution: 'nightly@1' });
      await underTest.store.record([waiting, anOccurrence({ from: 5_000, to: 5_000 }), anOccurrence({ from: 9_000, to: 9_000 })]);
      await underTest.store.deleteOccurrences({ before: 6_000, limit: 10 });
      expect(await underTest.store.keptAfter('nightly')).toBe(5_000);
      await underTest.store.record([{ ...waiting, verdict: 'ran' }]);
      await underTest.store.deleteOccurrences({ before: 6_000, limit: 10 });
      expect(await froms()).toEqual([9_000]);
      expect(await underTest.store.keptAfter('nightly')).toBe(5_000);
    });

    test('only its own execution resolves a waiting entry of the ledger, and nothing but a waiting entry is resolved', async () => {
      const waiting = anOccurrence({ verdict: 'waiting', execution: 'nightly@1' });
      const missed = anOccurrence({ from: 2_000, to: 2_000, verdict: 'missedDown', execution: null });
      await underTest.store.record([waiting, missed]);
      await underTest.store.record([
        { ...waiting, verdict: 'ran', execution: 'another@1' },
        { ...missed, verdict: 'ran' },
        { ...waiting, verdict: 'refused' },
      ]);
      expect(await underTest.store.occurrences({ job: 'nightly', limit: 9 })).toEqual([waiting, missed]);
    });

    test('the ledger keeps jobs apart whose names begin alike', async () => {
      await underTest.store.record([anOccurrence({ job: 'a' }), anOccurrence({ job: 'a@1' }), anOccurrence({ job: 'a%' })]);
      expect(await froms({ job: 'a' })).toEqual([1_000]);
      expect(await froms({ job: 'b' })).toEqual([]);
    });

    test('the ledger returns what touches a span, ranges that stick out included', async () => {
      await underTest.store.record([
        anOccurrence({ from: 10, to: 40, count: 4, verdict: 'missedDown' }),
        anOccurrence({ from: 50 }),
        anOccurrence({ from: 60, to: 90, count: 4, verdict: 'disabled' }),
        anOccurrence({ from: 100 }),
      ]);
      expect(await froms({ from: 20, to: 30 })).toEqual([10]);
      expect(await froms({ from: 40, to: 50 })).toEqual([10, 50]);
      expect(await froms({ from: 41, to: 49 })).toEqual([]);
      expect(await froms({ from: 70 })).toEqual([60, 100]);
      expect(await froms({ to: 60 })).toEqual([10, 50, 60]);
      expect(await froms({ from: 20, to: 100, order: 'newest' })).toEqual([100, 60, 50, 10]);
      expect(await froms({ from: 20, verdict: 'missedDown' })).toEqual([10]);
      expect(await froms({ from: 100, to: 100 })).toEqual([100]);
    });

    test('the ledger pages in both orders', async () => {
      await underTest.store.record([
        ...[3, 1, 5, 2].map(from => anOccurrence({ from, verdict: from === 2 ? 'refused' : 'ran' })),
        anOccurrence({ from: 0, to: 4, count: 2, verdict: 'ran' }),
      ]);
      expect(await froms({ limit: 2 })).toEqual([0, 1]);
      expect(await froms({ limit: 2, after: 1 })).toEqual([2, 3]);
      expect(await froms({ limit: 2, after: 5 })).toEqual([]);
      expect(await froms({ limit: 2, order: 'newest' })).toEqual([5, 3]);
      expect(await froms({ limit: 3, order: 'newest', after: 3 })).toEqual([2, 1, 0]);
      expect(await froms({ limit: 2, from: 2, verdict: 'ran' })).toEqual([0, 3]);
      expect(await froms({ limit: 9, from: 2, verdict: 'ran', after: 0 })).toEqual([3, 5]);
      expect(await froms({ limit: 9, from: 2, order: 'newest', after: 3 })).toEqual([2, 0]);
      expect(await froms({ limit: 1, from: 2, order: 'newest', after: 3 })).toEqual([2]);
    });

    test('the ledger sums due times per verdict, entries that stick out whole', async () => {
      await underTest.store.record([
        anOccurrence({ from: 10, to: 40, count: 4, verdict: 'missedDown' }),
        anOccurrence({ from: 50 }),
        anOccurrence({ from: 60 }),
        anOccurrence({ from: 70, verdict: 'skippedOverlap' }),
        anOccurrence({ job: 'other', from: 60 }),
      ]);
      expect(await underTest.store.summary({ job: 'nightly' })).toEqual({ missedDown: 4, ran: 2, skippedOverlap: 1 });
      expect(await underTest.store.summary({ job: 'nightly', from: 40, to: 50 })).toEqual({ missedDown: 4, ran: 1 });
      expect(await underTest.store.summary({ job: 'nightly', from: 41, to: 49 })).toEqual({});
      expect(await underTest.store.summary({ job: 'nobody' })).toEqual({});
    });
  });
}
