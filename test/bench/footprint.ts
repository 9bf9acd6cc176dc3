/**
 * Cold start of the center to its first answer; memory of center, agent and keeper once they have
 * been idle for a while.
 */
import { aBenchCluster, memoryOf } from './cluster.ts';
import { atMost, type BenchResult, median, rounded, type Size } from './report.ts';

const IDLE_MS = 10_000;

export async function bench({ quick }: Size): Promise<BenchResult> {
  const starts: number[] = [];
  for (let each = 0; each < 3; each++) {
    const cluster = await aBenchCluster();
    starts.push(cluster.startedMs);
    await cluster.close();
  }
  const cluster = await aBenchCluster();
  try {
    // One run, so that the keeper is there.
    await cluster.call('POST', '/v1/jobs', { name: 'one', command: ['true'] });
    await cluster.call('POST', '/v1/jobs/one/trigger');
    await Bun.sleep(quick ? 1_000 : IDLE_MS);
    const center = memoryOf(cluster.centerPid);
    const agent = memoryOf(cluster.agentPid('bench'));
    const keeper = memoryOf(cluster.keeperPid('bench'));
    return {
      name: 'footprint',
      judged: [
        atMost('cold start to serving', Math.round(median(starts)), 300, 'ms'),
        atMost('idle center', center, 90, 'MB'),
        atMost('idle agent and keeper', rounded(agent + keeper, 1), 70, 'MB'),
      ],
      figures: { agentMB: agent, keeperMB: keeper },
    };
  } finally {
    await cluster.close();
  }
}
