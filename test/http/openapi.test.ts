/**
 * The reference describes every served route and nothing else. Through `anApi` every other test
 * compares its answers with it.
 */
import { describe, expect, test } from 'bun:test';
import { Validator } from '@seriousme/openapi-schema-validator';
import { createFeedApi } from '../../src/api/feed/index.ts';
import { surfacesOf } from '../../src/api/surfaces.ts';
import { logRoutes } from '../../src/api/v1/logs.ts';
import { metricRoutes } from '../../src/api/v1/metrics.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { createApp } from '../../src/http/app.ts';
import { describeApi, type OpenApi } from '../../src/http/openapi/document.ts';
import type { Json } from '../../src/http/openapi/schemas.ts';
import { loadSurfaces } from '../../src/http/route.ts';
import { SOCKETS } from '../../src/http/socket-paths.ts';
import { createOutputService } from '../../src/services/output/index.ts';
import { anApi, seedApp, seedJob } from '../api/support.ts';
import { createJudge } from './openapi-support.ts';

/** The whole API, as the center puts it together. */
async function aWholeApi(env: Record<string, string> = {}) {
  const { center, store, clock, ids, views, runtime } = await anApi({ env });
  const facts = createFeed({ store, clock });
  const feed = createFeedApi({ ...center, feed: facts, clock, ids });
  const metrics = metricRoutes({ runtime, views, feed: facts, clock, usage: () => ({ residentBytes: 1, cpuSeconds: 1 }) });
  const extra = [...feed.routes, ...logRoutes({ views, store, output: createOutputService({ store }), clock }), ...metrics];
  const surfaces = await loadSurfaces(surfacesOf(center, extra));
  return {
    app: createApp({ ...center, surfaces }),
    surfaces,
    document: describeApi(surfaces, SOCKETS, '1.2.3'),
  };
}

type Field = Json & { required?: string[]; properties?: Record<string, Json> };

/** Every field of every schema and every parameter, by the resource that it belongs to. */
function fieldsOf(document: OpenApi): Record<string, { place: string; schema: Json }[]> {
  const fields: Record<string, { place: string; schema: Json }[]> = {};
  const walk = (tag: string, place: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const { properties } = value as Field;
    for (const [name, schema] of typeof properties === 'object' ? Object.entries(properties) : []) {
      fields[tag] ??= [];
      fields[tag]?.push({ place: `${place}.${name}`, schema });
    }
    for (const [key, inner] of Object.entries(value)) if (!['default', 'examples'].includes(key)) walk(tag, `${place}.${key}`, inner);
  };
  for (const [path, methods] of Object.entries(document.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const [tag = ''] = operation.tags;
      walk(tag, `${method} ${path}`, operation);
      for (const { name, description, schema } of operation.parameters) {
        fields[tag] ??= [];
        fields[tag]?.push({
          place: `${method} ${path}?${name}`,
          schema: { ...schema, ...(description === undefined ? {} : { description }) },
        });
      }
    }
  // Only `troupe agent` uses them; the protocol of agents is described where it is declared.
  for (const [name, schema] of Object.entries(document.components.schemas))
    walk(/^(Agent|Center)Frame$/.test(name) ? 'agents' : 'schemas', name, schema);
  return fields;
}

const resolved = (schema: Json, { components }: OpenApi): Json =>
  typeof schema.$ref === 'string' ? { ...components.schemas[schema.$ref.split('/').at(-1) ?? ''], ...schema } : schema;
const isDescribed = (schema: Json, document: OpenApi): boolean => Boolean(resolved(schema, document).description);

/** The fields of an object, and the values of a choice, are examples themselves. */
function hasExample(schema: Json, document: OpenApi): boolean {
  const {
    $ref,
    type,
    examples,
    anyOf,
    oneOf,
    items,
    enum: values,
    properties,
  } = resolved(schema, document) as Field & Record<string, Json[]>;
  if ($ref !== undefined || examples !== undefined || values !== undefined || properties !== undefined || type === ('boolean' as never))
    return true;
  const inner = [...(anyOf ?? oneOf ?? []), ...(items ? [items as unknown as Json] : [])];
  return inner.some(each => hasExample(each, document));
}

const WORDS = ['$ref', 'type', 'const', 'enum', 'anyOf', 'oneOf', 'allOf'];

/** Places of a schema that take, or give, any value. */
function openPlaces(place: string, schema: Json): string[] {
  if (!WORDS.some(word => word in schema)) return [place];
  const { properties = {}, items, additionalProperties: more, anyOf = [], oneOf = [] } = schema as Field & Record<string, unknown>;
  return [
    ...Object.entries(properties).flatMap(([name, inner]) => openPlaces(`${place}.${name}`, inner)),
    ...(typeof items === 'object' ? openPlaces(`${place}[]`, items as Json) : []),
    ...(typeof more === 'object' ? openPlaces(`${place}.*`, more as Json) : []),
    ...[...(anyOf as Json[]), ...(oneOf as Json[])].flatMap(inner => openPlaces(place, inner)),
  ];
}

/** Bodies of requests and answers, by operation and media type. */
function bodiesOf(document: OpenApi): { place: string; type: string; schema: Json }[] {
  const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ where: `${method.toUpperCase()} ${path}`, operation })),
  );
  return operations.flatMap(({ where, operation: { requestBody, responses } }) =>
    [['body', requestBody] as const, ...Object.entries(responses)].flatMap(([name, one]) =>
      Object.entries(one?.content ?? {}).map(([type, { schema }]) => ({ place: `${where} ${name}`, type, schema })),
    ),
  );
}

