/** Output goes in as numbered chunks and may arrive twice. */

import { sumOutput } from '../output-sums.ts';
import type { OutputChunk, OutputStore } from '../port.ts';
import { outputId } from '../record-ids.ts';
import type { Collections } from './connection.ts';
import { asked } from './errors.ts';
import { insertNew } from './insert-new.ts';
import type { OutputRow } from './rows.ts';

/**
 * Numbers of pieces, both ends included. Not `$lte`: secantusdb 0.7.0b3 leaves out its bound where
 * the index goes on behind the field.
 */
const between = (from: number, to: number) => ({ $gte: from, $lt: to + 1 });

export function createOutput({ output }: Collections): Omit<OutputStore, 'output'> {
  return {
    async keepOutput(chunks) {
      await insertNew((rows, options) => output.insertMany(rows, options), chunks.map(asRow));
    },
    async outputSums({ executions, range }) {
      const within = range ? { item: range.item, attempt: range.attempt, seq: between(range.from, range.to) } : {};
      const projection = { _id: 0, execution: 1, item: 1, attempt: 1, stream: 1, seq: 1, bytes: 1 } as const;
      // Covered by the index. Not every server of the protocol has `$group` by several fields.
      return sumOutput(await asked(() => output.find({ execution: { $in: executions }, ...within }, { projection }).toArray()));
    },
    async dropOutput({ execution, item, attempt, from, to }) {
      await asked(() => output.deleteMany({ execution, item, attempt, seq: between(from, to) }));
    },
  };
}

function asRow({ execution, item, attempt, seq, at, stream, text, bytes, leftOut }: OutputChunk): OutputRow {
  const _id = outputId(execution, item, attempt, seq);
  return { _id, execution, item, attempt, seq, at, stream, text: JSON.stringify(text), bytes, leftOut };
}
