/** Apps, hosts, pools and executions in `/v1`. */
import { describe, expect, test } from 'bun:test';
import { anApi } from './support.ts';

const anApp = { name: 'my_app', url: 'http://h/x.zip', command: ['bin/run', '-v'] };

describe('an address of an app', () => {
  test.each([
    'ftp://user:hunter2@host/a.tgz',
    'http://user:hunter2@169.254.169.254/a',
    'http://user:hunter2@host:port/',
    `http://user:hunter2@host/${'a'.repeat(5_000)}`,
  ])('an app address %p that is refused is not repeated with its credentials', async url => {
    const api = await anApi();
    await api.post('/v1/apps', anApp);
    for (const { status, text } of [
      await api.post('/v1/apps', { ...anApp, name: 'x', url }),
      await api.patch('/v1/apps/my_app', { url }),
      await api.put('/api/app', { appName: 'my_app', appURL: url }),
    ]) {
      expect([status, text.includes('hunter2')]).toEqual([400, false]);
    }
  });
});

describe('a field that cannot be written', () => {
  test.each([
    ['apps', 'status', 'disabled', 'set enabled to true or false'],
    ['apps', 'jobs', ['x'], 'set app of the job'],
    ['apps', 'rev', 7, 'leave it out'],
    ['pools', 'status', 'deleting', 'use DELETE /v1/pools/{name} to delete a pool'],
    ['pools', 'hosts', 3, 'set the pool in the configuration of the agent'],
    ['pools', 'total', { cpus: 9 }, 'set the capacity in the configuration of the agent'],
  ])(
    'a read-only field of %s, %s, is a 400 that names what can be written, unless its value is unchanged',
    async (kind, field, value, instead) => {
      const api = await anApi();
      const body = kind === 'apps' ? anApp : { name: 'my_app' };
      await api.post(`/v1/${kind}`, body);
      for (const refused of [
        await api.patch(`/v1/${kind}/my_app`, { [field]: value }),
        await api.post(`/v1/${kind}`, { ...body, name: 'other', [field]: value }),
      ]) {
        expect([refused.status, refused.body.error.field]).toEqual([400, field]);
        expect(refused.body.error.message).toEndWith(`cannot be written; ${instead}.`);
      }
      const read = (await api.get(`/v1/${kind}/my_app`)).body;
      expect((await api.patch(`/v1/${kind}/my_app`, { [field]: read[field], description: 'x' })).body.description).toBe('x');
    },
  );
});

describe('an app in /v1', () => {
  test('an app in /v1 has its defaults, and is the same app through each API', async () => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/apps', anApp);
    expect(status).toBe(201);
    expect(body).toEqual({
      ...anApp,
      sha256: null,
      resources: { cpus: 1, memoryMB: 128 },
      cache: true,
      traceEvery: 0,
      description: '',
      enabled: true,
      status: 'enabled',
      jobs: [],
      quarantine: null,
      rev: 1,
      version: 1,
      createdAt: '2026-11-22T08:00:00.000Z',
      updatedAt: '2026-11-22T08:00:00.000Z',
    });
    expect((await api.get('/api/app/my_app')).body).toMatchObject({ appName: 'my_app', bootstrapScript: 'bin/run -v', cpuCount: 1 });
  });

  test('an app in /v1 is changed field by field, disabled, enabled, deleted', async () => {
    const api = await anApi();
    await api.post('/v1/apps', { ...anApp, enabled: false });
    await api.post('/v1/jobs', { name: 'a', app: 'my_app' });
    expect((await api.get('/v1/apps/my_app')).body).toMatchObject({ enabled: false, jobs: ['a'] });
    const changed = await api.patch('/v1/apps/my_app', { resources: { cpus: 0.5 }, enabled: true, sha256: 'A'.repeat(64) });
    expect(changed.body).toMatchObject({ resources: { cpus: 0.5, memoryMB: 128 }, enabled: true, sha256: 'a'.repeat(64), url: anApp.url });
    expect((await api.post('/v1/apps/my_app/disable?kill')).body.status).toBe('disabled');
    expect((await api.post('/v1/apps/my_app/enable')).body.status).toBe('enabled');
    expect((await api.get('/v1/apps?status=disabled')).body.items).toEqual([]);
    expect((await api.del('/v1/apps/my_app')).status).toBe(204);
    expect((await api.get('/v1/apps/my_app')).status).toBe(404);
    expect((await api.get('/v1/jobs/a')).status).toBe(404);
  });

  test.each([
    [{ url: 'x' }, 'url'],
    [{ url: undefined }, 'url'],
    [{ command: 5 }, 'command'],
    [{ command: ['a'.repeat(4_096)] }, 'command'],
    [{ sha256: 'x' }, 'sha256'],
    [{ resources: { cpu: 1 } }, 'resources.cpu'],
    [{ name: 'a b' }, 'name'],
    [{ command: "bin/x 'open" }, 'command'],
  ])('an app in /v1 with %p is refused', async (difference, field) => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/apps', { ...anApp, ...difference });
    expect([status, body.error.field]).toEqual([400, field]);
    expect((await api.get('/v1/apps')).body.items).toEqual([]);
  });
});

