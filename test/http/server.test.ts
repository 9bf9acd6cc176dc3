/** The HTTP server: table of routes, authentication, errors, addresses. */
import { describe, expect, test } from 'bun:test';
import { z } from 'zod';
import { allRoutes, surfacesOf } from '../../src/api/surfaces.ts';
import { createApp } from '../../src/http/app.ts';
import { BODY_MAX } from '../../src/http/body.ts';
import { PROBE_KEPT_MS } from '../../src/http/probe.ts';
import { type Route, serving } from '../../src/http/route.ts';
import { endpoints } from '../../src/protocol/rest/endpoint.ts';
import { Busy, Refused, TurnFailed, Unavailable } from '../../src/runtime/errors.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { anApi, json, seedApp, seedJob } from '../api/support.ts';
import { createFaultyStore } from '../support/faulty-store.ts';

const on = { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'correct horse battery' };
const fails = endpoints({
  'GET /v1/fails': { tag: 'jobs', refusals: [429], access: 'public', summary: 'Fails.', answers: null },
});
const failing = (error: Error): Route[] => [
  serving(fails)('GET /v1/fails', () => {
    throw error;
  }),
];

describe('the table of routes', () => {
  test('the table of routes declares the access of every route', async () => {
    const { center } = await anApi();
    const routes = await allRoutes(center);
    expect(routes.length).toBeGreaterThan(50);
    for (const { method, path, access, summary: says } of routes) {
      expect([`${method} ${path}`, ['public', 'user', 'agent'].includes(access), /[.?]$/.test(says)]).toEqual([
        `${method} ${path}`,
        true,
        true,
      ]);
    }
  });

  test('the table of routes refuses a route without access', async () => {
    const { center } = await anApi();
    const { access: _, ...open } = failing(new Error())[0] as Route;
    expect(() => createApp({ ...center, surfaces: surfacesOf(center, [open as Route]) })).toThrow('GET /v1/fails declares no access');
  });

  test('the table of routes has only the public routes that must be public', async () => {
    const { center } = await anApi();
    const open = (await allRoutes(center)).filter(({ access }) => access !== 'user');
    expect(open.map(({ method, path }) => `${method} ${path}`).sort()).toEqual([
      'GET /v1/health',
      'GET /v1/openapi.json',
      'GET /v1/ready',
      'GET /v1/reference',
      'POST /api/login',
      'POST /v1/login',
    ]);
  });

  test('every route that is not public refuses an unknown caller', async () => {
    const api = await anApi({ env: on });
    for (const { method, path, access } of await allRoutes(api.center)) {
      if (access !== 'user') continue;
      const { status } = await api.call(method, path.replaceAll(/:\w+/g, 'x'));
      expect([method, path, status]).toEqual([method, path, 401]);
    }
  });
});

describe('an unknown caller', () => {
  test('an unknown caller is refused before any other check, in the format of its API', async () => {
    const api = await anApi({ env: on });
    for (const path of ['/api/app/list', '/api/nothing/here', '/api', '/api/']) {
      const { status, text } = await api.get(path);
      expect([path, status, text]).toEqual([path, 401, '{"message":"Unauthorized."}']);
    }
    for (const path of ['/v1/jobs', '/v1/nothing', '/nothing', '/']) {
      const { status, body } = await api.get(path);
      expect([path, status, body.error.code]).toEqual([path, 401, 'unauthorized']);
    }
    expect((await api.post('/api/app', 'not json')).status).toBe(401);
    expect((await api.post('/api/app', 'x'.repeat(BODY_MAX + 1))).status).toBe(401);
  });

  test('a caller with a wrong, an expired or a foreign token stays unknown', async () => {
    const api = await anApi({ env: on });
    const { token } = await api.auth.createJoinToken({ pool: null, uses: 1, expiresInMs: 1_000 });
    for (const bad of ['', 'x', 'troupe_x', token, 'troupe_'.padEnd(5_000, 'x')]) {
      expect((await api.get('/v1/jobs', { accessToken: bad })).status).toBe(401);
      expect((await api.get('/v1/jobs', { Authorization: `Bearer ${bad}` })).status).toBe(401);
    }
  });
});

