/**
 * A route is a declaration: method, path, access, request, response. The app is built from these
 * alone, so the reference and a test of every `access` can read the table of all routes.
 */
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Endpoint, Method, Needed, Operation, ParamsOf } from '../protocol/rest/endpoint.ts';
import type { User } from '../security/can.ts';
import type { SurfaceRules } from './surface.ts';

/** The listener's data of a request; the second argument of `app.fetch`. */
export interface ServerBindings {
  /** IP address of the peer. */
  address?: string;
  /** The server of this runtime, for an upgrade of the request to a socket. */
  server?: unknown;
}
export type ApiContext = Context<{ Bindings: ServerBindings }>;

export interface RouteCall<Params = unknown, Query = unknown, Body = unknown> {
  /** URL-decoded. */
  params: Params;
  query: Query;
  body: Body;
  /**
   * The user of the token, `root` without authentication; undefined on `public` and `agent` routes,
   * which need none.
   */
  user: User | undefined;
  /** IP address of the peer; "unknown" when the listener does not know it. */
  address: string;
  /** Header Idempotency-Key. */
  key: string | undefined;
  /** Identifies a request with a key and a body; a created actor stores it. */
  claim?: string;
  c: ApiContext;
}

export interface Route extends Endpoint {
  method: Method;
  /** With `:name` for parameters. Earlier routes win. */
  path: string;
  /** Resolves with a JSON value or a Response. Rejects with errors that `errors.ts` maps. */
  handle(call: RouteCall<never, never, never>): unknown;
}

/** The scope of a route: the declared one, else `read` for GET, `all` for other methods. */
export const neededFor = ({ method, scope }: Pick<Route, 'method' | 'scope'>): Needed => scope ?? (method === 'GET' ? 'read' : 'all');

/** The routes of one API, and its rules. All APIs command the same actors. */
export interface Surface extends SurfaceRules {
  /** Routes that each start loads. They match first. */
  routes: Route[];
  /**
   * The other routes, with schemas that take most of the time to load. The first request that none
   * of `routes` matches loads them, which takes some 40 ms, and so does the reference.
   */
  load?: () => Promise<Route[]>;
}

/** At least one: the first one answers on paths of none. */
export type Surfaces = readonly [Surface, ...Surface[]];

/** With all their routes, in the same order. Rejects when a module cannot be loaded. */
export const loadSurfaces = ([first, ...others]: Surfaces): Promise<[Surface, ...Surface[]]> =>
  Promise.all([wholeOf(first), ...others.map(wholeOf)]);

async function wholeOf({ load, ...surface }: Surface): Promise<Surface> {
  return load ? { ...surface, routes: [...surface.routes, ...(await load())] } : surface;
}

/** The result of a handler that answers 204. */
type Nothing = ReturnType<() => void>;
type Taken<E, Part extends 'query' | 'body'> = E extends Record<Part, infer S extends z.ZodType> ? z.output<S> : undefined;
type Given<E extends Endpoint> = E['answers'] extends () => z.ZodType
  ? z.input<ReturnType<E['answers']>>
  : E['answers'] extends null
    ? Nothing
    : Response;

/**
 * Serves declared operations, each by its name and handler. `body`: a wider schema instead of the
 * declared one, with the same output.
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
