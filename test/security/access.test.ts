/** Who may call which route and what the answer shows, for every route of every surface. */
import { afterEach, describe, expect, test } from 'bun:test';
import { request } from 'node:http';
import { WebSocket } from 'ws';
import { textOf } from '../../src/api/feed/frames.ts';
import { createFeedApi } from '../../src/api/feed/index.ts';
import { allRoutes, surfacesOf } from '../../src/api/surfaces.ts';
import { logRoutes } from '../../src/api/v1/logs.ts';
import { metricRoutes } from '../../src/api/v1/metrics.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { createAgentHub } from '../../src/gateway/index.ts';
import { createApp } from '../../src/http/app.ts';
import { checkHost } from '../../src/http/origin.ts';
import { PROBE_KEPT_MS } from '../../src/http/probe.ts';
import { neededFor, type Route } from '../../src/http/route.ts';
import { createUpgrades } from '../../src/http/upgrades.ts';
import { listen } from '../../src/http/websocket/index.ts';
import type { Listening } from '../../src/http/websocket/types.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { createAuth } from '../../src/security/authentication.ts';
import { createOutputService } from '../../src/services/output/index.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { anApi, json } from '../api/support.ts';

const PASSWORD = 'correct horse battery';

/** An API with all routes of a center. */
async function aWholeApi(env: Record<string, string> = {}) {
  const api = await anApi({ env });
  const { world } = api;
  const feed = createFeed({ store: world.store, clock: world.clock });
  world.runtime.onFacts(facts => feed.publish(facts));
  const feedApi = createFeedApi({ ...api.center, feed });
  const extra: Route[] = [
    ...feedApi.routes,
    ...logRoutes({ ...world, output: createOutputService({ store: world.store }), stopping: new AbortController().signal }),
    ...metricRoutes({ ...world, feed, usage: () => ({ residentBytes: 1, cpuSeconds: 1 }) }),
  ];
  return { ...api, app: createApp({ ...api.center, surfaces: surfacesOf(api.center, extra) }), feed, feedApi, extra };
}

describe('the table of routes', () => {
  /** Scopes that differ from the default of the method. A new route with one belongs here. */
  const NEEDED: Record<string, string[]> = {
    login: ['DELETE /v1/tokens/:name', 'POST /v1/join-tokens', 'POST /v1/tokens'],
    metrics: ['GET /v1/metrics'],
    // They change nothing.
    read: ['POST /v1/feed/tickets', 'POST /v1/schedules/preview'],
    all: ['GET /v1/tokens'],
    file: ['GET /v1/files/:digest'],
  };

  test('the table of routes names for each route the scope that a token needs', async () => {
    const { center, extra } = await aWholeApi();
    const routes = (await allRoutes(center, extra)).filter(({ access }) => access === 'user');
    for (const route of routes) {
      const name = `${route.method} ${route.path}`;
      const declared = Object.keys(NEEDED).find(scope => NEEDED[scope]?.includes(name));
      expect([name, neededFor(route)]).toEqual([name, declared ?? (route.method === 'GET' ? 'read' : 'all')]);
    }
    const there = routes.map(({ method, path }) => `${method} ${path}`);
    expect(
      Object.values(NEEDED)
        .flat()
        .filter(name => !there.includes(name)),
    ).toEqual([]);
  });

  test.each(['metrics', 'read', 'all'] as const)(
    'the table of routes keeps a token for %s out of every route that it does not open',
    async scope => {
      const api = await aWholeApi({ TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD });
      const { token } = await api.auth.createApiToken({ name: 'p', scope, expiresInMs: 1_000_000 });
      const opened = { metrics: ['metrics'], read: ['metrics', 'read', 'file'], all: ['metrics', 'read', 'file', 'all'] }[scope];
      for (const route of await allRoutes(api.center, api.extra)) {
        if (route.access !== 'user' || opened.includes(neededFor(route))) continue;
        const path = route.path.replaceAll(/:\w+/g, 'x');
        const answer = await api.app.request(path, { method: route.method, headers: { ...json, authorization: `Bearer ${token}` } });
        expect([route.method, route.path, answer.status]).toEqual([route.method, route.path, 403]);
        await answer.body?.cancel();
      }
    },
  );

  test('an "all" token makes no tokens of any kind, and its refusal says what would', async () => {
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD } });
    const { token } = await api.auth.createApiToken({ name: 'p', scope: 'all', expiresInMs: 1_000_000 });
    for (const path of ['/v1/join-tokens', '/v1/tokens']) {
      const { status, body } = await api.post(path, { name: 'q' }, { ...json, authorization: `Bearer ${token}` });
      expect([path, status, body.error.message]).toEqual([path, 403, 'a token cannot create or delete tokens; log in for that']);
    }
    expect(await api.store.credentials('joinToken')).toEqual([]);
  });
});