describe('an execution in /v1', () => {
  test('an execution in /v1 shows its shards, where they ran and how they ended', async () => {
    const api = await anApi();
    await api.world.aHost();
    await api.post('/v1/jobs', { name: 'a', command: 'b', shards: { total: 2, parameters: { '1': 'B' } } });
    const { execution } = (await api.post('/v1/jobs/a/trigger')).body;
    const [first, second] = api.starts();
    if (!first || !second) throw new Error('nothing started');
    await api.started(first);
    expect((await api.get(`/v1/executions/${execution}`)).body).toMatchObject({ status: 'running', outcome: null, finishedAt: null });
    await api.clock.advance(1_000);
    await api.ended(first, 'failed');
    await api.ended(second);
    const { body } = await api.get(`/v1/executions/${execution}`);
    expect(body).toMatchObject({
      id: execution,
      job: 'a',
      trigger: 'api',
      dueAt: null,
      retryOf: null,
      createdAt: '2026-11-22T08:00:00.000Z',
      startedAt: '2026-11-22T08:00:00.000Z',
      finishedAt: '2026-11-22T08:00:01.000Z',
      status: 'done',
      outcome: 'failed',
      pool: 'default',
    });
    expect(body.shards).toMatchObject([
      { item: 0, parameter: '', host: 'h1', hostName: 'h1', attempt: 1, status: 'done', outcome: 'failed', exitCode: 1, signal: null },
      { item: 1, parameter: 'B', host: 'h1', status: 'done', outcome: 'succeeded', exitCode: 0 },
    ]);
    expect(JSON.stringify(body)).not.toMatch(/fence|publicKey|epoch/);
    expect((await api.get('/v1/jobs/a')).body).toMatchObject({ lastOutcome: 'failed', lastExecution: execution, status: 'idle' });
  });

  test('an execution in /v1 that finds no room shows what is missing', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const { execution } = (await api.post('/v1/jobs/a/trigger')).body;
    const { body } = await api.get(`/v1/executions/${execution}`);
    expect(body.status).toBe('pending');
    expect(body.reason).toContain('no host that is ready');
    const { body: allocation } = await api.get('/v1/pools/default/allocation');
    expect(allocation).toMatchObject({
      pool: 'default',
      hosts: [],
      waiting: [{ execution, shards: [0], since: '2026-11-22T08:00:00.000Z' }],
    });
  });

  test('an execution in /v1 is cancelled, and cannot be twice when it is done', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const { execution } = (await api.post('/v1/jobs/a/trigger')).body;
    const { status } = await api.post(`/v1/executions/${execution}/cancel`);
    expect(status).toBe(202);
    expect((await api.get(`/v1/executions/${execution}`)).body).toMatchObject({
      status: 'done',
      outcome: 'cancelled',
      reason: 'cancelled by root',
    });
    const again = await api.post(`/v1/executions/${execution}/cancel`);
    expect([again.status, again.body.error.message]).toEqual([409, `execution ${execution} is done`]);
  });

  test('an execution in /v1 is run again as a new one, once per key', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const { execution } = (await api.post('/v1/jobs/a/trigger', undefined, { 'Idempotency-Key': 'k' })).body;
    expect((await api.post(`/v1/executions/${execution}/retry`)).status).toBe(409);
    await api.post(`/v1/executions/${execution}/cancel`);
    await api.clock.advance(1_000);
    const retry = () => api.post(`/v1/executions/${execution}/retry`, undefined, { 'Idempotency-Key': 'k' });
    const first = await retry();
    expect(first.status).toBe(202);
    expect((await retry()).text).toBe(first.text);
    expect(first.body.execution).not.toBe(execution);
    expect((await api.get(`/v1/executions/${first.body.execution}`)).body).toMatchObject({ trigger: 'retry', retryOf: execution });
  });

  test('an execution in /v1 is listed newest first, by job, state, outcome, host and time', async () => {
    const api = await anApi();
    await api.world.aHost();
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      await api.post('/v1/jobs', { name, command: 'x' });
      ids.unshift((await api.post(`/v1/jobs/${name}/trigger`)).body.execution);
      await api.clock.advance(1_000);
    }
    const [start] = api.starts();
    if (start) await api.ended(start, 'failed');
    const listed = async (query: string) => (await api.get(`/v1/executions?${query}`)).body.items.map((item: { id: string }) => item.id);
    const [c, b, a] = ids;
    expect(await listed('')).toEqual([c, b, a]);
    expect(await listed('job=b')).toEqual([b]);
    expect(await listed('status=done')).toEqual([a]);
    expect(await listed('status=running,pending')).toEqual([c, b]);
    expect(await listed('outcome=failed,lost')).toEqual([a]);
    expect(await listed('host=h1')).toEqual([c, b, a]);
    expect(await listed('from=2026-11-22T08:00:01.000Z')).toEqual([c, b]);
    expect(await listed('from=2026-11-22T09:00:01+01:00&to=2026-11-22T08:00:02Z')).toEqual([b]);
    expect((await api.get('/v1/executions?host=nope')).status).toBe(404);
    for (const query of ['from=yesterday', 'to=1', 'outcome=good', 'job=a%20b']) {
      expect((await api.get(`/v1/executions?${query}`)).body.error.field).toBe(query.split('=')[0]);
    }
    const page = (await api.get('/v1/executions?limit=2')).body;
    expect(await listed(`limit=2&cursor=${page.next}`)).toEqual([a]);
  });
});