describe('an unknown route', () => {
  test('an unknown route is a 404 in our shape, and so is a wrong method', async () => {
    const api = await anApi();
    for (const [method, path] of [
      ['GET', '/api/nothing'],
      ['GET', '/v1/nothing'],
      ['PUT', '/api/job/trigger'],
      ['POST', '/v1/jobs/a'],
      ['GET', '/'],
    ] as const) {
      const { status, body } = await api.call(method, path);
      expect([path, status, body.error.code]).toEqual([path, 404, 'notFound']);
    }
    const long = await api.get(`/v1/${'x'.repeat(10_000)}`);
    expect([long.status, long.text.length < 500]).toEqual([404, true]);
  });
});

describe('the address itself', () => {
  const BROWSER = { Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8' };

  test('the root address shows a browser what this is and where to go on, without script and under a policy', async () => {
    const { app } = await anApi({ env: on });
    const page = await app.request('/', { headers: BROWSER });
    const text = await page.text();
    expect([page.status, page.headers.get('content-type'), page.headers.get('vary')]).toEqual([200, 'text/html; charset=utf-8', 'Accept']);
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '';
    const digest = new Bun.CryptoHasher('sha256').update(style).digest('base64');
    expect(page.headers.get('content-security-policy')).toStartWith(`default-src 'none'; style-src 'sha256-${digest}'; `);
    expect(text).not.toMatch(/<script|<img|<link|\ssrc=|\sstyle=|@import|url\(|\son\w+=/i);
    const elsewhere = await (await app.request('http://troupe.example:9000/', { headers: BROWSER })).text();
    expect(elsewhere).toContain(' http://troupe.example:9000/v1/jobs</pre>');
    const links = [...text.matchAll(/href="([^"]+)"/g)].map(([, path]) => path ?? '');
    expect(links).toEqual(['/v1/reference', '/v1/openapi.json', '/v1/ready']);
    for (const path of links) expect((await app.request(path)).status).toBe(200);
  });

  test('the root address answers a program as every unknown path does', async () => {
    const api = await anApi({ env: on });
    for (const headers of [{}, { Accept: '*/*' }, { Accept: 'application/json' }]) {
      const answer = await api.app.request('/', { headers });
      expect([answer.status, ((await answer.json()) as { error: { code: string } }).error.code]).toEqual([401, 'unauthorized']);
    }
    expect((await api.app.request('/', { method: 'POST', headers: BROWSER })).status).toBe(401);
    expect((await api.app.request('/v1/jobs', { headers: BROWSER })).status).toBe(401);
  });
});

describe('a query', () => {
  test('a query with a parameter that the route does not know is refused by name, on the native surface', async () => {
    const api = await anApi();
    const cases: [method: string, path: string, field: string, sentence: string][] = [
      ['GET', '/v1/executions?statsu=running', 'statsu', 'unknown query parameter "statsu" of GET /v1/executions; did you mean "status"?'],
      ['GET', '/v1/pools?pool=x', 'pool', 'unknown query parameter "pool": GET /v1/pools takes limit, cursor.'],
      ['GET', '/v1/jobs/a/why?colour=red', 'colour', 'unknown query parameter "colour": GET /v1/jobs/:name/why takes none.'],
      ['POST', '/v1/jobs/a/trigger?key=1', 'key', 'unknown query parameter "key": POST /v1/jobs/:name/trigger takes onlyIdle.'],
      [
        'GET',
        '/v1/jobs?__proto__=1',
        '__proto__',
        'unknown query parameter "__proto__": GET /v1/jobs takes limit, cursor, status, outcome, app, pool, group, prefix, text.',
      ],
      ['GET', '/v1/jobs?limit=1&limit=2', 'limit', 'limit is repeated ("1", "2"), but must be given once.'],
      ['POST', '/v1/jobs/a/disable?kill&kill', 'kill', 'kill is repeated ("", ""), but must be given once.'],
    ];
    for (const [method, path, field, message] of cases) {
      const { status, body } = await api.call(method, path);
      expect([path, status, body.error]).toEqual([path, 400, { code: 'invalid', message, field }]);
    }
    const long = await api.get(`/v1/jobs?${'x'.repeat(9_000)}=1`);
    expect([long.status, long.text.length < 500]).toEqual([400, true]);
  });

  test('a query of an unknown caller is not parsed', async () => {
    const api = await anApi({ env: { TROUPE_AUTH: 'on' } });
    expect((await api.get('/v1/jobs?colour=red')).status).toBe(401);
  });

  test('a query may have unknown parameters where the dialect has always ignored them', async () => {
    const api = await anApi();
    expect((await api.get('/api/job/jobs?pretty=1&pretty=2')).status).toBe(200);
  });
});

describe('an unexpected body', () => {
  test('a body for a route without one is refused on the native surface, unless it is empty', async () => {
    const api = await anApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const refused = await api.post('/v1/jobs/a/trigger', { parameter: 'x' });
    expect([refused.status, refused.body.error]).toEqual([
      400,
      { code: 'invalid', message: 'unknown field "parameter".', field: 'parameter' },
    ]);
    expect((await api.post('/v1/jobs/a/trigger', '5')).body.error.message).toBe('body is 5, but must be empty: this route takes no body.');
    expect((await api.get('/v1/executions')).body.items).toEqual([]);
    const form = { 'content-type': 'application/x-www-form-urlencoded' };
    for (const [body, headers] of [['{}'], [''], ['null'], ['', form]] as const) {
      expect((await api.post('/v1/jobs/a/trigger', body, headers)).status).toBe(202);
    }
  });
});

describe('an error', () => {
  const cases: [string, Error, number, string, string | null][] = [
    ['of a full mailbox', new Busy('mailbox of job/x is full'), 429, 'busy', '1'],
    ['of a runtime that stops', new Unavailable('stopping'), 503, 'unavailable', '1'],
    ['of the store', new StoreUnavailable('SQLITE_FULL /var/secret/path'), 503, 'unavailable', '1'],
    ['of a turn', new TurnFailed('boom in /home/me'), 500, 'internal', null],
    ['of our own making', new TypeError('x is not a function'), 500, 'internal', null],
  ];
  test.each(cases)('an error %s has its status, and shows nothing internal', async (_, error, status, code, retry) => {
    const api = await anApi({ extra: failing(error) });
    const answer = await api.get('/v1/fails');
    expect([answer.status, answer.body.error.code, answer.headers.get('retry-after')]).toEqual([status, code, retry]);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.text).not.toContain(error.message);
    expect(api.log.lines.map(line => line.level)).toEqual(status === 500 ? ['error'] : []);
    if (status === 500) expect(api.log.lines[0]?.fields?.error).toBe(error);
  });

  test('row 12: an error of the store reaches the caller as a 503', async () => {
    const store = createMemoryStore();
    const api = await anApi({ store });
    await api.post('/api/app', seedApp());
    const { commit } = store;
    store.commit = async () => {
      throw new StoreUnavailable('disk full');
    };
    const { status, headers } = await api.post('/api/job/register', seedJob());
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    store.commit = commit;
    expect((await api.post('/api/job/register', seedJob())).status).toBe(200);
  });
});

describe('row 25: a body', () => {
  const refused: [string, string, number, string][] = [
    ['that is not JSON', '{"a":', 400, 'invalid'],
    ['that is empty', '', 400, 'invalid'],
    ['that is null', 'null', 400, 'invalid'],
    ['that is a list', '[]', 400, 'invalid'],
    ['of one megabyte and a byte', `"${'x'.repeat(BODY_MAX - 1)}"`, 413, 'tooLarge'],
    ['that nests without end', '['.repeat(500_000), 400, 'invalid'],
    ['that nests deeper than 32', `${'{"a":'.repeat(33)}1${'}'.repeat(33)}`, 400, 'invalid'],
    ['with too many keys', `{${Array.from({ length: 20_002 }, (_, n) => `"k${n}":0`).join()}}`, 400, 'invalid'],
    ['that hides its depth in a string', `{"a":"${'\\\\'}","b":${'['.repeat(40)}${']'.repeat(40)}}`, 400, 'invalid'],
  ];
  test.each(refused)('a body %s is refused', async (_, body, status, code) => {
    const api = await anApi();
    for (const path of ['/api/app', '/v1/jobs']) {
      const answer = await api.post(path, body);
      expect([path, answer.status, answer.body.error.code]).toEqual([path, status, code]);
    }
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test.each(['"__proto__":{"polluted":1}', '"props":{"constructor":{"prototype":{}}}', '"x":[{"prototype":1}]'])(
    'a body that is valid but for %s is refused',
    async more => {
      const api = await anApi();
      const { status, body } = await api.post('/api/app', `${JSON.stringify(seedApp()).slice(0, -1)},${more}}`);
      expect([status, body.error.message]).toEqual([400, expect.stringContaining('is a reserved name')]);
      expect((await api.get('/api/app/list')).text).toBe('[]');
    },
  );

  test('a body with brackets in its texts is not taken for a deep one', async () => {
    const api = await anApi();
    const { status } = await api.post('/v1/jobs', { name: 'a', command: `${'['.repeat(100)}\\"${'{,'.repeat(30_000)}` });
    expect(status).toBe(201);
  });

  test('a body that is not UTF-8 is refused', async () => {
    const api = await anApi();
    const response = await api.app.request('/api/app', { method: 'POST', headers: json, body: new Uint8Array([0x22, 0xff, 0x22]) });
    expect(response.status).toBe(400);
  });

  test('a body that is announced too large, or lies about its size, is cut', async () => {
    const api = await anApi();
    const endless = new ReadableStream({ pull: controller => controller.enqueue(new Uint8Array(64 * 1024).fill(32)) });
    const response = await api.app.request('/api/app', { method: 'POST', headers: json, body: endless, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(413);
  });

  test('a body that its sender breaks off is no internal error', async () => {
    const api = await anApi();
    const broken = new ReadableStream({
      pull: controller => controller.error(new DOMException('The connection was closed.', 'AbortError')),
    });
    const response = await api.app.request('/api/app', { method: 'POST', headers: json, body: broken, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(400);
    expect(api.log.lines).toEqual([]);
  });

  test('a body of another type is a 415', async () => {
    const api = await anApi();
    for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'multipart/form-data', 'application/xml']) {
      expect((await api.post('/v1/jobs', '{"name":"a","command":"b"}', { 'Content-Type': type })).status).toBe(415);
      expect((await api.post('/api/app', JSON.stringify(seedApp()), { 'Content-Type': type })).status).toBe(415);
    }
    expect((await api.post('/api/app', seedApp(), { 'Content-Type': 'Application/JSON;charset=utf-8' })).status).toBe(200);
  });
});

describe('a page of another origin', () => {
  const from = (origin: string, more: Record<string, string> = {}) => ({ ...json, Host: 'localhost', Origin: origin, ...more });

  test('a page of another origin changes nothing', async () => {
    const api = await anApi();
    for (const headers of [from('https://evil.example'), from('null'), { ...json, 'Sec-Fetch-Site': 'cross-site' }]) {
      expect((await api.post('/api/app', seedApp(), headers)).status).toBe(403);
    }
    expect((await api.get('/api/app/list')).text).toBe('[]');
  });

  test('a page whose name points to this machine changes nothing where no password guards it', async () => {
    const api = await anApi();
    expect((await api.post('/api/app', seedApp(), { ...from('http://evil.example'), Host: 'evil.example' })).status).toBe(421);
  });

  test('a page of our own origin, or of a named one, may change things', async () => {
    const api = await anApi({ env: { TROUPE_CORS: 'https://console.example' } });
    expect((await api.post('/api/app', seedApp(), from('http://localhost'))).status).toBe(200);
    const named = await api.put('/api/app', { appName: 'my_app' }, from('https://console.example'));
    expect([named.status, named.headers.get('access-control-allow-origin')]).toEqual([200, 'https://console.example']);
    const preflight = await api.call('OPTIONS', '/v1/jobs', undefined, {
      Origin: 'https://console.example',
      'Access-Control-Request-Method': 'POST',
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, 'https://console.example']);
  });

  test('a page of an origin that is not named may not even read', async () => {
    const api = await anApi({ env: { TROUPE_CORS: 'https://console.example' } });
    const { headers } = await api.get('/v1/jobs', { Origin: 'https://evil.example' });
    expect(headers.get('access-control-allow-origin')).toBeNull();
    const plain = await anApi();
    expect((await plain.get('/v1/jobs', { Origin: 'https://evil.example' })).headers.get('access-control-allow-origin')).toBeNull();
  });
});

describe('every answer', () => {
  test('every answer carries the headers that keep browsers from guessing', async () => {
    const api = await anApi({ env: on });
    for (const path of ['/v1/health', '/v1/jobs', '/nothing']) {
      const { headers } = await api.get(path);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('x-frame-options')).toBe('DENY');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    }
  });
});

describe('a surface that loads at its first request', () => {
  const served = endpoints({
    'GET /api/late/:name': { tag: 'jobs', access: 'user', summary: 'Answers.', answers: () => z.object({ name: z.string() }) },
    'GET /api/fails': { tag: 'jobs', access: 'public', summary: 'Fails.', answers: null },
  });

  /** `failures`: how many loads fail first. */
  async function aLazySurface(failures = 0) {
    const api = await anApi({ env: on });
    const { token } = await api.auth.login('root', on.TROUPE_ROOT_PASSWORD, '127.0.0.1');
    let loads = 0;
    const load = async (): Promise<Route[]> => {
      loads += 1;
      await Promise.resolve();
      if (loads <= failures) throw new Error('no such module');
      return [
        serving(served)('GET /api/late/:name', ({ params }) => ({ name: params.name })),
        serving(served)('GET /api/fails', () => {
          throw new Refused('job/a', 'job.trigger', 'is disabled');
        }),
      ];
    };
    const [v1, elasticjob] = surfacesOf(api.center);
    if (!elasticjob) throw new Error('there is a second surface');
    const { prefix, errors, corsHeaders } = elasticjob;
    const app = createApp({ ...api.center, surfaces: [v1, { prefix, errors, corsHeaders, routes: [], load }] });
    const ask = async (path: string, method = 'GET', headers: Record<string, string> = { accesstoken: token }) => {
      const answer = await app.request(path, { method, headers });
      const text = await answer.text();
      return { status: answer.status, body: text === '' ? undefined : JSON.parse(text), headers: answer.headers };
    };
    return { ...api, ask, loads: () => loads };
  }

  test('a surface loads at its first request, once for requests at the same time', async () => {
    const { ask, loads } = await aLazySurface();
    expect([(await ask('/v1/jobs')).status, loads()]).toEqual([200, 0]);
    const answers = await Promise.all(['a', '%C3%BC', 'c'].map(name => ask(`/api/late/${name}`)));
    expect(answers.map(({ body }) => body)).toEqual([{ name: 'a' }, { name: 'ü' }, { name: 'c' }]);
    expect(answers[0]?.headers.get('x-content-type-options')).toBe('nosniff');
    expect(loads()).toBe(1);
  });

  test('a surface that loads at its first request has the refusals of its own format, and HEAD', async () => {
    const { ask } = await aLazySurface();
    expect(await ask('/api/late/a', 'GET', {})).toMatchObject({ status: 401, body: { message: 'Unauthorized.' } });
    expect(await ask('/api/nothing', 'GET', {})).toMatchObject({ status: 401, body: { message: 'Unauthorized.' } });
    expect(await ask('/api/nothing')).toMatchObject({ status: 404, body: { error: { message: 'route not found: GET /api/nothing' } } });
    expect(await ask('/api')).toMatchObject({ status: 404, body: { error: { message: 'route not found: GET /api' } } });
    expect(await ask('/api/fails')).toMatchObject({ status: 409, body: { error: { message: 'job a is disabled' } } });
    expect(await ask('/api/late/a', 'HEAD')).toMatchObject({ status: 200, body: undefined });
  });

  test('a surface whose load fails answers with a fault that is logged, and loads at the next request', async () => {
    const { ask, log } = await aLazySurface(1);
    expect(await ask('/api/late/a')).toMatchObject({ status: 500, body: { error: { code: 'internal' } } });
    expect(log.lines.filter(({ level }) => level === 'error')).toMatchObject([{ sentence: 'request failed' }]);
    expect(await ask('/api/late/a')).toMatchObject({ status: 200, body: { name: 'a' } });
  });
});

describe('health and readiness', () => {
  test('health and readiness are two things', async () => {
    let reason: string | undefined = 'the partitions are being taken over';
    const store = createMemoryStore();
    const api = await anApi({ env: on, store, change: { unready: () => reason } });
    expect((await api.get('/v1/health')).body).toEqual({ status: 'ok' });
    const waiting = await api.get('/v1/ready');
    expect([waiting.status, waiting.body.error.message]).toEqual([503, 'the partitions are being taken over']);
    reason = undefined;
    expect((await api.get('/v1/ready')).body).toEqual({ status: 'ready' });
    store.probe = async () => {
      throw new StoreUnavailable('full');
    };
    await api.clock.advance(PROBE_KEPT_MS);
    expect((await api.get('/v1/ready')).status).toBe(503);
    expect((await api.get('/v1/health')).status).toBe(200);
  });

  test('health and readiness answer the same to a caller with a token, which the store cannot look up while it is away', async () => {
    const store = createFaultyStore(createMemoryStore());
    const api = await anApi({ env: on, store });
    const { body } = await api.post('/v1/login', { username: 'root', password: 'correct horse battery' });
    const headers = { authorization: `Bearer ${body.token}` };
    store.plan(() => 'before');
    const ready = await api.call('GET', '/v1/ready', undefined, headers);
    expect([ready.status, ready.body.error.message]).toEqual([503, 'the store cannot commit now: probe was not taken']);
    expect((await api.call('GET', '/v1/health', undefined, headers)).status).toBe(200);
  });
});