describe('an agent with the token of its session', () => {
  test('an agent with the token of its session reads files and nothing else, until the session ends', async () => {
    const { center, store } = await anApi();
    const { clock, ids, log } = center;
    const sessions = new Set(['troupe_agent_x']);
    const config = { auth: 'on', rootPassword: PASSWORD } as const;
    const auth = createAuth({ config, store, clock, ids, log, agentOf: token => (sessions.has(token) ? 'h1' : undefined) });
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD }, change: { auth } });
    const agent = { authorization: 'Bearer troupe_agent_x' };
    const digest = 'a'.repeat(64);
    expect((await api.get(`/v1/files/${digest}`, agent)).status).toBe(404);
    for (const route of await allRoutes(api.center)) {
      if (route.access !== 'user' || neededFor(route) === 'file') continue;
      const path = route.path.replaceAll(/:\w+/g, digest);
      const answer = await api.app.request(path, { method: route.method, headers: { ...json, ...agent } });
      expect([route.method, route.path, answer.status]).toEqual([route.method, route.path, 403]);
    }
    sessions.clear();
    expect((await api.get(`/v1/files/${digest}`, agent)).status).toBe(401);
  });
});

describe('a caller who may not change a job', () => {
  const SECRET = 'hunter2-is-the-password';

  async function anApiWithSecrets() {
    const api = await aWholeApi({ TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD });
    const { world } = api;
    const { token: mine } = await api.auth.login('root', PASSWORD, '127.0.0.1');
    const frames: string[] = [];
    await api.feed.follow(
      { after: undefined, filter: {} },
      { take: frame => frames.push(textOf(frame)) > 0, hasRoom: () => true, cut: () => {} },
    );
    const me = { ...json, authorization: `Bearer ${mine}` };
    await world.aHost();
    const url = `http://user:${SECRET}@host/a.tgz?sig=${SECRET}`;
    expect((await api.post('/v1/apps', { name: 'app', url, command: 'run' }, me)).status).toBe(201);
    const job = { name: 'job', app: 'app', env: { DB_PASSWORD: SECRET, MODE: SECRET }, retry: { attempts: 2 } };
    expect((await api.post('/v1/jobs', job, me)).body.env).toEqual({ DB_PASSWORD: SECRET, MODE: SECRET });
    await api.patch('/v1/jobs/job', { description: 'changed' }, me);
    const { body } = await api.post('/v1/jobs/job/trigger', undefined, me);
    await world.settled();
    const [start] = world.starts();
    expect(JSON.stringify(start)).toContain(SECRET);
    if (start) await world.ended(start, 'failed');
    const { token } = await api.auth.createApiToken({ name: 'reader', scope: 'read', expiresInMs: 1_000_000 });
    return { ...api, me, its: { ...json, authorization: `Bearer ${token}` }, execution: String(body.execution), frames };
  }

  test('a caller who may not change a job sees no value of its env and no credentials of its app on any route, in any fact, and names all the same', async () => {
    const api = await anApiWithSecrets();
    const names: Record<string, string> = { ':id': api.execution, ':name': 'job', ':jobName': 'job', ':appName': 'app', ':kind': 'job' };
    let judged = 0;
    for (const route of await allRoutes(api.center, api.extra)) {
      if (route.method !== 'GET' || route.path === '/v1/feed') continue;
      const name = route.path.startsWith('/v1/apps') ? 'app' : route.path.startsWith('/v1/pools') ? 'default' : 'job';
      const path = route.path.replaceAll(/:\w+/g, part => (part === ':name' ? name : (names[part] ?? 'x')));
      const answer = await api.app.request(path.replace(/^(\/v1\/hosts\/).*/, '$1h1'), { headers: api.its });
      const text = await answer.text();
      expect([route.path, text.includes(SECRET)]).toEqual([route.path, false]);
      if (answer.status === 200) judged += 1;
    }
    expect(judged).toBeGreaterThan(25);
    expect(api.frames.length).toBeGreaterThan(5);
    expect(api.frames.filter(text => text.includes(SECRET))).toEqual([]);
    const shown = (await api.get('/v1/jobs/job', api.its)).body;
    expect(shown.env).toEqual({ DB_PASSWORD: null, MODE: null });
    expect((await api.get('/v1/apps/app', api.its)).body.url).toBe('http://***@host/a.tgz?***');
  });

  test('a caller who may change a job sees the values of its env and the credentials of its app', async () => {
    const api = await anApiWithSecrets();
    const { token } = await api.auth.createApiToken({ name: 'editor', scope: 'all', expiresInMs: 1_000_000 });
    for (const headers of [api.me, { ...json, authorization: `Bearer ${token}` }]) {
      expect((await api.get('/v1/jobs/job', headers)).body.env).toEqual({ DB_PASSWORD: SECRET, MODE: SECRET });
      expect((await api.get('/v1/jobs', headers)).body.items[0].env.MODE).toBe(SECRET);
      expect((await api.get('/v1/apps/app', headers)).body.url).toContain(SECRET);
    }
  });

  test('a caller who may not change a job sees the whole reference, with the field called env', async () => {
    const api = await anApiWithSecrets();
    const { body } = await api.get('/v1/openapi.json', api.its);
    expect(JSON.stringify(body.components.schemas.Job.properties.env)).toContain('may change the job');
  });
});

