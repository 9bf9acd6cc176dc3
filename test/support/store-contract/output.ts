/** Store contract: output. */
import { describe, expect, test } from 'bun:test';
import type { OutputStore } from '../../../src/store/port.ts';
import { aChunk } from '../store-builders.ts';
import type { StoreUnderTest } from '../store-contract.ts';

export function outputContract(underTest: StoreUnderTest): void {
  const places = async (query: Partial<Parameters<OutputStore['output']>[0]> = {}) =>
    (await underTest.store.output({ execution: 'e1', limit: 100, ...query })).map(chunk => `${chunk.item}.${chunk.attempt}.${chunk.seq}`);

  describe('output', () => {
    test('output keeps every field, and texts of every kind, across reopening', async () => {
      const chunks = [
        aChunk({ seq: 1, stream: 'stderr', at: 5, bytes: 9, leftOut: 1_000 }),
        aChunk({ seq: 2, text: 'åß漢🚀\r\n'.repeat(8_000) }),
        aChunk({ seq: 3, text: 'a\u0000b \u001b[31m \u2028 "\\' }),
        aChunk({ seq: 4, text: '' }),
      ];
      await underTest.store.keepOutput(chunks);
      await underTest.reopen();
      expect(await underTest.store.output({ execution: 'e1', limit: 9 })).toEqual(chunks);
    });

    test('output passes over a chunk that is kept already', async () => {
      await underTest.store.keepOutput([aChunk({ text: 'first' })]);
      await underTest.store.keepOutput([aChunk({ text: 'again' }), aChunk({ seq: 2 }), aChunk({ seq: 2, text: 'again' })]);
      expect(await underTest.store.output({ execution: 'e1', limit: 9 })).toEqual([aChunk({ text: 'first' }), aChunk({ seq: 2 })]);
    });

    test('output comes by shard, attempt and number, filtered and page by page', async () => {
      const all = [
        { item: 0, attempt: 1, seq: 2 },
        { item: 0, attempt: 1, seq: 10 },
        { item: 0, attempt: 2, seq: 1, stream: 'stderr' as const },
        { item: 2, attempt: 1, seq: 1 },
        { item: 10, attempt: 1, seq: 1 },
      ];
      await underTest.store.keepOutput([...all.toReversed().map(aChunk), aChunk({ execution: 'e11', seq: 99 })]);
      expect(await places()).toEqual(['0.1.2', '0.1.10', '0.2.1', '2.1.1', '10.1.1']);
      expect(await places({ item: 0 })).toEqual(['0.1.2', '0.1.10', '0.2.1']);
      expect(await places({ stream: 'stderr' })).toEqual(['0.2.1']);
      expect(await places({ item: 2, stream: 'stderr' })).toEqual([]);
      expect(await places({ limit: 2 })).toEqual(['0.1.2', '0.1.10']);
      expect(await places({ limit: 2, after: { item: 0, attempt: 1, seq: 10 } })).toEqual(['0.2.1', '2.1.1']);
      expect(await places({ after: { item: 0, attempt: 1, seq: 9 }, item: 0 })).toEqual(['0.1.10', '0.2.1']);
      expect(await places({ after: { item: 10, attempt: 1, seq: 1 } })).toEqual([]);
      expect(await places({ execution: 'nobody' })).toEqual([]);
      const order = 'newest';
      expect(await places({ order })).toEqual(['10.1.1', '2.1.1', '0.2.1', '0.1.10', '0.1.2']);
      expect(await places({ order, limit: 2, after: { item: 2, attempt: 1, seq: 1 } })).toEqual(['0.2.1', '0.1.10']);
      expect(await places({ order, item: 0, stream: 'stdout', after: { item: 0, attempt: 1, seq: 10 } })).toEqual(['0.1.2']);
    });

    test('output is summed per stream of each attempt, of several executions, or in a range of one attempt', async () => {
      await underTest.store.keepOutput([
        aChunk({ seq: 1, bytes: 5 }),
        aChunk({ seq: 2, bytes: 7 }),
        aChunk({ seq: 3, bytes: 1, stream: 'stderr' }),
        aChunk({ seq: -4, bytes: 0, leftOut: 9 }),
        aChunk({ attempt: 2, seq: 1, bytes: 11 }),
        aChunk({ item: 1, seq: 6, bytes: 13 }),
        aChunk({ execution: 'e2', seq: 1, bytes: 17 }),
        aChunk({ execution: 'e3', seq: 1, bytes: 19 }),
      ]);
      const sums = async (query: Parameters<OutputStore['outputSums']>[0]) =>
        (await underTest.store.outputSums(query))
          .map(sum => `${sum.execution} ${sum.item}.${sum.attempt} ${sum.stream} ${sum.bytes} from ${sum.first}`)
          .sort();
      expect(await sums({ executions: ['e1', 'e2', 'nobody'] })).toEqual([
        'e1 0.1 stderr 1 from 3',
        'e1 0.1 stdout 12 from -4',
        'e1 0.2 stdout 11 from 1',
        'e1 1.1 stdout 13 from 6',
        'e2 0.1 stdout 17 from 1',
      ]);
      expect(await sums({ executions: ['e1'], range: { item: 0, attempt: 1, from: 2, to: 9 } })).toEqual([
        'e1 0.1 stderr 1 from 3',
        'e1 0.1 stdout 7 from 2',
      ]);
      expect(await sums({ executions: [] })).toEqual([]);
    });

    test('output is dropped by range of one attempt only', async () => {
      const seqs = [1, 2, 3, 4, 5];
      await underTest.store.keepOutput([
        ...seqs.map(seq => aChunk({ seq })),
        aChunk({ attempt: 2, seq: 3 }),
        aChunk({ item: 1, seq: 3 }),
        aChunk({ execution: 'e2', seq: 3 }),
      ]);
      await underTest.store.dropOutput({ execution: 'e1', item: 0, attempt: 1, from: 2, to: 4 });
      await underTest.store.dropOutput({ execution: 'nobody', item: 0, attempt: 1, from: 1, to: 9 });
      expect(await places()).toEqual(['0.1.1', '0.1.5', '0.2.3', '1.1.3']);
      expect(await places({ execution: 'e2' })).toEqual(['0.1.3']);
    });

    test('output is handed out as copies', async () => {
      const given = aChunk();
      await underTest.store.keepOutput([given]);
      given.text = 'spoiled';
      Object.assign((await underTest.store.output({ execution: 'e1', limit: 1 }))[0] ?? {}, { text: 'spoiled' });
      expect(await underTest.store.output({ execution: 'e1', limit: 1 })).toEqual([aChunk()]);
    });
  });
}