describe('the reference', () => {
  test('the reference describes every route of the router and every socket, and nothing else', async () => {
    const { app, document } = await aWholeApi();
    const served = app.routes
      .filter(({ method }) => method !== 'ALL')
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, '{$1}')}`);
    const sockets = Object.keys(SOCKETS).map(path => `GET ${path}`);
    const described = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map(method => `${method.toUpperCase()} ${path}`),
    );
    expect(served.length).toBeGreaterThan(60);
    expect(described.sort()).toEqual([...new Set([...served, ...sockets])].sort());
  });

  test('the reference is OpenAPI 3.1', async () => {
    const { document } = await aWholeApi();
    const validator = new Validator();
    const { valid, errors } = await validator.validate({ ...structuredClone(document) });
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    expect(validator.version).toBe('3.1');
    // Its rules about references inside the document.
    expect(() => validator.resolveRefs()).not.toThrow();
  });

  test('the reference refers to nothing that is missing, and names every operation once', async () => {
    const { document } = await aWholeApi();
    const refs = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, ref]) => ref ?? '');
    const there = Object.keys(document.components.schemas).map(name => `#/components/schemas/${name}`);
    expect([...new Set(refs)].filter(ref => !there.includes(ref))).toEqual([]);
    const names = Object.values(document.paths).flatMap(methods => Object.values(methods).map(({ operationId }) => operationId));
    expect(new Set(names).size).toBe(names.length);
  });

  test('the reference shows who may call what', async () => {
    const { document, surfaces } = await aWholeApi();
    for (const { path, method, access } of surfaces.flatMap(({ routes }) => routes)) {
      const operation = document.paths[path.replaceAll(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()];
      expect([path, operation?.security.length]).toEqual([path, access === 'user' ? 2 : 0]);
    }
  });

  test('the reference describes queries as they are written, and bodies as they are taken', async () => {
    const { paths } = (await aWholeApi()).document;
    const query = paths['/v1/jobs/{name}/next']?.get?.parameters;
    expect(query).toContainEqual({
      name: 'count',
      in: 'query',
      required: false,
      description: 'how many due times',
      schema: { type: 'integer', minimum: 1, maximum: 1000, default: 10, examples: [3] },
    });
    expect(paths['/v1/executions']?.get?.parameters).toContainEqual({
      name: 'status',
      in: 'query',
      required: false,
      description: 'only those in these states',
      schema: { type: 'array', items: { type: 'string', enum: ['pending', 'running', 'cancelling', 'done'] } },
      style: 'form',
      explode: false,
    });
    expect(paths['/v1/jobs/{name}/trigger']?.post?.parameters.map(({ name }) => name)).toEqual(['name', 'onlyIdle', 'Idempotency-Key']);
    const body = (path: string, method: string) => paths[path]?.[method]?.requestBody;
    expect(body('/v1/jobs', 'post')).toMatchObject({ required: true, content: { 'application/json': { schema: { required: ['name'] } } } });
    expect(body('/v1/join-tokens', 'post')?.required).toBe(false);
    expect(body('/v1/jobs/{name}', 'patch')?.content['application/json']?.schema).not.toHaveProperty('required');
    expect(Object.keys(body('/api/job/trigger', 'post')?.content ?? {})).toEqual(['text/plain', 'application/json']);
    expect(paths['/v1/feed']?.get?.['x-frames']).toEqual({
      toCenter: { $ref: '#/components/schemas/TicketFrame' },
      fromCenter: { $ref: '#/components/schemas/FeedFrame' },
    });
  });

  test('the reference describes every field, and gives an example where the type does not show one', async () => {
    const { document } = await aWholeApi();
    const { agents: _, ...rest } = fieldsOf(document);
    const all = Object.values(rest).flat();
    expect(all.length).toBeGreaterThan(400);
    expect(all.filter(({ schema }) => !isDescribed(schema, document)).map(({ place }) => place)).toEqual([]);
    expect(all.filter(({ schema }) => !hasExample(schema, document)).map(({ place }) => place)).toEqual([]);
    const withoutUnit = all.filter(
      ({ place, schema }) => /(Ms|Bytes|memoryMB|cpus|cpuCount)$/.test(place) && schema['x-unit'] === undefined,
    );
    expect(withoutUnit.map(({ place }) => place)).toEqual([]);
  });

  test('the reference has a schema for every body and every answer, with an example; places of any value have a name here', async () => {
    const { document } = await aWholeApi();
    const bodies = bodiesOf(document);
    const named = Object.entries(document.components.schemas).filter(([name]) => !/^(Agent|Center)Frame$/.test(name));
    const open = [...bodies.map(({ place, schema }) => openPlaces(place, schema)), ...named.map(each => openPlaces(...each))].flat();
    expect([...new Set(open)].sort()).toEqual([
      // Each type of fact has values of its own.
      'Fact.data.*',
      'GET /v1/executions/{id}/why 200.facts[].*',
      'GET /v1/jobs/{name}/why 200.facts[].*',
      'GET /v1/jobs/{name}/why 200.trigger.*',
      // The rest is what OpenAPI says.
      'GET /v1/openapi.json 200.*',
    ]);
    expect(bodies.filter(({ type, schema }) => /json/.test(type) && !hasExample(schema, document)).map(({ place }) => place)).toEqual([]);
    const texts = bodies.filter(({ type }) => !/json$/.test(type)).map(({ place, type }) => `${place} ${type}`);
    expect(texts.sort()).toEqual([
      'DELETE /api/job/deregister body text/plain',
      'GET /cloudtask/v2/files/{digest} 200 application/octet-stream',
      'GET /cloudtask/v2/files/{digest} 206 application/octet-stream',
      'GET /v1/executions/{id}/logs 200 text/plain',
      'GET /v1/feed 200 text/event-stream',
      'GET /v1/files/{digest} 200 application/octet-stream',
      'GET /v1/files/{digest} 206 application/octet-stream',
      'GET /v1/metrics 200 text/plain',
      'GET /v1/reference 200 text/html',
      'POST /api/job/trigger body text/plain',
      'POST /cloudtask/v2/files body application/octet-stream',
      'POST /v1/files body application/octet-stream',
      'PUT /cloudtask/v2/files/{digest} body application/octet-stream',
      'PUT /v1/files/{digest} body application/octet-stream',
    ]);
  });

  test('the reference gives the default of every setting that may be left out', async () => {
    const { document } = await aWholeApi();
    const body = document.paths['/v1/jobs']?.post?.requestBody?.content['application/json']?.schema as Field;
    const { required = [], properties = {} } = body;
    const without = Object.entries(properties).filter(([name, schema]) => !required.includes(name) && !('default' in schema));
    // Drawn, or dependent on another setting or on the pool; the description states it.
    expect(without.map(([name]) => name).sort()).toEqual(['disconnectMs', 'id', 'overlapLimit', 'pool', 'timeZone']);
  });

  test('the reference names the default of every field of a body that may be left out', async () => {
    const { document } = await aWholeApi();
    const without = new Set<string>();
    const walk = (place: string, schema: Json): void => {
      const {
        required = [],
        properties = {},
        items,
        anyOf = [],
        oneOf = [],
      } = resolved(schema, document) as Field & Record<string, unknown>;
      for (const [name, inner] of Object.entries(properties)) {
        if (!required.includes(name) && !('default' in inner) && !/default:|required/.test(String(inner.description)))
          without.add(`${place}.${name}`);
        walk(`${place}.${name}`, inner);
      }
      for (const inner of [items, ...(anyOf as Json[]), ...(oneOf as Json[])]) if (inner !== undefined) walk(place, inner as Json);
    };
    const isBody = ({ place }: { place: string }) => place.endsWith(' body') && !place.startsWith('PATCH ');
    const bodies = bodiesOf(document).filter(isBody);
    expect(bodies.length).toBeGreaterThan(10);
    for (const { place, schema } of bodies) walk(place, schema);
    // Fields of a change: what is left out stays as it is.
    const isChange = (place: string) => /^PUT \/(api\/app|cloudtask\/v2\/(jobs|runtimes)\/\{\w+\}) body\.\w+$/.test(place);
    expect([...without].filter(place => !isChange(place))).toEqual([]);
  });

  test('the reference groups operations by resource, and names the refusals of each', async () => {
    const { document } = await aWholeApi();
    const operations = Object.values(document.paths).flatMap(methods => Object.values(methods));
    const tags = document.tags.map(({ name }) => name);
    expect(operations.filter(({ tags: [tag = ''] }) => !tags.includes(tag))).toEqual([]);
    expect(tags.filter(tag => !operations.some(operation => operation.tags.includes(tag)))).toEqual([]);
    const statuses = (path: string, method: string) => Object.keys(document.paths[path]?.[method]?.responses ?? {});
    expect(statuses('/v1/jobs/{name}/trigger', 'post')).toEqual('202 400 401 403 404 409 413 415 429 503 default'.split(' '));
    expect(statuses('/v1/pools', 'get')).toEqual('200 400 401 403 503 default'.split(' '));
    expect(statuses('/v1/health', 'get')).toEqual('200 400 default'.split(' '));
  });

  test('the reference needs no login, for programs and as a page that fetches nothing', async () => {
    const api = await anApi({ env: { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'correct horse battery' } });
    const { body, headers } = await api.get('/v1/openapi.json');
    expect([body.openapi, headers.get('content-type')]).toEqual(['3.1.0', 'application/json; charset=utf-8']);
    const page = await api.get('/v1/reference');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'sha256-[^']+'; /);
    expect(page.text).not.toMatch(/<script|<img|<link|\ssrc=|\sstyle=|@import|url\(|\son\w+=/i);
    const links = [...page.text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id ?? '');
    expect(links.length).toBeGreaterThan(60);
    expect([...new Set(links)].filter(id => !page.text.includes(`id="${id}"`))).toEqual([]);
    for (const path of Object.keys(body.paths)) expect(page.text).toContain(`<code>${path}</code>`);
  });

  test('the reference shows examples that go to the address which the browser came to', async () => {
    const api = await anApi();
    const { text } = await api.get('/v1/reference');
    expect(/<pre>(curl[\s\S]*?)<\/pre>/.exec(text)?.[1]).toEndWith(' http://localhost/v1/jobs');
    expect(text).not.toContain('{{');
  });

  test('the reference has a policy that allows the style of the page, and nothing else', async () => {
    const api = await anApi();
    const { text, headers } = await api.get('/v1/reference');
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? '';
    const digest = new Bun.CryptoHasher('sha256').update(style).digest('base64');
    expect(headers.get('content-security-policy')).toContain(`'sha256-${digest}'`);
  });
});

