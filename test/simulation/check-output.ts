/**
 * The recorded output of a run is what its process wrote, byte for byte; of a run that was lost
 * with its keeper it may be less.
 */
import { drainMicrotasks } from 'bun:jsc';
import type { OutputChunk } from '../../src/store/port.ts';
import { executionsOf } from './checks.ts';
import type { Cluster } from './cluster.ts';

export function checkOutput(cluster: Cluster): void {
  const byRun = new Map(cluster.witness.processes.map(process => [process.run, process]));
  for (const { id, shards } of executionsOf(cluster)) {
    if (cluster.truth.deleted.has(`execution/${id}`)) continue;
    let chunks: OutputChunk[] | undefined;
    for (const { item, past, attempt, outcome, output } of shards) {
      for (const one of [...past, { attempt, outcome }]) {
        const run = `${id}:${item}:${one.attempt}`;
        const process = byRun.get(run);
        if (!process || one.outcome === 'lost') continue;
        chunks ??= chunksOf(cluster, id);
        const mine = chunks.filter(chunk => chunk.item === item && chunk.attempt === one.attempt);
        for (const stream of ['stdout', 'stderr'] as const) {
          const text = mine
            .filter(chunk => chunk.stream === stream)
            .map(chunk => chunk.text)
            .join('');
          if (text !== process.written[stream]) {
            cluster.system.fail(
              'output',
              `${run} wrote ${JSON.stringify(process.written[stream])} to ${stream}, recorded is ${JSON.stringify(text)}`,
            );
          }
          const counted = one.attempt === attempt ? output?.[`${stream}Bytes`] : undefined;
          const bytes = Buffer.byteLength(process.written[stream]);
          if (counted !== undefined && counted !== bytes)
            cluster.system.fail('output', `${run}: ${counted} bytes counted on ${stream}, ${bytes} written`);
        }
      }
    }
  }
}

function chunksOf({ truth }: Cluster, execution: string): OutputChunk[] {
  let chunks: OutputChunk[] = [];
  void truth.store.output({ execution, limit: 100_000 }).then(found => {
    chunks = found;
  });
  drainMicrotasks();
  return chunks;
}
