/** Output goes in as numbered chunks and may arrive twice. */

import { OutputEntity } from '../entities.ts';
import { sumOutput } from '../output-sums.ts';
import type { OutputChunk, OutputStore } from '../port.ts';
import { outputId } from '../record-ids.ts';
import { managerOf, type Orm } from './connection.ts';
import { deleteMatching } from './delete-matching.ts';
import { asked } from './errors.ts';
import { insertNew } from './insert-new.ts';
import type { Plain } from './rows.ts';

type OutputRow = Plain<typeof OutputEntity>;

/**
 * Numbers of pieces, both ends included. Not `$lte`: secantusdb 0.7.0b3 leaves out its bound where
 * the index goes on behind the field.
 */
const between = (from: number, to: number) => ({ $gte: from, $lt: to + 1 });

export function createOutput(orm: Orm): Omit<OutputStore, 'output'> {
  return {
    async keepOutput(chunks) {
      await insertNew(orm, OutputEntity, chunks.map(asRow));
    },
    async outputSums({ executions, range }) {
      const within = range ? { item: range.item, attempt: range.attempt, seq: between(range.from, range.to) } : {};
      const fields = ['execution', 'item', 'attempt', 'stream', 'seq', 'bytes'] as const;
      // Not every server of the protocol has `$group` by several fields.
      return sumOutput(await asked(() => managerOf(orm).find(OutputEntity, { execution: { $in: executions }, ...within }, { fields })));
    },
    async dropOutput({ execution, item, attempt, from, to }) {
      await deleteMatching(orm, OutputEntity, { execution, item, attempt, seq: between(from, to) });
    },
  };
}

function asRow({ execution, item, attempt, seq, at, stream, text, bytes, leftOut }: OutputChunk): OutputRow {
  const _id = outputId(execution, item, attempt, seq);
  return { _id, execution, item, attempt, seq, at, stream, text: JSON.stringify(text), bytes, leftOut };
}
