/** Output goes in as numbered chunks and may arrive twice. */

import { sumOutput } from '../output-sums.ts';
import type { OutputChunk, OutputStore } from '../port.ts';
import { outputId } from '../record-ids.ts';
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
      const projection = { _id: 0, execution: 1, item: 1, attempt: 1, stream: 1, seq: 1, bytes: 1 } as const;
      // Covered by the index. Not every server of the protocol has `$group` by several fields.
      return sumOutput(await asked(() => output.find({ execution: { $in: executions }, ...within }, { projection }).toArray()));
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
