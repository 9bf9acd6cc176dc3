/**
 * THE FRONT DOOR: Hono, built from declared routes.
 *
 *   request -> headers, CORS -> foreign origin? 403 -> authentication: 401 (before any 404)
 *           -> body and query parsed once -> handler -> JSON
 *
 * Nothing here knows what the routes do; every error ends in `errors.ts`.
 */
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { z } from 'zod';
import { nameIn, parseJson, readText } from '../http/body.ts';
import { answerTo, Problem } from '../http/errors.ts';
import { frontPage, isLooking } from '../http/front-page.ts';
import { createKeys, type Keys } from '../http/idempotency.ts';
import { referenceRoutes } from '../http/openapi/routes.ts';
import { checkHost, isForeign } from '../http/origin.ts';
import { parse } from '../http/parse.ts';
import { readQuery } from '../http/query.ts';
import { type ApiContext, type Call, neededFor, type Route, type Surface, type Surroundings, type User } from '../http/route.ts';
import type { Center } from '../http/route-context.ts';
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import { ACCESS } from '../protocol/rest/endpoint.ts';
import { Unauthorized } from '../protocol/rest/responses.ts';
import { opens } from '../security/api-tokens.ts';
import { type Auth, tokenIn } from '../security/authentication.ts';
import { seesSecrets, withoutSecrets } from '../security/secrets.ts';
import { createArrivals } from './commands/read-after-write.ts';
import { elasticjobRoutes } from './elasticjob/routes.ts';
import { v1Routes } from './v1/routes.ts';

export type Api = Hono<{ Bindings: Surroundings }>;

/**
 * The doors to the product. `extra` are native routes that need more than a Center: those of feed
 * and output. A further dialect is one more entry.
 */
export function surfacesOf(center: Center, extra: readonly Route[] = []): Surface[] {
  const desk = { ...center, inTurn: createKeyedMutex(), arrived: createArrivals(center) };
  const surfaces: Surface[] = [
    {
      routes: [...extra, ...v1Routes(desk), ...referenceRoutes(() => surfaces)],
    },
    {
      routes: elasticjobRoutes(desk),
      lenient: true,
      unauthorized: Unauthorized,
    },
  ];
  return surfaces;
}

/** All routes in the order in which they are tried. */
export const allRoutes = (center: Center, extra: readonly Route[] = []): Route[] =>
  surfacesOf(center, extra).flatMap(({ routes }) => routes);

/**
 * Serve it with `app.fetch(request, {address, server})`. Throws for a route that does not say who
 * may call it.
 */
