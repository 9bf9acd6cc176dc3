/** Failure rows 28 and 29, for real: a job that kills its agent, and two agents with one key. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
});
afterAll(() => cluster?.close());

const isDone = (id: string) => async () => (await cluster.execution(id)).status === 'done';
const trigger = async (job: string) => (await cluster.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`)).execution;
const textOf = (file: string): string => readFileSync(join(cluster.directory, file), 'utf8');

describe('row 28: a job that kills its agent', () => {
  test('a job that kills its agent twice is parked with the reason, and not tried again whatever its policy', async () => {
    let deaths = 0;
    // An agent that fetches the app dies of it, and a supervisor starts it again.
    const apps = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      async fetch() {
        deaths += 1;
        await cluster.killAgent('a1');
        cluster.startAgent('a1');
        return new Response('nobody hears this');
      },
    });
    try {
      await cluster.call('POST', '/v1/apps', { name: 'poison', url: `http://127.0.0.1:${apps.port}/poison.tar.gz`, command: 'start.sh' });
      await cluster.call('POST', '/v1/jobs', { name: 'deadly', app: 'poison', retry: { attempts: 5 }, failover: true });
      const execution = await trigger('deadly');
      await until('it is over', isDone(execution));
      const { outcome, shards } = await cluster.execution(execution);
      expect([outcome, shards[0]?.attempt, deaths]).toEqual(['failed', 1, 2]);
      expect(shards[0]?.reason).toBe('parked: the agent died 2 times while it prepared this run; it is not tried again');
      // The agent runs, and so does everything else.
      await cluster.ready('a1');
      await cluster.call('POST', '/v1/jobs', { name: 'harmless', command: ['true'] });
      const next = await trigger('harmless');
      await until('another job is done', isDone(next));
      expect((await cluster.execution(next)).outcome).toBe('succeeded');
    } finally {
      await apps.stop(true);
    }
  });
});

describe('row 29: two agents with one key', () => {
  const running = (id: string) => until('it runs', async () => (await cluster.execution(id)).shards[0]?.status === 'running');

  test('two agents with one key are told apart: the living one serves on with what it runs, the copy is refused, both are on record, no run begins twice', async () => {
    await cluster.ready('a1');
    const script = `echo $TROUPE_EXECUTION >> ${cluster.directory}/twins; while [ ! -e ${cluster.directory}/go ]; do sleep 0.1; done`;
    await cluster.call('POST', '/v1/jobs', { name: 'twins', command: ['sh', '-c', script], overlap: 'allow' });
    const first = await trigger('twins');
    await running(first);
    // The whole directory, with that of the keeper; sockets cannot be copied.
    cpSync(join(cluster.directory, 'a1'), join(cluster.directory, 'clone'), { recursive: true, filter: path => !path.endsWith('/socket') });
    cluster.startAgent('clone');
    await until('the copy is refused', () => textOf('clone.log').includes('identityInUse'));
    const second = await trigger('twins');
    await running(second);
    await Bun.write(join(cluster.directory, 'go'), '');
    await until('both are done', async () => (await isDone(first)()) && (await isDone(second)()));
    for (const id of [first, second]) expect(await cluster.execution(id)).toMatchObject({ outcome: 'succeeded', shards: [{ attempt: 1 }] });
    expect(textOf('twins').trim().split('\n')).toEqual([first, second]);
    const logged = textOf('center.log')
      .split('\n')
      .filter(line => line.includes('security'));
    expect(logged.filter(line => line.includes('is served by a living agent'))).not.toEqual([]);
    expect(logged.filter(line => line.includes('an agent was refused'))).not.toEqual([]);
    const { items } = await cluster.call<{ items: { status: string }[] }>('GET', '/v1/hosts');
    expect(items.map(host => host.status)).toEqual(['ready']);
  });
});
