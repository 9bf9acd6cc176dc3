/**
 * Output arrives as numbered chunks, possibly more than once. Each first chunk of a run reads it,
 * so reads are prepared too.
 */
import type { StatementSync } from 'node:sqlite';
import type { OutputChunk, OutputStore, OutputSum } from '../port.ts';
import { type Raw, readableChunk } from '../readable.ts';
import { outputId } from '../record-ids.ts';
import type { Sync } from '../sync.ts';
import { type ReadConnection, rows, type WriteConnection } from './connections.ts';

export function outputWrites({ writer, transact }: WriteConnection): Sync<Omit<OutputStore, 'output' | 'outputSums'>> {
  const insertion = writer.prepare(
    `insert into output (_id, execution, item, attempt, seq, at, stream, text, bytes, left_out)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (_id) do nothing`,
  );
  const removal = writer.prepare('delete from output where execution = ? and item = ? and attempt = ? and seq between ? and ?');

  return {
    keepOutput(chunks) {
      if (chunks.length === 0) return;
      transact(() => {
        for (const { execution, item, attempt, seq, at, stream, text, bytes, leftOut } of chunks) {
          const id = outputId(execution, item, attempt, seq);
          insertion.run(id, execution, item, attempt, seq, at, stream, JSON.stringify(text), bytes, leftOut);
        }
      });
    },

    dropOutput({ execution, item, attempt, from, to }) {
      transact(() => void removal.run(execution, item, attempt, from, to));
    },
  };
}

export function outputReads({ reader, read }: ReadConnection): Pick<OutputStore, 'output' | 'outputSums'> {
  /** Keyed by their text: one per combination of filters. */
  const statements = new Map<string, StatementSync>();
  const prepared = (sql: string) => {
    const known = statements.get(sql) ?? reader.prepare(sql);
    statements.set(sql, known);
    return known;
  };

  return {
    async output({ execution, item, stream, after, order = 'oldest', limit }) {
      const [beyond, way] = order === 'oldest' ? ['>', 'asc'] : ['<', 'desc'];
      const conditions = ['execution = ?'];
      const values: (string | number)[] = [execution];
      const where = (condition: string, ...bound: (string | number)[]) => {
        conditions.push(condition);
        values.push(...bound);
      };
      if (item !== undefined) where('item = ?', item);
      if (stream !== undefined) where('stream = ?', stream);
      if (after !== undefined) where(`(item, attempt, seq) ${beyond} (?, ?, ?)`, after.item, after.attempt, after.seq);
      const sql = `select execution, item, attempt, seq, at, stream, text, bytes, left_out as leftOut from output
        where ${conditions.join(' and ')} order by item ${way}, attempt ${way}, seq ${way} limit ?`;
      return read(() => rows<Raw<OutputChunk>>(prepared(sql), ...values, limit)).map(readableChunk);
    },

    async outputSums({ executions, range }) {
      const within = range ? ' and item = ? and attempt = ? and seq between ? and ?' : '';
      const values = range ? [range.item, range.attempt, range.from, range.to] : [];
      const sql = `select execution, item, attempt, stream, sum(bytes) as bytes, min(seq) as first from output
        where execution in (select value from json_each(?))${within} group by execution, item, attempt, stream`;
      return read(() => rows<OutputSum>(prepared(sql), JSON.stringify(executions), ...values)).map(row => ({ ...row }));
    },
  };
}