describe('a host in /v1', () => {
  test('a host in /v1 shows the free capacity of the ledger of its pool', async () => {
    const api = await anApi();
    await api.world.aHost('h1', { cpus: 2, memoryMB: 1024 });
    await api.post('/v1/jobs', { name: 'a', command: 'b', resources: { cpus: 0.3, memoryMB: 100 } });
    await api.post('/v1/jobs/a/trigger');
    await api.clock.advance(5_000);
    const { body } = await api.get('/v1/hosts/h1');
    expect(body).toMatchObject({
      id: 'h1',
      name: 'h1',
      pool: 'default',
      status: 'ready',
      address: '127.0.0.1',
      os: 'linux',
      cpus: 2,
      memoryMB: 1024,
      free: { cpus: 1.7, memoryMB: 924 },
      running: 1,
      lastSeenAt: '2026-11-22T08:00:05.000Z',
    });
    expect(JSON.stringify(body)).not.toMatch(/publicKey|session/);
    expect((await api.get('/v1/hosts')).body).toEqual({ items: [body], next: null });
    expect((await api.get('/v1/pools/default')).body).toMatchObject({ hosts: 1, total: { cpus: 2, memoryMB: 1024 }, free: body.free });
    expect((await api.get('/v1/pools/default/allocation')).body.hosts[0]).toMatchObject({
      id: 'h1',
      open: true,
      runs: [{ item: 0, attempt: 1, cpus: 0.3, memoryMB: 100 }],
    });
  });

  test('a host in /v1 is found by its name where only one has it', async () => {
    const api = await anApi();
    const enroll = (id: string) =>
      api.world.ask(`host/${id}`, { type: 'host.enroll', id, name: 'web', pool: 'default', publicKey: id, graceMs: 1 });
    await enroll('id1');
    expect((await api.get('/v1/hosts/web')).body.id).toBe('id1');
    await enroll('id2');
    expect((await api.get('/v1/hosts/web')).body.error.message).toBe(
      '2 hosts have the name web; use an id: id1 (pool default, joining), id2 (pool default, joining)',
    );
    expect((await api.get('/v1/history/host/web')).status).toBe(409);
    await api.post('/v1/hosts/id1/retire');
    expect((await api.get('/v1/hosts/web')).body.id).toBe('id2');
    expect((await api.get('/v1/history/host/web')).body.items[0]).toMatchObject({ address: 'host/id2' });
    expect((await api.get('/v1/history/host/nope')).status).toBe(404);
    expect((await api.get('/v1/hosts/nope')).status).toBe(404);
  });

  test('a host in /v1 that is lost is retired by a name that a host in service has, too', async () => {
    const api = await anApi();
    const enroll = (id: string) =>
      api.world.ask(`host/${id}`, { type: 'host.enroll', id, name: 'web', pool: 'default', publicKey: id, graceMs: 1 });
    await Promise.all(['id1', 'id2', 'id3'].map(enroll));
    expect((await api.post('/v1/hosts/web/retire')).status).toBe(409);
    const capabilities = {
      os: 'linux',
      arch: 'x64',
      cpus: 1,
      memoryMB: 1,
      labels: {},
      agentVersion: '1',
      hostname: 'web',
      treeKill: '',
      appIsolation: 'copy',
      runAs: { user: null, allowed: [] },
    };
    await api.world.tell('host/id2', { type: 'host.connected', session: 's', address: '', capabilities, bootId: 'b', runs: [] });
    await api.world.tell('host/id2', { type: 'host.disconnected', session: 's', reason: 'cut' });
    await api.clock.advance(10);
    expect((await api.get('/v1/hosts?status=lost')).body.items).toMatchObject([{ id: 'id2' }]);
    expect((await api.post('/v1/hosts/web/retire')).body).toMatchObject({ id: 'id2', status: 'retired' });
    expect((await api.get('/v1/hosts?status=joining')).body.items).toHaveLength(2);
  });

  test('a host in /v1 is listed by name, page by page, whatever its id', async () => {
    const api = await anApi();
    for (const [id, name] of Object.entries({ a: 'zebra', b: 'ant', c: 'bee', d: 'ant' }))
      await api.world.ask(`host/${id}`, { type: 'host.enroll', id, name, pool: 'default', publicKey: id, graceMs: 1 });
    const seen: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const { body } = await api.get(`/v1/hosts?limit=1${cursor && `&cursor=${cursor}`}`);
      seen.push(...body.items.map(({ name, id }: { name: string; id: string }) => `${name} ${id}`));
      cursor = body.next;
    }
    expect(seen).toEqual(['ant b', 'ant d', 'bee c', 'zebra a']);
    for (const cursor of ['x', Buffer.from('[1,2]').toString('base64url'), Buffer.from('["a"]').toString('base64url')])
      expect((await api.get(`/v1/hosts?cursor=${cursor}`)).body.error.field).toBe('cursor');
  });

  test('a host in /v1 is deleted once it is retired: no list shows it, its history stays', async () => {
    const api = await anApi();
    await api.world.aHost();
    const early = await api.del('/v1/hosts/h1');
    expect([early.status, early.body.error.message]).toEqual([409, expect.stringContaining('is not retired')]);
    await api.post('/v1/hosts/h1/retire');
    expect((await api.get('/v1/hosts')).body.items).toHaveLength(1);
    expect((await api.del('/v1/hosts/h1')).status).toBe(204);
    expect((await api.get('/v1/hosts')).body.items).toEqual([]);
    expect((await api.get('/v1/hosts/h1')).status).toBe(404);
    expect((await api.del('/v1/hosts/h1')).status).toBe(404);
    expect((await api.get('/v1/history/host/h1?order=newest')).body.items[0]).toMatchObject({ type: 'host.deleted' });
  });

  test('a host in /v1 is drained, resumed and retired', async () => {
    const api = await anApi();
    await api.world.aHost();
    expect((await api.post('/v1/hosts/h1/drain')).body).toMatchObject({ status: 'draining', draining: true });
    expect((await api.get('/v1/hosts?status=draining&pool=default')).body.items).toHaveLength(1);
    expect((await api.post('/v1/hosts/h1/resume')).body.status).toBe('ready');
    expect((await api.post('/v1/hosts/h1/retire')).body.status).toBe('retired');
    expect((await api.post('/v1/hosts/h1/drain')).status).toBe(409);
    expect((await api.get('/v1/hosts?pool=other')).body.items).toEqual([]);
  });
});

