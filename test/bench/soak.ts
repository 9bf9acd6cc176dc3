/**
 * Memory over time: jobs of each second on a real agent for an hour (`--minutes` says otherwise),
 * then a burst of triggers on agents of paper. Runs only when it is named. Retention is set to
 * small numbers, so that it has work and the data directory must level off, too.
 *
 * A run that leaks shows as a slope: a line is fitted through the second half of the resident
 * memory, for the first half fills caches.
 */
import { appendFileSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Cluster, until } from '../support/cluster.ts';
import { aBareCluster, askDatabase, cpuSecondsOf, dataOf, memoryOf } from './cluster.ts';
import { aSimulatedFleet } from './fleet.ts';
import { atMost, type BenchResult, quantile, rounded, type Size } from './report.ts';

const JOBS = 20;
const MINUTES = 60;
const SAMPLE_MS = 10_000;
const BURST_JOBS = 1_000;
const BURST_PER_SECOND = 500;
/** Each with an agent: the document of a single host would be the bottleneck. */
const BURST_POOLS = Array.from({ length: 8 }, (_, place) => `paper${place}`);
const RETENTION = {
  TROUPE_KEEP_EXECUTIONS_PER_JOB: '200',
  TROUPE_KEEP_OCCURRENCES_PER_JOB: '1000',
  TROUPE_KEEP_FACTS: '20000',
};

interface Sample {
  /** Minutes since the first. */
  at: number;
  center: number;
  agent: number;
  keeper: number;
  /** MB in the directories of center and agent. */
  data: number;
  agentData: number;
}

export async function bench({ quick, minutes = quick ? 3 : MINUTES }: Size): Promise<BenchResult> {
  const cluster = await aBareCluster({ cpus: 64, memoryMB: 1_000_000, env: RETENTION });
  try {
    await cluster.startCenter();
    cluster.startAgent('bench');
    await cluster.ready('bench');
    await Promise.all(Array.from({ length: JOBS }, (_, place) => register(cluster, `second${place}`, { cron: '* * * * * ?' })));
    const cpuBefore = cpuSecondsOf(cluster.centerPid);
    const samples = await watched(cluster, minutes);
    const cpuPercent = ((cpuSecondsOf(cluster.centerPid) - cpuBefore) / (minutes * 60)) * 100;
    const [ran] = askDatabase<{ due: number }>(cluster, `select sum(count) as due from occurrences where verdict in ('ran', 'waiting')`);
    const [missed] = askDatabase<{ due: number }>(
      cluster,
      `select coalesce(sum(count), 0) as due from occurrences where verdict not in ('ran', 'waiting')`,
    );
    for (let place = 0; place < JOBS; place++) await cluster.call('PATCH', `/v1/jobs/second${place}`, { enabled: false });
    const burst = await triggered(cluster, quick ? 3_000 : 30_000);

    const late = samples.filter(({ at }) => at >= minutes / 2);
    const highest = Math.max(...late.map(({ center }) => center));
    return {
      name: 'soak',
      judged: [
        atMost('center, highest of the second half', highest, 160, 'MB'),
        atMost('center, rise over the second half', slope(late, 'center'), 0.1, 'MB/min'),
        atMost('burst, triggers not accepted', burst.refused, 0, 'triggers'),
        atMost('burst, memory a minute later', rounded((burst.after / burst.before) * 100 - 100, 1), 20, '% above before'),
      ],
      figures: {
        minutes,
        jobsOfEachSecond: JOBS,
        centerSeries: series(samples, 'center'),
        agentSeries: series(samples, 'agent'),
        keeperSeries: series(samples, 'keeper'),
        dataSeries: series(samples, 'data'),
        agentDataSeries: series(samples, 'agentData'),
        agentRise: slope(late, 'agent'),
        keeperRise: slope(late, 'keeper'),
        dataRise: slope(late, 'data'),
        agentDataRise: slope(late, 'agentData'),
        centerCpuPercent: rounded(cpuPercent, 1),
        keptDueTimesRan: ran?.due ?? 0,
        keptDueTimesNotRan: missed?.due ?? 0,
        ...Object.fromEntries(Object.entries(burst).map(([name, value]) => [`burst.${name}`, value])),
      },
    };
  } finally {
    await cluster.close();
  }
}

const register = (cluster: Cluster, name: string, { cron, pool }: { cron?: string; pool?: string }) =>
  cluster.call('POST', '/v1/jobs', {
    name,
    // One line of output, as most jobs have some.
    command: ['echo', 'done'],
    resources: { cpus: 0.01, memoryMB: 1 },
    ...(cron === undefined ? {} : { schedules: [{ type: 'cron', cron }] }),
    ...(pool === undefined ? {} : { pool }),
  });

