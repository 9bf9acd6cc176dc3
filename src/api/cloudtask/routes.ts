/** The Cloudtask dialect, `/cloudtask/v2`. */
import type { Route } from '../../http/route.ts';
import type { RouteContext } from '../route-context.ts';
import { jobFileRoutes } from './files.ts';
import { jobActionRoutes } from './job-action.ts';
import { cloudtaskJobRoutes } from './jobs.ts';
import { cloudtaskLogRoutes } from './logs.ts';
import { messageRoutes } from './messages.ts';
import { pingRoutes } from './ping.ts';
import { runtimeDocumentRoutes } from './runtime-documents.ts';
import { runtimeRoutes } from './runtimes.ts';

export const cloudtaskRoutes = (center: RouteContext): Route[] => [
  ...pingRoutes(center),
  ...runtimeRoutes(center),
  ...runtimeDocumentRoutes(center),
  ...jobFileRoutes(center),
  ...cloudtaskLogRoutes(center),
  ...messageRoutes(center),
  // Before `PUT jobs/{jobid}`, which matches its path.
  ...jobActionRoutes(center),
  ...cloudtaskJobRoutes(center),
];
