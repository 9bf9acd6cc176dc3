/** The servers of a pool, and agents of another pool, with real agents and processes. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(60_000);

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster();
  await cluster.startCenter();
  for (const name of ['a1', 'a2']) {
    cluster.startAgent(name);
    await cluster.ready(name);
  }
});
afterAll(() => cluster?.close());

interface Host {
  id: string;
  name: string;
  status: string;
  excluded: boolean;
  running: number;
}
const hostOf = async (name: string): Promise<Host> => {
  const { items } = await cluster.call<{ items: Host[] }>('GET', '/v1/hosts');
  const host = items.find(each => each.name === name);
  if (!host) throw new Error(`host ${name} is not there`);
  return host;
};
const trigger = async (job: string) => (await cluster.call<{ execution: string }>('POST', `/v1/jobs/${job}/trigger`)).execution;
const setServers = (servers: string[]) => cluster.call('PATCH', '/v1/pools/default', { servers });

describe('the servers of a pool', () => {
  test('a host that the servers leave out finishes its run, gets nothing new, also after its agent was killed, and is admitted again', async () => {
    const go = join(cluster.directory, 'go');
    await cluster.call('POST', '/v1/jobs', { name: 'long', command: ['sh', '-c', `while [ ! -e ${go} ]; do sleep 0.1; done`] });
    await cluster.call('POST', '/v1/jobs', { name: 'short', command: ['true'] });
    const long = await trigger('long');
    await until('it runs', async () => (await cluster.execution(long)).shards[0]?.status === 'running');
    const left = (await cluster.execution(long)).shards[0]?.hostName ?? '';
    const other = left === 'a1' ? 'a2' : 'a1';

    await setServers([other.toUpperCase()]);
    expect([await hostOf(left), await hostOf(other)]).toMatchObject([
      { status: 'ready', excluded: true, running: 1 },
      { status: 'ready', excluded: false },
    ]);
    // The next agent says hello to a pool that does not name it.
    await cluster.killAgent(left);
    cluster.startAgent(left);
    await cluster.ready(left);
    for (let run = 0; run < 3; run++) {
      const short = await trigger('short');
      await until('it is done', async () => (await cluster.execution(short)).status === 'done');
      expect((await cluster.execution(short)).shards[0]).toMatchObject({ hostName: other, outcome: 'succeeded' });
    }
    await Bun.write(go, '');
    await until('the long run is done', async () => (await cluster.execution(long)).status === 'done');
    expect((await cluster.execution(long)).shards[0]).toMatchObject({ hostName: left, attempt: 1, outcome: 'succeeded' });

    await setServers(['nobody']);
    const waiting = await trigger('short');
    await until('it waits', async () => ((await cluster.execution(waiting)).reason ?? '').includes('not among the servers'));
    const { sentence } = await cluster.call<{ sentence: string }>('GET', `/v1/executions/${encodeURIComponent(waiting)}/why`);
    expect(sentence).toContain('2 hosts are not among the servers of the pool');
    await setServers([left]);
    await until('it is done', async () => (await cluster.execution(waiting)).status === 'done');
    expect((await cluster.execution(waiting)).shards[0]).toMatchObject({ hostName: left, outcome: 'succeeded' });
    await setServers([]);
  });
});

describe('an agent that names another pool than that of its host', () => {
  test('an agent that names another pool than that of its host is refused, and serves once it names it or none', async () => {
    const log = join(cluster.directory, 'a1.log');
    const logged = () => (existsSync(log) ? readFileSync(log, 'utf8') : '');
    await cluster.call('POST', '/v1/pools', { name: 'west' });
    await cluster.killAgent('a1');
    cluster.startAgent('a1', { env: { TROUPE_POOL: 'west' } });
    await until('it is refused', () => logged().includes('host a1 belongs to pool default, but its agent names pool west'));
    expect(logged()).toContain('start it with --pool default, or with another --data directory');
    await cluster.killAgent('a1');
    cluster.startAgent('a1', { env: { TROUPE_POOL: 'default' } });
    await cluster.ready('a1');
    expect(await hostOf('a1')).toMatchObject({ status: 'ready', excluded: false });
  });
});