async function watched(cluster: Cluster, minutes: number): Promise<Sample[]> {
  const began = performance.now();
  const samples: Sample[] = [];
  for (let place = 0; performance.now() - began <= minutes * 60_000; place++) {
    const sample = {
      at: rounded((performance.now() - began) / 60_000, 2),
      center: memoryOf(cluster.centerPid),
      agent: memoryOf(cluster.agentPid('bench')),
      keeper: memoryOf(cluster.keeperPid('bench')),
      data: megabytesIn(dataOf(cluster)),
      agentData: megabytesIn(join(cluster.directory, 'bench')),
    };
    samples.push(sample);
    note(sample);
    await Bun.sleep(Math.max(0, began + (place + 1) * SAMPLE_MS - performance.now()));
  }
  return samples;
}

/**
 * So many triggers of many jobs, evenly over time, answered by agents of paper; memory before, at
 * most, when the last one is done, and after a minute.
 */
async function triggered(cluster: Cluster, count: number) {
  for (const name of BURST_POOLS) await cluster.call('POST', '/v1/pools', { name });
  const fleet = await aSimulatedFleet({ url: cluster.url, count: BURST_POOLS.length, pools: BURST_POOLS });
  try {
    fleet.dial();
    await fleet.allUp();
    for (let from = 0; from < BURST_JOBS; from += 50) {
      await Promise.all(
        Array.from({ length: 50 }, (_, place) => register(cluster, `burst${from + place}`, { pool: `paper${place % BURST_POOLS.length}` })),
      );
    }
    await Bun.sleep(60_000);
    const before = memoryOf(cluster.centerPid);
    let highest = before;
    const watching = setInterval(() => {
      highest = Math.max(highest, memoryOf(cluster.centerPid));
    }, 250);
    const answers: number[] = [];
    const refusals: Record<string, number> = {};
    const began = performance.now();
    const trigger = async (place: number) => {
      const asked = performance.now();
      const answer = await fetch(`${cluster.url}/v1/jobs/burst${place % BURST_JOBS}/trigger`, { method: 'POST' });
      await answer.arrayBuffer();
      if (answer.ok) answers.push(performance.now() - asked);
      else refusals[answer.status] = (refusals[answer.status] ?? 0) + 1;
    };
    const underWay: Promise<void>[] = [];
    for (let place = 0; place < count; place++) {
      const aheadMs = began + (place * 1_000) / BURST_PER_SECOND - performance.now();
      if (aheadMs > 1) await Bun.sleep(aheadMs);
      underWay.push(trigger(place));
    }
    await Promise.all(underWay);
    const seconds = (performance.now() - began) / 1_000;
    await until('the burst has been worked off', () => openExecutions(cluster) === 0, 600_000);
    const workedOff = (performance.now() - began) / 1_000;
    clearInterval(watching);
    const atEnd = memoryOf(cluster.centerPid);
    const after: number[] = [];
    for (let each = 0; each < 6; each++) {
      await Bun.sleep(10_000);
      after.push(memoryOf(cluster.centerPid));
      note({ secondsAfterBurst: (each + 1) * 10, center: after.at(-1) });
    }
    return {
      before,
      highest,
      atEnd,
      afterSeries: after.join(' '),
      after: after.at(-1) ?? 0,
      seconds: rounded(seconds, 1),
      workedOffSeconds: rounded(workedOff, 1),
      refused: count - answers.length,
      refusals: JSON.stringify(refusals),
      answersP50: quantile(answers, 0.5),
      answersP99: quantile(answers, 0.99),
    };
  } finally {
    await fleet.close();
  }
}

function openExecutions(cluster: Cluster): number {
  const [row] = askDatabase<{ count: number }>(
    cluster,
    `select count(*) as count from actors indexed by executions_status where kind = 'execution' and status in ('pending', 'running', 'cancelling')`,
  );
  return row?.count ?? 0;
}

/** MB a minute of the line through these samples that fits best. */
function slope(samples: Sample[], what: keyof Sample): number {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const at = mean(samples.map(sample => sample.at));
  const value = mean(samples.map(sample => sample[what]));
  const over = samples.reduce((sum, sample) => sum + (sample.at - at) * (sample[what] - value), 0);
  const under = samples.reduce((sum, sample) => sum + (sample.at - at) ** 2, 0);
  return rounded(over / under, 3);
}

/** About twenty values, evenly over the time. */
function series(samples: Sample[], what: keyof Sample): string {
  const step = Math.max(1, Math.floor(samples.length / 20));
  return samples
    .filter((_, place) => place % step === 0)
    .map(sample => Math.round(sample[what]))
    .join(' ');
}

function megabytesIn(directory: string): number {
  let bytes = 0;
  for (const name of readdirSync(directory, { recursive: true, encoding: 'utf8' })) {
    // Files come and go while we look.
    const entry = lstatSync(join(directory, name), { throwIfNoEntry: false });
    if (entry?.isFile()) bytes += entry.size;
  }
  return rounded(bytes / 2 ** 20, 1);
}

/** BENCH_SAMPLES: a file that gets each sample at once, one JSON a line. */
function note(sample: object): void {
  const file = process.env.BENCH_SAMPLES;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(sample)}\n`);
}
