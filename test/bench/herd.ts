/**
 * Many schedules due in the same second, on an idle center: from the due time to the start of the
 * process, as the keeper recorded it. Some of the jobs also print the time, to check the record of
 * the keeper.
 */
import { existsSync } from 'node:fs';
import type { Cluster } from '../support/cluster.ts';
import { until } from '../support/cluster.ts';
import { aBenchCluster } from './cluster.ts';
import { atMost, type BenchResult, median, quantile, rounded, type Size } from './report.ts';

const EVERY_S = 15;
const CRON = { type: 'cron', cron: `0/${EVERY_S} * * * * ?`, timeZone: 'UTC' };
/** Due in the same seconds. */
const CALENDAR = { type: 'calendar', turnmode: 1, interval: EVERY_S, startdate: '01/01/2026', timeZone: 'UTC' };
/** Most that jobs of a calendar may be later than those of cron. */
const CALENDAR_SLOWER = 1.1;
/**
 * One job in so many prints the time as its first instruction, by a shell that needs no other
 * program for it.
 */
const WITNESS = 50;
const BASH = '/bin/bash';

interface Listed {
  id: string;
  job: string;
  dueAt: string;
  status: string;
  outcome: string | null;
  shards: { startedAt: string | null }[];
}

export async function bench({ quick }: Size): Promise<BenchResult> {
  const cluster = await aBenchCluster();
  try {
    const few = await herd(cluster, 'few', 100, quick ? 1 : 3);
    const count = quick ? 300 : 1_000;
    const many = await herd(cluster, 'many', count, quick ? 1 : 3);
    const calendar = await herd(cluster, 'calendar', count, quick ? 1 : 3, CALENDAR);
    return {
      name: 'herd',
      judged: [
        atMost(`${few.jobs} due at once, p99`, few.p99, 150, 'ms'),
        atMost(`${many.jobs} due at once, p50`, many.p50, 500, 'ms'),
        atMost(`${many.jobs} due at once, p99`, many.p99, 1_000, 'ms'),
        atMost(`${calendar.jobs} of a calendar, p50 beside cron`, rounded(calendar.p50 / many.p50, 2), CALENDAR_SLOWER, 'x'),
        atMost(`${calendar.jobs} of a calendar, p99 beside cron`, rounded(calendar.p99 / many.p99, 2), CALENDAR_SLOWER, 'x'),
      ],
      figures: {
        fewP50Ms: few.p50,
        fewWorstMs: few.worst,
        manyWorstMs: many.worst,
        calendarP50Ms: calendar.p50,
        calendarP99Ms: calendar.p99,
        calendarWorstMs: calendar.worst,
        ownFirstInstructionLaterMs: few.witness,
        bareSpawnPerSecond: Math.round(await bareSpawns(quick ? 300 : 1_000)),
      },
    };
  } finally {
    await cluster.close();
  }
}

/**
 * All of them due every EVERY_S seconds; the first time is for warming up. Each figure is the
 * median of the rounds.
 */
async function herd(cluster: Cluster, prefix: string, jobs: number, rounds: number, schedule: object = CRON) {
  for (let job = 0; job < jobs; job++) {
    const says = job % WITNESS === 0 && existsSync(BASH);
    await cluster.call('POST', '/v1/jobs', {
      name: `${prefix}${job}`,
      command: says ? [BASH, '-c', 'echo $EPOCHREALTIME'] : ['sh', '-c', 'echo $TROUPE_EXECUTION'],
      schedules: [schedule],
      resources: { cpus: 0.01, memoryMB: 1 },
    });
  }
  const figures: { p50: number; p99: number; worst: number }[] = [];
  const witness: number[] = [];
  let due = Math.ceil(Date.now() / 1000 / EVERY_S) * EVERY_S * 1000;
  for (let round = 0; round <= rounds; round++, due += EVERY_S * 1000) {
    await Bun.sleep(due - Date.now() + 2_000);
    const listed = await done(cluster, due, prefix, jobs);
    const late = listed.map(({ shards }) => Date.parse(shards[0]?.startedAt ?? '') - due);
    if (late.some(Number.isNaN)) throw new Error('a run has no start');
    if (round === 0) continue;
    figures.push({ p50: quantile(late, 0.5), p99: quantile(late, 0.99), worst: Math.max(...late) });
    witness.push(...(await witnesses(cluster, listed)));
  }
  for (let job = 0; job < jobs; job++) await cluster.call('DELETE', `/v1/jobs/${prefix}${job}`);
  return {
    jobs,
    p50: median(figures.map(({ p50 }) => p50)),
    p99: median(figures.map(({ p99 }) => p99)),
    worst: Math.max(...figures.map(({ worst }) => worst)),
    witness: witness.length > 0 ? rounded(median(witness), 1) : `no ${BASH} here to ask`,
  };
}

async function done(cluster: Cluster, due: number, prefix: string, jobs: number): Promise<Listed[]> {
  const span = `from=${new Date(due).toISOString()}&to=${new Date(due + EVERY_S * 1000 - 1).toISOString()}`;
  let listed: Listed[] = [];
  await until(`${jobs} runs of ${new Date(due).toISOString()} are done`, async () => {
    listed = (await cluster.all<Listed>(`/v1/executions?${span}`)).filter(({ job }) => job.startsWith(prefix));
    if (listed.length === jobs && listed.every(({ status }) => status === 'done')) return true;
    await Bun.sleep(500);
    return false;
  });
  const bad = listed.find(({ outcome }) => outcome !== 'succeeded');
  if (bad) throw new Error(`${bad.id} ended as ${bad.outcome}`);
  return listed;
}

/** Milliseconds by which the process's own time is later than that of the keeper. */
async function witnesses(cluster: Cluster, listed: Listed[]): Promise<number[]> {
  const later: number[] = [];
  for (const { id, shards } of listed) {
    if (Number(/\d+(?=@)/.exec(id)?.[0]) % WITNESS !== 0 || !existsSync(BASH)) continue;
    const answer = await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(id)}/logs`, { headers: { accept: 'text/plain' } });
    later.push(Number(await answer.text()) * 1000 - Date.parse(shards[0]?.startedAt ?? ''));
  }
  return later;
}

/** What this machine can do at best. */
async function bareSpawns(count: number): Promise<number> {
  const began = performance.now();
  let next = 0;
  const runner = async () => {
    while (next++ < count) {
      const child = Bun.spawn(['sh', '-c', 'echo $TROUPE_EXECUTION'], { stdin: 'ignore', stdout: 'pipe' });
      await new Response(child.stdout).text();
      await child.exited;
    }
  };
  await Promise.all(Array.from({ length: 8 }, runner));
  return (count * 1000) / (performance.now() - began);
}
