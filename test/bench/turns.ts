/** Durable actor turns per second on the embedded store (`synchronous=FULL`), through the runtime's own door: one command, one commit, one fact each. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { systemIds } from '../../src/ids.ts';
import { createRuntime } from '../../src/runtime/create.ts';
import { createSqliteStore } from '../../src/store/sqlite.ts';
import { anApp } from '../support/builders.ts';
import { scriptedFleet } from '../support/world.ts';
import { atLeast, atMost, type BenchResult, median, quantile, type Size } from './report.ts';

const ACTORS = 1_000;

export async function bench({ quick }: Size): Promise<BenchResult> {
  const turns = quick ? 6_000 : 30_000;
  const directory = mkdtempSync(join(tmpdir(), 'troupe-bench-'));
  const store = await createSqliteStore({ directory });
  const runtime = createRuntime({
    store,
    clock: systemClock,
    ids: systemIds,
    fleet: scriptedFleet(),
    owner: 'bench',
    log: line => console.error(line),
  });
  try {
    await runtime.start();
    for (let actor = 0; actor < ACTORS; actor++)
      await runtime.ask(`app/a${actor}`, { type: 'app.publish', config: anApp({ name: `a${actor}` }) });
    await round(runtime, turns / 3, 256);
    const rates: number[] = [];
    const tails: number[] = [];
    for (let each = 0; each < 3; each++) {
      const { rate, p99 } = await round(runtime, turns, 256);
      rates.push(rate);
      tails.push(p99);
    }
    const alone: number[] = [];
    for (let each = 0; each < turns / 15; each++) {
      const began = performance.now();
      await runtime.ask('app/a0', { type: 'app.modify', changes: { traceEvery: each } });
      alone.push(performance.now() - began);
    }
    return {
      name: 'turns',
      judged: [
        atLeast('durable turns', Math.round(median(rates)), 25_000, '1/s'),
        atMost('p99 meanwhile', median(tails), 30, 'ms'),
        atMost('one at a time, p50', quantile(alone, 0.5), 0.5, 'ms'),
      ],
      figures: { unbatchedP99Ms: quantile(alone, 0.99), inFlight: 256, actors: ACTORS, turnsPerRound: turns },
    };
  } finally {
    await runtime.stop(5_000);
    await store.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** `inFlight` askers, each with one command under way at an actor of its own. */
async function round(runtime: ReturnType<typeof createRuntime>, turns: number, inFlight: number): Promise<{ rate: number; p99: number }> {
  const took: number[] = [];
  const began = performance.now();
  let next = 0;
  const asker = async () => {
    for (let turn = next++; turn < turns; turn = next++) {
      const at = performance.now();
      await runtime.ask(`app/a${turn % ACTORS}`, { type: 'app.modify', changes: { traceEvery: turn } });
      took.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, asker));
  return { rate: (turns * 1000) / (performance.now() - began), p99: quantile(took, 0.99) };
}
