/**
 * Failure rows 17 and 31: a whole fleet reconnects at once, after its center was killed or hung.
 * STORM_AGENTS is the number of agents (default 300; `bun run storm` takes 2,000), and makes the
 * test print its time.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';
import type { StormReport, StormRequest } from '../support/storm-agents.ts';

setDefaultTimeout(300_000);

const AGENTS = Number(process.env.STORM_AGENTS ?? 300);
const PER_POOL = 1_000;
const isLong = process.env.STORM_AGENTS !== undefined;
/** The short form waits less, by the same rules. */
const HEARTBEAT_MS = isLong ? 5_000 : 500;
const REDIAL_BASE_MS = isLong ? 1_000 : 200;
/** From when the last agent has given its center up until the center goes on. */
const STANDSTILL_MS = 2 * HEARTBEAT_MS;
const pools = Array.from({ length: Math.ceil(AGENTS / PER_POOL) }, (_, place) => `storm${place}`);

let cluster: Cluster;
let child: ReturnType<typeof Bun.spawn>;
let receive: (word: StormReport) => void = () => {};
const executions: string[] = [];

function ask(order: StormRequest): Promise<StormReport> {
  const received = new Promise<StormReport>(resolve => {
    receive = resolve;
  });
  child.send(order);
  return received;
}
const count = async (status: string): Promise<number> => {
  const lists = await Promise.all(pools.map(pool => cluster.all(`/v1/hosts?pool=${pool}&status=${status}`)));
  return lists.flat().length;
};
const shards = async () => (await Promise.all(executions.map(id => cluster.execution(id)))).flatMap(each => each.shards);

/** All are back, none was given up on the way, and what runs still runs as it did. */
async function settled(what: string): Promise<void> {
  const began = performance.now();
  await until('all agents are up', async () => (await ask('count')).up === AGENTS, 240_000);
  await until('all hosts are ready', async () => (await count('ready')) === AGENTS, 60_000);
  if (isLong) {
    const memory = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${cluster.centerPid}/status`, 'utf8'))?.[1];
    console.log(
      `${what}: ${AGENTS} agents back in ${Math.round(performance.now() - began)} ms, center ${Math.round(Number(memory) / 1024)} MB`,
    );
  }
  const { starts, doubled, attemptsMax } = await ask('count');
  expect({ starts, doubled, attemptsMax }).toEqual({ starts: AGENTS, doubled: 0, attemptsMax: 1 });
  expect((await shards()).filter(({ status, attempt }) => status !== 'running' || attempt !== 1)).toEqual([]);
}

describe(`${AGENTS} agents with a run each`, () => {
  beforeAll(async () => {
    cluster = await aCluster({ env: { TROUPE_HEARTBEAT_MS: String(HEARTBEAT_MS), TROUPE_LOG: 'warn' } });
    await cluster.startCenter();
    for (const name of pools) await cluster.call('POST', '/v1/pools', { name });
    const program = join(import.meta.dir, '../support/storm-agents.ts');
    child = Bun.spawn(
      [process.execPath, program, cluster.url.replace('http', 'ws'), String(AGENTS), pools.join(','), String(REDIAL_BASE_MS)],
      {
        stdio: ['ignore', 'inherit', 'inherit'],
        ipc: message => receive(message as StormReport),
      },
    );
    await until('all hosts are ready', async () => (await count('ready')) === AGENTS, 120_000);
    // As many cpus as a host has: one run for each.
    for (const [place, pool] of pools.entries()) {
      const total = Math.min(PER_POOL, AGENTS - place * PER_POOL);
      const job = { name: pool, pool, command: 'stays', shards: { total }, resources: { cpus: 4, memoryMB: 10 }, failover: true };
      await cluster.call('POST', '/v1/jobs', job);
      executions.push((await cluster.call<{ execution: string }>('POST', `/v1/jobs/${pool}/trigger`)).execution);
    }
    await until('all runs have begun', async () => (await shards()).every(({ status }) => status === 'running'), 120_000);
  });
  afterAll(async () => {
    child?.disconnect();
    await child?.exited;
    await cluster?.close();
  });

  test('row 17: agents with a run each are all there again after their center was killed, none is lost, and nothing is started twice', async () => {
    await cluster.killCenter();
    await cluster.startCenter();
    await settled('killed');
  });

  test('rows 17, 31: agents with a run each are all there again after their center stood still: the silence was its own', async () => {
    const { centerPid } = cluster;
    process.kill(centerPid, 'SIGSTOP');
    try {
      await until('the agents have given it up', async () => (await ask('count')).up === 0, 30_000);
      await Bun.sleep(STANDSTILL_MS);
    } finally {
      process.kill(centerPid, 'SIGCONT');
    }
    await settled('stood still');
    expect(await count('lost')).toBe(0);
  });

  test('agents with a run each report the ends of all of them, once', async () => {
    await ask('end');
    await until('all executions are done', async () => (await shards()).every(({ status }) => status === 'done'), 60_000);
    const ends = await Promise.all(executions.map(id => cluster.execution(id)));
    expect(ends.map(({ outcome }) => outcome)).toEqual(pools.map(() => 'succeeded'));
    expect((await ask('count')).attemptsMax).toBe(1);
  });
});
