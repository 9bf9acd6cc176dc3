/**
 * Failure rows 3, 4 and 5, for real: what becomes of shards whose host is switched off, whose agent
 * is killed, whose agent stands still.
 */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { aCluster, type Cluster, isAlive, type Shard, until } from '../support/cluster.ts';

setDefaultTimeout(90_000);

const HEARTBEAT_MS = 400;
/** Longer than the wait for a host that is off plus an agent's start, on a busy machine. */
const GRACE_MS = 10_000;
/** The guarantee for a host whose socket closes. Its own grace is the default. */
const CLOSED_MS = 5_000;
/**
 * The grace ends with the loss of the host, which its facts show to the millisecond. It does not
 * include the second of back-off, the start of a process elsewhere, and its report.
 */
const ELSEWHERE_MS = 3_000;

let cluster: Cluster;

/**
 * A job of one shard per host; each leaves a line with its host and pid when it begins, and stays
 * until it is let go.
 */
async function spreadOver(hosts: number, name: string, failover: boolean) {
  const began = join(cluster.directory, `${name}.began`);
  const gate = join(cluster.directory, `${name}.go`);
  const script = `echo $TROUPE_SHARD $TROUPE_ATTEMPT $TROUPE_HOST $$ >> ${began}; while [ ! -e ${gate} ]; do sleep 0.1; done`;
  const shards = { total: hosts };
  await cluster.call('POST', '/v1/jobs', { name, command: ['sh', '-c', script], shards, placement: 'spread', failover });
  const { execution } = await cluster.call<{ execution: string }>('POST', `/v1/jobs/${name}/trigger`);
  const shardsOf = async () => (await cluster.execution(execution)).shards;
  await until(`${name} runs everywhere`, async () => (await shardsOf()).every(shard => shard.status === 'running'));
  return {
    shardsOf,
    on: async (host: string) => (await shardsOf()).find(shard => shard.hostName === host) as Shard,
    began: () =>
      readFileSync(began, 'utf8')
        .trim()
        .split('\n')
        .map(line => line.split(' '))
        .map(([item, attempt, host, pid]) => ({ item: Number(item), attempt: Number(attempt), host, pid: Number(pid) })),
    async finish() {
      await Bun.write(gate, '');
      await until(`${name} is done`, async () => (await cluster.execution(execution)).status === 'done');
      return cluster.execution(execution);
    },
  };
}

type HostView = { id: string; name: string; status: string; lastSeenAt: string };
const hostOf = async (name: string) =>
  (await cluster.call<{ items: HostView[] }>('GET', '/v1/hosts')).items.find(host => host.name === name) as HostView;
/** From one fact of a host to the next, as the center has them. */
async function betweenFacts(name: string, from: string, to: string): Promise<number> {
  const { items } = await cluster.call<{ items: { type: string; at: string }[] }>('GET', `/v1/history/host/${(await hostOf(name)).id}`);
  const at = (type: string) => Date.parse(items.findLast(fact => fact.type === type)?.at ?? '');
  return at(to) - at(from);
}

