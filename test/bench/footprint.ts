/** Cold start of the center to its first answer; memory of center, agent and keeper once they have been idle for a while. */
import { aBenchHouse, memoryOf } from './house.ts';
import { type BenchResult, median } from './report.ts';

const IDLE_MS = 10_000;

export async function bench(): Promise<BenchResult> {
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
    await Bun.sleep(IDLE_MS);
    const center = memoryOf(house.centerPid);
    const agent = memoryOf(house.agentPid('bench'));
    const keeper = memoryOf(house.keeperPid('bench'));
    const figures = {
      startMs: Math.round(median(starts)),
      centerMB: center,
      agentMB: agent,
      keeperMB: keeper,
      agentAndKeeperMB: Math.round((agent + keeper) * 10) / 10,
    };
    return {
      name: 'footprint',
      figures,
      goal: 'start <= 300 ms; center <= 90 MB; agent and keeper together <= 70 MB',
      met: figures.startMs <= 300 && center <= 90 && figures.agentAndKeeperMB <= 70,
    };
  } finally {
    await house.close();
  }
}
