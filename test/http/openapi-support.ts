/** Checks every success response against the OpenAPI document. */
import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020.js';
import { describeApi, type OpenApi, type OpenApiOperation } from '../../src/http/openapi/document.ts';
import { REFUSALS } from '../../src/http/openapi/refusals.ts';
import type { Surface } from '../../src/http/route.ts';
import { SOCKETS } from '../../src/http/socket-paths.ts';
import { surfaceAt } from '../../src/http/surface.ts';

export interface Judge {
  document: OpenApi;
  /** Undefined when the reference describes the answer; else the difference. */
  judge(method: string, path: string, answer: { status: number; type: string; body: unknown }): string | undefined;
}

export function createJudge(surfaces: readonly [Surface, ...Surface[]]): Judge {
  const document = describeApi(surfaces, SOCKETS, '0.0.0');
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: 'troupe', components: document.components });
  const known = new Map<string, ValidateFunction>();
  const fits = (key: string, schema: object, value: unknown): string | undefined => {
    const inDocument = JSON.parse(JSON.stringify(schema).replaceAll('"#/components', '"troupe#/components'));
    const validate = known.get(key) ?? ajv.compile(inDocument);
    known.set(key, validate);
    if (validate(value)) return undefined;
    const named = (validate.errors ?? []).map(({ params }) => params.additionalProperty ?? '').filter(name => name !== '');
    return [ajv.errorsText(validate.errors), ...named].join(' ');
  };
  const paths = Object.entries(document.paths)
    .map(([path, methods]) => ({ path, methods, pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`) }))
    // A literal path comes before one with a parameter.
    .sort((a, b) => (a.path.match(/\{/g)?.length ?? 0) - (b.path.match(/\{/g)?.length ?? 0));

  return {
    document,
    judge(method, url, { status, type, body }) {
      if (method === 'OPTIONS') return undefined;
      // As the router reads it: decoded, and on most surfaces a slash at the end changes nothing.
      const written = decoded(new URL(url, 'http://center').pathname);
      const path = surfaceAt(surfaces, written).exactPaths ? written : written.replace(/(?<=.)\/$/, '');
      const operation = paths.flatMap(({ pattern, methods }) => (pattern.test(path) ? [methods[method.toLowerCase()]] : [])).find(Boolean);
      if (!operation) return status === 404 || status === 401 ? undefined : `${method} ${path} is not in the reference`;
      return wrongOf(operation, status, type, body, fits);
    },
  };
}

function wrongOf(
  operation: OpenApiOperation,
  status: number,
  type: string,
  body: unknown,
  fits: (key: string, schema: object, value: unknown) => string | undefined,
): string | undefined {
  // A refusal of a kind that the reference names belongs to the operation itself.
  const declared = operation.responses[status] ?? (status >= 400 && !(status in REFUSALS) ? operation.responses.default : undefined);
  const where = `${operation.operationId} ${status}`;
  if (!declared) return `${where} is not declared`;
  if (!declared.content) return body === undefined ? undefined : `${where} is declared to have no body`;
  const content = declared.content[type];
  if (!content) return `${where} is declared to be ${Object.keys(declared.content)}, but is ${type}`;
  if (type !== 'application/json') return undefined;
  const wrong = fits(where, content.schema, body);
  return wrong && `${where}: ${wrong}`;
}

/** What is wrongly encoded stays as it is. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
