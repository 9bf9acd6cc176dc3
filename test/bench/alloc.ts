/**
 * The allocation table with 10,000 sticky jobs on 100 simulated hosts: how fast the jobs are
 * registered beside `pack` jobs, how fast rows move when a host is lost and when it joins, whether
 * a job of every second on another host starts in time meanwhile, and what reading and keeping the
 * table costs.
 */
import type { Cluster } from '../support/cluster.ts';
import { until } from '../support/cluster.ts';
import { aBareCluster, askDatabase, cpuSecondsOf, memoryOf } from './cluster.ts';
import { watchFacts } from './facts.ts';
import { aSimulatedFleet, type SimulatedFleet } from './fleet.ts';
import { registerJobs, tableOf, tableSettled } from './registering.ts';
import { atLeast, atMost, type BenchResult, median, quantile, rounded, type Size } from './report.ts';

interface Scale {
  jobs: number;
  hosts: number;
  rounds: number;
  reads: number;
}
const GRACE_MS = 2_000;
/** After this an idle center has collected its garbage. */
const REST_MS = 8_000;
const LEAVER = 'leaver0';

export async function bench({ quick }: Size): Promise<BenchResult> {
  const scale = quick ? { jobs: 1_000, hosts: 20, rounds: 2, reads: 20 } : { jobs: 10_000, hosts: 100, rounds: 5, reads: 200 };
  const packed = await withFleet(scale, async (cluster, fleets) => {
    const ms = await registerJobs(cluster, 'pack', scale.jobs);
    return { ms, restingMB: await restingMB(cluster, fleets) };
  });
  return withFleet(scale, async (cluster, fleets) => {
    const cpuFrom = cpuSecondsOf(cluster.centerPid);
    const began = Date.now();
    const ms = await registerJobs(cluster, 'sticky', scale.jobs);
    await tableSettled(cluster);
    const tableMs = tableOf(cluster).updatedAt - began;
    const registerCpuS = cpuSecondsOf(cluster.centerPid) - cpuFrom;
    const size = tableBytes(cluster);
    const stickyMB = await restingMB(cluster, fleets);
    const reads = await readTable(cluster, scale);
    const { lostMs, joinedMs, moved, late } = await flap(cluster, fleets, scale);
    return {
      name: 'alloc',
      judged: [
        atMost(`a host of ${scale.hosts} is lost, until the last row moved`, Math.max(...lostMs), 1_000, 'ms'),
        atMost('it joins again, until the last row moved', Math.max(...joinedMs), 1_000, 'ms'),
        atMost('starts of a job of every second meanwhile, p99 late', quantile(late, 0.99), 100, 'ms'),
        atLeast('registering sticky jobs until the last has its row, beside pack jobs', rounded(packed.ms / tableMs, 2), 0.5, ''),
        atMost(`reading the table of ${scale.jobs} rows, p99`, quantile(reads, 0.99), 100, 'ms'),
        atMost('memory that the table costs', rounded(stickyMB - packed.restingMB, 1), 64, 'MB'),
      ],
      figures: {
        ...{ jobs: scale.jobs, hosts: scale.hosts, rounds: scale.rounds, rowsMoved: moved },
        ...{ lostP50Ms: median(lostMs), joinedP50Ms: median(joinedMs), starts: late.length, lateP50Ms: median(late) },
        ...{ packRegisteredMs: Math.round(packed.ms), stickyAnsweredMs: Math.round(ms), stickyRowsMs: tableMs },
        ...{ tableCommitsOfRegistering: size.rev, tableBytes: size.bytes, registerCpuSeconds: rounded(registerCpuS, 1) },
        ...{ readP50Ms: median(reads), packRestingMB: packed.restingMB, stickyRestingMB: stickyMB },
      },
    };
  });
}

interface Fleets {
  staying: SimulatedFleet;
  leaving: SimulatedFleet;
}

