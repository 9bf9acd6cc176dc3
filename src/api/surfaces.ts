/** The APIs of the center: `/v1`, and the dialects of other systems. */
import { referenceRoutes } from '../http/openapi/routes.ts';
import type { Route, Surface } from '../http/route.ts';
import { createBoundedSet } from '../lib/bounded-map.ts';
import { createKeyedMutex } from '../lib/keyed-mutex.ts';
import { KNOWN_JOBS_MAX } from './commands/jobs.ts';
import { createWaitUntilVisible } from './commands/read-after-write.ts';
import { Unauthorized } from './elasticjob/answers.ts';
import { elasticjobRoutes } from './elasticjob/routes.ts';
import type { Center, RouteContext } from './route-context.ts';
import { v1Routes } from './v1/routes.ts';

/**
 * `extra`: routes of `/v1` that need more than a Center: feed, output and metrics. A further
 * dialect is one more entry.
 */
export function surfacesOf(center: Center, extra: readonly Route[] = []): Surface[] {
  const context: RouteContext = {
    ...center,
    inTurn: createKeyedMutex(),
    waitUntilVisible: createWaitUntilVisible(center),
    knownJobs: createBoundedSet(KNOWN_JOBS_MAX),
  };
  const surfaces: Surface[] = [
    {
      routes: [...extra, ...v1Routes(context), ...referenceRoutes(() => surfaces)],
    },
    {
      routes: elasticjobRoutes(context),
      lenient: true,
      unauthorized: Unauthorized,
    },
  ];
  return surfaces;
}

/** All routes in the order of matching. */
export const allRoutes = (center: Center, extra: readonly Route[] = []): Route[] =>
  surfacesOf(center, extra).flatMap(({ routes }) => routes);
