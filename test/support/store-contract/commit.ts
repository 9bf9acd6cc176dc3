/** Store contract: commit and load. */
import { describe, expect, test } from 'bun:test';
import { aDocument, aFact, aWrite } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

const outcomes = (results: { committed: boolean }[]) => results.map(result => result.committed);

export function commitContract(underTest: StoreUnderTest): void {
  describe('commit', () => {
    test('commit keeps every field of a new document', async () => {
      const document = aDocument({
        address: 'execution/nightly@1',
        partition: 255,
        incarnation: 3,
        version: 12,
        life: 'done',
        quarantined: true,
        writeId: 'w-77',
        state: '{"value":{"active":"running"},"context":{"n":0.5}}',
        pendingEffects: '[{"key":"execution/nightly@1:1:0"}]',
        nextDue: 1_800_000_000_123,
        index: { parent: 'nightly', status: 'running', outcome: 'failed', hosts: ['h1', 'h 2, "x"'], at: 1_700_000_000_456 },
      });
      expect(await underTest.store.commit([{ document, facts: [] }])).toEqual([{ committed: true, facts: [] }]);
      expect(await underTest.store.load(document.address)).toEqual(document);
    });

    test('commit replaces every field of a stored document', async () => {
      await underTest.store.commit([aWrite()]);
      const document = aDocument({
        rev: 2,
        incarnation: 2,
        version: 2,
        life: 'tombstone',
        quarantined: true,
        writeId: 'w2',
        state: '{}',
        pendingEffects: '[1]',
        nextDue: 5,
        index: { parent: 'p', status: 'deleted', outcome: 'x', hosts: ['h1'], at: 9 },
      });
      expect(outcomes(await underTest.store.commit([{ document, facts: [] }]))).toEqual([true]);
      expect(await underTest.store.load(document.address)).toEqual(document);
    });

    test('commit of 100 writes with one stale rev commits 99 and leaves that one as it was', async () => {
      const addresses = Array.from({ length: 100 }, (_, i) => `job/j${i}`);
      await underTest.store.commit(addresses.map(address => aWrite({ address })));
      await underTest.store.commit([aWrite({ address: 'job/j41', rev: 2, writeId: 'faster' })]);

      const results = await underTest.store.commit(
        addresses.map(address => aWrite({ address, rev: 2, writeId: 'batch', facts: [aFact({ address, rev: 2 })] })),
      );
      expect(results.flatMap((result, place) => (result.committed ? [] : [place]))).toEqual([41]);
      expect(await underTest.store.load('job/j41')).toEqual(aDocument({ address: 'job/j41', rev: 2, writeId: 'faster' }));
      expect(await underTest.store.load('job/j40')).toEqual(aDocument({ address: 'job/j40', rev: 2, writeId: 'batch' }));
      expect((await underTest.store.load('job/j99'))?.writeId).toBe('batch');
      const { facts } = await underTest.store.facts({});
      expect(facts.map(fact => fact.address)).toEqual(addresses.filter(address => address !== 'job/j41'));
    });

    test('commit takes only the rev that follows the stored one', async () => {
      expect(outcomes(await underTest.store.commit([aWrite({ rev: 2 })]))).toEqual([false]);
      expect(await underTest.store.load('job/nightly')).toBeUndefined();
      await underTest.store.commit([aWrite({ rev: 1 })]);
      for (const rev of [1, 3, 0, 4]) {
        expect(outcomes(await underTest.store.commit([aWrite({ rev, writeId: 'wrong' })]))).toEqual([false]);
      }
      expect(await underTest.store.load('job/nightly')).toEqual(aDocument());
      expect(outcomes(await underTest.store.commit([aWrite({ rev: 2 })]))).toEqual([true]);
    });

    test('commit lets one of many racing writers win', async () => {
      await underTest.store.commit([aWrite()]);
      for (const rev of [2, 3, 4]) {
        const writers = Array.from({ length: 20 }, (_, i) => `writer-${i}`);
        const results = await Promise.all(
          writers.map(writeId => underTest.store.commit([aWrite({ rev, writeId, facts: [aFact({ rev, data: { writeId } })] })])),
        );
        const winners = writers.filter((_, i) => results[i]?.[0]?.committed);
        expect(winners).toHaveLength(1);
        expect((await underTest.store.load('job/nightly'))?.writeId).toBe(winners[0] as string);
      }
      expect((await underTest.store.history({ address: 'job/nightly', limit: 100 })).map(fact => fact.rev)).toEqual([2, 3, 4]);
    });

    test('commit lets one of many racing creations win', async () => {
      const results = await Promise.all(Array.from({ length: 20 }, (_, i) => underTest.store.commit([aWrite({ writeId: `w${i}` })])));
      expect(results.flat().filter(result => result.committed)).toHaveLength(1);
    });

    test('commit refuses the same address twice in one call and writes nothing of it', async () => {
      const twice = [aWrite({ address: 'job/a' }), aWrite({ address: 'job/b' }), aWrite({ address: 'job/a', rev: 2 })];
      await expect(underTest.store.commit(twice)).rejects.toThrow('job/a');
      expect(await underTest.store.load('job/b')).toBeUndefined();
    });

    test('commit takes an empty batch', async () => {
      expect(await underTest.store.commit([])).toEqual([]);
    });

    test('commit is durable across reopening', async () => {
      await underTest.store.commit([aWrite(), aWrite({ address: 'job/other', nextDue: 5, pendingEffects: '[1]' })]);
      await underTest.reopen();
      expect(await underTest.store.load('job/nightly')).toEqual(aDocument());
      expect(await underTest.store.due({ until: 5, limit: 10 })).toEqual([{ address: 'job/other', nextDue: 5 }]);
      expect(await underTest.store.pending({ limit: 10 })).toEqual(['job/other']);
      expect(outcomes(await underTest.store.commit([aWrite({ rev: 2 })]))).toEqual([true]);
    });

    test('commit keeps big texts and every script', async () => {
      const big = JSON.stringify({ text: 'åß→漢字🚀\n"\\'.repeat(100_000) });
      const document = aDocument({ address: 'job/größe-漢字-🚀', state: big, pendingEffects: JSON.stringify(['\u0000', '\u2028']) });
      await underTest.store.commit([{ document, facts: [aFact({ address: document.address, data: { 漢字: '🚀\u0000' } })] }]);
      await underTest.reopen();
      expect(await underTest.store.load(document.address)).toEqual(document);
      expect((await underTest.store.history({ address: document.address, limit: 1 }))[0]?.data).toEqual({ 漢字: '🚀\u0000' });
    });

    test('commit shares nothing with what was given or what is handed out', async () => {
      const write = aWrite({ index: { hosts: ['h1'] }, facts: [aFact({ data: { list: [1] } })] });
      const [result] = await underTest.store.commit([write]);
      write.document.state = 'spoiled';
      write.document.index.hosts.push('spoiled');
      Object.assign(write.facts[0]?.data ?? {}, { spoiled: true });
      if (result?.committed && result.facts[0]) Object.assign(result.facts[0].data, { spoiled: true });
      const loaded = await underTest.store.load('job/nightly');
      loaded?.index.hosts.push('spoiled');
      const listed = (await underTest.store.list({ kind: 'job', limit: 1 })).items[0];
      listed?.index.hosts.push('spoiled');
      const stored = (await underTest.store.facts({})).facts[0];
      Object.assign(stored?.data ?? {}, { spoiled: true });

      expect(await underTest.store.load('job/nightly')).toEqual(aDocument({ index: { hosts: ['h1'] } }));
      expect(await underTest.store.history({ address: 'job/nightly', limit: 9 })).toEqual([aFact({ data: { list: [1] } })]);
    });
  });

  describe('load', () => {
    test('load returns nothing for an actor that was never committed', async () => {
      expect(await underTest.store.load('job/nobody')).toBeUndefined();
    });
  });
}
