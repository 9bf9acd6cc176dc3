/** Output in memory: the chunks of an execution, sorted by each query. */
import { sumOutput } from '../output-sums.ts';
import type { OutputChunk, OutputStore } from '../port.ts';
import { readableChunk } from '../readable.ts';

type ChunkPosition = Pick<OutputChunk, 'item' | 'attempt' | 'seq'>;

/** By execution, then by a key of its own. */
export type KeptOutput = Map<string, Map<string, OutputChunk>>;

export function createMemoryOutput(): OutputStore & { kept: KeptOutput } {
  const kept: KeptOutput = new Map();

  return {
    kept,

    async keepOutput(chunks) {
      for (const chunk of chunks) {
        const own = kept.get(chunk.execution) ?? new Map<string, OutputChunk>();
        kept.set(chunk.execution, own);
        if (!own.has(key(chunk))) own.set(key(chunk), { ...chunk });
      }
    },

    async output({ execution, item, stream, after, order = 'oldest', limit }) {
      const direction = order === 'oldest' ? 1 : -1;
      return [...(kept.get(execution)?.values() ?? [])]
        .filter(chunk => (item === undefined || chunk.item === item) && (stream === undefined || chunk.stream === stream))
        .filter(chunk => !after || inOrder(chunk, after) * direction > 0)
        .sort((a, b) => inOrder(a, b) * direction)
        .slice(0, limit)
        .map(chunk => readableChunk({ ...chunk, text: JSON.stringify(chunk.text) }));
    },

    async outputSums({ executions, range }) {
      const isWithin = ({ item, attempt, seq }: ChunkPosition) =>
        !range || (item === range.item && attempt === range.attempt && seq >= range.from && seq <= range.to);
      return sumOutput(executions.flatMap(execution => [...(kept.get(execution)?.values() ?? [])].filter(isWithin)));
    },

    async dropOutput({ execution, item, attempt, from, to }) {
      const own = kept.get(execution);
      for (const chunk of [...(own?.values() ?? [])]) {
        if (chunk.item === item && chunk.attempt === attempt && chunk.seq >= from && chunk.seq <= to) own?.delete(key(chunk));
      }
    },
  };
}

function key({ item, attempt, seq }: ChunkPosition): string {
  return `${item}:${attempt}:${seq}`;
}

function inOrder(a: ChunkPosition, b: ChunkPosition): number {
  return a.item - b.item || a.attempt - b.attempt || a.seq - b.seq;
}
