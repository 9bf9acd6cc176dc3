/** Failure rows 1 and 3, for real: kill -9 in the middle of many running shards. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';

setDefaultTimeout(120_000);

let cluster: Cluster;
afterEach(() => cluster.close());

/**
 * Each shard leaves a line when it begins, then waits until it is let go, and ends with a code of
 * its own.
 */
const aGate = (directory: string) => ({
  command: [
    'sh',
    '-c',
    `echo $TROUPE_SHARD:$TROUPE_ATTEMPT >> ${directory}/began; while [ ! -e ${directory}/go ]; do sleep 0.2; done; exit $((TROUPE_SHARD % 3))`,
  ],
  beginnings: () => {
    try {
      return readFileSync(join(directory, 'began'), 'utf8').trim().split('\n').filter(Boolean);
    } catch {
      return [];
    }
  },
  open: () => Bun.write(join(directory, 'go'), ''),
});

async function shardsRunning(total: number) {
  cluster = await aCluster();
  await cluster.startCenter();
  cluster.startAgent('a1');
  cluster.startAgent('a2');
  await cluster.ready('a1', 'a2');
  const gate = aGate(cluster.directory);
  await cluster.call('POST', '/v1/jobs', { name: 'many', command: gate.command, shards: { total }, resources: { cpus: 0.1, memoryMB: 1 } });
  const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/many/trigger');
  return { gate, execution };
}

const isDone = (id: string) => async () => (await cluster.execution(id)).status === 'done';

/** Every shard began once and ended with its own true outcome. */
function expectTruth(execution: Execution, beginnings: string[], total: number) {
  expect(beginnings.toSorted()).toEqual(Array.from({ length: total }, (_, item) => `${item}:1`).toSorted());
  expect(execution.shards.map(shard => shard.exitCode)).toEqual(Array.from({ length: total }, (_, item) => item % 3));
  expect(execution.shards.map(shard => shard.outcome)).toEqual(
    Array.from({ length: total }, (_, item) => (item % 3 === 0 ? 'succeeded' : 'failed')),
  );
  expect(execution.outcome).toBe('failed');
}

describe('200 running shards', () => {
  test('row 1: 200 running shards each end with their true outcome, once, when the center is killed and started again', async () => {
    const { gate, execution } = await shardsRunning(200);
    await until('half of them run', () => gate.beginnings().length >= 100);
    await cluster.killCenter();
    await cluster.startCenter();
    await until('all of them run', () => gate.beginnings().length >= 200);
    // Half of them end while no center runs.
    await cluster.killCenter();
    await gate.open();
    await cluster.startCenter();
    await until('the execution is done', isDone(execution));
    expectTruth(await cluster.execution(execution), gate.beginnings(), 200);
  });

  test('row 3: 200 running shards each end with their true outcome, once, when an agent is killed and started again', async () => {
    const { gate, execution } = await shardsRunning(200);
    await until('half of them run', () => gate.beginnings().length >= 100);
    await cluster.killAgent('a1');
    cluster.startAgent('a1');
    await until('all of them run', () => gate.beginnings().length >= 200);
    await cluster.killAgent('a1');
    await gate.open();
    cluster.startAgent('a1');
    await until('the execution is done', isDone(execution));
    expectTruth(await cluster.execution(execution), gate.beginnings(), 200);
  });
});

describe('a keeper that is killed', () => {
  test('row 3: a keeper that is killed leaves its run lost with the reason, and nothing of it running', async () => {
    cluster = await aCluster();
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    const pidFile = join(cluster.directory, 'pid');
    await cluster.call('POST', '/v1/jobs', { name: 'stay', command: ['sh', '-c', `echo $$ > ${pidFile}; sleep 1000`] });
    const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/stay/trigger');
    await until('it runs', async () => (await cluster.execution(execution)).shards[0]?.status === 'running');
    const pid = Number(readFileSync(pidFile, 'utf8'));
    cluster.killKeeper('a1');
    await until('the execution is done', isDone(execution));
    const { outcome, shards } = await cluster.execution(execution);
    expect({ outcome, reason: shards[0]?.reason }).toEqual({ outcome: 'lost', reason: expect.stringContaining('its keeper died') });
    await until('nothing of it runs', () => !Bun.spawnSync(['kill', '-0', String(pid)]).success);
  });
});

describe('a schedule', () => {
  test('row 1: a schedule has one verdict per due time whatever was killed', async () => {
    cluster = await aCluster();
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    await cluster.call('POST', '/v1/jobs', { name: 'tick', command: ['true'], schedules: [{ type: 'cron', cron: '* * * * * ?' }] });
    const created = await cluster.call<{ createdAt: string }>('GET', '/v1/jobs/tick');
    for (let kill = 0; kill < 4; kill++) {
      const before = (await cluster.all('/v1/jobs/tick/occurrences')).length;
      await until('a due time passed', async () => (await cluster.all('/v1/jobs/tick/occurrences')).length > before);
      if (kill % 2 === 0) {
        await cluster.killCenter();
        await cluster.startCenter();
      } else {
        await cluster.killAgent('a1');
        cluster.startAgent('a1');
        await cluster.ready('a1');
      }
    }
    await cluster.call('POST', '/v1/jobs/tick/disable');
    const askedAt = Date.now();
    await cluster.call('POST', '/v1/jobs/tick/enable');
    const entries = await cluster.all<{ dueAt: string; verdict: string; execution: string | null }>('/v1/jobs/tick/occurrences');
    const due = entries.map(each => Date.parse(each.dueAt)).filter(at => at <= askedAt);
    const first = Math.floor(Date.parse(created.createdAt) / 1000) * 1000 + 1000;
    expect(due).toEqual(Array.from({ length: due.length }, (_, second) => first + second * 1000));
    expect(due.at(-1)).toBeGreaterThan(askedAt - 2_000);
    const ran = entries.filter(each => each.verdict === 'ran');
    expect(new Set(ran.map(each => each.execution)).size).toBe(ran.length);
    await until('all of them are done', async () =>
      (await cluster.all<Execution>('/v1/executions?job=tick')).every(each => each.status === 'done'),
    );
  });
});
