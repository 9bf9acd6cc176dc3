/** A real center with one agent, and questions to processes, for benches over HTTP. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { aCluster, type Cluster } from '../support/cluster.ts';
import { aMongoServer } from '../support/mongo.ts';

/** Set by `--profile`: where the center writes a profile of its processor time when it stops. */
const profileTo = process.env.BENCH_PROFILE;

/**
 * `cpus` and `memoryMB` are what the agent offers: enough that only processes limit the rate.
 * `startedMs` is the center's cold start to its first answer.
 */
export async function aBenchCluster({ cpus = 64, memoryMB = 1_000_000 } = {}): Promise<Cluster & { startedMs: number }> {
  const cluster = await aBareCluster({ cpus, memoryMB });
  const began = performance.now();
  await cluster.startCenter();
  const startedMs = performance.now() - began;
  cluster.startAgent('bench');
  await cluster.ready('bench');
  return Object.assign(cluster, { startedMs });
}

/**
 * Starts nothing yet. `store`: as TROUPE_STORE, default the embedded one. `env`: further settings
 * of center and agents.
 */
export async function aBareCluster({
  cpus = 1,
  memoryMB = 1_000,
  store = 'sqlite',
  env = {},
}: {
  cpus?: number;
  memoryMB?: number;
  store?: string;
  env?: Record<string, string>;
} = {}): Promise<Cluster> {
  const profiling = profileTo === undefined ? {} : { BUN_OPTIONS: `--cpu-prof --cpu-prof-dir=${profileTo}` };
  const cluster = await aCluster({ cpus, memoryMB, env: { TROUPE_LOG: 'warn', TROUPE_STORE: store, ...profiling, ...env } });
  const { close } = cluster;
  return Object.assign(cluster, {
    async close() {
      // Killed it could not write what it has measured.
      if (profileTo !== undefined) await cluster.stopCenter();
      await close();
    },
  });
}

/**
 * On a MongoDB server that is started for it; null, and a message, where there is none. The metrics
 * name the server.
 */
export async function onMongo<T>(work: (server: { kind: string; url: string }) => Promise<T>): Promise<T | null> {
  const server = await aMongoServer().catch((problem: unknown) => {
    console.log(`  no MongoDB is to be had here (${problem instanceof Error ? problem.message : problem}): going on without it`);
    return null;
  });
  if (!server) return null;
  const database = server.database();
  try {
    return await work({ kind: server.kind, url: database.url });
  } finally {
    await database.drop();
    await server.close();
  }
}

/** Where the center of a cluster keeps its data. */
export const dataOf = (cluster: Cluster): string => join(cluster.directory, 'center');

/** Rows of the center's database, read beside it. */
export function askDatabase<Row>(cluster: Cluster, sql: string): Row[] {
  const db = new DatabaseSync(join(dataOf(cluster), 'troupe.sqlite'), { readOnly: true });
  try {
    return db.prepare(sql).all() as Row[];
  } finally {
    db.close();
  }
}

/** Resident memory of a process in MB; 0 when it is gone. */
export function memoryOf(pid: number | undefined): number {
  if (!pid) return 0;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 102.4) / 10;
}

/** Seconds of processor time a process has used, all its threads, itself and in the kernel. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // Behind the name in brackets, which may hold anything: fields 14 and 15, in hundredths.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Bytes that a process has written to files, in all its threads. */
export function bytesWrittenBy(pid: number): number {
  return Number(/^wchar: (\d+)/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? 0);
}