describe('a pool in /v1', () => {
  test('a pool in /v1 is created, changed, listed and deleted', async () => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/pools', { name: 'gpu', timeZone: 'Asia/Tokyo', servers: ['10.0.0.1'] });
    expect(status).toBe(201);
    expect(body).toMatchObject({
      name: 'gpu',
      timeZone: 'Asia/Tokyo',
      servers: ['10.0.0.1'],
      description: '',
      status: 'open',
      hosts: 0,
      waiting: 0,
    });
    expect((await api.patch('/v1/pools/gpu', { timeZone: null, description: 'big' })).body).toMatchObject({
      timeZone: null,
      description: 'big',
    });
    expect((await api.get('/v1/pools')).body.items.map((pool: { name: string }) => pool.name)).toEqual(['default', 'gpu']);
    expect((await api.post('/v1/pools', { name: 'gpu' })).status).toBe(409);
    expect((await api.post('/v1/pools', { name: 'x', timeZone: 'Mars' })).body.error.field).toBe('timeZone');
    expect((await api.del('/v1/pools/gpu')).status).toBe(204);
    expect((await api.get('/v1/pools/gpu')).status).toBe(404);
  });

  test('a pool in /v1 that is in use is not deleted', async () => {
    const api = await anApi();
    expect((await api.del('/v1/pools/default')).status).toBe(409);
    await api.post('/v1/pools', { name: 'gpu' });
    await api.post('/v1/jobs', { name: 'a', command: 'b', pool: 'gpu' });
    expect((await api.del('/v1/pools/gpu')).body.error.message).toBe('pool gpu still has 1 job, such as a; move or deregister it first');
  });
});

