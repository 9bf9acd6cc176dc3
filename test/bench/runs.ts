/**
 * Real process runs per second through the whole cluster: triggered by REST, placed, journaled, run
 * by the keeper, output kept, outcome recorded, every turn durable. Beside it, in the same run,
 * bare `Bun.spawn` of the same command with its output read.
 */
import type { Cluster } from '../support/cluster.ts';
import { aBenchCluster } from './cluster.ts';
import { watchFinished } from './facts.ts';
import { atLeast, atMost, type BenchResult, median, rounded, type Size } from './report.ts';

const JOBS = 4;
const SHARDS = 32;
const COMMAND = ['sh', '-c', 'echo $TROUPE_EXECUTION'];

type Finished = Awaited<ReturnType<typeof watchFinished>>;

export async function bench({ quick }: Size): Promise<BenchResult> {
  const runs = quick ? 512 : 3_072;
  const warmUp = runs / 2;
  const cluster = await aBenchCluster();
  try {
    for (let job = 0; job < JOBS; job++) {
      await cluster.call('POST', '/v1/jobs', {
        name: `echo${job}`,
        command: COMMAND,
        shards: { total: SHARDS },
        resources: { cpus: 0.01, memoryMB: 1 },
      });
    }
    const finished = await watchFinished(cluster.url);
    await round(cluster, finished, warmUp);
    const ours: number[] = [];
    const bare: number[] = [];
    for (let each = 0; each < 3; each++) {
      bare.push(await bareRound(runs));
      ours.push(await round(cluster, finished, runs));
    }
    finished.close();
    const lost = await unaccounted(cluster, (warmUp + 3 * runs) / SHARDS);
    return {
      name: 'runs',
      judged: [
        atLeast('part of bare Bun.spawn', rounded(median(ours) / median(bare), 2), 0.6, 'ratio'),
        atMost('lost runs or output', lost, 0, 'runs'),
      ],
      figures: { runsPerSecond: Math.round(median(ours)), bareSpawnPerSecond: Math.round(median(bare)), runsPerRound: runs },
    };
  } finally {
    await cluster.close();
  }
}

/**
 * Each job is triggered again as soon as its execution is done: JOBS x SHARDS processes are under
 * way at any time.
 */
async function round(cluster: Cluster, finished: Finished, runs: number): Promise<number> {
  const began = performance.now();
  let left = runs / SHARDS;
  const again = async (job: number) => {
    while (left > 0) {
      left -= 1;
      const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/echo${job}/trigger`);
      await finished.of(execution);
    }
  };
  await Promise.all(Array.from({ length: JOBS }, (_, job) => again(job)));
  return (runs * 1000) / (performance.now() - began);
}

/**
 * Runs without a good end in the ledger, and runs whose kept output is not exactly the line they
 * wrote.
 */
async function unaccounted(cluster: Cluster, executions: number): Promise<number> {
  const good = await cluster.all<{ id: string }>('/v1/executions?outcome=succeeded');
  let lost = (executions - good.length) * SHARDS;
  for (const { id } of good) {
    let lines = await linesOf(cluster, id);
    // What a process wrote may be there a moment after it is known how it ended.
    if (lines < SHARDS) {
      await Bun.sleep(1_000);
      lines = await linesOf(cluster, id);
    }
    lost += SHARDS - lines;
  }
  return lost;
}

async function linesOf(cluster: Cluster, id: string): Promise<number> {
  const answer = await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(id)}/logs`, { headers: { accept: 'text/plain' } });
  return (await answer.text()).split('\n').filter(line => line === id).length;
}

async function bareRound(runs: number): Promise<number> {
  const began = performance.now();
  let next = 0;
  const runner = async () => {
    for (let run = next++; run < runs; run = next++) {
      const child = Bun.spawn(COMMAND, {
        env: { PATH: process.env.PATH ?? '', TROUPE_EXECUTION: `r${run}` },
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
