/** What agents, web server and browser pages of Cloudtask send, word for word, to a real center. */
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from 'bun:test';
import { aCluster, type Cluster, until } from '../support/cluster.ts';

setDefaultTimeout(90_000);

const ORIGIN = 'http://localhost:8091';
const JOBID = '399d4b159c65c9b34d2a3c41';
const ACCEPTED = '{"content":"request accepted."}';
/** Headers of Go's client, of the request library of Node, and of a page. */
const AGENT = { 'User-Agent': 'Go-http-client/1.1', 'Content-Type': 'application/json;charset=utf-8', 'Accept-Encoding': 'gzip' };
const WEB = { 'content-type': 'application/json', accept: 'application/json' };
const PAGE = { Origin: ORIGIN, Accept: 'application/json, text/plain, */*', 'Content-Type': 'application/json', 'X-Requested-With': 'x' };

let cluster: Cluster;
beforeAll(async () => {
  cluster = await aCluster({ env: { TROUPE_CORS: ORIGIN } });
  await cluster.startCenter();
  cluster.startAgent('host.localdomain');
  await cluster.ready('host.localdomain');
  const sysJob = {
    ...{
      _id: { $oid: '5b03d0f1e4b0c1f3a8d3c2b1' },
      jobid: JOBID,
      name: 'MKPL-XML-Update',
      location: 'default',
      groupid: 'g1',
      servers: [],
    },
    ...{
      filename: '',
      files: [],
      cmd: 'echo out; echo err >&2; exit 3',
      env: null,
      description: 'd',
      timeout: 0,
      enabled: 1,
      schedule: [],
    },
    ...{ stat: 202, execerr: '', execat: '0001-01-01T00:00:00.000Z', nextat: '0001-01-01T00:00:00.000Z', createuser: 'admin' },
    ...{ createat: '2018-05-22T15:04:05+08:00', edituser: 'admin', editat: '2018-05-22T15:04:05+08:00' },
  };
  expect((await send('POST', 'jobs', WEB, JSON.stringify(sysJob))).status).toBe(201);
  await until('the job has a host', async () => (await data(`jobs/${JOBID}`)).job.stat === 0);
});
afterAll(() => cluster?.close());