describe('with authentication off', () => {
  const FOREIGN = ['evil.example', 'evil.example:8899', 'localhost.evil.example', '127.0.0.1.evil.example', '10.0.0.1', '[::2]', ''];
  const OURS = ['localhost', 'LocalHost:8899', '127.0.0.1:1', '127.1.2.3', '[::1]', '[::1]:8899'];
  const ODD = ['evil.example/127.0.0.1', '127.0.0.1@evil.example', 'evil.example#localhost', '127.0.0.1 evil.example'];

  test('with authentication off every route refuses a foreign Host with 421, whatever the method, and answers a loopback one', async () => {
    const api = await aWholeApi();
    const asked = (await allRoutes(api.center, api.extra)).map(({ method, path }) => [method, path.replaceAll(/:\w+/g, 'x')] as const);
    const others = ['HEAD', 'OPTIONS', 'PUT'].map(method => [method, '/v1/jobs'] as const);
    for (const [method, path] of [...asked, ...others, ['GET', '/'], ['GET', '/nothing']] as const) {
      const answer = await api.app.request(path, { method, headers: { host: 'evil.example', accept: 'text/html' } });
      expect([method, path, answer.status]).toEqual([method, path, 421]);
    }
    const { body } = await api.get('/v1/jobs', { host: 'evil.example' });
    expect(body.error).toMatchObject({ code: 'misdirected', field: 'Host', message: expect.stringContaining('Host is "evil.example"') });
    for (const host of [...FOREIGN, ...ODD]) expect([host, (await api.get('/v1/jobs', { host })).status]).toEqual([host, 421]);
    for (const host of OURS) expect([host, (await api.get('/v1/jobs', { host })).status]).toEqual([host, 200]);
  });

  test('with authentication off a request that names no host at all is refused', () => {
    const bare = { headers: new Headers(), url: '/v1/jobs' } as Request;
    expect(() => checkHost(bare, { auth: 'off' })).toThrow('Host is ""');
    expect(() => checkHost(bare, { auth: 'on' })).not.toThrow();
  });

  test('with authentication off a preflight for a foreign Host is refused before CORS answers it', async () => {
    const api = await anApi({ env: { TROUPE_CORS: 'http://evil.example' } });
    const headers = { host: 'evil.example', origin: 'http://evil.example', 'access-control-request-method': 'POST' };
    expect((await api.app.request('/v1/jobs', { method: 'OPTIONS', headers })).status).toBe(421);
  });

  test('a foreign Host is served where authentication is on', async () => {
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: PASSWORD } });
    expect((await api.get('/v1/health', { host: 'troupe.example' })).status).toBe(200);
    expect((await api.get('/v1/jobs', { host: 'troupe.example' })).status).toBe(401);
  });
});

