/**
 * Files through the center: in by REST, and out to 20 agents at once, which fetch, write and check
 * them with the code of agents. Meanwhile a job of every second runs on a real agent of its own,
 * and the memory of the center is read.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster } from '../support/cluster.ts';
import { aBareCluster, cpuSecondsOf, memoryOf } from './cluster.ts';
import { aSimulatedFleet, type SimulatedFleet } from './fleet.ts';
import { atLeast, atMost, type BenchResult, median, noGoal, quantile, rounded, type Size } from './report.ts';

const AGENTS = 20;
/** As many processes, so that hashing does not bound the rate of all on one core. */
const PROCESSES = 2;
const MB = 1_000_000;
const LOOK_MS = 20;
/** Runs before the transfers, and after them. */
const CALM_S = 6;

export async function bench({ quick }: Size): Promise<BenchResult> {
  const bytes = (quick ? 10 : 100) * MB;
  const rounds = quick ? 1 : 5;
  const cluster = await aBareCluster({ cpus: 4, memoryMB: 4_000 });
  const fleets: SimulatedFleet[] = [];
  try {
    await cluster.startCenter();
    await cluster.call('POST', '/v1/pools', { name: 'fetching' });
    cluster.startAgent('every-second');
    await cluster.ready('every-second');
    for (let each = 0; each < PROCESSES; each++)
      fleets.push(await aSimulatedFleet({ url: cluster.url, count: AGENTS / PROCESSES, pools: ['fetching'], prefix: `fetch${each}-` }));
    for (const fleet of fleets) fleet.dial();
    for (const fleet of fleets) await fleet.allUp();
    const directory = join(cluster.directory, 'fetched');
    mkdirSync(directory);
    const everySecond = [{ type: 'cron', cron: '* * * * * ?', timeZone: 'UTC' }];
    await cluster.call('POST', '/v1/jobs', { name: 'second', command: ['true'], schedules: everySecond, overlap: 'allow' });
    // What the first transfer loads stays loaded.
    const small = await upload(cluster, randomBytes(MB), 'small.bin');
    await fetchAll(fleets, small.sha256, directory);
    await Bun.sleep(CALM_S * 1_000);
    const calmUntil = Date.now();

    const idle = memoryOf(cluster.centerPid);
    const cpuBefore = cpuSecondsOf(cluster.centerPid);
    // One after the other: what agents write would delay the fsync of an upload.
    const uploading = watchMemory(cluster);
    const came: number[] = [];
    let last = '';
    for (let round = 0; round < rounds; round++) {
      const { sha256, ms } = await upload(cluster, randomBytes(bytes), `large${round}.bin`);
      came.push(bytes / MB / (ms / 1_000));
      last = sha256;
    }
    const peakIn = uploading.stop();
    const fetching = watchMemory(cluster);
    const went: number[] = [];
    for (let round = 0; round < rounds; round++) went.push(await fetchAll(fleets, last, directory));
    const peakOut = fetching.stop();
    const cpuSeconds = cpuSecondsOf(cluster.centerPid) - cpuBefore;
    const busyUntil = Date.now();
    await Bun.sleep(2_000);
    const late = await lateness(cluster, busyUntil);
    const calm = late.filter(({ dueAt }) => dueAt < calmUntil - 1_000).map(({ ms }) => ms);
    const busy = late.filter(({ dueAt }) => dueAt >= calmUntil).map(({ ms }) => ms);
    return {
      name: 'files',
      judged: [
        atLeast(`${bytes / MB} MB in through REST`, rounded(median(came)), 100, 'MB/s'),
        atLeast(`out to ${AGENTS} agents at once, together`, rounded(median(went)), 200, 'MB/s'),
        atMost("the center's memory beyond idle", rounded(Math.max(peakIn, peakOut) - idle, 1), 64, 'MB'),
        atMost('a job of every second meanwhile, late at p99', quantile(busy, 0.99), 100, 'ms'),
        noGoal('the same without transfers, late at p99', quantile(calm, 0.99), 'ms'),
      ],
      figures: {
        inMBperSecond: came.map(each => rounded(each)).join(' '),
        outMBperSecond: went.map(each => rounded(each)).join(' '),
        idleMB: idle,
        peakInMB: peakIn,
        peakOutMB: peakOut,
        lateP50Ms: median(busy),
        dueTimesMeanwhile: busy.length,
        centerSecondsPerGB: rounded(cpuSeconds / ((bytes * rounds * (1 + AGENTS)) / 1_000 / MB), 2),
        processesOfAgents: PROCESSES,
      },
    };
  } finally {
    for (const fleet of fleets) await fleet.close();
    await cluster.close();
  }
}

/** From the first byte to the answer. */
async function upload(cluster: Cluster, bytes: Buffer, name: string): Promise<{ sha256: string; ms: number }> {
  const began = performance.now();
  const response = await fetch(`${cluster.url}/v1/files?filename=${name}`, { method: 'POST', body: new Uint8Array(bytes) });
  const { sha256 } = (await response.json()) as { sha256: string };
  const ms = performance.now() - began;
  const expected = createHash('sha256').update(bytes).digest('hex');
  if (response.status !== 201 || sha256 !== expected) throw new Error(`the upload was answered ${response.status} with ${sha256}`);
  return { sha256, ms };
}

/** MB/s of all together, until the last one has it. */
async function fetchAll(fleets: SimulatedFleet[], sha256: string, directory: string): Promise<number> {
  const began = performance.now();
  const all = await Promise.all(fleets.map(fleet => fleet.fetchFile(sha256, directory)));
  const bytes = all.reduce((sum, each) => sum + each.bytes, 0);
  return bytes / MB / ((performance.now() - began) / 1_000);
}

/** The highest resident memory until it is stopped, MB. */
function watchMemory(cluster: Cluster): { stop(): number } {
  let peak = 0;
  const look = () => {
    peak = Math.max(peak, memoryOf(cluster.centerPid));
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    stop() {
      look();
      clearInterval(timer);
      return peak;
    },
  };
}

/** From each due time to the start of its process, as the keeper recorded it. */
async function lateness(cluster: Cluster, until: number): Promise<{ dueAt: number; ms: number }[]> {
  const all = await cluster.all<{ dueAt: string | null; shards: { startedAt: string | null }[] }>('/v1/executions?job=second');
  return all.flatMap(({ dueAt, shards }) => {
    const due = Date.parse(dueAt ?? '');
    if (!(due <= until)) return [];
    const started = Date.parse(shards[0]?.startedAt ?? '');
    if (Number.isNaN(started)) throw new Error(`the execution that was due at ${dueAt} has not started`);
    return [{ dueAt: due, ms: started - due }];
  });
}
