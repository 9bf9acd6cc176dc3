/** Output goes in as numbered chunks and may arrive twice. */
import { outputId } from '../record-ids.ts';
import type { OutputChunk, OutputStore, OutputSum } from '../store.ts';
import type { Collections } from './connection.ts';
import { asked } from './errors.ts';
import { insertNew } from './insert-new.ts';
import type { OutputRow } from './rows.ts';

export function createOutput({ output }: Collections): Omit<OutputStore, 'output'> {
  return {
    async keepOutput(chunks) {
      await insertNew((rows, options) => output.insertMany(rows, options), chunks.map(asRow));
    },
    async outputSums({ executions, range }) {
      const within = range ? { item: range.item, attempt: range.attempt, seq: { $gte: range.from, $lte: range.to } } : {};
      const sums = await asked(() =>
        output
          .aggregate<{ _id: Omit<OutputSum, 'bytes' | 'first'>; bytes: number; first: number }>([
            { $match: { execution: { $in: executions }, ...within } },
            {
              $group: {
                _id: { execution: '$execution', item: '$item', attempt: '$attempt', stream: '$stream' },
                bytes: { $sum: '$bytes' },
                first: { $min: '$seq' },
              },
            },
          ])
          .toArray(),
      );
      return sums.map(({ _id, bytes, first }) => ({ ..._id, bytes, first }));
    },
    async dropOutput({ execution, item, attempt, from, to }) {
      await asked(() => output.deleteMany({ execution, item, attempt, seq: { $gte: from, $lte: to } }));
    },
  };
}

function asRow({ execution, item, attempt, seq, at, stream, text, bytes, leftOut }: OutputChunk): OutputRow {
  const _id = outputId(execution, item, attempt, seq);
  return { _id, execution, item, attempt, seq, at, stream, text: JSON.stringify(text), bytes, leftOut };
}
