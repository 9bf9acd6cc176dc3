/**
 * The routes of all surfaces as one OpenAPI 3.1 document. It contains declared routes and fields,
 * and nothing else.
 */
import type { z } from 'zod';
import type { BodyLimits } from '../../protocol/rest/endpoint.ts';
import { ErrorAnswer } from '../../protocol/rest/responses.ts';
import { TAGS } from '../../protocol/rest/tags.ts';
import type { Route, Surface } from '../route.ts';
import type { SocketPath } from '../socket-paths.ts';
import { REFUSALS, refusalsOf } from './refusals.ts';
import { createSchemas, type Json, type Schemas } from './schemas.ts';

export interface OpenApiOperation extends Json {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
  security: Record<string, string[]>[];
  parameters: Parameter[];
  requestBody?: { required: boolean; description?: string; content: Record<string, { schema: Json }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: Json }> }>;
  /** Frames of a WebSocket, by direction. */
  'x-frames'?: { toCenter: Json; fromCenter: Json };
}
export interface Parameter extends Json {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  schema: Json;
}
export interface OpenApi {
  openapi: '3.1.0';
  info: Json;
  servers: Json[];
  tags: { name: string; description: string }[];
  paths: Record<string, Record<string, OpenApiOperation>>;
  components: { schemas: Record<string, Json>; securitySchemes: Record<string, Json> };
}

export function describeApi(surfaces: readonly Surface[], sockets: Record<string, SocketPath>, version: string): OpenApi {
  const schemas = createSchemas();
  const paths: OpenApi['paths'] = {};
  const put = (path: string, method: string, operation: OpenApiOperation) => {
    const template = path.replaceAll(/:(\w+)/g, '{$1}');
    paths[template] = { ...paths[template], [method.toLowerCase()]: operation };
  };
  for (const surface of surfaces) for (const route of surface.routes) put(route.path, route.method, operationOf(route, surface, schemas));
  for (const [path, socket] of Object.entries(sockets)) {
    const stream = paths[path]?.get;
    put(path, 'GET', socketOf(path, socket, stream, schemas));
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Troupe',
      version,
      summary: 'A job scheduler for fleets of hosts.',
      description:
        'Instants are ISO 8601, UTC, with milliseconds; names of durations end in `Ms`. A list returns `{items, next}`: `next` is the `cursor` of the next page, null on the last one. An error has a code, one sentence, and the name of the invalid field.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: schemas.components(),
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'The token of POST /v1/login or POST /api/login.' },
        accessToken: {
          type: 'apiKey',
          in: 'header',
          name: 'accessToken',
          description: 'The same token in the header of ElasticJob clients.',
        },
      },
    },
  };
}

const nameOf = (method: string, path: string): string => `${method.toLowerCase()}${path.replaceAll(/[^A-Za-z0-9]+/g, '_')}`;

const MAY: Record<Route['access'], Record<string, string[]>[]> = {
  public: [],
  user: [{ bearer: [] }, { accessToken: [] }],
  agent: [],
};

function operationOf(route: Route, surface: Surface, schemas: Schemas): OpenApiOperation {
  const names = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => name ?? '');
  return {
    operationId: nameOf(route.method, route.path),
    tags: [route.tag],
    summary: route.summary,
    security: MAY[route.access],
    parameters: [...names.map(parameterOf), ...(route.query ? queryOf(route.query, schemas) : []), ...(route.takesKey ? [KEY] : [])],
    ...bodyOf(route, schemas),
    responses: responsesOf(route, surface, schemas),
  };
}

/** Parameters of paths. */
const IN_PATHS: Record<string, [description: string, example: string]> = {
  name: ['name of the resource', 'nightly'],
  id: ['id of the resource', 'nightly@20261122T080000.000Z'],
  digest: ['SHA-256 of the content, 64 hex digits; where it is read, its MD5, too', 'a'.repeat(64)],
  kind: ['kind of actor: job, execution, app, host or pool', 'job'],
  appName: ['name of the app', 'my_app'],
  jobName: ['name of the job', 'my_job'],
  runtime: ['name of the runtime', 'myCluster'],
  server: ['address of a server, or its name in any case', '192.168.2.80'],
  jobid: ['id of the job, 24 hex digits', '399d4b159c65c9b34d2a3c41'],
};

function parameterOf(name: string): Parameter {
  const [description, example] = IN_PATHS[name] ?? ['', ''];
  return { name, in: 'path', required: true, description, schema: { type: 'string', examples: [example] } };
}

const KEY: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description: 'Makes the request safe to repeat: the same key returns the same response for a day.',
  schema: { type: 'string', minLength: 1, maxLength: 200, examples: ['nightly-2026-11-22'] },
};

function queryOf(query: z.ZodType, schemas: Schemas): Parameter[] {
  const { properties = {}, required = [] } = schemas.of(query, 'input') as { properties?: Record<string, Json>; required?: string[] };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description === undefined ? {} : { description }),
    schema,
    // Values separated by commas.
    ...(schema.type === 'array' ? { style: 'form', explode: false } : {}),
  }));
}

