/** The APIs of the center: `/v1`, and the dialects of other systems. */
import { nativeErrors } from '../http/errors.ts';
import { referenceRoutes } from '../http/openapi/routes.ts';
import { loadSurfaces, type Route, type Surfaces } from '../http/route.ts';
import { NATIVE_HEADERS, type SurfaceRules } from '../http/surface.ts';
import { createBoundedSet } from '../lib/bounded-map.ts';
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import { cloudtaskRules } from './cloudtask/rules.ts';
import { KNOWN_JOBS_MAX } from './commands/jobs.ts';
import { createWaitUntilVisible } from './commands/read-after-write.ts';
import { elasticjobRules } from './elasticjob/rules.ts';
import type { Center, RouteContext } from './route-context.ts';
import { sessionRoutes } from './v1/session.ts';

const v1Rules: SurfaceRules = { prefix: '/v1', errors: nativeErrors, corsHeaders: NATIVE_HEADERS };

/** The rules of every surface, for a start that has no routes yet. `/v1` has the paths of none. */
export const RULES = [v1Rules, elasticjobRules, cloudtaskRules] as const;

/**
 * `extra`: routes of `/v1` that need more than a Center: feed, output and metrics. A further
 * dialect is one more entry. A start loads the rules of each, and what callers ask of a center that
 * has just started.
 */
export function surfacesOf(center: Center, extra: readonly Route[] = []): Surfaces {
  const context: RouteContext = {
    ...center,
    inTurn: createKeyedMutex(),
    waitUntilVisible: createWaitUntilVisible(center),
    knownJobs: createBoundedSet(KNOWN_JOBS_MAX),
  };
  const surfaces: Surfaces = [
    {
      ...v1Rules,
      routes: [...extra, ...sessionRoutes(context), ...referenceRoutes(() => loadSurfaces(surfaces))],
      load: async () => (await import('./v1/routes.ts')).v1Routes(context),
    },
    { ...elasticjobRules, routes: [], load: async () => (await import('./elasticjob/routes.ts')).elasticjobRoutes(context) },
    { ...cloudtaskRules, routes: [], load: async () => (await import('./cloudtask/routes.ts')).cloudtaskRoutes(context) },
  ];
  return surfaces;
}

/** All routes in the order of matching. */
export const allRoutes = async (center: Center, extra: readonly Route[] = []): Promise<Route[]> =>
  (await loadSurfaces(surfacesOf(center, extra))).flatMap(({ routes }) => routes);
