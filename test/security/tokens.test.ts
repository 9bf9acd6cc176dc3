/** Tokens of programs and their scopes. */
import { describe, expect, test } from 'bun:test';
import { createFeedApi } from '../../src/api/feed/index.ts';
import { metricRoutes } from '../../src/api/v1/metrics.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { API_TOKEN_MS } from '../../src/protocol/rest/token.ts';
import { anApi, json } from '../api/support.ts';

const PASSWORD = 'correct horse battery';
const bearer = (token: string) => ({ ...json, Authorization: `Bearer ${token}` });

/** With metrics, feed and a login. */
async function aGuardedApi() {
  const first = await anApi();
  const { world } = first;
  const facts = createFeed({ store: world.store, clock: world.clock });
  const metrics = metricRoutes({ ...world, feed: facts, usage: () => ({ residentBytes: 1, cpuSeconds: 1 }) });
  const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD }, extra: metrics });
  const me = bearer((await api.post('/v1/login', { username: 'root', password: PASSWORD })).body.token);
  const make = async (body: object) => (await api.post('/v1/tokens', body, me)).body.token as string;
  const feed = createFeedApi({ ...api.center, feed: facts, clock: api.clock, ids: api.world.ids });
  return { ...api, me, make, feed };
}

describe('the token of a program', () => {
  test('the token of a program is shown once, kept as a hash, and valid for a year by default', async () => {
    const { post, get, me, clock, store } = await aGuardedApi();
    const { status, body } = await post('/v1/tokens', { name: 'prometheus', scope: 'metrics' }, me);
    const { token, ...rest } = body;
    expect(status).toBe(201);
    expect(token).toStartWith('troupe_api_');
    expect(rest).toEqual({
      name: 'prometheus',
      scope: 'metrics',
      createdAt: '2026-11-22T08:00:00.000Z',
      expiresAt: new Date(clock.now() + API_TOKEN_MS).toISOString(),
      lastUsedAt: null,
    });
    expect((await get('/v1/tokens', me)).body).toEqual({ items: [rest], next: null });
    expect(JSON.stringify(await store.credentials('apiToken'))).not.toContain(token);
  });

  test.each([
    ['metrics', { '/v1/metrics': 200, '/v1/jobs': 403, '/api/job/jobs': 403, '/v1/tokens': 403 }, { '/v1/jobs': 403 }],
    [
      'read',
      { '/v1/metrics': 200, '/v1/jobs': 200, '/api/job/jobs': 200, '/v1/tokens': 403 },
      { '/v1/jobs': 403, '/v1/schedules/preview': 200 },
    ],
    ['all', { '/v1/metrics': 200, '/v1/jobs': 200, '/api/job/jobs': 200, '/v1/tokens': 200 }, { '/v1/jobs': 201, '/v1/tokens': 403 }],
  ])('the token of a program for %s opens that and nothing else', async (scope, gets, posts) => {
    const { get, post, make } = await aGuardedApi();
    const its = bearer(await make({ name: 'p', scope }));
    for (const [path, status] of Object.entries(gets)) expect([path, (await get(path, its)).status]).toEqual([path, status]);
    const bodies: Record<string, object> = {
      '/v1/jobs': { name: 'a', command: 'b' },
      '/v1/tokens': { name: 'q' },
      '/v1/schedules/preview': { schedule: { type: 'cron', cron: '* * * * * ?' } },
    };
    for (const [path, status] of Object.entries(posts))
      expect([path, (await post(path, bodies[path], its)).status]).toEqual([path, status]);
  });

  test('the token of a program opens the feed for the scope read, and not for metrics', async () => {
    const { make, feed } = await aGuardedApi();
    const knock = async (scope: string) =>
      feed.upgrade(new Request('http://h/v1/feed', { headers: bearer(await make({ name: scope, scope })) }));
    const refused = await knock('metrics');
    expect(refused instanceof Response && refused.status).toBe(401);
    expect(await knock('read')).not.toBeInstanceOf(Response);
  });

  test('the token of a program outlives logins and a changed password, ends at its time, and when it is ended', async () => {
    const { get, make, me, clock, world } = await aGuardedApi();
    const [short, long] = [bearer(await make({ name: 'short', expiresInMs: 86_400_000 })), bearer(await make({ name: 'long' }))];
    await clock.advance(13 * 3_600_000);
    expect((await get('/v1/jobs', me)).status).toBe(401);
    expect((await get('/v1/jobs', short)).status).toBe(200);
    await clock.advance(11 * 3_600_000);
    expect((await get('/v1/jobs', short)).status).toBe(401);
    const changed = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'another password' }, store: world.store, clock });
    expect((await changed.get('/v1/jobs', long)).status).toBe(200);
    const again = bearer((await changed.post('/v1/login', { username: 'root', password: 'another password' })).body.token);
    const { items } = (await changed.get('/v1/tokens', again)).body;
    expect(items).toMatchObject([{ name: 'long', lastUsedAt: new Date(clock.now()).toISOString() }]);
    expect((await changed.del('/v1/tokens/long', undefined, long)).status).toBe(403);
    expect((await changed.del('/v1/tokens/long', undefined, again)).status).toBe(204);
    expect((await get('/v1/jobs', long)).status).toBe(401);
    expect((await changed.del('/v1/tokens/long', undefined, again)).body.error.message).toBe('token not found: long');
  });

  test('the token of a program has a name of its own, and is not ended by a logout', async () => {
    const { post, get, make, me } = await aGuardedApi();
    const its = bearer(await make({ name: 'p', scope: 'all' }));
    expect((await post('/v1/tokens', { name: 'p' }, me)).body.error).toMatchObject({ code: 'conflict', field: 'name' });
    expect((await post('/v1/logout', undefined, its)).body.error.message).toContain('DELETE /v1/tokens');
    expect((await get('/v1/jobs', its)).status).toBe(200);
  });

  test.each([
    [{ name: 'a b' }, 'name'],
    [{ name: 'p', scope: 'root' }, 'scope'],
    [{ name: 'p', expiresInMs: 0 }, 'expiresInMs'],
    [{ name: 'p', expiresInMs: 400_000_000_000 }, 'expiresInMs'],
  ])('the token of a program is refused for %p', async (body, field) => {
    const { post, me } = await aGuardedApi();
    const { status, body: answer } = await post('/v1/tokens', body, me);
    expect([status, answer.error.field]).toEqual([400, field]);
  });
});
