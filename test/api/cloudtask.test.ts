/** The Cloudtask dialect: its envelope, its errors, paths, CORS, and the servers of a runtime. */
import { describe, expect, test } from 'bun:test';
import { cloudtaskRules } from '../../src/api/cloudtask/rules.ts';
import { surfacesOf } from '../../src/api/surfaces.ts';
import { createApp } from '../../src/http/app.ts';
import { Problem } from '../../src/http/errors.ts';
import { loadSurfaces, type Route, serving } from '../../src/http/route.ts';
import { surfaceAt } from '../../src/http/surface.ts';
import { endpoints } from '../../src/protocol/rest/endpoint.ts';
import { Busy, NoSuchActor, Refused, Unavailable } from '../../src/runtime/errors.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { anApi, json, type TestApi } from './support.ts';

const on = { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'correct horse battery' };
const JSON_TYPE = 'application/json; charset=utf-8';
const SERVERS = '/cloudtask/v2/runtimes/default/servers';

const fails = endpoints({
  'GET /cloudtask/v2/fails': { tag: 'cloudtask runtimes', access: 'public', summary: 'Fails.', answers: null },
});

/** An app whose Cloudtask surface has one more route, which fails. */
async function failing(error: Error) {
  const api = await anApi();
  const route: Route = serving(fails)('GET /cloudtask/v2/fails', () => {
    throw error;
  });
  const [v1, elasticjob, cloudtask] = await loadSurfaces(surfacesOf(api.center));
  if (!elasticjob || !cloudtask) throw new Error('there are three surfaces');
  return createApp({ ...api.center, surfaces: [v1, elasticjob, { ...cloudtask, routes: [...cloudtask.routes, route] }] });
}

describe('an error of the Cloudtask dialect', () => {
  const cases: [what: string, error: Error, status: number, content: string, said: string, retry: string | null][] = [
    [
      'an invalid request',
      new Problem('invalid', 'a is 1, but must be 2.'),
      400,
      'request resolve invaild.',
      'a is 1, but must be 2.',
      null,
    ],
    ['a body that is too large', new Problem('tooLarge', 'too large'), 413, 'request resolve invaild.', 'too large.', null],
    [
      'a caller without a token',
      new Problem('unauthorized', 'a token is needed'),
      401,
      'request unauthorized.',
      'a token is needed.',
      null,
    ],
    ['a caller who may not', new Problem('forbidden', 'may not'), 403, 'request forbidden.', 'may not.', null],
    ['an unknown resource', new NoSuchActor('job/x'), 404, 'request resource not found.', 'job not found: x.', null],
    ['a suggestion', new Problem('notFound', 'did you mean "a"?'), 404, 'request resource not found.', 'did you mean "a"?', null],
    [
      'a conflict',
      new Refused('job/nightly', 'job.trigger', 'is running'),
      409,
      'job nightly is running.',
      'job nightly is running.',
      null,
    ],
    ['a full queue', new Busy('full'), 429, 'request server exception.', 'the queue of this resource is full; retry soon.', '1'],
    [
      'a store that is away',
      new StoreUnavailable('/var/x'),
      503,
      'request server exception.',
      'the store cannot commit at present; retry soon.',
      '1',
    ],
    [
      'a center that stops',
      new Unavailable('stops'),
      503,
      'request server exception.',
      'the store cannot commit at present; retry soon.',
      '1',
    ],
    ['too many requests', new Problem('tooMany', 'wait'), 429, 'request server exception.', 'wait.', '1'],
    [
      'too many requests for a while',
      new Problem('tooMany', 'wait', { retryAfterMs: 2_500 }),
      429,
      'request server exception.',
      'wait.',
      '3',
    ],
    ['a fault', new TypeError('x'), 500, 'request server exception.', 'internal error; the log of the center has the details.', null],
  ];
  test.each(cases)('an error of the Cloudtask dialect says %s in its envelope', async (_, error, status, content, said, retry) => {
    const app = await failing(error);
    const answer = await app.request('/cloudtask/v2/fails');
    expect([answer.status, answer.headers.get('content-type'), answer.headers.get('retry-after')]).toEqual([status, JSON_TYPE, retry]);
    expect(await answer.text()).toBe(JSON.stringify({ content, error: said }));
  });

  test('an error of the Cloudtask dialect has its envelope on unknown paths and methods, and at a slash too many', async () => {
    const api = await anApi();
    const paths = [
      '',
      '/',
      '/nothing',
      '/runtimes/default/nothing',
      `${SERVERS.slice('/cloudtask/v2'.length)}/`,
      '/runtimes/default/servers/x',
    ];
    for (const path of paths) {
      const answer = await api.get(`/cloudtask/v2${path}`);
      expect([path, answer.status, answer.headers.get('content-type')]).toEqual([path, 404, JSON_TYPE]);
      expect(answer.body).toEqual({ content: 'request resource not found.', error: expect.stringMatching(/^route not found: GET .*\.$/) });
    }
    expect((await api.post(SERVERS, {})).body.content).toBe('request resource not found.');
    const beside = await api.get('/cloudtask/v20/nothing');
    expect([beside.status, beside.body.error.code]).toEqual([404, 'notFound']);
  });

  test('an error of the Cloudtask dialect is 401 before any other to a caller without a token', async () => {
    const api = await anApi({ env: on });
    const paths = [SERVERS, '/cloudtask/v2', '/cloudtask/v2/', '/cloudtask/v2/nothing', '/cloudtask/v2/runtimes/%20/servers'];
    for (const path of paths) {
      const answer = await api.get(path);
      expect([path, answer.status, answer.body]).toEqual([
        path,
        401,
        { content: 'request unauthorized.', error: expect.stringContaining('a valid token is needed') },
      ]);
    }
    const { token } = (await api.post('/v1/login', { username: 'root', password: on.TROUPE_ROOT_PASSWORD })).body;
    for (const headers of [{ accessToken: token }, { Authorization: `Bearer ${token}` }]) {
      expect((await api.get(SERVERS, headers)).status).toBe(200);
      expect((await api.get('/cloudtask/v2/nothing', headers)).status).toBe(404);
    }
  });

  test('an error of the Cloudtask dialect says that a variable of the path is blank', async () => {
    const api = await anApi();
    for (const blank of ['%20', '%09', '%20%0A%20']) {
      const { status, body } = await api.get(`/cloudtask/v2/runtimes/${blank}/servers`);
      expect([blank, status, body]).toEqual([
        blank,
        400,
        { content: 'request resolve invaild.', error: 'runtime in the path is blank, but must not be.' },
      ]);
    }
  });
});

