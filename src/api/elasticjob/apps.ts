/** `/api/app`: publish, modify, read, enable, disable, delete. */
import { type Route, serving } from '../../http/route.ts';
import { deleteApp, disableApp, enableApp, modifyApp, publishApp } from '../commands/apps.ts';
import { all, one } from '../lookup.ts';
import type { RouteContext } from '../route-context.ts';
import { DONE } from './answers.ts';
import { appConfigOf, appFields, appJson, changesOf } from './app-body.ts';
import { cloudAppEndpoints } from './endpoints.ts';

const on = serving(cloudAppEndpoints);

export const cloudAppRoutes = (center: RouteContext): Route[] => [
  on('POST /api/app', async ({ body, claim }) => {
    await publishApp(center, appConfigOf(body), appFields, { claim });
    return DONE;
  }),
  on('PUT /api/app', ({ body }) =>
    center.inTurn(`app/${body.appName}`, async () => {
      const app = await one(center.views, 'app', body.appName);
      await modifyApp(center, app, changesOf(body, app.context.config), appFields);
      return DONE;
    }),
  ),
  on('GET /api/app/list', async () => (await all(center.views, 'app', { order: 'name' })).map(view => appJson(view.context.config))),
  on('GET /api/app/:appName', async ({ params }) => appJson((await one(center.views, 'app', params.appName)).context.config)),
  on('GET /api/app/:appName/disable', async ({ params }) => (await one(center.views, 'app', params.appName)).value !== 'enabled'),
  on('POST /api/app/:appName/disable', async ({ params, query }) => {
    await disableApp(center, await one(center.views, 'app', params.appName), query);
    return DONE;
  }),
  on('POST /api/app/:appName/enable', async ({ params }) => {
    await enableApp(center, await one(center.views, 'app', params.appName));
    return DONE;
  }),
  on('DELETE /api/app/:appName', async ({ params }) => {
    await deleteApp(center, await one(center.views, 'app', params.appName));
    return DONE;
  }),
];
