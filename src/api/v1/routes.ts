/** The routes of `/v1` that are loaded at their first request. */

import type { Route } from '../../http/route.ts';
import type { RouteContext } from '../route-context.ts';
import { appRoutes } from './apps.ts';
import { executionRoutes } from './executions.ts';
import { fileRoutes } from './files.ts';
import { historyRoutes } from './history.ts';
import { hostRoutes } from './hosts.ts';
import { jobRoutes } from './jobs.ts';
import { occurrenceRoutes } from './occurrences.ts';
import { poolRoutes } from './pools.ts';
import { postedLogRoutes } from './posted-logs.ts';
import { scheduleRoutes } from './schedules.ts';
import { tokenRoutes } from './tokens.ts';
import { whyRoutes } from './why.ts';

export const v1Routes = (center: RouteContext): Route[] => [
  ...tokenRoutes(center),
  ...jobRoutes(center),
  ...scheduleRoutes(center),
  ...occurrenceRoutes(center),
  ...postedLogRoutes(center),
  ...executionRoutes(center),
  ...appRoutes(center),
  ...fileRoutes(center),
  ...hostRoutes(center),
  ...poolRoutes(center),
  ...historyRoutes(center),
  ...whyRoutes(center),
];
