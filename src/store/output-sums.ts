/** Sums of output for databases that do not compute them. */
import type { OutputChunk, OutputSum } from './port.ts';

/** One sum per stream of each attempt, in the order of their first chunks. */
export function sumOutput(chunks: Iterable<Pick<OutputChunk, 'execution' | 'item' | 'attempt' | 'stream' | 'seq' | 'bytes'>>): OutputSum[] {
  const sums = new Map<string, OutputSum>();
  for (const { execution, item, attempt, stream, seq, bytes } of chunks) {
    const name = JSON.stringify([execution, item, attempt, stream]);
    const known = sums.get(name) ?? { execution, item, attempt, stream, bytes: 0, first: seq };
    sums.set(name, { ...known, bytes: known.bytes + bytes, first: Math.min(known.first, seq) });
  }
  return [...sums.values()];
}
