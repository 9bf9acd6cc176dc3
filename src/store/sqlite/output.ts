/** Output goes in as numbered chunks and may arrive twice; reading it is a view. */
import { outputId } from '../entities.ts';
import type { OutputStore } from '../store.ts';
import type { Connections } from './connections.ts';

export function createOutput({ writer, transact }: Connections): Omit<OutputStore, 'output'> {
  const insertion = writer.prepare(
    `insert into output (_id, execution, item, attempt, seq, at, stream, text, bytes, left_out)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (_id) do nothing`,
  );
  const removal = writer.prepare('delete from output where execution = ? and item = ? and attempt = ? and seq between ? and ?');

  return {
    async keepOutput(chunks) {
      if (chunks.length === 0) return;
      transact(() => {
        for (const { execution, item, attempt, seq, at, stream, text, bytes, leftOut } of chunks) {
          const id = outputId(execution, item, attempt, seq);
          insertion.run(id, execution, item, attempt, seq, at, stream, JSON.stringify(text), bytes, leftOut);
        }
      });
    },

    async dropOutput({ execution, item, attempt, from, to }) {
      transact(() => removal.run(execution, item, attempt, from, to));
    },
  };
}
