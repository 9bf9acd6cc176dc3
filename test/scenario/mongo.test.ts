/**
 * The center on MongoDB or a stand-in: the center is killed, and the server dies, hangs, is slow,
 * and loses answers.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aChaosProxy, type ChaosProxy } from '../support/chaos-proxy.ts';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';
import { aMongoServer, type MongoDatabase, type MongoServer, mongoServer, mongoServers } from '../support/mongo.ts';
import { aReplicaSet, type Fate, type ReplicaSet } from '../support/replica-set.ts';

setDefaultTimeout(120_000);

/** Short, so that a server that hangs is found out soon. */
const BOUNDS = 'serverSelectionTimeoutMS=600&connectTimeoutMS=600&timeoutMS=1000&heartbeatFrequencyMS=500';

const servers = await mongoServers();
const shared = await mongoServer();
const onMongo = shared ? describe : describe.skip;
const onOurs = shared?.isOurs ? describe : describe.skip;

let cluster: Cluster;
let database: MongoDatabase | undefined;
let proxy: ChaosProxy | undefined;
let own: MongoServer | undefined;
let set: ReplicaSet | undefined;
afterEach(async () => {
  await cluster.close();
  await set?.close();
  proxy?.heal();
  await proxy?.close();
  if (!own) await database?.drop();
  await own?.close();
  [database, proxy, own, set] = [undefined, undefined, undefined, undefined];
});

/**
 * A cluster on a database behind a proxy, with one agent that is ready, and a job whose every run
 * leaves a line.
 */
async function aClusterOnMongo(server: MongoServer, env: Record<string, string> = {}) {
  database = server.database();
  proxy = await aChaosProxy({ target: { host: server.host, port: server.port } });
  return { proxy, marks: await aClusterAt(database.urlAt(proxy.port), env) };
}

async function aClusterAt(url: string, env: Record<string, string> = {}) {
  cluster = await aCluster({
    env: { TROUPE_STORE: `${url}&${BOUNDS}`, TROUPE_WORKERS: '1', ...env },
  });
  await cluster.startCenter();
  cluster.startAgent('a1');
  await cluster.ready('a1');
  const marks = join(cluster.directory, 'marks');
  await cluster.call('POST', '/v1/jobs', {
    name: 'mark',
    overlap: 'allow',
    overlapLimit: 1_000,
    command: ['sh', '-c', `echo $TROUPE_EXECUTION >> ${marks}`],
  });
  return () => (existsSync(marks) ? readFileSync(marks, 'utf8').trim().split('\n').filter(Boolean) : []);
}

const trigger = () => fetch(`${cluster.url}/v1/jobs/mark/trigger`, { method: 'POST' });
const ready = () => fetch(`${cluster.url}/v1/ready`);
/** An answer is kept for a second. */
const notReady = () => until('it says that it is not ready', async () => (await ready()).status === 503);
const executions = () => cluster.all<Execution>('/v1/executions?job=mark');
const facts = async (name: string) =>
  (await cluster.call<{ items: { type: string }[] }>('GET', `/v1/history/${name}?limit=200`)).items.map(({ type }) => type);

/**
 * Triggers until the center detects that the server is away, then once more. Returns the answered
 * executions.
 */
async function triggerUntilRefused(): Promise<string[]> {
  const named: string[] = [];
  await until('a trigger is refused', async () => {
    const answer = await trigger();
    if (answer.status === 202) named.push(((await answer.json()) as { execution: string }).execution);
    else expect(answer.status).toBe(503);
    return answer.status === 503;
  });
  return named;
}

/**
 * Everything serves again by itself; every answered execution is there and ran, each that is there
 * ran once.
 */
async function expectNothingLostOrDoubled(named: string[], marks: () => string[]) {
  await until('it serves again', async () => (await ready()).ok);
  let last = '';
  await until('a trigger is taken again', async () => {
    const answer = await trigger();
    if (answer.ok) last = ((await answer.json()) as { execution: string }).execution;
    return answer.ok;
  });
  await until('all are done', async () => (await executions()).every(each => each.status === 'done'));
  const all = await executions();
  const ids = all.map(each => each.id);
  for (const id of [...named, last]) expect(ids).toContain(id);
  expect(new Set(all.map(each => each.outcome))).toEqual(new Set(['succeeded']));
  expect(marks().toSorted()).toEqual(ids.toSorted());
  expect(await facts(`host/${(await cluster.call<{ items: { id: string }[] }>('GET', '/v1/hosts')).items[0]?.id}`)).not.toContain(
    'host.lost',
  );
}

