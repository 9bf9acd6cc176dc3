/** The example of ElasticJob-Cloud's manual, on a real cluster with an app over HTTP. */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';

setDefaultTimeout(120_000);

let cluster: Cluster;
let shop: ReturnType<typeof Bun.serve> | undefined;
afterEach(async () => {
  await shop?.stop(true);
  await cluster.close();
});

/** An app whose start script prints its shard and its host. */
function anAppServer(directory: string): string {
  const source = join(directory, 'source');
  mkdirSync(join(source, 'bin'), { recursive: true });
  writeFileSync(
    join(source, 'bin/start.sh'),
    '#!/bin/sh\necho "shard $TROUPE_SHARD of $TROUPE_SHARD_TOTAL on $TROUPE_HOST in $(pwd)"\necho "$1"\n',
  );
  const packed = Bun.spawnSync(['tar', '-czf', join(directory, 'my-job.tar.gz'), '-C', source, '.']);
  if (!packed.success) throw new Error(packed.stderr.toString());
  shop = Bun.serve({ hostname: '127.0.0.1', port: 0, fetch: () => new Response(Bun.file(join(directory, 'my-job.tar.gz'))) });
  return `http://127.0.0.1:${shop.port}/my-job.tar.gz`;
}

/** curl's `-d` lines: content type as in the document. */
async function curl(method: string, path: string, body: string): Promise<{ status: number; text: string }> {
  const answer = await fetch(`${cluster.url}/api/${path}`, { method, body, headers: { 'Content-type': 'application/json' } });
  return { status: answer.status, text: await answer.text() };
}

const OK = { status: 200, text: 'true' };
const REGISTRATION =
  '{"appName":"my_app","cpuCount":0.1,"memoryMB":64.0,"jobExecutionType":"TRANSIENT","jobName":"my_job","cron":"0/5 * * * * ?","shardingTotalCount":5,"failover":true,"misfire":true}';
const UPDATE =
  '{"appName":"my_app","jobName":"my_job","cpuCount":0.1,"memoryMB":64.0,"jobExecutionType":"TRANSIENT","cron":"0/5 * * * * ?","shardingTotalCount":5,"failover":true,"misfire":true}';

async function aFleetWithTheApp() {
  cluster = await aCluster();
  await cluster.startCenter();
  // Neither host has capacity for all five shards.
  cluster.startAgent('a1', { cpus: 0.5 });
  cluster.startAgent('a2', { cpus: 0.5 });
  await cluster.ready('a1', 'a2');
  const url = anAppServer(cluster.directory);
  const app = `{"appName":"my_app","appURL":"${url}","cpuCount":0.1,"memoryMB":64.0,"bootstrapScript":"bin/start.sh","appCacheEnable":true,"eventTraceSamplingCount":0}`;
  expect(await curl('POST', 'app', app)).toEqual(OK);
}

const executions = () => cluster.all<Execution>('/v1/executions?job=my_job');
const logOf = async (id: string) =>
  (await fetch(`${cluster.url}/v1/executions/${encodeURIComponent(id)}/logs`, { headers: { accept: 'text/plain' } })).text();

describe('the lines of the ElasticJob-Cloud document', () => {
  test('the lines of the ElasticJob-Cloud document make a job that fires every five seconds with five shards on two hosts', async () => {
    await aFleetWithTheApp();
    expect(await curl('POST', 'job/register', REGISTRATION)).toEqual(OK);
    await until('it fired and is done', async () => (await executions()).some(each => each.status === 'done'));
    const [done] = (await executions()).filter(each => each.status === 'done');
    if (!done?.dueAt) throw new Error('no execution has a due time');
    expect(Date.parse(done.dueAt) % 5_000).toBe(0);
    expect(done.outcome).toBe('succeeded');
    expect(new Set(done.shards.map(shard => shard.hostName))).toEqual(new Set(['a1', 'a2']));
    // What a process wrote and how it ended travel side by side, and either may come first.
    const written = async () => (await logOf(done.id)).trim().split('\n');
    await until('its output is there', async () => (await written()).length >= 10, 5_000);
    const lines = await written();
    for (const item of [0, 1, 2, 3, 4]) {
      expect(lines.some(line => line.startsWith(`shard ${item} of 5 on a`))).toBe(true);
      expect(lines.some(line => line.includes(`"shardingItem":${item},`) && line.includes('"jobName":"my_job"'))).toBe(true);
    }
    const places = lines.filter(line => line.startsWith('shard')).map(line => line.split(' in ')[1]);
    // Each run has an app directory of its own.
    expect(new Set(places).size).toBe(5);
  });

  test('the lines of the ElasticJob-Cloud document modify, trigger, update, disable, enable and deregister a job', async () => {
    await aFleetWithTheApp();
    expect(await curl('PUT', 'app', '{"appName":"my_app","appCacheEnable":true}')).toEqual(OK);
    expect(await curl('POST', 'job/register', REGISTRATION.replace('"cron":"0/5 * * * * ?",', ''))).toEqual(OK);
    expect(await curl('POST', 'job/trigger', 'my_job')).toEqual(OK);
    await until('the triggered one is done', async () => (await executions()).some(each => each.status === 'done' && each.dueAt === null));
    expect(await curl('PUT', 'job/update', UPDATE)).toEqual(OK);
    await until('the schedule of the update fires', async () => (await executions()).some(each => each.dueAt !== null));
    expect(await curl('POST', 'job/my_job/disable', '')).toEqual(OK);
    expect((await curl('POST', 'job/trigger', 'my_job')).status).toBe(409);
    expect(await curl('POST', 'job/my_job/enable', '')).toEqual(OK);
    expect(await curl('DELETE', 'job/deregister', 'my_job')).toEqual(OK);
    await until('it is gone', async () => (await fetch(`${cluster.url}/api/job/jobs/my_job`)).status === 404);
    expect(await curl('POST', 'job/register', REGISTRATION)).toEqual(OK);
    expect(await curl('DELETE', 'job/my_job/deregister', '')).toEqual(OK);
    await until('it is gone again', async () => (await fetch(`${cluster.url}/api/job/jobs/my_job`)).status === 404);
  });
});

describe('500 triggers sent back to back to a job that is running', () => {
  test('500 triggers sent back to back to a job that is running each name an execution, and the executions account for all', async () => {
    cluster = await aCluster();
    await cluster.startCenter();
    cluster.startAgent('a1');
    await cluster.ready('a1');
    await cluster.call('POST', '/v1/jobs', { name: 'burst', command: ['sleep', '0.3'] });
    const answers = await Promise.all(
      Array.from({ length: 500 }, () => cluster.call<{ execution: string }>('POST', '/v1/jobs/burst/trigger')),
    );
    const named = new Set(answers.map(answer => answer.execution));
    await until('all of them are done', async () =>
      (await cluster.all<Execution>('/v1/executions?job=burst')).every(each => each.status === 'done'),
    );
    const ran = await cluster.all<Execution>('/v1/executions?job=burst');
    expect(new Set(ran.map(each => each.id))).toEqual(named);
    expect(ran.every(each => each.outcome === 'succeeded')).toBe(true);
    const history = await cluster.call<{ items: { type: string }[] }>('GET', '/v1/history/job/burst?limit=200');
    expect(history.items.length).toBeGreaterThan(0);
  });
});
