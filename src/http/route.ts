/**
 * A route is a declaration: method, path, who may call it, what it takes, what it answers. The app
 * is built from nothing else, so the table of all routes can be walked: by the test that no route
 * is without `access`, and by whoever writes the reference.
 */
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Endpoint, Method, Needed, Operation, ParamsOf } from '../protocol/rest/endpoint.ts';
import type { User } from '../security/can.ts';

/** What the server knows of a request besides the request; `app.fetch(request, surroundings)`. */
export interface ServerBindings {
  /** IP address of the peer. */
  address?: string;
  /** The server of this runtime, for those who upgrade the request to a socket. */
  server?: unknown;
}
export type ApiContext = Context<{ Bindings: ServerBindings }>;

export interface RouteCall<Params = unknown, Query = unknown, Body = unknown> {
  /** URL-decoded. */
  params: Params;
  query: Query;
  body: Body;
  /**
   * Whom the token names, `root` where everybody is root; undefined on `public` and `agent` routes,
   * which ask for no user.
   */
  user: User | undefined;
  /** IP address of the peer, "unknown" when the server does not say. */
  address: string;
  /** Header Idempotency-Key. */
  key: string | undefined;
  /** Names this very request where it has a key and a body: what it creates carries it. */
  claim?: string;
  c: ApiContext;
}

export interface Route extends Endpoint {
  method: Method;
  /** With `:name` for parameters. Earlier routes win. */
  path: string;
  /** The body is a name, bare or quoted (ElasticJob). */
  bodyIsName?: true;
  /** Resolves to a JSON value or a whole Response. Rejects with errors that `errors.ts` knows. */
  handle(call: RouteCall<never, never, never>): unknown;
}

/** The scope of a route: the declared one, else `read` for GET, `all` for other methods. */
export const neededFor = ({ method, scope }: Pick<Route, 'method' | 'scope'>): Needed => scope ?? (method === 'GET' ? 'read' : 'all');

/** Routes of one kind: a door to the same actors, in its own words. */
export interface Surface {
  routes: Route[];
  /**
   * Whether it passes over what a query has beyond the known parameters, as the system it speaks
   * for does; else that is refused.
   */
  lenient?: true;
  /** What 401 says where clients know another body than ours. */
  unauthorized?: () => z.ZodType;
}

/** Declares a route of a dialect; the call gets its types from it. */
export function route<const Path extends string, Q extends z.ZodType = z.ZodUndefined, B extends z.ZodType = z.ZodUndefined>(
  declaration: Omit<Route, 'path' | 'query' | 'body' | 'handle'> & {
    path: Path;
    query?: Q;
    body?: B;
    handle(call: RouteCall<ParamsOf<Path>, z.output<Q>, z.output<B>>): unknown;
  },
): Route {
  return declaration as Route;
}

/** Of a handler that answers 204. */
type Nothing = ReturnType<() => void>;
type Taken<E, Part extends 'query' | 'body'> = E extends Record<Part, infer S extends z.ZodType> ? z.output<S> : undefined;
type Given<E extends Endpoint> = E['answers'] extends () => z.ZodType
  ? z.input<ReturnType<E['answers']>>
  : E['answers'] extends null
    ? Nothing
    : Response;

/**
 * Serves declared operations of `/v1`: each by its name and what it does. `body`: a schema in place
 * of the declared one that takes more than that and gives the same.
 */
export const serving =
  <const E extends Readonly<Record<Operation, Endpoint>>>(declared: E) =>
  <const K extends keyof E & Operation>(
    operation: K,
    handle: (call: RouteCall<ParamsOf<K>, Taken<E[K], 'query'>, Taken<E[K], 'body'>>) => Given<E[K]> | Promise<Given<E[K]>>,
    { body }: { body?: z.ZodType<Taken<E[K], 'body'>> } = {},
  ): Route => {
    const [method, path] = operation.split(' ') as [Method, string];
    return { ...(declared[operation] as Endpoint), method, path, ...(body ? { body } : {}), handle };
  };
