/** Release from quarantine over HTTP. */
import { beforeAll, describe, expect, test } from 'bun:test';
import type { Address } from '../../actors/types.ts';
import { decodeState, encodeState } from '../../src/runtime/document.ts';
import { anApi, type TestApi } from './support.ts';

const REASON = '"some.news" failed 3 times: it threw';

/**
 * One of each kind, an execution that waits for its pool, and the next center finds all of them in
 * quarantine.
 */
async function shut(...kinds: string[]): Promise<{ api: TestApi; execution: string }> {
  const first = await anApi();
  await first.world.aHost('h1');
  await first.post('/v1/apps', { name: 'shop', url: 'http://h/x.zip', command: 'run' });
  await first.post('/v1/jobs', { name: 'a', command: 'b', resources: { cpus: 1_000 } });
  const { execution } = (await first.post('/v1/jobs/a/trigger')).body;
  first.world.kill();
  const { store } = first.world.durable;
  const all: Record<string, Address> = {
    job: 'job/a',
    app: 'app/shop',
    host: 'host/h1',
    pool: 'pool/default',
    execution: `execution/${execution}`,
  };
  for (const kind of kinds) {
    const document = await store.load(all[kind] ?? '');
    if (!document) throw new Error(`there is no ${kind}`);
    const state = encodeState(document.address, { ...decodeState(document), quarantine: { reason: REASON, at: first.clock.now() } });
    await store.commit([{ document: { ...document, state, quarantined: true, rev: document.rev + 1 }, facts: [] }]);
  }
  return { api: await anApi(first.world.durable), execution };
}

const KINDS = ['job', 'app', 'host', 'pool', 'execution'];
let api: TestApi;
let paths: Record<string, string>;
beforeAll(async () => {
  const { api: made, execution } = await shut(...KINDS);
  api = made;
  paths = {
    job: '/v1/jobs/a',
    app: '/v1/apps/shop',
    host: '/v1/hosts/h1',
    pool: '/v1/pools/default',
    execution: `/v1/executions/${execution}`,
  };
});

describe('a quarantine', () => {
  test.each([
    ['job', 'POST', '/trigger'],
    ['app', 'POST', '/disable'],
    ['host', 'POST', '/drain'],
    ['execution', 'POST', '/cancel'],
  ])('a quarantine of a %s is visible, forbids commands, and ends with its release', async (kind, method, verb) => {
    const path = paths[kind] ?? '';
    expect((await api.get(path)).body.quarantine).toEqual({ reason: REASON, since: '2026-11-22T08:00:00.000Z' });
    const refused = await api.call(method, `${path}${verb}`);
    expect([refused.status, refused.body.error.code]).toEqual([409, 'quarantined']);
    const released = await api.post(`${path}/release`);
    expect([released.status, released.body.quarantine]).toEqual([200, null]);
    expect((await api.get(path)).body.quarantine).toBeNull();
    expect((await api.post(`${path}/release`)).body.error).toEqual({
      code: 'refused',
      message: expect.stringContaining('is not in quarantine'),
    });
    expect((await api.call(method, `${path}${verb}`)).status).toBeLessThan(300);
    const name = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1));
    const { items } = (await api.get(`/v1/history/${kind}/${encodeURIComponent(name)}`)).body;
    expect(items.map(({ type }: { type: string }) => type)).toContain('actor.released');
  });

  test('a quarantine of a pool ends with its release, and what waited for it goes on', async () => {
    const { api, execution } = await shut('pool');
    await api.post('/v1/jobs', { name: 'small', command: 'b' });
    const { execution: waiting } = (await api.post('/v1/jobs/small/trigger')).body;
    expect((await api.get(`/v1/executions/${waiting}`)).body.shards[0].status).toBe('waiting');
    expect((await api.post('/v1/pools/default/release')).body.quarantine).toBeNull();
    expect((await api.get(`/v1/executions/${waiting}`)).body.shards[0]).toMatchObject({ status: 'starting', host: 'h1' });
    expect((await api.get(`/v1/executions/${execution}`)).body.status).toBe('pending');
  });

  test('a quarantine of an unknown actor cannot end, and the answer suggests a name', async () => {
    expect((await api.post('/v1/apps/shp/release')).body.error).toEqual({
      code: 'notFound',
      message: 'app not found: shp; did you mean "shop"?',
    });
    expect((await api.post('/v1/pools/defalt/release')).body.error.message).toBe('pool not found: defalt; did you mean "default"?');
  });
});
