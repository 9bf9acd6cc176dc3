/**
 * The HTTP server as a Hono app with the routes of all surfaces. Order of checks: Host, preflight,
 * Origin, token, scope, query, body.
 */
import { Hono } from 'hono';
import { cors } from 'hono/cors';
import { getPath } from 'hono/utils/url';
import type { Config } from '../config/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../lib/log.ts';
import { onceLoaded } from '../lib/once-loaded.ts';
import { ACCESS } from '../protocol/rest/endpoint.ts';
import type { Auth } from '../security/authentication.ts';
import { errorResponse, Problem } from './errors.ts';
import { frontPage, isLooking } from './front-page.ts';
import { createIdempotencyKeys, type IdempotencyStore } from './idempotency.ts';
import { checkHost, isForeign } from './origin.ts';
import type { ApiContext, Route, ServerBindings, Surface, Surfaces } from './route.ts';
import { callerOf, serve, UNAUTHORIZED } from './serve-route.ts';
import { type SurfaceRules, surfaceAt } from './surface.ts';

export type Api = Hono<{ Bindings: ServerBindings }>;

export interface AppParts {
  surfaces: Surfaces;
  auth: Pick<Auth, 'who'>;
  config: Pick<Config, 'auth' | 'cors'>;
  log: Pick<Log, 'error'>;
  /** Keeps the idempotency keys. */
  store: IdempotencyStore;
  clock: Clock;
}

/**
 * `app.fetch(request, {address, server})` serves a request. Throws for a route that does not
 * declare its access.
 */
export function createApp({ surfaces, auth, config, log, store, clock }: AppParts): Api {
  const keys = createIdempotencyKeys({ store, clock });
  const createHono = (): Api => new Hono<{ Bindings: ServerBindings }>({ getPath: request => pathOf(request, surfaces) });
  const app = createHono();

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
    const [first, ...others] = surfaces;
    const allowing = <S extends SurfaceRules>(surface: S) => ({
      ...surface,
      cors: cors({ origin: [...config.cors], allowHeaders: [...surface.corsHeaders], maxAge: 600 }),
    });
    const allowed = [allowing(first), ...others.map(allowing)] as const;
    app.use((c, next) => surfaceAt(allowed, c.req.path).cors(c, next));
  }
  app.use(async (c, next) => {
    if (isForeign(c.req.raw, config)) {
      throw new Problem('forbidden', 'this origin may not change anything; add it to TROUPE_CORS to allow it');
    }
    await next();
  });

  const addRoutes = (to: Api, surface: SurfaceRules, routes: readonly Route[]) => {
    for (const route of routes) {
      if (!ACCESS.includes(route.access)) throw new Error(`${route.method} ${route.path} declares no access`);
      to.on(route.method, route.path, c => serve(route, c, { auth, keys, surface }));
    }
  };
  // A caller without a token does not learn which paths exist.
  const notFound = async (c: ApiContext): Promise<Response> => {
    if (c.req.path === '/' && isLooking(c.req.raw)) return frontPage(c.req.raw);
    if (!(await callerOf(c, auth))) throw new Problem('unauthorized', UNAUTHORIZED);
    const { method, path } = c.req;
    throw new Problem('notFound', `route not found: ${method} ${path.length > PATH_SHOWN ? `${path.slice(0, PATH_SHOWN)}…` : path}`);
  };
  /** The app of routes that are loaded later. Errors are those of the app around it. */
  const createInner = async (surface: Surface, load: () => Promise<Route[]>): Promise<Api> => {
    const inner = createHono();
    addRoutes(inner, surface, await load());
    inner.notFound(notFound);
    inner.onError(error => {
      throw error;
    });
    return inner;
  };
  for (const surface of surfaces) {
    const { prefix, routes, load } = surface;
    addRoutes(app, surface, routes);
    if (!load) continue;
    const inner = onceLoaded(() => createInner(surface, load));
    app.all(`${prefix}/*`, async c => (await inner()).fetch(c.req.raw, c.env));
  }
  app.notFound(notFound);
  app.onError((error, c) => {
    const answer = errorResponse(error, surfaceAt(surfaces, c.req.path).errors);
    if (answer.fault) log.error('request failed', { method: c.req.method, path: c.req.path, error });
    return c.body(JSON.stringify(answer.body), answer.status as 500, {
      ...answer.headers,
      'Content-Type': 'application/json; charset=utf-8',
    });
  });
  return app;
}

/** The path that routes are matched with, decoded. */
function pathOf(request: Request, surfaces: Surfaces): string {
  const path = getPath(request);
  return path.length > 1 && path.endsWith('/') && !surfaceAt(surfaces, path).exactPaths ? path.slice(0, -1) : path;
}

const SECURITY = Object.entries({
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Referrer-Policy': 'no-referrer',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Cache-Control': 'no-store',
});

/** Characters of an unknown path that its refusal quotes. */
const PATH_SHOWN = 200;
