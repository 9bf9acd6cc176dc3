/**
 * Cold start of the center to its first answer; memory of center, agent and keeper once they have
 * been idle for a while.
 */
import { aBenchHouse, memoryOf } from './house.ts';
import { atMost, type BenchResult, median, rounded, type Size } from './report.ts';

const IDLE_MS = 10_000;

export async function bench({ quick }: Size): Promise<BenchResult> {
  const starts: number[] = [];
  for (let each = 0; each < 3; each++) {
    const house = await aBenchHouse();
    starts.push(house.startedMs);
    await house.close();
  }
  const house = await aBenchHouse();
  try {
    // One run, so that the keeper is there.
    await house.call('POST', '/v1/jobs', { name: 'one', command: ['true'] });
    await house.call('POST', '/v1/jobs/one/trigger');
    await Bun.sleep(quick ? 1_000 : IDLE_MS);
    const center = memoryOf(house.centerPid);
    const agent = memoryOf(house.agentPid('bench'));
    const keeper = memoryOf(house.keeperPid('bench'));
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
    await house.close();
  }
}
