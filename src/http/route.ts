/**
 * A route is a declaration: method, path, who may call it, what it takes, what it answers. The app
 * is built from nothing else, so the table of all routes can be walked: by the test that no route
 * is without `access`, and by whoever writes the reference.
 */
import type { Context } from 'hono';
import type { z } from 'zod';
import type { Scope } from '../security/api-tokens.ts';

export interface User {
  name: string;
  /** What the token of a program opens; absent for whoever is logged in. */
  scope?: Scope;
}

/** What the server knows of a request besides the request; `app.fetch(request, surroundings)`. */
export interface Surroundings {
  /** IP address of the peer. */
  address?: string;
  /** The server of this runtime, for those who upgrade the request to a socket. */
  server?: unknown;
}
export type ApiContext = Context<{ Bindings: Surroundings }>;

/**
 * `public`: anybody. `user`: a valid token (or authentication off). `agent`: the handler asks for
 * the agent's proof itself.
 */
export const ACCESS = ['public', 'user', 'agent'] as const;
type Access = (typeof ACCESS)[number];

type ParamsOf<Path extends string> = Path extends `${string}:${infer Name}/${infer Rest}`
  ? Record<Name, string> & ParamsOf<`/${Rest}`>
  : Path extends `${string}:${infer Name}`
    ? Record<Name, string>
    : unknown;

export interface Call<Params = unknown, Query = unknown, Body = unknown> {
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

export interface Route {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `:name` for parameters. Earlier routes win. */
  path: string;
  access: Access;
  /** See `neededFor`. */
  scope?: Needed;
  /** One sentence for the reference. */
  says: string;
  query?: z.ZodType;
  /** JSON by this schema. */
  body?: z.ZodType;
  /** The body is a patch (RFC 7396) of what this schema takes as a whole. */
  patches?: z.ZodType;
  /** What the reference tells of the body where `body` leaves a part of it to the handler. */
  bodyTold?: z.ZodType;
  /** It starts or creates something, and heeds Idempotency-Key. */
  takesKey?: true;
  /** The body is a name, bare or quoted (ElasticJob). */
  bodyIsName?: true;
  /**
   * What success says: JSON by this schema, no body (null), or texts by their type; of a stream the
   * schema is that of one piece.
   */
  answers: z.ZodType | null | Record<string, z.ZodType>;
  /** What success is called; 200 unless said. 204 sends no body. */
  status?: 200 | 201 | 202 | 204;
  /** Resolves to a JSON value or a whole Response. Rejects with errors that `errors.ts` knows. */
  handle(call: Call<never, never, never>): unknown;
}

/** `login`: closed to tokens of programs, whatever their scope. */
export type Needed = Scope | 'login';

/** The scope of a route: the declared one, else `read` for GET, `all` for other methods. */
export const neededFor = ({ method, scope }: Pick<Route, 'method' | 'scope'>): Needed => scope ?? (method === 'GET' ? 'read' : 'all');

/** Routes of one kind: a door to the same actors, in its own words. */
export interface Surface {
  name: string;
  /** A sentence or two for the reference. */
  says: string;
  routes: Route[];
  /**
   * Whether it passes over what a query has beyond the known parameters, as the system it speaks
   * for does; else that is refused.
   */
  lenient?: true;
  /** What 401 says where clients know another body than ours. */
  unauthorized?: z.ZodType;
}

/** Declares a route; parameters, query and body of the call get their types from it. */
export function route<const Path extends string, Q extends z.ZodType = z.ZodUndefined, B extends z.ZodType = z.ZodUndefined>(
  declaration: Omit<Route, 'path' | 'query' | 'body' | 'handle'> & {
    path: Path;
    query?: Q;
    body?: B;
    handle(call: Call<ParamsOf<Path>, z.output<Q>, z.output<B>>): unknown;
  },
): Route {
  return declaration as Route;
}