onMongo('a center on MongoDB', () => {
  test.each(servers)(
    'a center on MongoDB is killed in the middle of 20 running shards, twice, and each ends with its true outcome, once ($kind)',
    async server => {
      await aClusterOnMongo(server);
      const began = join(cluster.directory, 'began');
      const go = join(cluster.directory, 'go');
      const command = `echo $TROUPE_SHARD:$TROUPE_ATTEMPT >> ${began}; while [ ! -e ${go} ]; do sleep 0.1; done; exit $((TROUPE_SHARD % 3))`;
      await cluster.call('POST', '/v1/jobs', {
        name: 'many',
        command: ['sh', '-c', command],
        shards: { total: 20 },
        resources: { cpus: 0.1, memoryMB: 1 },
      });
      const { execution } = await cluster.call<{ execution: string }>('POST', '/v1/jobs/many/trigger');
      const beginnings = () => (existsSync(began) ? readFileSync(began, 'utf8').trim().split('\n') : []);
      await until('half of them run', () => beginnings().length >= 10);
      await cluster.killCenter();
      await cluster.startCenter();
      await until('all of them run', () => beginnings().length >= 20);
      await cluster.killCenter();
      appendFileSync(go, '');
      await cluster.startCenter();
      await until('the execution is done', async () => (await cluster.execution(execution)).status === 'done');
      const items = Array.from({ length: 20 }, (_, item) => item);
      expect(beginnings().toSorted()).toEqual(items.map(item => `${item}:1`).toSorted());
      expect((await cluster.execution(execution)).shards.map(shard => shard.exitCode)).toEqual(items.map(item => item % 3));
      // The feed has each fact once, in order, also over the kills.
      const history = await cluster.call<{ items: { rev: number; type: string }[] }>(
        'GET',
        `/v1/history/execution/${encodeURIComponent(execution)}?limit=200`,
      );
      const ended = history.items.filter(({ type }) => type === 'shard.ended' || type === 'execution.finished');
      expect(ended.length).toBeGreaterThan(0);
    },
  );
});

onOurs('a MongoDB server', () => {
  test('row 14: a MongoDB server that is killed and comes back leaves commands refused meanwhile, and nothing lost or doubled', async () => {
    own = await aMongoServer();
    const { marks } = await aClusterOnMongo(own);
    await own.kill();
    const named = await triggerUntilRefused();
    await notReady();
    expect(await (await ready()).text()).toContain('the store cannot commit now');
    await own.start();
    await expectNothingLostOrDoubled(named, marks);
  });

  test('rows 14, 15: a MongoDB server that hangs longer than the grace of a host loses no host', async () => {
    own = await aMongoServer();
    const { marks } = await aClusterOnMongo(own, {
      TROUPE_HOST_GRACE_MS: '1500',
      TROUPE_CLOSED_GRACE_MS: '1500',
      TROUPE_HEARTBEAT_MS: '300',
    });
    own.hang();
    const named = await triggerUntilRefused();
    await notReady();
    const from = performance.now();
    await until('it has hung for two graces', async () => {
      expect((await ready()).status).toBe(503);
      return performance.now() - from > 3_000;
    });
    own.resume();
    await expectNothingLostOrDoubled(named, marks);
  });
});

onMongo('a MongoDB replica set', () => {
  test('row 16: a MongoDB replica set that changes its primary, misses its majority and loses answers leaves nothing lost or doubled', async () => {
    database = (shared as MongoServer).database();
    set = await aReplicaSet(shared as MongoServer);
    const marks = await aClusterAt(set.urlFor(database.name));
    const fates: Fate[] = [
      { do: 'refuse', code: 10107, codeName: 'NotWritablePrimary', retryable: true },
      { do: 'apply and refuse', code: 11602, codeName: 'InterruptedDueToReplStateChange' },
      { do: 'doubt', code: 64, codeName: 'WriteConcernFailed', isApplied: true },
      { do: 'doubt', code: 64, codeName: 'WriteConcernFailed', isApplied: false },
      { do: 'cut', isApplied: true },
    ];
    // One of eight writes, each fate in its turn.
    let writes = 0;
    set.judge(({ name }) => {
      if (!['update', 'insert', 'delete'].includes(name) || ++writes % 8 !== 0) return { do: 'serve' };
      return fates[(writes / 8) % fates.length] as Fate;
    });
    const named: string[] = [];
    for (let nth = 0; nth < 8; nth++) {
      if (nth % 4 === 1) set.stepDown(200);
      const answer = await trigger();
      if (answer.ok) named.push(((await answer.json()) as { execution: string }).execution);
    }
    await until('enough was hidden from it', () => (set?.seen.hidden ?? 0) >= 5);
    set.judge(() => ({ do: 'serve' }));
    await expectNothingLostOrDoubled(named, marks);
  });
});

onMongo('a MongoDB server behind a bad network', () => {
  test('row 15: a MongoDB server that answers late is waited for', async () => {
    const { proxy, marks } = await aClusterOnMongo(shared as MongoServer);
    proxy.treat('both', { do: 'delay', ms: 60 });
    const answers = await Promise.all(Array.from({ length: 5 }, trigger));
    expect(answers.map(({ status }) => status)).toEqual([202, 202, 202, 202, 202]);
    const named = await Promise.all(answers.map(async answer => ((await answer.json()) as { execution: string }).execution));
    proxy.heal();
    await expectNothingLostOrDoubled(named, marks);
  });

  test('row 16: a MongoDB server that applies a write and loses the answer to it is asked again: each write counts once', async () => {
    const { proxy, marks } = await aClusterOnMongo(shared as MongoServer);
    // The answer to every third write of actors is lost with its line.
    let writes = 0;
    let lost = 0;
    const doomed = new Set<number>();
    proxy.treat('up', {
      do: 'judge',
      judge: (bytes, line) => {
        if (bytes.includes('writeId') && ++writes % 3 === 0) doomed.add(line.nth);
        return 'pass';
      },
    });
    proxy.treat('down', {
      do: 'judge',
      judge: (_, line) => {
        if (!doomed.delete(line.nth)) return 'pass';
        lost += 1;
        return 'reset';
      },
    });
    const named: string[] = [];
    for (let nth = 0; nth < 10; nth++) {
      const answer = await trigger();
      if (answer.ok) named.push(((await answer.json()) as { execution: string }).execution);
    }
    await until('some answers were lost', () => lost >= 5);
    proxy.heal();
    await expectNothingLostOrDoubled(named, marks);
  });
});