export function createApp({ center, extra }: { center: Center; extra?: readonly Route[] }): Api {
  const { auth, config, log } = center;
  const keys = createKeys(center);
  const app: Api = new Hono<{ Bindings: Surroundings }>({ strict: false });

  app.use(async (c, next) => {
    await next();
    for (const [name, value] of SECURITY) if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  // Before CORS, which answers preflights.
  app.use(async (c, next) => {
    checkHost(c.req.raw, config);
    await next();
  });
  if (config.cors.length > 0) {
    app.use(
      cors({ origin: [...config.cors], allowHeaders: ['Content-Type', 'Authorization', 'accessToken', 'Idempotency-Key'], maxAge: 600 }),
    );
  }
  app.use(async (c, next) => {
    if (isForeign(c.req.raw, config)) {
      throw new Problem('forbidden', 'this origin may not change anything here; TROUPE_CORS names those that may');
    }
    await next();
  });

  for (const { routes, lenient = false } of surfacesOf(center, extra)) {
    for (const route of routes) {
      if (!ACCESS.includes(route.access)) throw new Error(`${route.method} ${route.path} does not say who may call it`);
      app.on(route.method, route.path, c => serve(route, c, { auth, keys, lenient }));
    }
  }

  // Whoever may not come in is not told what is there.
  app.notFound(async c => {
    if (c.req.path === '/' && isLooking(c.req.raw)) return frontPage(c.req.raw);
    if (!(await callerOf(c, auth))) throw new Problem('unauthorized', UNAUTHORIZED);
    const { method, path } = c.req;
    throw new Problem('notFound', `there is no ${method} ${path.length > PATH_SHOWN ? `${path.slice(0, PATH_SHOWN)}…` : path} here`);
  });
  app.onError((error, c) => {
    const answer = answerTo(error, c.req.path.startsWith('/api/') || c.req.path === '/api' ? 'elasticjob' : 'v1');
    if (answer.fault) log.error('request failed', { method: c.req.method, path: c.req.path, error });
    return c.body(JSON.stringify(answer.body), answer.status as 500, {
      ...answer.headers,
      'Content-Type': 'application/json; charset=utf-8',
    });
  });
  return app;
}

const UNAUTHORIZED = 'a valid token is needed: header "Authorization: Bearer ..." or "accessToken"; POST /v1/login gives one';

const SECURITY = Object.entries({
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
});

/** Longest part of an unknown path that its refusal repeats. */
const PATH_SHOWN = 200;

/** Longest Idempotency-Key. */
const KEY_MAX = 200;

async function serve(
  route: Route,
  c: ApiContext,
  { auth, keys, lenient }: { auth: Auth; keys: Keys; lenient: boolean },
): Promise<Response> {
  // What anybody may call asks the store nothing about a token: health and readiness answer for
  // themselves, also while the store is away.
  const user = route.access === 'user' ? await callerOf(c, auth) : undefined;
  if (route.access === 'user' && !user) throw new Problem('unauthorized', UNAUTHORIZED);
  checkScope(route, user);
  const key = c.req.header('idempotency-key');
  if (key !== undefined && (key === '' || key.length > KEY_MAX)) {
    throw new Problem('invalid', `Idempotency-Key must be 1 to ${KEY_MAX} characters.`, { field: 'Idempotency-Key' });
  }
  const call: Call = {
    params: c.req.param(),
    query: lenient
      ? route.query && parse(route.query, c.req.query(), 'query')
      : readQuery(route.query, c.req.url, `${route.method} ${route.path}`),
    body: route.body ? await bodyOf(route, route.body, c) : lenient ? undefined : await noBodyOf(c),
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
      text: JSON.stringify(await route.handle({ ...call, claim } as Call<never, never, never>)),
    }));
    return c.body(text, status as 200, JSON_TYPE);
  }
  const whole = await route.handle(call as Call<never, never, never>);
  if (whole instanceof Response) return whole;
  const value = user && !seesSecrets(user) ? withoutSecrets(whole) : whole;
  if (status === 204) return c.body(null, status);
  return c.body(JSON.stringify(value), status, JSON_TYPE);
}

/** Throws Problem `forbidden` unless the token's scope allows the route; a login allows all. */
function checkScope(route: Route, user: User | undefined): void {
  if (user?.scope === undefined) return;
  const needed = neededFor(route);
  // A token that creates tokens would outlive its own expiry.
  if (needed === 'login') throw new Problem('forbidden', 'a token cannot create or delete tokens; log in for that');
  if (!opens(user.scope, needed)) {
    throw new Problem('forbidden', `the scope of this token is "${user.scope}", but must be "${needed}" for this request`);
  }
}

const JSON_TYPE = { 'Content-Type': 'application/json; charset=utf-8' };

async function bodyOf(route: Route, schema: NonNullable<Route['body']>, c: ApiContext): Promise<unknown> {
  const { text } = await readText(c.req.raw, route.bodyIsName ? 'lenient' : route.patches ? 'patch' : 'json');
  return route.bodyIsName ? parse(schema, nameIn(text), 'the name') : parse(schema, parseJson(text));
}

const Nothing = z.strictObject({}, 'empty: nothing is taken here').nullish();

/** Where no body is taken, what it asks for would seem to have been heeded. */
async function noBodyOf(c: ApiContext): Promise<void> {
  if (c.req.method === 'GET' || !c.req.raw.body) return;
  const { text } = await readText(c.req.raw, 'lenient');
  parse(Nothing, parseJson(text));
}

const addressOf = (c: ApiContext): string => c.env?.address ?? 'unknown';

const callerOf = (c: ApiContext, auth: Auth): ReturnType<Auth['who']> => auth.who(tokenIn(c.req.raw));
