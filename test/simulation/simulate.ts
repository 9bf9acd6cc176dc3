/**
 * `bun run simulate`: runs seeds of the simulation.
 *
 *   --seeds N [--from S] [--threads N]  many seeds; for each that fails a line with the command
 *                                       that repeats it
 *   --seed N [--trace]                  one seed; with `--trace` every step of it
 */
import { parseArgs } from 'node:util';
import { runSeed, type SeedResult } from './seed.ts';
import { shrink } from './shrink.ts';
import type { SeedReport } from './simulate-worker.ts';

const say = (line: string) => void process.stdout.write(`${line}\n`);

/** The report of one failing seed; `smallest` has the fewest faults that still break it. */
function tell({ seed, violations }: SeedResult, smallest: SeedResult): void {
  say(`seed ${seed} fails: ${violations[0]}`);
  say(`  again: bun run simulate --seed ${seed} --trace`);
  say(`  with ${smallest.faults.length} faults: ${smallest.violations[0]}`);
  for (const fault of smallest.faults) say(`    ${JSON.stringify(fault)}`);
}

function one(seed: number, isTraced: boolean): number {
  const result = runSeed({ seed, ...(isTraced ? { trace: say } : {}) });
  if (result.violations.length > 0) tell(result, isTraced ? result : shrink(result));
  else say(`seed ${seed}: ${result.executions} executions, ${result.processes} processes, ${result.commits} commits, all invariants hold`);
  return result.violations.length > 0 ? 1 : 0;
}

async function many(from: number, count: number, threads: number): Promise<number> {
  const began = performance.now();
  const sum = { simulatedMs: 0, executions: 0, commits: 0, faults: 0, failed: 0 };
  let next = from;
  const take = ({ result, smallest }: SeedReport) => {
    sum.simulatedMs += result.elapsed;
    sum.executions += result.executions;
    sum.commits += result.commits;
    sum.faults += result.faults.length;
    if (!smallest) return;
    sum.failed += 1;
    tell(result, smallest);
  };
  const thread = () =>
    new Promise<void>((resolve, reject) => {
      const worker = new Worker(new URL('./simulate-worker.ts', import.meta.url).href);
      const ask = () => {
        if (next < from + count) return worker.postMessage(next++);
        worker.terminate();
        resolve();
      };
      worker.onmessage = ({ data }: MessageEvent<SeedReport>) => {
        take(data);
        ask();
      };
      worker.onerror = problem => reject(new Error(`a seed below ${next} ended its thread: ${problem.message}`));
      ask();
    });
  await Promise.all(Array.from({ length: Math.min(threads, count) }, thread));
  const realMs = performance.now() - began;
  say(
    `${count} seeds from ${from}, ${sum.failed} failed; ${sum.executions} executions, ${sum.commits} commits, ${sum.faults} faults; ` +
      `${Math.round(realMs / 100) / 10} s on ${threads} threads: ${Math.round((count / realMs) * 60_000)} seeds/min, ` +
      `${Math.round(sum.simulatedMs / realMs)} x real time`,
  );
  return sum.failed > 0 ? 1 : 0;
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      trace: { type: 'boolean', default: false },
      seeds: { type: 'string', default: '100' },
      from: { type: 'string', default: '1' },
      threads: { type: 'string', default: String(navigator.hardwareConcurrency) },
    },
  });
  const code =
    values.seed === undefined
      ? await many(Number(values.from), Number(values.seeds), Number(values.threads))
      : one(Number(values.seed), values.trace);
  process.exit(code);
}
