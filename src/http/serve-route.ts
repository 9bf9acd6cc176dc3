/** One request to one route: authentication, parsing, the handler, the response. */
import { z } from 'zod';
import { type Auth, tokenIn } from '../security/authentication.ts';
import { can, type User } from '../security/can.ts';
import { redactSecrets, seesSecrets } from '../security/secrets.ts';
import { nameIn, parseJson, readText } from './body.ts';
import { Problem } from './errors.ts';
import type { IdempotencyKeys } from './idempotency.ts';
import { parse } from './parse.ts';
import { readQuery } from './query.ts';
import { type ApiContext, neededFor, type Route, type RouteCall } from './route.ts';
import type { SurfaceRules } from './surface.ts';

export const UNAUTHORIZED = 'a valid token is needed: header "Authorization: Bearer ..." or "accessToken"; POST /v1/login returns one';

/** Longest Idempotency-Key. */
const KEY_MAX = 200;

/** Answers one request to a route. Throws errors that `errors.ts` maps. */
export async function serve(
  route: Route,
  c: ApiContext,
  { auth, keys, surface }: { auth: Pick<Auth, 'who'>; keys: IdempotencyKeys; surface: SurfaceRules },
): Promise<Response> {
  // A public route does not read the token from the store: health and readiness are served while
  // the store is unavailable, too.
  const user = route.access === 'user' ? await callerOf(c, auth) : undefined;
  if (route.access === 'user' && !user) throw new Problem('unauthorized', UNAUTHORIZED);
  checkScope(route, user);
  const key = c.req.header('idempotency-key');
  if (key !== undefined && (key === '' || key.length > KEY_MAX)) {
    throw new Problem('invalid', `Idempotency-Key must be 1 to ${KEY_MAX} characters.`, { field: 'Idempotency-Key' });
  }
  const call: RouteCall = {
    params: surface.trimsParams ? trimmed(c.req.param()) : c.req.param(),
    query: surface.lenient
      ? route.query && parse(route.query, c.req.query(), 'query')
      : readQuery(route.query, c.req.url, `${route.method} ${route.path}`),
    body: await inputOf(route, c, surface),
    user,
    address: addressOf(c),
    key,
    c,
  };
  const status = route.status ?? 200;
  if (route.takesKey && key !== undefined && route.body) {
    const request = { scope: `${user?.name ?? ''} ${route.method} ${c.req.path}`, key, body: call.body };
    const { text } = await keys.once(request, async claim => ({
      status,
      text: JSON.stringify(await route.handle({ ...call, claim } as RouteCall<never, never, never>)),
    }));
    return c.body(text, status as 200, JSON_TYPE);
  }
  const whole = await route.handle(call as RouteCall<never, never, never>);
  if (whole instanceof Response) return whole;
  const value = user && !seesSecrets(user) ? redactSecrets(whole) : whole;
  if (status === 204) return c.body(null, status);
  return c.body(JSON.stringify(value), status, JSON_TYPE);
}

/**
 * Throws Problem `forbidden` unless the token's scope allows the route; a login allows all routes.
 */
function checkScope(route: Route, user: User | undefined): void {
  if (!user) return;
  const needed = neededFor(route);
  if (can(user, needed)) return;
  // A token that creates tokens would outlive its own expiry.
  if (needed === 'login') throw new Problem('forbidden', 'a token cannot create or delete tokens; log in for that');
  throw new Problem('forbidden', `the scope of this token is "${user.scope}", but must be "${needed}" for this request`);
}

const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };

/** Throws Problem `invalid` for a blank parameter. */
function trimmed(params: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(params).map(([name, value]) => {
      if (value.trim() === '') throw new Problem('invalid', `${name} in the path is blank, but must not be.`, { field: name });
      return [name, value.trim()];
    }),
  );
}

/** The parsed body; undefined where the handler streams it, or where there is none. */
async function inputOf(route: Route, c: ApiContext, surface: SurfaceRules): Promise<unknown> {
  if (route.takesBytes !== undefined) return undefined;
  if (route.body) return bodyOf(route, route.body, c, surface);
  return surface.lenient ? undefined : noBodyOf(c);
}

async function bodyOf(route: Route, schema: z.ZodType, c: ApiContext, { readBody }: SurfaceRules): Promise<unknown> {
  if (readBody) return parse(schema, await readBody(c.req.raw, schema, route.bodyLimits));
  const { text } = await readText(c.req.raw, route.bodyIsName ? 'lenient' : route.patches ? 'patch' : 'json', route.bodyLimits?.bytes);
  return route.bodyIsName ? parse(schema, nameIn(text), 'the name') : parse(schema, parseJson(text));
}

const Nothing = z.strictObject({}, 'empty: this route takes no body').nullish();

/** Refuses a body that the route would ignore: its client expects an effect. */
async function noBodyOf(c: ApiContext): Promise<void> {
  if (c.req.method === 'GET' || !c.req.raw.body) return;
  const { text } = await readText(c.req.raw, 'lenient');
  parse(Nothing, parseJson(text));
}

const addressOf = (c: ApiContext): string => c.env?.address ?? 'unknown';

/** The user of the request's token; undefined: no token, or an invalid one. */
export const callerOf = (c: ApiContext, auth: Pick<Auth, 'who'>): ReturnType<Auth['who']> => auth.who(tokenIn(c.req.raw));
