/**
 * What the schedule audit costs: how long a whole pass takes, and how much more of a core the
 * center computes meanwhile than one without jobs.
 */

import { SCHEDULE_AUDIT } from '../../src/services/schedule-audit.ts';
import type { Cluster } from '../support/cluster.ts';
import { fillStore } from './bulk.ts';
import { aBareCluster, cpuSecondsOf, dataOf, memoryOf } from './cluster.ts';
import { atMost, type BenchResult, rounded, type Size } from './report.ts';
import { scheduledJobs } from './seed.ts';

export async function bench({ quick }: Size): Promise<BenchResult> {
  const count = quick ? 10_000 : 100_000;
  const idlePercent = await idle(quick ? 10_000 : 60_000);
  const cluster = await aBareCluster();
  try {
    const job = scheduledJobs({ command: ['true'], resources: { cpus: 0.01, memoryMB: 1 } });
    const now = Date.now();
    // Due half a day from now, so that nothing fires.
    const hour = (new Date(now).getUTCHours() + 12) % 24;
    await fillStore(dataOf(cluster), fill =>
      fill(count, place =>
        job({ name: `job${String(place).padStart(7, '0')}`, cron: `${place % 60} ${Math.floor(place / 60) % 60} ${hour} * * ?`, at: now }),
      ),
    );
    await cluster.startCenter();
    // The first pass reads each document, the later ones read only those that have changed.
    const first = await passOf(cluster, count);
    const later = await passOf(cluster, count);
    const { seconds, percent } = later;
    return {
      name: 'audit',
      judged: [
        atMost(`${count / 1000} k jobs, a whole pass`, Math.round(seconds), 300, 's'),
        atMost(`${count / 1000} k jobs, processor meanwhile`, rounded(percent - idlePercent, 2), 1, '% of a core'),
        atMost('found where nothing is wrong', await figure(cluster, 'troupe_schedules_unarmed_total'), 0, 'jobs'),
      ],
      figures: {
        jobs: count,
        centerPercent: rounded(percent, 2),
        firstPassPercent: rounded(first.percent, 2),
        idlePercent: rounded(idlePercent, 2),
        memoryMB: memoryOf(cluster.centerPid),
      },
    };
  } finally {
    await cluster.close();
  }
}

/** One whole pass from now on: how long it took, and the processor time of the center meanwhile. */
async function passOf(cluster: Cluster, count: number): Promise<{ seconds: number; percent: number }> {
  const stamp = 'troupe_schedule_audit_timestamp_seconds';
  const before = await figure(cluster, stamp);
  const began = performance.now();
  const cpuBefore = cpuSecondsOf(cluster.centerPid);
  // A pass lasts nearly as long as it may, and a scrape costs the center some milliseconds that are
  // not the audit's.
  await Bun.sleep((SCHEDULE_AUDIT.passMaxMs * count) / 100_000);
  while ((await figure(cluster, stamp)) === before) {
    if (performance.now() - began > 900_000) throw new Error('no pass was over after fifteen minutes');
    await Bun.sleep(5_000);
  }
  const seconds = (performance.now() - began) / 1_000;
  return { seconds, percent: ((cpuSecondsOf(cluster.centerPid) - cpuBefore) / seconds) * 100 };
}

/** Of a center without jobs. */
async function idle(ms: number): Promise<number> {
  const cluster = await aBareCluster();
  try {
    await cluster.startCenter();
    await Bun.sleep(5_000);
    const before = cpuSecondsOf(cluster.centerPid);
    await Bun.sleep(ms);
    return ((cpuSecondsOf(cluster.centerPid) - before) * 100_000) / ms;
  } finally {
    await cluster.close();
  }
}

async function figure(cluster: Cluster, name: string): Promise<number> {
  const text = await (await fetch(`${cluster.url}/v1/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}
