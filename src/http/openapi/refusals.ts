/** The refusals of an operation: those that its declaration implies, and those that it adds. */
import type { Route } from '../route.ts';
import type { SurfaceRules } from '../surface.ts';

/** Descriptions of the statuses. */
export const REFUSALS = {
  400: 'The request is invalid; the body names the field.',
  401: 'The token is missing or invalid.',
  403: 'The token or the origin may not do this.',
  404: 'The resource does not exist.',
  409: 'The state of the resource does not allow this, or its stored state cannot be read.',
  413: 'The body is too large.',
  415: 'The media type of the body is not supported.',
  416: 'The range has no byte of the content.',
  429: 'Too many requests, or a full queue; retry after `Retry-After` seconds.',
  503: 'The store is unavailable, or this center does not serve; retry after `Retry-After` seconds.',
} as const;
export type Refusal = keyof typeof REFUSALS;

type Declared = Pick<Route, 'method' | 'path' | 'access' | 'query' | 'body' | 'takesBytes' | 'takesKey' | 'refusals' | 'tag'>;

export function refusalsOf(route: Declared, { lenient, trimsParams, readBody }: SurfaceRules): Refusal[] {
  const { method, path, access, query, body, takesBytes, takesKey, refusals = [], tag } = route;
  const isNamed = path.includes(':');
  const changes = method !== 'GET';
  const answersAlways = tag === 'center' && path !== '/v1/ready';
  const follows: Record<Refusal, boolean> = {
    400: !lenient || (trimsParams === true && isNamed) || query !== undefined || body !== undefined || takesKey === true,
    401: access === 'user',
    403: access === 'user' || changes,
    404: isNamed || body !== undefined,
    409: isNamed || body !== undefined || takesBytes !== undefined,
    413: body !== undefined || changes,
    // A surface that reads bodies in its own way takes every media type.
    415: readBody === undefined && takesBytes === undefined && (body !== undefined || changes),
    416: false,
    429: changes && access === 'user',
    503: !answersAlways,
  };
  return (Object.keys(REFUSALS).map(Number) as Refusal[]).filter(status => follows[status] || refusals.includes(status));
}
