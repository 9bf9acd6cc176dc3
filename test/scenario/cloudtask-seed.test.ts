/**
 * The five calls of Cloudtask's manual with its six jobs on three real agents, and one job that is
 * made, changed, started and stopped through all three surfaces.
 */
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test';
import { aCluster, type Cluster, type Execution, until } from '../support/cluster.ts';
import { type MongoDatabase, mongoServer } from '../support/mongo.ts';

setDefaultTimeout(120_000);

const server = await mongoServer();
let cluster: Cluster;
let database: MongoDatabase | undefined;
afterEach(async () => {
  await cluster.close();
  await database?.drop();
  database = undefined;
});

const send = async (method: string, path: string, body?: unknown): Promise<{ status: number; text: string }> => {
  const init = body === undefined ? { method } : { method, body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(`${cluster.url}${path}`, init);
  return { status: response.status, text: await response.text() };
};
const v2 = (method: string, path: string, body?: unknown) => send(method, `/cloudtask/v2/${path}`, body);

/** Every text and number of JSON as its type; keys and their order stay. */
const typesIn = (text: string): string =>
  JSON.stringify(JSON.parse(text), (_, value) => (typeof value === 'string' ? 'text' : typeof value === 'number' ? 'number' : value));

async function aCenterWithThreeAgents(store: 'SQLite' | 'MongoDB'): Promise<void> {
  if (store === 'MongoDB') database = server?.database();
  cluster = await aCluster({ env: database ? { TROUPE_STORE: database.url } : {} });
  await cluster.startCenter();
  expect((await v2('POST', 'runtimes', { location: 'myCluster' })).status).toBe(201);
  const names = ['w1', 'w2', 'w3'];
  for (const name of names) cluster.startAgent(name, { env: { TROUPE_POOL: 'myCluster' } });
  await cluster.ready(...names);
}

/** The jobs of the manual's table, in its order. */
const JOBS: [jobid: string, name: string][] = [
  ['e7994ade7a32b13b4a51788d', 'MKPL-XML-Update'],
  ['666e3b394cfd1ee1577e72b4', 'ACCT.Accounting.job'],
  ['399d4b159c65c9b34d2a3c41', 'ACCT.ShippingCost.job'],
  ['33bd7b52592f4f2c45262e3b', 'EDI.Portol'],
  ['8fee1ea957b7b6b49bd4e75f', 'EC.Flash'],
  ['72ec7bb9decf1e8ea92ad3da', 'MKPL-File-Update'],
];
const item = (interval: number) => ({
  id: '1623e5f1a23',
  enabled: 1,
  turnmode: 2,
  interval,
  startdate: '03/19/2018',
  enddate: '',
  starttime: '00:00',
  endtime: '23:59',
  selectat: '',
  monthlyof: { day: 1, week: '' },
});

const NODE = 'type hostname datacenter location os platform ipaddr apiaddr pid singin timestamp alivestamp attach';
const CONFIG = 'version pidfile retrystartup useserverconfig cluster api scheduler cache notifications logger';

async function showManual(): Promise<void> {
  for (const [jobid, name] of JOBS) {
    const schedule = name === 'ACCT.ShippingCost.job' ? [item(2), item(4)] : [];
    const made = await v2('POST', 'jobs', { jobid, name, location: 'myCluster', cmd: 'ps aux', schedule });
    expect([made.status, made.text]).toEqual([201, expect.stringContaining('"content":"request successed."')]);
  }

  const ping = JSON.parse((await v2('GET', '_ping')).text);
  expect(Object.keys(ping)).toEqual(['app', 'key', 'node', 'systemconfig']);
  expect(Object.keys(ping.node).join(' ')).toBe(NODE);
  expect(Object.keys(ping.systemconfig).join(' ')).toBe(CONFIG);
  expect([ping.node.type, ping.node.singin, ping.node.attach, ping.node.timestamp]).toEqual([1, false, null, 0]);

  // The manual's answer, letter by letter.
  const base = await v2('GET', 'jobs/399d4b159c65c9b34d2a3c41/base');
  expect(base).toEqual({
    status: 200,
    text: JSON.stringify({
      jobid: '399d4b159c65c9b34d2a3c41',
      jobname: 'ACCT.ShippingCost.job',
      filename: '',
      filecode: 'd41d8cd98f00b204e9800998ecf8427e',
      cmd: 'ps aux',
      env: [],
      timeout: 0,
      version: 1,
      schedule: [item(2), item(4)],
    }),
  });

  const row = { jobid: 'text', key: 'text', version: 'number', jobname: 'text', ipaddr: 'text', hostname: 'text' };
  const table = (data: unknown[]) => ({ content: 'text', data: { alloc: { location: 'text', version: 'number', data } } });
  await until(
    'every job has its row',
    async () => JSON.parse((await v2('GET', 'runtimes/myCluster/jobsalloc')).text).data.alloc.data.length === 6,
  );
  const alloc = await v2('GET', 'runtimes/myCluster/jobsalloc');
  expect([alloc.status, typesIn(alloc.text)]).toEqual([200, JSON.stringify(table(JOBS.map(() => row)))]);
  const { content, data } = JSON.parse(alloc.text);
  expect([content, data.alloc.location]).toEqual(['request successed.', 'myCluster']);
  expect(data.alloc.data.map(({ jobid, jobname }: Record<string, string>) => [jobid, jobname])).toEqual(JOBS);

  const one = {
    key: 'text',
    name: 'text',
    ipaddr: 'text',
    apiaddr: 'text',
    os: 'text',
    platform: 'text',
    status: 'number',
    alivestamp: 'number',
  };
  const servers = await v2('GET', 'runtimes/myCluster/servers');
  expect([servers.status, typesIn(servers.text)]).toEqual([200, JSON.stringify({ content: 'text', data: { servers: [one, one, one] } })]);
  const listed = JSON.parse(servers.text).data.servers as { key: string; name: string; ipaddr: string }[];
  expect(listed.map(({ name }) => name)).toEqual(['w1', 'w2', 'w3']);
  // Each row names one of them, by its three names.
  for (const { key, ipaddr, hostname } of data.alloc.data)
    expect(listed.map(each => [each.key, each.ipaddr, each.name])).toContainEqual([key, ipaddr, hostname]);

  const action = { runtime: 'myCluster', jobid: '8fee1ea957b7b6b49bd4e75f', action: 'start' };
  expect(await v2('PUT', 'jobs/action', action)).toEqual({ status: 202, text: '{"content":"request accepted."}' });
  await until('it has run where its row says', async () => {
    const [run] = await cluster.all<Execution>('/v1/executions?job=EC.Flash');
    if (run?.outcome !== 'succeeded') return false;
    expect(run.shards[0]?.hostName).toBe(data.alloc.data[4].hostname);
    return true;
  });
}

describe('the manual of Cloudtask', () => {
  test('the manual of Cloudtask is answered field for field on three agents, with SQLite', async () => {
    await aCenterWithThreeAgents('SQLite');
    await showManual();
  });
  test.skipIf(server === undefined)('the manual of Cloudtask is answered field for field on three agents, with MongoDB', async () => {
    await aCenterWithThreeAgents('MongoDB');
    await showManual();
  });
});

/** The surface of ElasticJob appends an argument, which the shell leaves alone. */
const COMMAND = 'sh -c "exec sleep 600"';

type Surface = 'v1' | 'api' | 'cloudtask';

describe('a job on three surfaces', () => {
  /** How each makes, reads, edits, starts and stops a job that runs until it is stopped. */
  const actsOn = (name: string) => {
    const run = () => cluster.all<Execution>(`/v1/executions?job=${name}`);
    const idOf = async () => (JSON.parse((await send('GET', `/v1/jobs/${name}`)).text) as { id: string }).id;
    const act = async (action: string) => (await v2('PUT', 'jobs/action', { jobid: await idOf(), action })).status;
    const ofApi = {
      jobName: name,
      appName: 'tool',
      cpuCount: 0.1,
      memoryMB: 64,
      jobExecutionType: 'TRANSIENT',
      shardingTotalCount: 1,
      props: { 'script.command.line': COMMAND },
    };
    return {
      run,
      v1: {
        make: async () => (await send('POST', '/v1/jobs', { name, command: COMMAND })).status,
        read: async () => (await send('GET', `/v1/jobs/${name}`)).text,
        edit: async (description: string) => (await send('PATCH', `/v1/jobs/${name}`, { description })).status,
        start: async () => (await send('POST', `/v1/jobs/${name}/trigger`)).status,
        stop: async () => (await send('POST', `/v1/jobs/${name}/stop`)).status,
      },
      api: {
        make: async () => (await send('POST', '/api/job/register', ofApi)).status,
        read: async () => (await send('GET', `/api/job/jobs/${name}`)).text,
        edit: async (description: string) => {
          const shown = JSON.parse((await send('GET', `/api/job/jobs/${name}`)).text);
          return (await send('PUT', '/api/job/update', { ...shown, description })).status;
        },
        start: async () => (await send('POST', '/api/job/trigger', name)).status,
        // This surface ends what runs by switching the job off.
        stop: async () => {
          const { status } = await send('POST', `/api/job/${name}/disable?kill=true`);
          await send('POST', `/api/job/${name}/enable`);
          return status;
        },
      },
      cloudtask: {
        make: async () => (await v2('POST', 'jobs', { name, location: 'myCluster', cmd: COMMAND })).status,
        read: async () => (await v2('GET', `jobs/${await idOf()}`)).text,
        edit: async (description: string) => (await v2('PUT', `jobs/${await idOf()}`, { description })).status,
        start: () => act('start'),
        stop: () => act('stop'),
      },
    };
  };
  /** This surface registers jobs of apps alone. */
  const publishTool = async () => {
    const { text } = await v2('POST', 'files?filename=tool.sh', 'a script');
    const { sha256 } = JSON.parse(text).data.file;
    const app = {
      appName: 'tool',
      appURL: `troupe:files/${sha256}`,
      cpuCount: 0.1,
      memoryMB: 64,
      bootstrapScript: 'true',
      appCacheEnable: true,
    };
    expect((await send('POST', '/api/app', { ...app, eventTraceSamplingCount: 0 })).status).toBe(200);
  };
  const SURFACES: Surface[] = ['v1', 'api', 'cloudtask'];
  const isDone = (status: number) => expect([200, 201, 202]).toContain(status);

  test('a job on three surfaces is seen, edited, started and stopped through each, whichever made it, and each finds again what it wrote', async () => {
    await aCenterWithThreeAgents('SQLite');
    cluster.startAgent('d1');
    await cluster.ready('d1');
    await publishTool();
    for (const maker of SURFACES) {
      const job = actsOn(`made-by-${maker}`);
      isDone(await job[maker].make());
      for (const surface of SURFACES) {
        const said = `${surface} was here`;
        isDone(await job[surface].edit(said));
        for (const reader of SURFACES)
          expect([maker, surface, reader, await job[reader].read()]).toEqual([maker, surface, reader, expect.stringContaining(said)]);
        const [stopper] = SURFACES.filter(each => each !== surface);
        isDone(await job[surface].start());
        const open = async () => (await job.run()).filter(({ status }) => status !== 'done');
        await until('it runs', async () => (await open()).some(({ shards }) => shards[0]?.status === 'running'));
        expect(JSON.parse(await job.cloudtask.read()).data.job.stat).toBe(200);
        isDone(await job[stopper as Surface].stop());
        await until('it has ended', async () => (await open()).length === 0);
      }
      const outcomes = (await job.run()).map(({ outcome, shards }) => (outcome === 'cancelled' ? outcome : [outcome, shards[0]?.reason]));
      expect([maker, outcomes]).toEqual([maker, Array(3).fill('cancelled')]);
      // Nothing that one of them wrote has changed the command of the others.
      expect(JSON.parse(await job.cloudtask.read()).data.job.cmd).toBe(COMMAND);
      expect(JSON.parse(await job.api.read()).props['script.command.line']).toBe(COMMAND);
      expect(JSON.parse(await job.v1.read()).command).toBe(COMMAND);
    }
  });
});
