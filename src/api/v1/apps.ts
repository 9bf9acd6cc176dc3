/** `/v1/apps`. */
import type { z } from 'zod';
import { parse } from '../../http/parse.ts';
import { type Route, serving } from '../../http/route.ts';
import { type App, AppFields, appEndpoints } from '../../protocol/rest/app.ts';
import type { View } from '../../runtime/document.ts';
import { type AppFieldNames, deleteApp, disableApp, enableApp, modifyApp, publishApp } from '../commands/apps.ts';
import { toIso } from '../iso.ts';
import { presentFields } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import { pageOf } from './paging.ts';
import { LEAVE_OUT, patched, type ReadOnlyOf, taking } from './patch.ts';
import { quarantineOf } from './quarantine.ts';
import { released } from './release.ts';

/** Fields of responses alone. */
const READ_ONLY = {
  status: { instead: 'set enabled to true or false' },
  jobs: { instead: 'set app of the job', moves: true },
  quarantine: { instead: 'POST /v1/apps/{name}/release ends it' },
  rev: { instead: LEAVE_OUT, moves: true },
  version: { instead: LEAVE_OUT, moves: true },
  createdAt: { instead: LEAVE_OUT },
  updatedAt: { instead: LEAVE_OUT, moves: true },
} as const satisfies ReadOnlyOf<App, z.output<typeof AppFields>>;

const AppBody = taking(AppFields, READ_ONLY);

const appShape = ({ context, value, rev, quarantine }: View<'app'>) => ({
  ...context.config,
  enabled: value === 'enabled',
  status: value as App['status'],
  jobs: context.jobs,
  quarantine: quarantineOf({ quarantine }),
  rev,
  version: context.version,
  createdAt: toIso(context.createdAt),
  updatedAt: toIso(context.updatedAt),
});

const fields: AppFieldNames = { url: 'url', command: 'command' };

const on = serving(appEndpoints);

export function appRoutes(center: RouteContext): Route[] {
  const { views } = center;
  const find = (appName: string) => oneOrNearest(views, 'app', appName);
  const shapeOf = async (appName: string) => appShape(await find(appName));

  return [
    on('GET /v1/apps', async ({ query }) => {
      const page = await views.list('app', { ...presentFields(query), order: 'name' });
      return pageOf(page, appShape);
    }),
    on(
      'POST /v1/apps',
      async ({ body, claim }) => {
        const { enabled, ...app } = body;
        await publishApp(center, app, fields, { claim, enabled });
        return shapeOf(app.name);
      },
      { body: AppBody },
    ),
    on('GET /v1/apps/:name', ({ params }) => shapeOf(params.name)),
    on('PATCH /v1/apps/:name', ({ body, params }) =>
      center.inTurn(`app/${params.name}`, async () => {
        const before = await find(params.name);
        const { name: _, enabled, ...changes } = parse(AppBody, patched(appShape(before), body, READ_ONLY));
        await modifyApp(center, before, changes, fields, 'enabled' in body ? enabled : undefined);
        return shapeOf(params.name);
      }),
    ),
    on('DELETE /v1/apps/:name', async ({ params }) => deleteApp(center, await find(params.name))),
    on('POST /v1/apps/:name/enable', async ({ params }) => {
      await enableApp(center, await find(params.name));
      return shapeOf(params.name);
    }),
    on('POST /v1/apps/:name/disable', async ({ params, query }) => {
      await disableApp(center, await find(params.name), query);
      return shapeOf(params.name);
    }),
    on('POST /v1/apps/:name/release', async ({ params }) => appShape(await released(center, params.name, find))),
  ];
}
