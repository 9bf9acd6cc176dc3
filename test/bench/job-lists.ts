/**
 * Pages of 20 of 10,000 jobs, by runtime, group, status and part of a name, each with its total: as
 * the pages of Cloudtask ask for them. Every kind of question keeps to the goal by itself.
 */
import type { Cluster } from '../support/cluster.ts';
import { fillStore } from './bulk.ts';
import { aBareCluster, dataOf } from './cluster.ts';
import { atMost, type BenchResult, quantile, rounded, type Size } from './report.ts';
import { scheduledJobs } from './seed.ts';

const GOAL_MS = 50;
const PAGE = 20;
const RUNTIMES = ['default', 'west'];
const GROUPS = 25;
const WORDS = ['billing', 'report', 'backup', 'import', 'cleanup', 'index', 'mail', 'export', 'sync', 'audit'];

interface JobPage {
  data: { jobs: unknown[]; total: number };
}

export async function bench({ quick }: Size): Promise<BenchResult> {
  const jobs = quick ? 1_000 : 10_000;
  const asks = quick ? 20 : 100;
  const cluster = await aBareCluster();
  try {
    await seed(cluster, jobs);
    await cluster.startCenter();
    await cluster.call('POST', '/v1/pools', { name: 'west' });
    await changeSome(cluster, jobs);
    const page = (place: number, of: number) => 1 + ((place * 7) % Math.max(1, Math.floor(of / PAGE)));
    const runtime = (place: number) => RUNTIMES[place % RUNTIMES.length];
    const group = (place: number) => `group${place % GROUPS}`;
    const word = (place: number) => WORDS[place % WORDS.length];
    const questions: Record<string, (place: number) => string> = {
      'all jobs': place => `pageIndex=${page(place, jobs)}`,
      'of a runtime': place => `runtime=${runtime(place)}&pageIndex=${page(place, jobs / 2)}`,
      'of a group': place => `group=${group(place)}&pageIndex=${page(place, jobs / GROUPS)}`,
      'of a group of a runtime': place => `runtime=${runtime(place)}&group=${group(place)}`,
      idle: place => `stat=0&pageIndex=${page(place, jobs)}`,
      running: () => 'stat=200',
      failed: () => 'stat=-1',
      'idle of a runtime': place => `runtime=${runtime(place)}&stat=0&pageIndex=${page(place, jobs / 2)}`,
      'part of a name': place => `q=${word(place)}&pageIndex=${page(place, jobs / WORDS.length)}`,
      'part of a rare name': place => `q=${String(place * 97).padStart(5, '0')}`,
      'part of a name that none has': () => 'q=nowhere',
      'part of a name, of a runtime and group, idle': place => `runtime=${runtime(place)}&group=${group(place)}&stat=0&q=${word(place)}`,
    };
    const took: Record<string, number[]> = Object.fromEntries(Object.keys(questions).map(name => [name, []]));
    const totals: Record<string, number> = {};
    for (let ask = -3; ask < asks; ask++) {
      for (const [name, query] of Object.entries(questions)) {
        const from = performance.now();
        const { data } = await cluster.call<JobPage>('GET', `/cloudtask/v2/jobs?pageSize=${PAGE}&${query(Math.abs(ask))}`);
        if (ask >= 0) took[name]?.push(performance.now() - from);
        totals[name] = Math.max(totals[name] ?? 0, data.total);
      }
    }
    if (totals['all jobs'] !== jobs || totals['part of a name that none has'] !== 0)
      throw new Error(`totals are ${JSON.stringify(totals)}`);
    const slowest = Object.entries(took)
      .map(([name, each]) => ({ name, p99: quantile(each, 0.99) }))
      .sort((a, b) => b.p99 - a.p99);
    return {
      name: 'job-lists',
      judged: [
        atMost(
          `${PAGE} of ${jobs.toLocaleString('en')} jobs with total, slowest kind, p99`,
          rounded(slowest[0]?.p99 ?? Number.NaN, 1),
          GOAL_MS,
          'ms',
        ),
      ],
      figures: {
        p50Ms: rounded(quantile(Object.values(took).flat(), 0.5), 2),
        ...Object.fromEntries(slowest.slice(0, 6).map(({ name, p99 }) => [`p99 ${name}`, rounded(p99, 1)])),
      },
    };
  } finally {
    await cluster.close();
  }
}

const nameOf = (place: number): string => `job${String(place).padStart(5, '0')}-${WORDS[place % WORDS.length]}`;

/** Half of the jobs in each runtime; each group has jobs of both. */
async function seed(cluster: Cluster, jobs: number): Promise<void> {
  const makers = RUNTIMES.flatMap(pool => Array.from({ length: GROUPS }, (_, group) => scheduledJobs({ pool, group: `group${group}` })));
  await fillStore(dataOf(cluster), fill => {
    fill(jobs, place => {
      const make = makers[place % makers.length];
      if (!make) throw new Error('there is a maker for each place');
      return make({ name: nameOf(place), cron: '0 0 3 1 1 ?', at: Date.UTC(2026, 0, 2) });
    });
  });
}

/** One in 100 is disabled, one in 200 has an execution that waits: no host is there. */
async function changeSome(cluster: Cluster, jobs: number): Promise<void> {
  for (let place = 0; place < jobs; place += 100) {
    await cluster.call('POST', `/v1/jobs/${nameOf(place)}/disable`);
    if (place % 200 === 0) await cluster.call('POST', `/v1/jobs/${nameOf(place + 1)}/trigger`);
  }
}