describe('paths of the Cloudtask dialect', () => {
  test('paths of the Cloudtask dialect have their variables decoded and trimmed, and unknown parameters passed over', async () => {
    const api = await anApi();
    for (const path of [
      SERVERS,
      '/cloudtask/v2/runtimes/%20default%09/servers',
      '/cloudtask/v2/runtimes/%64efault/servers',
      `${SERVERS}?x=1&x=2`,
    ]) {
      expect([path, (await api.get(path)).status]).toEqual([path, 200]);
    }
  });

  test('paths belong to the surface whose prefix they have, by whole segments', () => {
    const rules = [{ ...cloudtaskRules, prefix: '/v1' }, { ...cloudtaskRules, prefix: '/api' }, cloudtaskRules] as const;
    const of = (path: string) => surfaceAt(rules, path).prefix;
    expect(['/api', '/api/', '/api/x', '/apis', '/', '/cloudtask', '/cloudtask/v2', '/cloudtask/v2/x', '/cloudtask/v22'].map(of)).toEqual([
      '/api',
      '/api',
      '/api',
      '/v1',
      '/v1',
      '/v1',
      '/cloudtask/v2',
      '/cloudtask/v2',
      '/v1',
    ]);
  });
});

describe('pages of other origins at the Cloudtask dialect', () => {
  const ORIGIN = 'https://console.example';

  test('pages of other origins at the Cloudtask dialect have their preflight answered on every path', async () => {
    const api = await anApi({ env: { ...on, TROUPE_CORS: ORIGIN } });
    for (const path of [SERVERS, '/cloudtask/v2/jobs/action', '/cloudtask/v2/nothing']) {
      const headers = { Origin: ORIGIN, 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'content-type' };
      const { status, headers: said, text } = await api.call('OPTIONS', path, undefined, headers);
      expect([path, status, text, said.get('access-control-allow-origin')]).toEqual([path, 204, '', ORIGIN]);
      expect(said.get('access-control-allow-headers')?.split(',')).toEqual([
        'Accept',
        'Content-Type',
        'X-Requested-With',
        'Authorization',
        'accessToken',
      ]);
      expect(said.get('access-control-allow-methods')?.split(',')).toEqual(expect.arrayContaining(['GET', 'POST', 'PUT', 'DELETE']));
    }
    const foreign = await api.call('OPTIONS', SERVERS, undefined, {
      Origin: 'https://evil.example',
      'Access-Control-Request-Method': 'PUT',
    });
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
  });

  test('pages of other origins at the Cloudtask dialect may read refusals where they are named', async () => {
    const api = await anApi({ env: { ...on, TROUPE_CORS: ORIGIN } });
    for (const path of [SERVERS, '/cloudtask/v2/nothing']) {
      const { status, headers } = await api.get(path, { Origin: ORIGIN });
      expect([path, status, headers.get('access-control-allow-origin')]).toEqual([path, 401, ORIGIN]);
    }
  });

  test('pages of other origins at the Cloudtask dialect change nothing, and foreign names are refused without authentication', async () => {
    const api = await anApi();
    const headers = { ...json, Host: 'localhost', Origin: 'https://evil.example' };
    const foreign = await api.app.request('/cloudtask/v2/nothing', { method: 'PUT', headers, body: '{}' });
    expect(foreign.status).toBe(403);
    expect(await foreign.json()).toEqual({ content: 'request forbidden.', error: expect.stringContaining('this origin may not change') });
    const rebound = await api.get(SERVERS, { Host: 'evil.example' });
    expect([rebound.status, rebound.body]).toEqual([
      421,
      { content: 'request forbidden.', error: expect.stringMatching(/^Host is "evil\.example", but must be a loopback name/) },
    ]);
  });
});

