/** The ElasticJob-Cloud dialect, `/api`: bodies of ElasticJob, errors of `/v1`. */
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import type { RouteContext } from '../route-context.ts';
import { cloudAppRoutes } from './apps.ts';
import { cloudLoginEndpoints } from './endpoints.ts';
import { cloudJobRoutes } from './jobs.ts';
import { cloudTaskRoutes } from './tasks.ts';

const on = serving(cloudLoginEndpoints);

export const elasticjobRoutes = (center: RouteContext): Route[] => [
  on('POST /api/login', async ({ body, address }) => {
    if (center.config.auth === 'on' && (body.username === '' || body.password === '')) {
      throw new Problem('unauthorized', 'user or password is wrong');
    }
    const { token } = await center.auth.login(body.username, body.password, address);
    return { accessToken: token };
  }),
  ...cloudAppRoutes(center),
  // Before the routes of jobs, which would match `tasks` as a name.
  ...cloudTaskRoutes(center),
  ...cloudJobRoutes(center),
];