function bodyOf(route: Route, schemas: Schemas): Pick<OpenApiOperation, 'requestBody'> {
  if (route.takesBytes !== undefined)
    return { requestBody: { required: true, description: `Bytes: ${route.takesBytes}.`, content: BYTES } };
  if (!route.body) return {};
  const schema = route.patches ? patchOf(schemas.of(route.patches, 'input')) : schemas.of(route.documentedBody ?? route.body, 'input');
  const types = route.bodyIsName ? ['text/plain', 'application/json'] : ['application/json', ...(route.patches ? [MERGE_PATCH] : [])];
  const required = !(route.documentedBody ?? route.body).safeParse(undefined).success;
  const limits = route.bodyLimits && { description: limitsText(route.bodyLimits) };
  return { requestBody: { required, ...limits, content: Object.fromEntries(types.map(type => [type, { schema }])) } };
}

const MB = 2 ** 20;
const limitsText = ({ bytes, textBytes }: BodyLimits): string =>
  `At most ${bytes / MB} MB.${textBytes === undefined ? '' : ` A text of more than ${textBytes / MB} MB loses its middle.`}`;

const BYTES = { 'application/octet-stream': { schema: { type: 'string', format: 'binary' } } };
const MERGE_PATCH = 'application/merge-patch+json';

/** Every field is optional, and null restores its default (RFC 7396). */
function patchOf(whole: Json): Json {
  const fields = Object.entries((whole.properties ?? {}) as Record<string, Json>);
  const properties = Object.fromEntries(
    fields.map(([name, { default: _, ...schema }]) => [name, isNullable(schema) ? schema : orNull(schema)]),
  );
  return { type: 'object', properties, additionalProperties: false };
}

const orNull = (schema: Json): Json => {
  const { description, examples, 'x-unit': unit, ...inner } = schema;
  const notes = { description, examples, 'x-unit': unit };
  return { anyOf: [inner, { type: 'null' }], ...Object.fromEntries(Object.entries(notes).filter(([, note]) => note !== undefined)) };
};

const isNullable = ({ anyOf }: Json): boolean => Array.isArray(anyOf) && anyOf.some(({ type }: Json) => type === 'null');

function responsesOf(route: Route, surface: Surface, schemas: Schemas): OpenApiOperation['responses'] {
  const { answers, status = 200, also = {} } = route;
  const of = (schema: () => z.ZodType) => ({ schema: schemas.of(schema(), 'output') });
  const json = (schema: () => z.ZodType) => ({ 'application/json': of(schema) });
  const content =
    answers === null
      ? {}
      : typeof answers === 'function'
        ? { content: json(answers) }
        : { content: Object.fromEntries(Object.entries(answers).map(([type, each]) => [type, of(each)])) };
  const refusals = refusalsOf(route, surface);
  const refused = (refusal: (typeof refusals)[number]) => ({
    description: REFUSALS[refusal],
    content: json(() => surface.errors.schema(refusal)),
  });
  return {
    [status]: { description: SUCCESSES[status], ...content },
    ...Object.fromEntries(
      Object.entries(also).map(([further, schema]) => {
        const type = typeof answers === 'object' && answers !== null && Number(further) === 206 ? Object.keys(answers)[0] : undefined;
        const code = Number(further) as keyof typeof SUCCESSES;
        return [further, { description: SUCCESSES[code], content: { [type ?? 'application/json']: of(schema) } }];
      }),
    ),
    ...Object.fromEntries(refusals.map(refusal => [refusal, refused(refusal)])),
    default: { description: 'The request failed; the body has the reason.', content: json(() => surface.errors.schema('default')) },
  };
}

const SUCCESSES = {
  200: 'Done.',
  201: 'Created.',
  202: 'Accepted, not finished yet.',
  204: 'Done; no body.',
  206: 'A part of the content.',
} as const;

/**
 * OpenAPI has no WebSockets: the handshake is described as a GET, merged with the `beside`
 * operation of the same path.
 */
function socketOf(path: string, socket: SocketPath, beside: OpenApiOperation | undefined, schemas: Schemas): OpenApiOperation {
  const upgraded = { 101: { description: 'With `Upgrade: websocket`: the socket is open; `x-frames` has its frames.' } };
  const frames = { toCenter: schemas.of(socket.toCenter, 'input'), fromCenter: schemas.of(socket.fromCenter(), 'output') };
  const failed = {
    default: {
      description: 'No socket was opened; `message` has the reason.',
      content: { 'application/json': { schema: schemas.of(ErrorAnswer(), 'output') } },
    },
  };
  return {
    operationId: nameOf('GET', path),
    tags: [socket.tag],
    summary: socket.summary,
    security: [],
    parameters: socket.query ? queryOf(socket.query, schemas) : [],
    ...beside,
    description: socket.description,
    responses: { ...upgraded, ...(beside?.responses ?? failed) },
    'x-frames': frames,
  };
}
