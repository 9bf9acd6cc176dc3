/** Which refusals an operation may answer with: by its declaration, and what it adds. */
import type { Route } from '../route.ts';

/** What each status means here. */
export const REFUSALS = {
  400: 'The request is wrong; `field` says where.',
  401: 'No token, or none that is valid.',
  403: 'The token, or the origin of the page, may not do this.',
  404: 'There is none of that name.',
  409: 'Its state has no use for this now, or it cannot be read.',
  413: 'The body is too large.',
  415: 'The body has another type.',
  429: 'Too much at once; `Retry-After` says when to ask again.',
  503: 'Nothing can be stored or read right now; `Retry-After` says when to ask again.',
} as const;
export type Refusal = keyof typeof REFUSALS;

export interface Rules {
  /** Whether the dialect passes over parameters of a query that it does not know. */
  lenient: boolean;
}

type Declared = Pick<Route, 'method' | 'path' | 'access' | 'query' | 'body' | 'takesKey' | 'refusals' | 'tag'>;

export function refusalsOf(route: Declared, { lenient }: Rules): Refusal[] {
  const { method, path, access, query, body, takesKey, refusals = [], tag } = route;
  const isNamed = path.includes(':');
  const changes = method !== 'GET';
  const answersAlways = tag === 'center' && path !== '/v1/ready';
  const follows: Record<Refusal, boolean> = {
    400: !lenient || query !== undefined || body !== undefined || takesKey === true,
    401: access === 'user',
    403: access === 'user' || changes,
    404: isNamed || body !== undefined,
    409: isNamed || body !== undefined,
    413: body !== undefined || changes,
    415: body !== undefined || changes,
    429: changes && access === 'user',
    503: !answersAlways,
  };
  return (Object.keys(REFUSALS).map(Number) as Refusal[]).filter(status => follows[status] || refusals.includes(status));
}