describe('history', () => {
  test('history in /v1 is every fact of one actor, in order, page by page', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    await api.post('/v1/jobs/a/disable');
    await api.post('/v1/jobs/a/enable');
    const types: string[] = [];
    let after = '';
    do {
      const { body } = await api.get(`/v1/history/job/a?limit=1${after && `&after=${after}`}`);
      types.push(...body.items.map((fact: { type: string }) => fact.type));
      after = body.next;
    } while (after);
    expect(types).toEqual(['job.registered', 'job.disabled', 'job.enabled']);
    expect((await api.get('/v1/history/job/a')).body.items[0]).toMatchObject({ at: '2026-11-22T08:00:00.000Z', address: 'job/a', rev: 1 });
    const list = async (query: string) =>
      (await api.get(`/v1/history/job/a?${query}`)).body.items.map(({ cursor }: { cursor: string }) => cursor);
    const all = await list('');
    expect(await list('order=newest')).toEqual(all.toReversed());
    expect(await list(`order=newest&after=${all[1]}`)).toEqual([all[0]]);
    expect(await list('from=2026-11-22T08:00:01Z')).toEqual([]);
    expect(await list('to=2026-11-22T08:00:01Z')).toEqual(all);
    const both = await api.get('/v1/history/job/a?after=x&cursor=x');
    expect([both.status, both.body.error.field, both.body.error.message]).toEqual([
      400,
      'after',
      expect.stringContaining('exclude each other'),
    ]);
    expect((await api.get('/v1/history/toString/a')).status).toBe(404);
    for (const bad of ['x', 'W10', Buffer.from('[1,2,3]').toString('base64url')]) {
      expect((await api.get(`/v1/history/job/a?after=${bad}`)).body.error.field).toBe('after');
    }
  });
});
