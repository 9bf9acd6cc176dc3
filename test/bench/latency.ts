/**
 * Idle cluster: from the trigger by REST, over a connection kept alive, to the process's own first
 * instruction.
 */
import { until } from '../support/cluster.ts';
import { aBenchCluster } from './cluster.ts';
import { atMost, type BenchResult, quantile, type Size } from './report.ts';

/**
 * The first thing the shell does is to write the time; the clock is the machine's, the same for
 * both sides.
 */
const COMMAND = ['sh', '-c', 'date +%s%N'];

export async function bench({ quick }: Size): Promise<BenchResult> {
  const rounds = quick ? 50 : 300;
  const warmUp = rounds;
  const cluster = await aBenchCluster();
  try {
    await cluster.call('POST', '/v1/jobs', { name: 'first', command: COMMAND });
    const took: number[] = [];
    for (let each = 0; each < warmUp + rounds; each++) {
      const began = Date.now() + (performance.now() % 1);
      const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/first/trigger');
      let text = '';
      await until('its output is kept', async () => {
        text = await (
          await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(execution)}/logs`, { headers: { accept: 'text/plain' } })
        ).text();
        return text !== '';
      });
      const wrote = Number(BigInt(text.trim()) / 1000n) / 1000;
      if (each >= warmUp) took.push(wrote - began);
      await Bun.sleep(15);
    }
    // What `date` itself needs before it looks at the clock, as far as it can be seen from here.
    const bare: number[] = [];
    for (let each = 0; each < rounds; each++) {
      const began = Date.now() + (performance.now() % 1);
      const child = Bun.spawn(COMMAND, { stdin: 'ignore' });
      bare.push(Number(BigInt((await new Response(child.stdout).text()).trim()) / 1000n) / 1000 - began);
      await child.exited;
    }
    return {
      name: 'latency',
      judged: [
        atMost('trigger to first instruction, p50', quantile(took, 0.5), 2, 'ms'),
        atMost('trigger to first instruction, p99', quantile(took, 0.99), 8, 'ms'),
      ],
      figures: { triggers: rounds, bareSpawnP50Ms: quantile(bare, 0.5) },
    };
  } finally {
    await cluster.close();
  }
}