describe('the judge of answers', () => {
  test('the judge of answers finds what is missing, what is too much, and what is not described', async () => {
    const api = await anApi();
    const { judge } = createJudge(await loadSurfaces(surfacesOf(api.center)));
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const { body } = await api.get('/v1/jobs/a');
    const of = (changed: object, status = 200, type = 'application/json') =>
      judge('GET', '/v1/jobs/a', { status, type, body: { ...body, ...changed } });
    expect(of({})).toBeUndefined();
    expect(of({ status: 'fine' })).toContain('must be equal to one of the allowed values');
    expect(of({ secret: 1 })).toContain('must NOT have additional properties');
    expect(of({ rev: undefined })).toContain("must have required property 'rev'");
    expect(of({}, 201)).toContain('201 is not declared');
    expect(of({}, 200, 'text/plain')).toContain('is declared to be application/json');
    expect(judge('GET', '/v1/nowhere', { status: 200, type: 'application/json', body: {} })).toContain('is not in the reference');
  });

  test('the judge of answers has seen the answers of both dialects about running things', async () => {
    const api = await anApi();
    await api.aHost();
    await api.post('/api/app', seedApp());
    await api.post('/api/job/register', seedJob());
    await api.post('/v1/jobs', { name: 'a', command: 'b', schedules: [{ type: 'cron', cron: '0 0 8 * * ?' }] });
    const { execution } = (await api.post('/v1/jobs/a/trigger')).body;
    const paths = [
      '/v1/jobs',
      '/v1/jobs/a/next',
      '/v1/jobs/a/why',
      '/v1/jobs/a/occurrences',
      '/v1/jobs/a/occurrences?summary=true',
      '/v1/executions',
      `/v1/executions/${execution}`,
      `/v1/executions/${execution}/why`,
      '/v1/apps',
      '/v1/hosts',
      '/v1/pools',
      '/v1/pools/default/allocation',
      '/v1/history/job/a',
      '/v1/health',
      '/api/app/list',
      '/api/job/jobs',
      '/api/job/jobs/my_job',
      '/api/job/tasks/ready',
      '/api/job/tasks/running',
      '/api/job/tasks/failover',
    ];
    for (const path of paths) expect([path, (await api.get(path)).status]).toEqual([path, 200]);
  });
});
