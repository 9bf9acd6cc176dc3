/** Store contract: ownership of partitions, due actors, pending effects. */
import { describe, expect, test } from 'bun:test';
import { PARTITIONS } from '../../../src/store/port.ts';
import { aDocument, aWrite } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export function actorsContract(underTest: StoreUnderTest): void {
  describe('claim', () => {
    test('claim gives every partition an epoch, one higher each time, also after reopening', async () => {
      expect(await underTest.store.claim('center-1')).toEqual(Array.from({ length: PARTITIONS }, () => 1));
      const second = await underTest.store.claim('center-1');
      second.fill(99);
      await underTest.reopen();
      expect(await underTest.store.claim('center-2')).toEqual(Array.from({ length: PARTITIONS }, () => 3));
    });

    test('claim of some partitions leaves the others alone', async () => {
      await underTest.store.claim('center-1');
      expect(await underTest.store.claim('center-1', { from: 10, to: 12 })).toEqual([2, 2, 2]);
      expect((await underTest.store.claim('center-1')).slice(9, 14)).toEqual([2, 3, 3, 3, 2]);
    });

    test('claim raises epochs by as much as its owner asks, durably, and no other epochs', async () => {
      await underTest.store.claim('center-1');
      expect(await underTest.store.claim('center-1', { from: 0, to: 1 }, 1_000_000)).toEqual([1_000_001, 1_000_001]);
      await underTest.store.claim('center-2', { from: 1, to: 1 });
      const problem = await underTest.store.claim('center-1', { from: 0, to: 1 }, 1_000_000).catch((error: Error) => error);
      expect(String(problem)).toContain('is owned by');
      await underTest.reopen();
      expect((await underTest.store.claim('center-1')).slice(0, 3)).toEqual([1_000_002, 1_000_003, 2]);
    });
  });

  describe('due', () => {
    test('due gives the earliest first, ties by address, and none that is later', async () => {
      await underTest.store.commit([
        aWrite({ address: 'job/late', nextDue: 31 }),
        aWrite({ address: 'job/b', nextDue: 20 }),
        aWrite({ address: 'job/a', nextDue: 20 }),
        aWrite({ address: 'job/first', nextDue: 10 }),
        aWrite({ address: 'job/exact', nextDue: 30 }),
        aWrite({ address: 'job/unarmed', nextDue: null }),
      ]);
      expect(await underTest.store.due({ until: 30, limit: 10 })).toEqual([
        { address: 'job/first', nextDue: 10 },
        { address: 'job/a', nextDue: 20 },
        { address: 'job/b', nextDue: 20 },
        { address: 'job/exact', nextDue: 30 },
      ]);
    });

    test('due pages without gap or repeat through equal instants', async () => {
      const addresses = Array.from({ length: 25 }, (_, i) => `job/j${String(i).padStart(2, '0')}`);
      await underTest.store.commit(addresses.toReversed().map((address, i) => aWrite({ address, nextDue: 100 + (i % 2) })));
      const seen: { address: string; nextDue: number }[] = [];
      for (;;) {
        const after = seen.at(-1);
        const page = await underTest.store.due({ until: 200, limit: 4, ...(after && { after }) });
        if (page.length === 0) break;
        seen.push(...page);
      }
      expect(seen.map(timer => timer.address)).toHaveLength(25);
      expect(new Set(seen.map(timer => timer.address)).size).toBe(25);
      expect(seen).toEqual(seen.toSorted((a, b) => a.nextDue - b.nextDue || (a.address < b.address ? -1 : 1)));
    });

    test('due follows each commit', async () => {
      await underTest.store.commit([aWrite({ nextDue: 10 })]);
      await underTest.store.commit([aWrite({ rev: 2, nextDue: 20 })]);
      expect(await underTest.store.due({ until: 15, limit: 9 })).toEqual([]);
      expect(await underTest.store.due({ until: 20, limit: 9 })).toEqual([{ address: 'job/nightly', nextDue: 20 }]);
      await underTest.store.commit([aWrite({ rev: 3, nextDue: null })]);
      expect(await underTest.store.due({ until: 99, limit: 9 })).toEqual([]);
    });

    test('due passes over the quarantined and tombstones, but not over done actors', async () => {
      await underTest.store.commit([
        aWrite({ address: 'job/quarantined', quarantined: true, nextDue: 1 }),
        aWrite({ address: 'job/tombstone', life: 'tombstone', nextDue: 1 }),
        aWrite({ address: 'job/done', life: 'done', nextDue: 1 }),
      ]);
      expect(await underTest.store.due({ until: 9, limit: 9 })).toEqual([{ address: 'job/done', nextDue: 1 }]);
      await underTest.store.commit([aWrite({ address: 'job/quarantined', rev: 2, nextDue: 1 })]);
      expect(await underTest.store.due({ until: 9, limit: 9 })).toHaveLength(2);
    });
  });

  describe('pending', () => {
    test('actors with pending effects are listed by address, page by page', async () => {
      await underTest.store.commit([
        aWrite({ address: 'job/c', pendingEffects: '[3]' }),
        aWrite({ address: 'job/none' }),
        aWrite({ address: 'host/a', pendingEffects: '[1]' }),
        aWrite({ address: 'job/b', pendingEffects: '[2]', life: 'tombstone' }),
        aWrite({ address: 'job/q', pendingEffects: '[4]', quarantined: true }),
      ]);
      expect(await underTest.store.pending({ limit: 2 })).toEqual(['host/a', 'job/b']);
      expect(await underTest.store.pending({ limit: 9, after: 'job/b' })).toEqual(['job/c', 'job/q']);
      expect(await underTest.store.pending({ limit: 9, after: 'job/q' })).toEqual([]);
    });
  });

  describe('acknowledge', () => {
    test('the acknowledgement of effects replaces what is pending and leaves rev and all else alone', async () => {
      await underTest.store.commit([aWrite({ pendingEffects: '[1,2]', nextDue: 4 })]);
      await underTest.store.acknowledge([{ address: 'job/nightly', rev: 1, pendingEffects: '[2]' }]);
      expect(await underTest.store.load('job/nightly')).toEqual(aDocument({ pendingEffects: '[2]', nextDue: 4 }));
      expect(await underTest.store.pending({ limit: 9 })).toEqual(['job/nightly']);
      await underTest.store.acknowledge([{ address: 'job/nightly', rev: 1, pendingEffects: '[]' }]);
      await underTest.reopen();
      expect(await underTest.store.pending({ limit: 9 })).toEqual([]);
      expect((await underTest.store.commit([aWrite({ rev: 2 })]))[0]?.committed).toBe(true);
    });

    test('the acknowledgement of effects passes over actors that moved on and unknown ones', async () => {
      await underTest.store.commit([aWrite({ pendingEffects: '[1]' }), aWrite({ address: 'job/b', pendingEffects: '[1]' })]);
      await underTest.store.commit([aWrite({ rev: 2, pendingEffects: '[7]' })]);
      await underTest.store.acknowledge([
        { address: 'job/nightly', rev: 1, pendingEffects: '[]' },
        { address: 'job/nobody', rev: 1, pendingEffects: '[1]' },
        { address: 'job/b', rev: 1, pendingEffects: '[]' },
      ]);
      expect(await underTest.store.pending({ limit: 9 })).toEqual(['job/nightly']);
      expect(await underTest.store.load('job/nightly')).toEqual(aDocument({ rev: 2, pendingEffects: '[7]' }));
      expect(await underTest.store.load('job/nobody')).toBeUndefined();
    });
  });

  describe('probe', () => {
    test('probe leaves nothing behind', async () => {
      const before = await underTest.store.headCursor();
      await underTest.store.probe();
      await underTest.store.probe();
      expect(await underTest.store.headCursor()).toBe(before);
    });
  });

  describe('close', () => {
    test('close is idempotent', async () => {
      await underTest.store.close();
      await underTest.store.close();
    });
  });
}