/** The next session of a host that was connected before. */
async function connected(api: TestApi, name: string, { address = '127.0.0.1', os = 'linux', arch = 'x64' } = {}): Promise<void> {
  const { capabilities } = (await api.context(`host/${name}`)).context;
  if (!capabilities) throw new Error(`${name} was never connected`);
  await api.tell(`host/${name}`, {
    type: 'host.connected',
    session: `${name}-2`,
    address,
    capabilities: { ...capabilities, os, arch },
    bootId: 'boot-1',
    runs: [],
  });
}

describe('servers of a runtime', () => {
  test('servers of a runtime are its hosts with the keys, types and order of the original', async () => {
    const api = await anApi();
    expect((await api.get(SERVERS)).text).toBe('{"content":"request successed.","data":{"servers":[]}}');
    await api.aHost('h2');
    await api.aHost('h1');
    const { status, headers, text } = await api.get(SERVERS);
    const alivestamp = Math.floor(api.clock.now() / 1_000);
    const server = (name: string) =>
      `{"key":"${name}","name":"${name}","ipaddr":"127.0.0.1","apiaddr":"","os":"linux","platform":"amd64","status":1,"alivestamp":${alivestamp}}`;
    expect([status, headers.get('content-type')]).toEqual([200, JSON_TYPE]);
    expect(text).toBe(`{"content":"request successed.","data":{"servers":[${server('h1')},${server('h2')}]}}`);
  });

  test('servers of a runtime are listed while they are ready or draining, with the second of their present session', async () => {
    const api = await anApi();
    await api.aHost('h1');
    await api.aHost('h2', { graceMs: 1_000 });
    await api.ask('host/h1', { type: 'host.drain' });
    await api.tell('host/h2', { type: 'host.disconnected', session: 'h2-1', reason: 'cut' });
    const names = async () =>
      (await api.get(SERVERS)).body.data.servers.map(({ name, status }: { name: string; status: number }) => [name, status]);
    expect(await names()).toEqual([['h1', 1]]);
    await api.clock.advance(2_000);
    expect(await names()).toEqual([['h1', 1]]);
    await connected(api, 'h2');
    const { servers } = (await api.get(SERVERS)).body.data;
    expect(servers.map(({ name }: { name: string }) => name)).toEqual(['h1', 'h2']);
    expect(servers[1].alivestamp - servers[0].alivestamp).toBe(2);
  });

  test('servers have an address without the prefix of IPv4 in IPv6, and the words of Go', async () => {
    const api = await anApi();
    await api.aHost('h1');
    await connected(api, 'h1', { address: '::ffff:10.0.0.7', os: 'win32', arch: 'arm64' });
    const [server] = (await api.get(SERVERS)).body.data.servers;
    expect(server).toMatchObject({ ipaddr: '10.0.0.7', os: 'windows', platform: 'arm64' });
  });

  test('servers of an unknown runtime are a 404', async () => {
    const api = await anApi();
    const { status, body } = await api.get('/cloudtask/v2/runtimes/defualt/servers');
    expect([status, body]).toEqual([
      404,
      { content: 'request resource not found.', error: 'pool not found: defualt; did you mean "default"?' },
    ]);
  });
});
