/** Idle house: from the trigger by REST, over a connection kept alive, to the process's own first instruction. */
import { until } from '../support/house.ts';
import { aBenchHouse } from './house.ts';
import { type BenchResult, quantile } from './report.ts';

const ROUNDS = 300;
const WARM_UP = 300;
/** The first thing the shell does is to write the time; the clock is the machine's, the same for both sides. */
const COMMAND = ['sh', '-c', 'date +%s%N'];

export async function bench(): Promise<BenchResult> {
  const house = await aBenchHouse();
  try {
    await house.call('POST', '/v1/jobs', { name: 'first', command: COMMAND });
    const took: number[] = [];
    for (let each = 0; each < WARM_UP + ROUNDS; each++) {
      const began = Date.now() + (performance.now() % 1);
      const { execution } = await house.call<{ execution: string }>('POST', '/v1/jobs/first/trigger');
      let text = '';
      await until('its output is kept', async () => {
        text = await (
          await fetch(`${house.url}/v1/executions/${encodeURIComponent(execution)}/logs`, { headers: { accept: 'text/plain' } })
        ).text();
        return text !== '';
      });
      const wrote = Number(BigInt(text.trim()) / 1000n) / 1000;
      if (each >= WARM_UP) took.push(wrote - began);
      await Bun.sleep(15);
    }
    // What `date` itself needs before it looks at the clock, as far as it can be seen from here.
    const bare: number[] = [];
    for (let each = 0; each < ROUNDS; each++) {
      const began = Date.now() + (performance.now() % 1);
      const child = Bun.spawn(COMMAND, { stdin: 'ignore' });
      bare.push(Number(BigInt((await new Response(child.stdout).text()).trim()) / 1000n) / 1000 - began);
      await child.exited;
    }
    const figures = { p50Ms: quantile(took, 0.5), p99Ms: quantile(took, 0.99), bareSpawnP50Ms: quantile(bare, 0.5) };
    return { name: 'latency', figures, goal: 'p50 <= 2 ms, p99 <= 8 ms', met: figures.p50Ms <= 2 && figures.p99Ms <= 8 };
  } finally {
    await house.close();
  }
}
