/** Store contract: facts and history. */
import { describe, expect, test } from 'bun:test';
import { BadCursor, FEED_PAGE, type PublishedFact } from '../../../src/store/port.ts';
import { aFact, aWrite } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export function factsContract(underTest: StoreUnderTest): void {
  const commitFacts = async (rev: number, count: number, address = 'job/nightly') => {
    const facts = Array.from({ length: count }, (_, position) => aFact({ address, rev, position, data: { position } }));
    const [result] = await underTest.store.commit([aWrite({ address, rev, facts })]);
    return result?.committed ? result.facts : [];
  };
  const readOn = async (limit: number, after?: string) => {
    const seen: PublishedFact[] = [];
    for (let cursor = after; ; cursor = seen.at(-1)?.cursor) {
      const { facts } = await underTest.store.facts({ limit, ...(cursor !== undefined && { after: cursor }) });
      if (facts.length === 0) return seen;
      seen.push(...facts);
    }
  };

  describe('facts', () => {
    test('facts come back as committed, with their cursors, in the order of the writes', async () => {
      const results = await underTest.store.commit([
        aWrite({ address: 'job/b', facts: [aFact({ address: 'job/b' }), aFact({ address: 'job/b', position: 1, type: 'job.started' })] }),
        aWrite({ address: 'job/a', facts: [aFact({ address: 'job/a', data: { nested: { list: [1, 'x', null] } } })] }),
      ]);
      const committed = results.flatMap(result => (result.committed ? result.facts : []));
      expect(committed.map(({ cursor, ...fact }) => fact)).toEqual([
        aFact({ address: 'job/b' }),
        aFact({ address: 'job/b', position: 1, type: 'job.started' }),
        aFact({ address: 'job/a', data: { nested: { list: [1, 'x', null] } } }),
      ]);
      expect((await underTest.store.facts({})).facts).toEqual(committed);
      expect(await underTest.store.headCursor()).toBe(committed.at(-1)?.cursor as string);
    });

    test('facts are followed from any cursor without gap or repeat, also across reopening', async () => {
      const committed = [...(await commitFacts(1, 3)), ...(await commitFacts(1, 4, 'job/other'))];
      await underTest.reopen();
      committed.push(...(await commitFacts(2, 5)));
      await underTest.reopen();
      expect(await readOn(2)).toEqual(committed);
      for (const [place, { cursor }] of committed.entries()) {
        expect(await readOn(3, cursor)).toEqual(committed.slice(place + 1));
      }
    });

    test('facts begin behind the head cursor of an empty feed', async () => {
      const beginning = await underTest.store.headCursor();
      expect((await underTest.store.facts({ after: beginning })).facts).toEqual([]);
      const committed = await commitFacts(1, 2);
      expect((await underTest.store.facts({ after: beginning })).facts).toEqual(committed);
      expect(await underTest.store.facts({ after: beginning })).not.toHaveProperty('truncatedFrom');
    });

    test('facts leave no gap where a stale write was passed over', async () => {
      const first = await commitFacts(1, 1);
      expect(await commitFacts(1, 2)).toEqual([]);
      const second = await commitFacts(2, 1);
      expect((await underTest.store.facts({})).facts).toEqual([...first, ...second]);
    });

    test('facts come at most a page at a time', async () => {
      await commitFacts(1, FEED_PAGE + 1);
      expect((await underTest.store.facts({})).facts).toHaveLength(FEED_PAGE);
      expect((await underTest.store.facts({ limit: 3 })).facts).toHaveLength(3);
    });

    test('facts are refused for a cursor of another feed', async () => {
      const [fact] = await commitFacts(1, 1);
      const forged = ['1.-1', '1.1.5', '1.0x1', '1.', '2.1', '1.01', '1.1e0', '1.2', '1.9999999999999999999'];
      const texts = ['', 'x', '1', `${fact?.cursor}=`, ...forged.map(text => Buffer.from(text).toString('base64url'))];
      for (const after of texts) await expect(underTest.store.facts({ after })).rejects.toBeInstanceOf(BadCursor);
    });
  });

  describe('history', () => {
    test('history returns the facts of one actor in order, page by page', async () => {
      await commitFacts(1, 2);
      await commitFacts(1, 2, 'job/other');
      await commitFacts(2, 1);
      await commitFacts(3, 3);
      const places = async (limit: number, after?: { rev: number; position: number }) => {
        const history = await underTest.store.history({ address: 'job/nightly', limit, ...(after && { after }) });
        return history.map(({ address, rev, position }) => `${address}:${rev}:${position}`);
      };
      const all = ['1:0', '1:1', '2:0', '3:0', '3:1', '3:2'].map(place => `job/nightly:${place}`);
      expect(await places(100)).toEqual(all);
      expect(await places(2)).toEqual(all.slice(0, 2));
      expect(await places(3, { rev: 1, position: 1 })).toEqual(all.slice(2, 5));
      expect(await places(9, { rev: 3, position: 0 })).toEqual(all.slice(4));
      expect(await places(9, { rev: 3, position: 2 })).toEqual([]);
    });

    test('history returns the newest first where that is asked for, page by page', async () => {
      await commitFacts(1, 2);
      await commitFacts(1, 2, 'job/other');
      await commitFacts(2, 1);
      await commitFacts(3, 3);
      const places = async (limit: number, after?: { rev: number; position: number }) => {
        const history = await underTest.store.history({ address: 'job/nightly', limit, order: 'newest', ...(after && { after }) });
        return history.map(({ rev, position }) => `${rev}:${position}`);
      };
      expect(await places(100)).toEqual(['3:2', '3:1', '3:0', '2:0', '1:1', '1:0']);
      expect(await places(2)).toEqual(['3:2', '3:1']);
      expect(await places(3, { rev: 3, position: 1 })).toEqual(['3:0', '2:0', '1:1']);
      expect(await places(9, { rev: 1, position: 0 })).toEqual([]);
    });

    test('history returns facts from one instant to before another, in both orders', async () => {
      for (const rev of [1, 2, 3, 4]) await underTest.store.commit([aWrite({ rev, facts: [aFact({ rev, at: 1_000 * rev })] })]);
      const revs = async (query: { from?: number; to?: number; order?: 'newest'; after?: { rev: number; position: number } }) =>
        (await underTest.store.history({ address: 'job/nightly', limit: 9, ...query })).map(({ rev }) => rev);
      expect(await revs({ from: 2_000, to: 4_000 })).toEqual([2, 3]);
      expect(await revs({ from: 2_000, order: 'newest' })).toEqual([4, 3, 2]);
      expect(await revs({ to: 3_000, order: 'newest' })).toEqual([2, 1]);
      expect(await revs({ from: 2_000, order: 'newest', after: { rev: 4, position: 0 } })).toEqual([3, 2]);
    });

    test('history returns plain facts without cursors', async () => {
      await underTest.store.commit([aWrite({ facts: [aFact()] })]);
      expect(await underTest.store.history({ address: 'job/nightly', limit: 9 })).toEqual([aFact()]);
      expect(await underTest.store.history({ address: 'job/nobody', limit: 9 })).toEqual([]);
    });
  });
}
