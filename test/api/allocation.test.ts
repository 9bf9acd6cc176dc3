/** The allocation table by REST: `/v1`, the Cloudtask dialect, and why. */
import { describe, expect, test } from 'bun:test';
import { choose } from '../../actors/table/ring.ts';
import { anApi, type TestApi } from './support.ts';

const TABLE = '/cloudtask/v2/runtimes/default';

async function aSticky(api: TestApi, name: string, more: object = {}): Promise<{ id: string }> {
  return (await api.post('/v1/jobs', { name, command: 'true', placement: 'sticky', ...more })).body;
}
const chosen = (id: string, hosts: string[]): string => choose(hosts, id, () => true) as string;
const tableOf = async (api: TestApi) => (await api.get('/v1/pools/default/allocation')).body;

describe('the allocation of a pool', () => {
  test('the allocation of a pool has a row for each enabled sticky job, on the host of its choice', async () => {
    const api = await anApi();
    for (const host of ['h1', 'h2', 'h3']) await api.world.aHost(host);
    const jobs = [];
    for (const name of ['b', 'a', 'c']) jobs.push([name, (await aSticky(api, name)).id]);
    await api.post('/v1/jobs', { name: 'other', command: 'true' });
    const { version, rows } = await tableOf(api);
    expect(version).toBe(4);
    expect(rows).toEqual(jobs.map(([job, id]) => ({ job, id, version: 1, hosts: [chosen(id as string, ['h1', 'h2', 'h3'])], next: null })));
    await api.post('/v1/jobs/a/disable');
    await api.patch('/v1/jobs/b', { description: 'new' });
    const after = await tableOf(api);
    expect(after.rows.map((row: { job: string; version: number }) => [row.job, row.version])).toEqual([
      ['b', 2],
      ['c', 1],
    ]);
    expect(after.version).toBe(6);
  });

  test('the allocation of a pool shows where a busy job goes, and why says so', async () => {
    const api = await anApi();
    await api.world.aHost('h1');
    await aSticky(api, 'busy');
    await api.post('/v1/jobs/busy/trigger');
    const [start] = api.world.starts();
    if (!start) throw new Error('nothing was started');
    await api.world.started(start);
    await api.world.aHost('h2');
    await api.post('/v1/hosts/h1/drain');
    expect((await tableOf(api)).rows).toMatchObject([{ job: 'busy', hosts: ['h1'], next: ['h2'] }]);
    const { facts } = (await api.get('/v1/jobs/busy/why')).body;
    expect(facts.map(({ message }: { message: string }) => message)).toContain(
      'sticky job busy is allocated to host h1, and goes over to host h2 when nothing of it runs',
    );
    await api.world.ended(start);
    expect((await tableOf(api)).rows).toMatchObject([{ job: 'busy', hosts: ['h2'], next: null }]);
  });

  test('a sticky job without a candidate has no row, and its execution waits and says what is missing', async () => {
    const api = await anApi();
    await api.world.aHost('h1', { cpus: 1 });
    await aSticky(api, 'large', { resources: { cpus: 2, memoryMB: 10 } });
    const { execution } = (await api.post('/v1/jobs/large/trigger')).body;
    expect((await tableOf(api)).rows).toEqual([]);
    const missing = 'no host of pool default takes a shard of 2 cpu and 10 MB: it has 1 ready too small';
    expect((await api.get(`/v1/executions/${execution}/why`)).body.sentence).toBe(`execution ${execution} waits for a host: ${missing}`);
    expect(api.world.starts()).toEqual([]);
    await api.world.aHost('h2', { cpus: 2 });
    expect(api.world.fleet.sent.map(({ host }) => host)).toEqual(['h2']);
  });

  test('a sticky job is never started elsewhere because its host is full', async () => {
    const api = await anApi();
    await api.world.aHost('h1', { cpus: 1 });
    await aSticky(api, 'first', { resources: { cpus: 1, memoryMB: 10 } });
    await aSticky(api, 'second', { resources: { cpus: 1, memoryMB: 10 } });
    for (const job of ['first', 'second']) await api.post(`/v1/jobs/${job}/trigger`);
    expect(api.world.starts()).toHaveLength(1);
    await api.post('/v1/jobs', { name: 'filler', command: 'true', resources: { cpus: 1, memoryMB: 10 } });
    const [start] = api.world.starts();
    if (start) await api.world.ended(start);
    expect(api.world.fleet.sent.map(({ host }) => host)).toEqual(['h1', 'h1']);
  });
});

describe('jobsalloc of a runtime', () => {
  test('jobsalloc of a runtime has the keys, types and order of the original', async () => {
    const api = await anApi();
    expect((await api.get(`${TABLE}/jobsalloc`)).text).toBe(
      '{"content":"request successed.","data":{"alloc":{"location":"default","version":1,"data":[]}}}',
    );
    await api.world.aHost('h1');
    const { id } = await aSticky(api, 'a');
    expect((await api.get(`${TABLE}/jobsalloc`)).text).toBe(
      '{"content":"request successed.","data":{"alloc":{"location":"default","version":2,"data":[' +
        `{"jobid":"${id}","key":"h1","version":1,"jobname":"a","ipaddr":"127.0.0.1","hostname":"h1"}]}}}`,
    );
  });

  test('jobsalloc of one server has its rows alone, by its name in any case or its address', async () => {
    const api = await anApi();
    for (const host of ['h1', 'h2']) await api.world.aHost(host);
    const ids: string[] = [];
    for (let nth = 0; nth < 12; nth++) ids.push((await aSticky(api, `job${nth}`)).id);
    for (const [server, key] of [
      ['H1', 'h1'],
      ['h2', 'h2'],
    ]) {
      const { alloc } = (await api.get(`${TABLE}/${server}/jobsalloc`)).body.data;
      expect(alloc.data.map(({ jobid }: { jobid: string }) => jobid)).toEqual(ids.filter(id => chosen(id, ['h1', 'h2']) === key));
    }
    expect((await api.get(`${TABLE}/127.0.0.1/jobsalloc`)).status).toBe(200);
  });

  test('jobsalloc of an unknown runtime, of an unknown server and of one that is offline is a 404', async () => {
    const api = await anApi();
    await api.world.aHost('h1');
    await api.world.tell('host/h1', { type: 'host.disconnected', session: 'h1-1', reason: 'cut' });
    for (const path of ['/cloudtask/v2/runtimes/nope/jobsalloc', `${TABLE}/nope/jobsalloc`, `${TABLE}/h1/jobsalloc`]) {
      const { status, body } = await api.get(path);
      expect({ path, status, content: body.content }).toEqual({ path, status: 404, content: 'request resource not found.' });
    }
  });
});
