/** Output in memory: the chunks of an execution, sorted when asked for. */
import type { OutputChunk, OutputStore } from '../store.ts';

type Place = Pick<OutputChunk, 'item' | 'attempt' | 'seq'>;

/** By execution, then by a key of its own. */
export type KeptOutput = Map<string, Map<string, OutputChunk>>;

export function createOutput(): OutputStore & { kept: KeptOutput } {
  const executions: KeptOutput = new Map();

  return {
    kept: executions,

    async keepOutput(chunks) {
      for (const chunk of chunks) {
        const kept = executions.get(chunk.execution) ?? new Map<string, OutputChunk>();
        executions.set(chunk.execution, kept);
        if (!kept.has(key(chunk))) kept.set(key(chunk), { ...chunk });
      }
    },

    async output({ execution, item, stream, after, limit }) {
      return [...(executions.get(execution)?.values() ?? [])]
        .filter(chunk => (item === undefined || chunk.item === item) && (stream === undefined || chunk.stream === stream))
        .filter(chunk => !after || inOrder(chunk, after) > 0)
        .sort(inOrder)
        .slice(0, limit)
        .map(chunk => ({ ...chunk }));
    },

    async dropOutput({ execution, item, attempt, from, to }) {
      const kept = executions.get(execution);
      for (const chunk of [...(kept?.values() ?? [])]) {
        if (chunk.item === item && chunk.attempt === attempt && chunk.seq >= from && chunk.seq <= to) kept?.delete(key(chunk));
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