describe('of four hosts', () => {
  beforeAll(async () => {
    cluster = await aCluster({ env: { TROUPE_HEARTBEAT_MS: String(HEARTBEAT_MS), TROUPE_HOST_GRACE_MS: String(GRACE_MS) } });
    await cluster.startCenter();
    for (const name of ['off', 'bare', 'frozen', 'safe']) cluster.startAgent(name);
    await cluster.ready('off', 'bare', 'frozen', 'safe');
  });
  afterAll(() => cluster?.close());

  test('rows 3, 4: shards of a host that is switched off run elsewhere or are lost within five seconds, and a host whose agent alone is killed loses nothing', async () => {
    const [moves, stays] = [await spreadOver(4, 'moves', true), await spreadOver(4, 'stays', false)];
    const [moved, stayed] = [await moves.on('off'), await stays.on('off')];
    const since = performance.now();
    await Promise.all([cluster.killHost('off'), cluster.killAgent('bare')]);

    await until('the shard runs elsewhere', async () => {
      const shard = (await moves.shardsOf())[moved.item];
      return shard?.status === 'running' && shard.hostName !== 'off';
    });
    const tookMs = performance.now() - since;
    expect((await stays.shardsOf())[stayed.item]).toMatchObject({
      outcome: 'lost',
      reason: expect.stringContaining('did not come back within 3000 ms'),
    });
    expect((await moves.shardsOf())[moved.item]).toMatchObject({ attempt: 2, reason: null });
    expect(tookMs).toBeLessThan(CLOSED_MS);
    expect(await betweenFacts('off', 'host.suspect', 'host.lost')).toBeLessThan(CLOSED_MS);

    // Both sockets closed at the same moment; the keeper of this host has reported that it goes on.
    expect((await hostOf('bare')).status).toBe('suspect');
    cluster.startAgent('bare');
    await cluster.ready('bare');
    for (const [job, outcome] of [
      [moves, 'succeeded'],
      [stays, 'lost'],
    ] as const) {
      const ended = await job.finish();
      expect(ended.outcome).toBe(outcome);
      const lost = job === stays ? [stayed.item] : [];
      for (const shard of ended.shards) expect(shard.outcome).toBe(lost.includes(shard.item) ? 'lost' : 'succeeded');
    }
    expect(
      moves
        .began()
        .map(({ item, attempt }) => `${item}:${attempt}`)
        .toSorted(),
    ).toEqual(
      [0, 1, 2, 3]
        .map(item => `${item}:1`)
        .concat(`${moved.item}:2`)
        .toSorted(),
    );
    expect(stays.began()).toHaveLength(4);
  });

  test('row 5: a host that hangs with its socket open is lost within its grace, and what it still runs is ended at its return and changes nothing', async () => {
    const job = await spreadOver(3, 'superseded', true);
    const shard = await job.on('frozen');
    const old = job.began().find(one => one.item === shard.item);
    cluster.freezeAgent('frozen', 'SIGSTOP');
    const since = performance.now();
    await until('its shard runs elsewhere', async () => {
      const now = (await job.shardsOf())[shard.item];
      return now?.attempt === 2 && now.status === 'running';
    });
    expect(performance.now() - since).toBeLessThan(GRACE_MS + ELSEWHERE_MS);
    expect(await betweenFacts('frozen', 'host.suspect', 'host.lost')).toBeLessThan(GRACE_MS);
    expect(isAlive(old?.pid ?? 0)).toBe(true);

    cluster.freezeAgent('frozen', 'SIGCONT');
    await until('the old process is ended', () => !isAlive(old?.pid ?? 0));
    await cluster.ready('frozen');
    const ended = await job.finish();
    expect(ended.outcome).toBe('succeeded');
    expect(ended.shards[shard.item]).toMatchObject({ attempt: 2, outcome: 'succeeded' });
  });

  test('a draining host finishes what it runs, and new work goes elsewhere', async () => {
    const job = await spreadOver(3, 'drained', false);
    const { item } = await job.on('safe');
    const { id } = await hostOf('safe');
    await cluster.call('POST', `/v1/hosts/${id}/drain`);
    await cluster.call('POST', '/v1/jobs', { name: 'later', command: ['true'], shards: { total: 6 }, placement: 'spread' });
    const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/later/trigger');
    await until('later is done', async () => (await cluster.execution(execution)).status === 'done');
    expect(new Set((await cluster.execution(execution)).shards.map(shard => shard.hostName))).toEqual(new Set(['bare', 'frozen']));
    expect((await job.finish()).shards[item]).toMatchObject({ hostName: 'safe', attempt: 1, outcome: 'succeeded' });
    await cluster.call('POST', `/v1/hosts/${id}/resume`);
    await cluster.ready('safe');
  });
});

describe('a center that is stopped in order', () => {
  let stopped: Cluster;
  beforeAll(async () => {
    // No grace at all for closed sockets: a center that counts its own closing as the end of a host
    // fails at once.
    stopped = await aCluster({ env: { TROUPE_CLOSED_GRACE_MS: '0' } });
    await stopped.startCenter();
    stopped.startAgent('a1');
    await stopped.ready('a1');
  });
  afterAll(() => stopped.close());

  test('a center that is stopped in order counts no host as lost by the sockets that it closes: runs go on and report how they ended', async () => {
    const gate = join(stopped.directory, 'go');
    await stopped.call('POST', '/v1/jobs', { name: 'long', command: ['sh', '-c', `while [ ! -e ${gate} ]; do sleep 0.1; done`] });
    const { execution } = await stopped.call<{ execution: string }>('POST', '/v1/jobs/long/trigger');
    await until('it runs', async () => (await stopped.execution(execution)).shards[0]?.status === 'running');
    // A caller that never finishes its request holds the stop up, and the timers go on meanwhile.
    const slow = connect(stopped.port, '127.0.0.1', () =>
      slow.write('POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{'),
    );
    slow.on('error', () => {});
    await until('it is connected', () => slow.bytesWritten > 0);
    expect(await stopped.stopCenter()).toBe(0);
    await stopped.startCenter();
    await stopped.ready('a1');
    await Bun.write(gate, '');
    await until('it is done', async () => (await stopped.execution(execution)).status === 'done');
    expect(await stopped.execution(execution)).toMatchObject({ outcome: 'succeeded', shards: [{ attempt: 1 }] });
  });
});