describe.each(['bun', 'ws'] as const)('with authentication off, listening with %s', using => {
  let listening: Listening | undefined;
  afterEach(() => listening?.stop(0));

  async function aListeningApi() {
    const api = await aWholeApi();
    const { center, world } = api;
    const hub = createAgentHub({
      ...world,
      ...{ output: createOutputService({ store: world.store }), heartbeatMs: 5_000, hostGraceMs: 60_000, closedGraceMs: 3_000 },
      ...{ verify: () => true, readJoinToken: center.auth.readJoinToken, spendJoinToken: center.auth.spendJoinToken },
      store: world.store,
      installation: () => ({ publicKey: 'center', sign: text => text }),
      auth: 'off',
      onLog: () => {},
    });
    listening = await listen({
      addresses: [{ host: '127.0.0.1', port: 0 }],
      fetch: (asked, peer) => api.app.fetch(asked, peer),
      upgrade: createUpgrades({
        handlers: { '/v1/agents': (_, peer) => hub.accept(peer), '/v1/feed': asked => api.feedApi.upgrade(asked) },
        config: center.config,
      }),
      clock: systemClock,
      using,
    });
    return listening.addresses[0]?.port ?? 0;
  }
  const ask = (port: number, path: string, headers: Record<string, string>, method = 'GET') =>
    new Promise<number>((resolve, reject) => {
      const asked = request({ host: '127.0.0.1', port, path, method, headers, agent: false }, answer => {
        resolve(answer.statusCode ?? 0);
        answer.destroy();
      });
      asked.on('error', reject).end();
    });

  test.each(['/v1/feed', '/v1/agents'])('the socket at %s is opened for a loopback Host and refused for a foreign one', async path => {
    const port = await aListeningApi();
    const knock = (host: string) =>
      new Promise<string>(resolve => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers: { host } });
        socket.on('open', () => {
          socket.terminate();
          resolve('open');
        });
        socket.on('unexpected-response', (_, answer) => {
          resolve(String(answer.statusCode));
          answer.destroy();
        });
        socket.on('error', problem => resolve(/\b(\d{3})\b/.exec(problem.message)?.[1] ?? problem.message));
      });
    expect(await knock(`localhost:${port}`)).toBe('open');
    expect(await knock('evil.example')).toBe('421');
  });

  test('server-sent events and plain requests are refused for a foreign Host', async () => {
    const port = await aListeningApi();
    const accept = 'text/event-stream';
    expect(await ask(port, '/v1/feed', { host: 'evil.example', accept })).toBe(421);
    expect(await ask(port, '/v1/feed', { host: `127.0.0.1:${port}`, accept })).toBe(200);
    for (const method of ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE', 'OPTIONS']) {
      expect([method, await ask(port, '/v1/jobs', { host: 'evil.example' }, method)]).toEqual([method, 421]);
    }
  });
});

describe('readiness', () => {
  test('readiness costs the store one probe a second, however many callers ask', async () => {
    const store = createMemoryStore();
    const api = await anApi({ store });
    let looks = 0;
    let give = () => {};
    store.probe = () => {
      looks += 1;
      return new Promise(resolve => {
        give = resolve;
      });
    };
    const asked = Array.from({ length: 50 }, () => api.app.request('/v1/ready'));
    await api.settled();
    give();
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual(Array(50).fill(200));
    await api.clock.advance(PROBE_KEPT_MS - 1);
    expect((await api.get('/v1/ready')).status).toBe(200);
    expect(looks).toBe(1);
    store.probe = async () => {
      looks += 1;
      throw new StoreUnavailable('the disk is full');
    };
    await api.clock.advance(1);
    for (let times = 0; times < 3; times += 1) expect((await api.get('/v1/ready')).status).toBe(503);
    expect(looks).toBe(2);
    store.probe = async () => {};
    await api.clock.advance(PROBE_KEPT_MS);
    expect((await api.get('/v1/ready')).status).toBe(200);
  });
});