async function send(method: string, path: string, headers: Record<string, string>, body?: string) {
  const answer = await fetch(`${cluster.url}/cloudtask/v2/${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
  return { status: answer.status, headers: answer.headers, text: await answer.text() };
}
const accepted = async (path: string, headers: Record<string, string>, body: string) => {
  const { status, text, headers: answered } = await send('POST', path, headers, body);
  expect([body, status, text, answered.get('content-type')]).toEqual([body, 202, ACCEPTED, 'application/json; charset=utf-8']);
};
const data = async (path: string) => JSON.parse((await send('GET', path, PAGE)).text).data;
const logs = async (query = ''): Promise<{ logs: Record<string, unknown>[]; total: number }> => data(`jobs/${JOBID}/logs${query}`);
const reports = async () => {
  const { items } = await cluster.call<{ items: { type: string; data: object }[] }>('GET', '/v1/history/job/MKPL-XML-Update?limit=200');
  return items.filter(({ type }) => type === 'job.reported').map(({ data: said }) => said);
};
const jobDocument = async () => JSON.stringify((await data(`jobs/${JOBID}`)).job);

/** Texts as the agent's encoder writes them: order of fields, nanoseconds, zone of its machine. */
const executed = (state: number, error: string, timestamp: string): string =>
  `{"msgname":"JobExecute","msgid":"8cd7f0c6-3b6b-4f3e-9a34-3c1c77b7b4ad","jobid":"${JOBID}","location":"default",` +
  `"key":"517ae088-779c-4520-b23f-e5f0c341081d","ipaddr":"192.168.2.81","state":${state},"execerr":"${error}",` +
  `"execat":"2018-05-22T15:04:05.123456789+08:00","nextat":"0001-01-01T00:00:00Z","timestamp":${timestamp}}\n`;
const selected = (timestamp: string): string =>
  `{"msgname":"JobSelect","msgid":"0a3c0d5e-6f1b-4f8c-8d5f-0b8e4a1f2c3d","jobid":"${JOBID}","location":"default",` +
  `"nextat":"2018-05-22T15:05:00+08:00","timestamp":${timestamp}}\n`;
const aLog = (msgid: string, stdout: string): string =>
  `{"jobid":"${JOBID}","msgid":"${msgid}","event":"job execute exception:exit status 1","group":"","stat":-1,"location":"default",` +
  `"command":"./run.sh","workdir":"./cache/${JOBID}/d41d8cd98f00b204e9800998ecf8427e","ipaddr":"192.168.2.81","stdout":${JSON.stringify(stdout)},` +
  `"errout":"","execerr":"job execute exception:exit status 1","execat":"2018-05-22T15:04:05.123456789+08:00","exectimes":0.012345678,` +
  `"createat":1526972645135}\n`;

test('an agent of Cloudtask gets the base of its job, and its messages and logs are taken once, side by side, in any order', async () => {
  const base = await send('GET', `jobs/${JOBID}/base`, { 'User-Agent': AGENT['User-Agent'], 'Accept-Encoding': 'gzip' });
  expect([base.status, base.text]).toEqual([
    200,
    `{"jobid":"${JOBID}","jobname":"MKPL-XML-Update","filename":"","filecode":"d41d8cd98f00b204e9800998ecf8427e",` +
      '"cmd":"echo out; echo err >&2; exit 3","env":[],"timeout":0,"version":1,"schedule":[]}',
  ]);
  const before = await jobDocument();
  await accepted('messages', AGENT, selected('1526972640000000001'));
  await accepted('messages', AGENT, executed(200, '', '1526972645123456788'));
  await Promise.all([
    accepted('logs', AGENT, aLog('f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'line\n')),
    accepted('messages', AGENT, executed(-1, 'job execute exception:exit status 1', '1526972645123456789')),
  ]);
  await accepted('messages', AGENT, executed(200, '', '1526972645123456788'));
  await accepted('logs', AGENT, aLog('f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'line\n'));
  const host = { key: '517ae088-779c-4520-b23f-e5f0c341081d', ipaddr: '192.168.2.81' };
  const times = { execat: '2018-05-22T07:04:05.123Z', nextat: null };
  const job = 'MKPL-XML-Update';
  expect(await reports()).toEqual([
    { job, message: 'JobSelect', state: null, execerr: null, execat: null, nextat: '2018-05-22T07:05:00.000Z', key: null, ipaddr: null },
    { job, message: 'JobExecute', state: 200, execerr: '', ...times, ...host },
    { job, message: 'JobExecute', state: -1, execerr: 'job execute exception:exit status 1', ...times, ...host },
  ]);
  expect(await jobDocument()).toBe(before);
  expect(await logs('?to=2018-06-01T00:00:00Z')).toMatchObject({
    logs: [
      { msgid: 'f81d4fae-7dec-11d0-a765-00a0c91e6bf6', stat: -1, stdout: 'line\n', execat: times.execat, exectimes: 12, truncated: false },
    ],
    total: 1,
  });
});

test('a log with 3 MB of output is kept with both of its ends, and the center stays in its memory', async () => {
  const rss = async () =>
    Number(/^process_resident_memory_bytes (\S+)/m.exec(await (await fetch(`${cluster.url}/v1/metrics`)).text())?.[1] ?? Number.NaN);
  await accepted('logs', AGENT, aLog('warm', `begin${'x'.repeat(3 * 2 ** 20)}end`));
  const before = await rss();
  const output = `begin${'x\n'.repeat(1.5 * 2 ** 20)}end`;
  for (let count = 0; count < 24; count++) await accepted('logs', AGENT, aLog(`big${count}`, output));
  // Were the bodies kept, they would be 108 MB.
  await until('the center has given back what the bodies took', async () => (await rss()) - before < 96 * 2 ** 20);
  const { logs: found, total } = await logs('?to=2018-06-01T00:00:00Z&pageSize=200');
  expect([total, found.filter(({ truncated }) => truncated).length]).toEqual([26, 25]);
  for (const { stdout } of found.filter(({ truncated }) => truncated)) expect(String(stdout)).toEndWith('end');
});

test.each([
  ...['create_job', 'change_job', 'remove_job', 'change_jobsfile', 'create_runtime'],
  ...['change_runtime', 'remove_runtime', 'create_group', 'change_group', 'remove_group'],
])('the system event %s of the web server is accepted and changes nothing', async event => {
  const before = [await jobDocument(), (await send('GET', 'runtimes/default/jobsalloc', PAGE)).text];
  // As JSON.stringify leaves out what its object does not have.
  const isOfRuntime = event.endsWith('_runtime');
  const isRemoval = event === 'remove_job' || event === 'remove_group';
  const body = {
    ...{ msgname: 'SystemEvent', msgid: '', event },
    ...(isRemoval ? {} : { runtime: 'default' }),
    ...(isOfRuntime ? {} : { jobids: [JOBID], groupids: event.endsWith('_group') ? ['g1'] : [] }),
    timestamp: 1_526_972_645_999,
  };
  await accepted('messages', WEB, JSON.stringify(body));
  expect([await jobDocument(), (await send('GET', 'runtimes/default/jobsalloc', PAGE)).text]).toEqual(before);
});

test('a page of Cloudtask asks for leave, starts and stops a job, and reads servers, table and logs', async () => {
  const preflight = await send('OPTIONS', 'jobs/action', {
    ...{ Origin: ORIGIN, 'Access-Control-Request-Method': 'PUT' },
    'Access-Control-Request-Headers': 'accept,content-type,x-requested-with',
  });
  expect([preflight.status, preflight.text, preflight.headers.get('access-control-allow-origin')]).toEqual([204, '', ORIGIN]);
  expect(preflight.headers.get('access-control-allow-methods')).toContain('PUT');
  expect(preflight.headers.get('access-control-allow-headers')?.toLowerCase()).toContain('x-requested-with');

  const servers = await data('runtimes/default/servers');
  expect(servers.servers).toMatchObject([{ name: 'host.localdomain', ipaddr: '127.0.0.1', status: 1 }]);
  const { alloc } = await data('runtimes/default/jobsalloc');
  expect(alloc).toMatchObject({
    location: 'default',
    data: [{ jobid: JOBID, key: servers.servers[0].key, version: 1, jobname: 'MKPL-XML-Update', hostname: 'host.localdomain' }],
  });

  const act = (action: string) => send('PUT', 'jobs/action', PAGE, `{"runtime":"default","jobid":"${JOBID}","action":"${action}"}`);
  const from = Date.now();
  const started = await act('start');
  expect([started.status, started.text, started.headers.get('access-control-allow-origin')]).toEqual([202, ACCEPTED, ORIGIN]);
  await until('the run is a log', async () => (await logs(`?from=${from - 60_000}`)).total === 1);
  const [log] = (await logs(`?from=${from - 60_000}`)).logs;
  const error = 'job execute exception:exit status 3';
  expect(log).toMatchObject({
    ...{ jobid: JOBID, event: error, group: 'g1', stat: -1, location: 'default', command: 'echo out; echo err >&2; exit 3' },
    ...{ ipaddr: '127.0.0.1', stdout: 'out\n', errout: 'err\n', execerr: error, truncated: false },
  });
  expect(String(log?.workdir)).toStartWith(`${cluster.directory}/host.localdomain/`);
  expect(String(log?.workdir)).toContain(JOBID);
  expect((await act('stop')).text).toBe(ACCEPTED);
});

test('the log of a run that wrote a million lines has its last 64 KB', async () => {
  await send('PUT', `jobs/${JOBID}`, WEB, '{"cmd":"seq 1 1000000"}');
  const from = Date.now();
  await send('PUT', 'jobs/action', PAGE, `{"runtime":"default","jobid":"${JOBID}","action":"start"}`);
  await until('the run is a log', async () => (await logs(`?from=${from}`)).total === 1);
  const ended = async () => String((await logs(`?from=${from}`)).logs[0]?.stdout).endsWith('\n999999\n1000000\n');
  await until('its output has arrived', ended);
  const [log] = (await logs(`?from=${from}`)).logs;
  expect(log).toMatchObject({ stat: 0, errout: '', truncated: true });
  expect(Buffer.byteLength(String(log?.stdout))).toBe(64 * 1024);
});

test('posted logs and the order of messages survive a kill of the center', async () => {
  const [before, facts] = [await logs('?pageSize=200'), await reports()];
  await cluster.killCenter();
  await cluster.startCenter();
  await accepted('messages', AGENT, executed(200, '', '1526972645123456788'));
  await accepted('logs', AGENT, aLog('f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'again'));
  expect([await logs('?pageSize=200'), await reports()]).toEqual([before, facts]);
});