async function withFleet<T>({ hosts }: Scale, work: (cluster: Cluster, fleets: Fleets) => Promise<T>): Promise<T> {
  const cluster = await aBareCluster({ env: { TROUPE_HOST_GRACE_MS: `${GRACE_MS}`, TROUPE_CLOSED_GRACE_MS: `${GRACE_MS}` } });
  try {
    await cluster.startCenter();
    const { url } = cluster;
    const fleets = {
      staying: await aSimulatedFleet({ url, count: hosts - 1 }),
      leaving: await aSimulatedFleet({ url, count: 1, prefix: LEAVER.slice(0, -1) }),
    };
    for (const fleet of Object.values(fleets)) {
      fleet.dial();
      await fleet.allUp();
    }
    await tableSettled(cluster);
    const result = await work(cluster, fleets);
    for (const fleet of Object.values(fleets)) await fleet.close();
    return result;
  } finally {
    await cluster.close();
  }
}

/** Resident memory of a center that has just started, with all its hosts. */
async function restingMB(cluster: Cluster, { staying, leaving }: Fleets): Promise<number> {
  await cluster.stopCenter();
  await cluster.startCenter();
  await staying.allUp();
  await leaving.allUp();
  await cluster.call('GET', '/v1/pools/default/allocation');
  await Bun.sleep(REST_MS);
  return memoryOf(cluster.centerPid);
}

function tableBytes(cluster: Cluster): { rev: number; bytes: number } {
  const [found] = askDatabase<{ rev: number; bytes: number }>(
    cluster,
    `select rev, length(state) as bytes from actors where _id = 'table/default'`,
  );
  return found ?? { rev: 0, bytes: 0 };
}

async function readTable(cluster: Cluster, { reads, jobs }: Scale): Promise<number[]> {
  const took: number[] = [];
  for (let read = 0; read < reads; read++) {
    const from = performance.now();
    const { rows } = await cluster.call<{ rows: unknown[] }>('GET', '/v1/pools/default/allocation');
    took.push(performance.now() - from);
    if (rows.length !== jobs) throw new Error(`the table has ${rows.length} rows of ${jobs}`);
  }
  return took;
}

/** One host is lost and joins again, while a job on another host fires every second. */
async function flap(cluster: Cluster, { staying, leaving }: Fleets, { rounds }: Scale) {
  const facts: { type: string; at: number }[] = [];
  const watching = await watchFacts(cluster.url, { kinds: 'host.lost,host.ready' }, ({ type, at, data }) => {
    if (data.name === LEAVER) facts.push({ type, at });
  });
  await cluster.call('POST', '/v1/jobs', {
    ...{ name: 'tick', command: ['true'], servers: ['paper0'], schedules: [{ type: 'cron', cron: '* * * * * ?', timeZone: 'UTC' }] },
  });
  await staying.starts();
  const seen: Record<string, number[]> = { 'host.lost': [], 'host.ready': [] };
  const versions = tableOf(cluster).version;
  const step = async (type: 'host.lost' | 'host.ready') => {
    const before = facts.length;
    const { version } = tableOf(cluster);
    if (type === 'host.lost') leaving.drop();
    else leaving.dial();
    await until(`${type} of ${LEAVER}`, () => facts.slice(before).some(fact => fact.type === type));
    await until('rows moved', () => tableOf(cluster).version > version);
    await tableSettled(cluster);
    const from = facts.findLast(fact => fact.type === type)?.at ?? Number.NaN;
    seen[type]?.push(tableOf(cluster).updatedAt - from);
  };
  for (let round = 0; round < rounds; round++) {
    await step('host.lost');
    await step('host.ready');
  }
  watching.close();
  const late = (await staying.starts()).flatMap(({ execution, arrived }) => lateness(execution, arrived));
  return {
    ...{ lostMs: seen['host.lost'] ?? [], joinedMs: seen['host.ready'] ?? [], late },
    moved: `in ${tableOf(cluster).version - versions} turns`,
  };
}

function lateness(execution: string, arrived: number): number[] {
  const [, year, month, day, hour, minute, second] = /^tick@(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)/.exec(execution) ?? [];
  if (year === undefined) return [];
  return [arrived - Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second))];
}
