/** Idempotency-Key: one answer per key and body. */
import { describe, expect, test } from 'bun:test';
import { KEY_MS } from '../../src/http/idempotency.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { anApi, json, seedApp, seedJob } from '../api/support.ts';

const withKey = (key: string) => ({ ...json, 'Idempotency-Key': key });

const creations = [
  ['/v1/jobs', { name: 'a', command: 'b' }, { name: 'a', command: 'c' }],
  ['/v1/apps', { name: 'a', url: 'http://h/x.zip', command: 'b' }, { name: 'a2', url: 'http://h/x.zip', command: 'b' }],
  ['/v1/pools', { name: 'a' }, { name: 'b' }],
  ['/api/app', seedApp(), seedApp({ cpuCount: 2 })],
  ['/api/job/register', seedJob(), seedJob({ jobName: 'other' })],
  ['/api/job/trigger', '"my_job"', '"your_job"'],
] as const;

/** An API with what the creations of ElasticJob stand on. */
async function aReadyApi(path: string, parts: Parameters<typeof anApi>[0] = {}) {
  const api = await anApi(parts);
  if (path.startsWith('/api/job')) await api.post('/api/app', seedApp());
  if (path === '/api/job/trigger') {
    await api.post('/api/job/register', seedJob());
    await api.post('/api/job/register', seedJob({ jobName: 'your_job' }));
  }
  return api;
}

describe('the same Idempotency-Key', () => {
  test.each(creations)(
    'the same Idempotency-Key at %s gives the same answer, is refused for another body, and stays known over a restart',
    async (path, body, other) => {
      const store = createMemoryStore();
      const api = await aReadyApi(path, { store });
      const first = await api.post(path, body, withKey('k'));
      expect(first.status).toBeLessThan(300);
      const revs = async (at: typeof api) => (await at.store.list({ kind: 'execution', limit: 9 })).items.length;
      const before = await revs(api);
      const same = await api.post(path, body, withKey('k'));
      expect([same.status, same.text, await revs(api)]).toEqual([first.status, first.text, before]);
      const clash = await api.post(path, other, withKey('k'));
      expect([clash.status, clash.body.error.code, clash.body.error.field]).toEqual([409, 'conflict', 'Idempotency-Key']);
      expect(clash.body.error.message).toContain('"k" was used with another body');

      const again = await anApi({ store });
      const after = await again.post(path, body, withKey('k'));
      expect([after.status, after.text]).toEqual([first.status, first.text]);
      expect((await again.post(path, other, withKey('k'))).status).toBe(409);
    },
  );

  test('the same Idempotency-Key gives its answer though the thing has changed, or is gone', async () => {
    const api = await anApi();
    const first = await api.post('/v1/jobs', { name: 'a', command: 'b' }, withKey('k'));
    await api.del('/v1/jobs/a');
    expect((await api.post('/v1/jobs', { name: 'a', command: 'b' }, withKey('k'))).text).toBe(first.text);
    expect((await api.get('/v1/jobs/a')).status).toBe(404);
  });

  test.each(creations.filter(([path]) => path !== '/api/job/trigger'))(
    'the same Idempotency-Key at %s finds what was created when its answer could not be kept any more',
    async (path, body) => {
      const store = createMemoryStore();
      const ready = await aReadyApi(path, { store });
      const isOurs = { writes: 0 };
      const failing = {
        ...store,
        async putCredential(record: Parameters<typeof store.putCredential>[0]) {
          isOurs.writes += 1;
          if (isOurs.writes === 2) throw new StoreUnavailable('gone');
          return store.putCredential(record);
        },
      };
      const api = await anApi({ store, change: { store: failing } });
      expect((await api.post(path, body, withKey('k'))).status).toBe(503);
      const again = await api.post(path, body, withKey('k'));
      expect([again.status, isOurs.writes]).toEqual([path.startsWith('/v1') ? 201 : 200, 3]);
      // The request of another caller is not taken for it.
      expect((await ready.post(path, body)).status).toBe(409);
    },
  );

  test('the same Idempotency-Key is free again when the request was refused', async () => {
    const api = await anApi();
    expect((await api.post('/v1/jobs', { name: 'a', command: 'b', pool: 'none' }, withKey('k'))).status).toBe(400);
    expect((await api.post('/v1/jobs', { name: 'a', command: 'b' }, withKey('k'))).status).toBe(201);
  });

  test('the same Idempotency-Key of several requests at once acts once', async () => {
    const api = await anApi();
    const answers = await Promise.all([1, 2, 3].map(() => api.post('/v1/pools', { name: 'a' }, withKey('k'))));
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201]);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    const others = await Promise.all(['b', 'c'].map(name => api.post('/v1/pools', { name }, withKey('other'))));
    expect(others.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  test('an Idempotency-Key is another one at another route, and expires after a day', async () => {
    const api = await anApi();
    expect((await api.post('/v1/pools', { name: 'a' }, withKey('k'))).status).toBe(201);
    expect((await api.post('/v1/jobs', { name: 'a', command: 'b' }, withKey('k'))).status).toBe(201);
    await api.clock.advance(KEY_MS);
    expect((await api.post('/v1/pools', { name: 'b' }, withKey('k'))).status).toBe(201);
    expect((await api.store.credentials('idempotencyKey')).length).toBe(2);
  });

  test('the same Idempotency-Key of a trigger or a retry gives the same execution, also after a restart and when the job is disabled', async () => {
    const store = createMemoryStore();
    const api = await anApi({ store });
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const first = await api.post('/v1/jobs/a/trigger', undefined, withKey('k'));
    await api.post(`/v1/executions/${first.body.execution}/cancel`);
    const retried = await api.post(`/v1/executions/${first.body.execution}/retry`, undefined, withKey('k'));
    expect([retried.status, retried.body.execution === first.body.execution]).toEqual([202, false]);
    await api.post('/v1/jobs/a/disable');
    const again = await anApi({ store });
    expect((await again.post('/v1/jobs/a/trigger', undefined, withKey('k'))).text).toBe(first.text);
    expect((await again.post(`/v1/executions/${first.body.execution}/retry`, undefined, withKey('k'))).text).toBe(retried.text);
    expect((await again.post('/v1/jobs/a/trigger', undefined, withKey('l'))).status).toBe(409);
  });

  test.each(['', 'k'.repeat(201)])('a malformed Idempotency-Key is refused (%#)', async key => {
    const api = await anApi();
    const { status, body } = await api.post('/v1/pools', { name: 'a' }, withKey(key));
    expect([status, body.error.field]).toEqual([400, 'Idempotency-Key']);
    expect((await api.get('/v1/pools/a')).status).toBe(404);
  });
});
