/** Output in memory: the chunks of an execution, sorted when asked for. */
import type { OutputChunk, OutputStore, OutputSum } from '../store.ts';

type Place = Pick<OutputChunk, 'item' | 'attempt' | 'seq'>;

/** By execution, then by a key of its own. */
export type KeptOutput = Map<string, Map<string, OutputChunk>>;

export function createOutput(): OutputStore & { kept: KeptOutput } {
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

    async output({ execution, item, stream, after, limit }) {
      return [...(kept.get(execution)?.values() ?? [])]
        .filter(chunk => (item === undefined || chunk.item === item) && (stream === undefined || chunk.stream === stream))
        .filter(chunk => !after || inOrder(chunk, after) > 0)
        .sort(inOrder)
        .slice(0, limit)
        .map(chunk => ({ ...chunk }));
    },

    async outputSums({ executions, range }) {
      const sums = new Map<string, OutputSum>();
      for (const chunk of executions.flatMap(execution => [...(kept.get(execution)?.values() ?? [])])) {
        const { execution, item, attempt, stream, seq, bytes } = chunk;
        if (range && (item !== range.item || attempt !== range.attempt || seq < range.from || seq > range.to)) continue;
        const name = JSON.stringify([execution, item, attempt, stream]);
        const known = sums.get(name) ?? { execution, item, attempt, stream, bytes: 0, first: seq };
        sums.set(name, { ...known, bytes: known.bytes + bytes, first: Math.min(known.first, seq) });
      }
      return [...sums.values()];
    },

    async dropOutput({ execution, item, attempt, from, to }) {
      const own = kept.get(execution);
      for (const chunk of [...(own?.values() ?? [])]) {
        if (chunk.item === item && chunk.attempt === attempt && chunk.seq >= from && chunk.seq <= to) own?.delete(key(chunk));
      }
    },
  };
}

function key({ item, attempt, seq }: Place): string {
  return `${item}:${attempt}:${seq}`;
}

function inOrder(a: Place, b: Place): number {
  return a.item - b.item || a.attempt - b.attempt || a.seq - b.seq;
}
