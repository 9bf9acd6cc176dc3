/** `/v1/apps`. */
import type { z } from 'zod';
import type { AppConfig } from '../../../actors/app/types.ts';
import { parse } from '../../http/parse.ts';
import { type Route, serving } from '../../http/route.ts';
import { type App, AppFields, appEndpoints } from '../../protocol/rest/app.ts';
import type { View } from '../../runtime/document.ts';
import { checkAppUrl } from '../commands/app-url.ts';
import { createdBy } from '../commands/create-once.ts';
import { checkCommand } from '../commands/jobs.ts';
import { iso } from '../iso.ts';
import { given } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import { pageOf } from './paging.ts';
import { LEAVE_OUT, patched, type ReadOnly, taking } from './patch.ts';
import { quarantineOf } from './quarantine.ts';
import { released } from './release.ts';

/** Told, but not taken. */
const READ_ONLY = {
  status: { instead: 'set enabled to true or false' },
  jobs: { instead: 'set app of the job', moves: true },
  quarantine: { instead: 'POST /v1/apps/{name}/release ends it' },
  rev: { instead: LEAVE_OUT, moves: true },
  version: { instead: LEAVE_OUT, moves: true },
  createdAt: { instead: LEAVE_OUT },
  updatedAt: { instead: LEAVE_OUT, moves: true },
} as const satisfies ReadOnly;

const AppBody = taking(AppFields, READ_ONLY);

const appShape = ({ context, value, rev, quarantine }: View<'app'>) => ({
  ...context.config,
  enabled: value === 'enabled',
  status: value as App['status'],
  jobs: context.jobs,
  quarantine: quarantineOf({ quarantine }),
  rev,
  version: context.version,
  createdAt: iso(context.createdAt),
  updatedAt: iso(context.updatedAt),
});

const on = serving(appEndpoints);

export function appRoutes(center: RouteContext): Route[] {
  const { views, runtime, config } = center;
  const find = (appName: string) => oneOrNearest(views, 'app', appName);
  const shapeOf = async (appName: string) => appShape(await find(appName));
  const turn = async (appName: string, event: { type: 'app.enable' } | { type: 'app.disable'; kill: boolean }) => {
    const { address } = await find(appName);
    await runtime.ask(address, event);
    return shapeOf(appName);
  };
  const checked = ({ enabled, ...app }: z.output<typeof AppBody>): { app: AppConfig; enabled: boolean } => {
    checkAppUrl(app.url, config, 'url');
    checkCommand(app.command, 'command', { needsProgram: false });
    return { app, enabled };
  };

  return [
    on('GET /v1/apps', async ({ query }) => {
      const page = await views.list('app', { ...given(query), order: 'name' });
      return pageOf(page, appShape);
    }),
    on(
      'POST /v1/apps',
      async ({ body, claim }) => {
        const { app, enabled } = checked(body);
        const address = `app/${app.name}` as const;
        await createdBy(center, address, claim, claimed => runtime.ask(address, { type: 'app.publish', config: app, enabled, ...claimed }));
        return shapeOf(app.name);
      },
      { body: AppBody },
    ),
    on('GET /v1/apps/:name', ({ params }) => shapeOf(params.name)),
    on('PATCH /v1/apps/:name', ({ body, params }) =>
      center.inTurn(`app/${params.name}`, async () => {
        const before = await shapeOf(params.name);
        const { app, enabled } = checked(parse(AppBody, patched(before, body, READ_ONLY)));
        const { name: _, ...changes } = app;
        await runtime.ask(`app/${params.name}`, { type: 'app.modify', changes, ...('enabled' in body ? { enabled } : {}) });
        return shapeOf(params.name);
      }),
    ),
    on('DELETE /v1/apps/:name', async ({ params }) => {
      const { address } = await oneOrNearest(views, 'app', params.name);
      await runtime.ask(address, { type: 'app.delete' });
    }),
    on('POST /v1/apps/:name/enable', ({ params }) => turn(params.name, { type: 'app.enable' })),
    on('POST /v1/apps/:name/disable', ({ params, query }) => turn(params.name, { type: 'app.disable', kill: query.kill })),
    on('POST /v1/apps/:name/release', async ({ params }) => appShape(await released(center, params.name, find))),
  ];
}
