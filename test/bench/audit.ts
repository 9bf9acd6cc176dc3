/**
 * What the schedule audit costs: how long a whole pass takes, and how much more of a core the
 * center computes meanwhile than one without jobs.
 */

import { SCHEDULE_AUDIT } from '../../src/services/schedule-audit.ts';
import type { House } from '../support/house.ts';
import { fillStore } from './bulk.ts';
import { aBareHouse, cpuSecondsOf, dataOf, memoryOf } from './house.ts';
import { atMost, type BenchResult, rounded, type Size } from './report.ts';
import { scheduledJobs } from './seed.ts';

export async function bench({ quick }: Size): Promise<BenchResult> {
  const count = quick ? 10_000 : 100_000;
  const idlePercent = await idle(quick ? 10_000 : 60_000);
  const house = await aBareHouse();
  try {
    const job = scheduledJobs({ command: ['true'], resources: { cpus: 0.01, memoryMB: 1 } });
    const now = Date.now();
    // Due half a day from now, so that nothing fires.
    const hour = (new Date(now).getUTCHours() + 12) % 24;
    await fillStore(dataOf(house), fill =>
      fill(count, place =>
        job({ name: `job${String(place).padStart(7, '0')}`, cron: `${place % 60} ${Math.floor(place / 60) % 60} ${hour} * * ?`, at: now }),
      ),
    );
    await house.startCenter();
    await Bun.sleep(5_000);
    const began = performance.now();
    const cpuBefore = cpuSecondsOf(house.centerPid);
    // A pass lasts nearly as long as it may, and an answer costs the center some milliseconds that
    // are not the audit's.
    await Bun.sleep((SCHEDULE_AUDIT.passMaxMs * count) / 100_000);
    while ((await figure(house, 'troupe_schedule_audit_timestamp_seconds')) === 0) {
      if (performance.now() - began > 900_000) throw new Error('no pass was over after fifteen minutes');
      await Bun.sleep(5_000);
    }
    const seconds = (performance.now() - began) / 1_000;
    const percent = ((cpuSecondsOf(house.centerPid) - cpuBefore) / seconds) * 100;
    return {
      name: 'audit',
      judged: [
        atMost(`${count / 1000} k jobs, a whole pass`, Math.round(seconds), 300, 's'),
        atMost(`${count / 1000} k jobs, processor meanwhile`, rounded(percent - idlePercent, 2), 1, '% of a core'),
        atMost('found where nothing is wrong', await figure(house, 'troupe_schedules_unarmed_total'), 0, 'jobs'),
      ],
      figures: {
        jobs: count,
        centerPercent: rounded(percent, 2),
        idlePercent: rounded(idlePercent, 2),
        memoryMB: memoryOf(house.centerPid),
      },
    };
  } finally {
    await house.close();
  }
}

/** Of a center without jobs. */
async function idle(ms: number): Promise<number> {
  const house = await aBareHouse();
  try {
    await house.startCenter();
    await Bun.sleep(5_000);
    const before = cpuSecondsOf(house.centerPid);
    await Bun.sleep(ms);
    return ((cpuSecondsOf(house.centerPid) - before) * 100_000) / ms;
  } finally {
    await house.close();
  }
}

async function figure(house: House, name: string): Promise<number> {
  const text = await (await fetch(`${house.url}/v1/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1] ?? Number.NaN);
}
