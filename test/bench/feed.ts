/**
 * A thousand watchers of the feed: deliveries per second of the center's processor time while facts
 * come as fast as they can be made (every turn behind them durable), and from the decision to the
 * watcher at a pace that leaves the center air. The decision comes before the commit, so the second
 * figure is rather too large.
 */
import { join } from 'node:path';
import { type Cluster, until } from '../support/cluster.ts';
import { aBareCluster, cpuSecondsOf } from './cluster.ts';
import { atLeast, atMost, type BenchResult, median, quantile, rounded, type Size } from './report.ts';
import type { AgentReport, AgentRequest, Counts } from './watchers.ts';

const JOBS = 32;
/** Facts a second where lateness is measured: 50,000 deliveries a second to 1,000 watchers. */
const PACE = 50;

export async function bench({ quick }: Size): Promise<BenchResult> {
  const watchers = 1_000;
  const facts = quick ? 200 : 2_500;
  const cluster = await aBareCluster();
  try {
    await cluster.startCenter();
    for (let job = 0; job < JOBS; job++) await cluster.call('POST', '/v1/jobs', { name: `told${job}`, command: ['true'] });
    const crowd = await aCrowd(cluster);
    await crowd.open(watchers);
    const rates: number[] = [];
    const perCore: number[] = [];
    let unequal = 0;
    for (let round = 0; round <= 3; round++) {
      await crowd.reset();
      const cpu = cpuSecondsOf(cluster.centerPid);
      const began = performance.now();
      await tell(cluster, facts, 0);
      const { least, most } = await crowd.all(facts * watchers);
      if (round === 0) continue;
      const ms = performance.now() - began;
      rates.push((facts * watchers * 1000) / ms);
      perCore.push((facts * watchers) / (cpuSecondsOf(cluster.centerPid) - cpu));
      unequal += most - least;
    }
    await crowd.reset();
    const paced = PACE * (quick ? 3 : 10);
    const cpu = cpuSecondsOf(cluster.centerPid);
    await tell(cluster, paced, PACE);
    const { tookMs, cut } = await crowd.all(paced * watchers);
    const pacedCpu = cpuSecondsOf(cluster.centerPid) - cpu;
    await crowd.close();
    return {
      name: 'feed',
      judged: [
        atLeast(`deliveries to ${watchers} watchers, per core`, Math.round(median(perCore)), 300_000, '1/s'),
        atMost('decision to watcher, p99', quantile(tookMs, 0.99), 100, 'ms'),
        atMost('watchers cut, facts missing or twice', cut + unequal, 0, ''),
      ],
      figures: {
        deliveriesPerSecond: Math.round(median(rates)),
        factsPerSecond: Math.round(median(rates) / watchers),
        decisionToWatcherP50Ms: quantile(tookMs, 0.5),
        atFactsPerSecond: PACE,
        centerBusyThen: `${rounded((pacedCpu * 100 * PACE) / paced, 0)} % of a core`,
      },
    };
  } finally {
    await cluster.close();
  }
}

/**
 * So many facts, by turning jobs off and on; `pace` per second, 0 = as fast as sixteen callers can.
 */
async function tell(cluster: Cluster, facts: number, pace: number): Promise<void> {
  const began = performance.now();
  let next = 0;
  const caller = async (own: number) => {
    for (let turn = 0; ; turn++) {
      const place = next++;
      if (place >= facts) return;
      if (pace > 0) await Bun.sleep(Math.max(0, began + (place * 1000) / pace - performance.now()));
      // Each caller has jobs of its own, so that off and on alternate.
      const job = own * 2 + ((turn >> 1) % 2);
      await cluster.call('POST', `/v1/jobs/told${job}/${isOn[job] ? 'disable' : 'enable'}`);
      isOn[job] = !isOn[job];
    }
  };
  await Promise.all(Array.from({ length: JOBS / 2 }, (_, own) => caller(own)));
}
const isOn: boolean[] = Array.from({ length: JOBS }, () => true);

async function aCrowd(cluster: Cluster) {
  const { hostname, port } = new URL(cluster.url);
  let answer: (word: AgentReport) => void = () => {};
  const next = () => new Promise<AgentReport>(resolve => (answer = resolve));
  const ready = next();
  const child = Bun.spawn([process.execPath, join(import.meta.dir, 'watchers.ts'), hostname, port, '?kinds=job.enabled,job.disabled'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    ipc: message => answer(message as AgentReport),
  });
  await ready;
  const ask = (order: AgentRequest) => {
    const answered = next();
    child.send(order);
    return answered;
  };
  const counts = async (): Promise<Counts> => {
    const word = await ask({ do: 'report' });
    if (!('counts' in word)) throw new Error('the watchers answered something else');
    return word.counts;
  };
  return {
    open: (count: number) => ask({ do: 'open', count }),
    reset: () => ask({ do: 'reset' }),
    /** Resolves once so many frames have arrived; gives up loudly when they do not. */
    async all(frames: number): Promise<Counts> {
      let seen = await counts();
      await until(`${frames} frames have arrived`, async () => {
        seen = await counts();
        if (seen.cut > 0) throw new Error(`${seen.cut} watchers were cut, ${seen.all} of ${frames} frames arrived`);
        return seen.all >= frames;
      });
      return seen;
    },
    async close() {
      child.disconnect();
      await child.exited;
    },
  };
}
