/**
 * Real process runs per second through the whole house: triggered by REST, placed, journaled, run by the keeper, output kept, outcome recorded, every
 * turn durable. Beside it, in the same run, bare `Bun.spawn` of the same command with its output read.
 */
import { aHouse, type House, until } from './house.ts';
import { type BenchResult, median } from './report.ts';

const RUNS = 1_500;
const JOBS = 8;
const IN_FLIGHT = 32;
const COMMAND = ['sh', '-c', 'echo $TROUPE_EXECUTION'];

export async function bench(): Promise<BenchResult> {
  const house = await aHouse();
  try {
    for (let job = 0; job < JOBS; job++) {
      await house.call('POST', '/v1/jobs', {
        name: `echo${job}`,
        command: COMMAND,
        overlap: 'allow',
        overlapLimit: 1_000,
        resources: { cpus: 0.01, memoryMB: 1 },
      });
    }
    await round(house, RUNS / 5);
    const ours: number[] = [];
    const bare: number[] = [];
    for (let each = 0; each < 3; each++) {
      bare.push(await bareRound(RUNS));
      ours.push(await round(house, RUNS));
    }
    const lost = await unaccounted(house, RUNS / 5 + 3 * RUNS);
    const figures = {
      runsPerSecond: Math.round(median(ours)),
      bareSpawnPerSecond: Math.round(median(bare)),
      ratio: Math.round((median(ours) / median(bare)) * 100) / 100,
      lost,
    };
    return { name: 'runs', figures, goal: '>= 0.6 of bare Bun.spawn, none lost', met: figures.ratio >= 0.6 && lost === 0 };
  } finally {
    await house.close();
  }
}

/** Triggers `runs` times with a bounded number of open executions, until all are done. */
async function round(house: House, runs: number): Promise<number> {
  const began = performance.now();
  let next = 0;
  const asker = async () => {
    for (let run = next++; run < runs; run = next++) {
      for (;;) {
        const answer = await fetch(`${house.url}/v1/jobs/echo${run % JOBS}/trigger`, { method: 'POST' });
        await answer.text();
        if (answer.ok) break;
        await Bun.sleep(5);
      }
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, asker));
  await until(async () => await isQuiet(house));
  return (runs * 1000) / (performance.now() - began);
}

/** Nothing waits, nothing runs. */
async function isQuiet(house: House): Promise<boolean> {
  for (const status of ['running', 'pending']) {
    const open = await house.call<{ items: unknown[] }>('GET', `/v1/executions?status=${status}&limit=1`);
    if (open.items.length > 0) return false;
  }
  return true;
}

async function count(house: House, outcome: string): Promise<number> {
  let total = 0;
  let cursor: string | null = null;
  do {
    const page: { items: unknown[]; next: string | null } = await house.call(
      'GET',
      `/v1/executions?outcome=${outcome}&limit=200${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ''}`,
    );
    total += page.items.length;
    cursor = page.next;
  } while (cursor);
  return total;
}

/** Runs without a good end, or whose output is not exactly what they wrote. A sample of the output is read back. */
async function unaccounted(house: House, expected: number): Promise<number> {
  let lost = expected - (await count(house, 'succeeded'));
  const sample = await house.call<{ items: { id: string }[] }>('GET', '/v1/executions?limit=200');
  for (const { id } of sample.items) {
    const text = await (
      await fetch(`${house.url}/v1/executions/${encodeURIComponent(id)}/logs`, { headers: { accept: 'text/plain' } })
    ).text();
    if (text !== `${id}\n`) lost += 1;
  }
  return lost;
}

async function bareRound(runs: number): Promise<number> {
  const began = performance.now();
  let next = 0;
  const runner = async () => {
    for (let run = next++; run < runs; run = next++) {
      const child = Bun.spawn(COMMAND, {
        env: { PATH: process.env['PATH'] ?? '', TROUPE_EXECUTION: `r${run}` },
        stdin: 'ignore',
        stderr: 'pipe',
      });
      await new Response(child.stdout).text();
      await child.exited;
    }
  };
  await Promise.all(Array.from({ length: 8 }, runner));
  return (runs * 1000) / (performance.now() - began);
}
