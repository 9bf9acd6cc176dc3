/**
 * Thousands of agents of paper on one center, in pools of a thousand: memory, what it costs to keep
 * them warm, and how long it takes until all of them are ready again when all come back at once:
 * after every socket was cut, and after the center itself was killed.
 */
import { type Cluster, until } from '../support/cluster.ts';
import { aBareCluster, cpuSecondsOf, memoryOf } from './cluster.ts';
import { aSimulatedFleet, type SimulatedFleet } from './fleet.ts';
import { atMost, type BenchResult, median, rounded, type Size } from './report.ts';

const PER_POOL = 1_000;

export async function bench({ quick }: Size): Promise<BenchResult> {
  const count = quick ? 500 : 5_000;
  const idleMs = quick ? 5_000 : 15_000;
  const cluster = await aBareCluster();
  try {
    await cluster.startCenter();
    const pools = Array.from({ length: Math.ceil(count / PER_POOL) }, (_, place) => `pool${place}`);
    for (const name of pools) await cluster.call('POST', '/v1/pools', { name });
    const fleet = await aSimulatedFleet({ url: cluster.url, count, pools });
    const firstMs = await settle(cluster, fleet, count);
    const cut: number[] = [];
    for (let round = 0; round < 3; round++) {
      fleet.drop();
      await until('the center has noticed', async () => (await ready(cluster, pools)) < count);
      cut.push(await settle(cluster, fleet, count));
    }
    const killed: number[] = [];
    const served: number[] = [];
    for (let round = 0; round < 3; round++) {
      const began = performance.now();
      await cluster.killCenter();
      await cluster.startCenter();
      served.push(performance.now() - began);
      killed.push(await settle(cluster, fleet, count));
    }
    await Bun.sleep(2_000);
    const cpu = cpuSecondsOf(cluster.centerPid);
    await Bun.sleep(idleMs);
    const busy = ((cpuSecondsOf(cluster.centerPid) - cpu) * 100_000) / idleMs;
    const memory = memoryOf(cluster.centerPid);
    const refused = await fleet.refused();
    await fleet.close();
    return {
      name: 'agents',
      judged: [
        atMost(`${count} agents, memory`, memory, 300, 'MB'),
        atMost(`${count} agents, idle`, rounded(busy, 1), 15, '% of a core'),
        atMost('all back after their sockets were cut', Math.round(median(cut)), 5_000, 'ms'),
        atMost('all back after kill -9 of the center', Math.round(median(killed)), 5_000, 'ms'),
      ],
      figures: {
        enrolledAllMs: Math.round(firstMs),
        fromKillToServingMs: Math.round(median(served)),
        endedByTheCenter: JSON.stringify(refused),
        pools: pools.length,
      },
    };
  } finally {
    await cluster.close();
  }
}

/** Milliseconds from the first dial until the center shows every host as ready. */
async function settle(cluster: Cluster, fleet: SimulatedFleet, count: number): Promise<number> {
  const began = performance.now();
  fleet.dial();
  await fleet.allUp(300_000);
  // The welcome is sent when `host.connected` is committed: then the host is ready.
  const ms = performance.now() - began;
  const pools = Array.from({ length: Math.ceil(count / PER_POOL) }, (_, place) => `pool${place}`);
  const seen = await ready(cluster, pools);
  if (seen !== count) throw new Error(`${count} agents are welcome, ${seen} hosts are ready`);
  return ms;
}

async function ready(cluster: Cluster, pools: string[]): Promise<number> {
  const lists = await Promise.all(pools.map(pool => cluster.all<{ status: string }>(`/v1/hosts?pool=${pool}&status=ready`)));
  return lists.flat().length;
}
