/** `/v1/apps`. */
import { z } from 'zod';
import type { AppConfig } from '../../../actors/app/types.ts';
import { parse } from '../../http/parse.ts';
import { type Route, route } from '../../http/route.ts';
import type { Desk } from '../../http/route-context.ts';
import { appCommand, choices, cpus, flag, iso, memoryMB, name, queryFlag, text, whole } from '../../protocol/rest/fields.ts';
import { quarantineOf } from '../../protocol/rest/quarantine.ts';
import { listOf } from '../../protocol/rest/responses.ts';
import { secret } from '../../protocol/rest/secrets.ts';
import { App } from '../../protocol/rest/things.ts';
import type { View } from '../../runtime/document.ts';
import { checkAppUrl } from '../commands/app-url.ts';
import { createdBy } from '../commands/create-once.ts';
import { checkCommand } from '../commands/jobs.ts';
import { given } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import { type Page, pageOf, paging } from './paging.ts';
import { LEAVE_OUT, PatchBody, patched, type ReadOnly, taking } from './patch.ts';
import { releaseRoute } from './release.ts';

const digest = '64 hex digits';

const resources = () =>
  z.strictObject({ cpus: cpus().default(1), memoryMB: memoryMB().default(128) }, 'an object {cpus, memoryMB}').prefault({});

const AppFields = z.strictObject(
  {
    name: name(),
    url: secret(text(4096, 1)),
    sha256: z
      .string(digest)
      .regex(/^[0-9a-fA-F]{64}$/, digest)
      .transform(hex => hex.toLowerCase())
      .nullable()
      .default(null),
    command: appCommand(),
    resources: resources(),
    cache: flag().default(true),
    traceEvery: whole(0, 2 ** 31 - 1).default(0),
    description: text(10_000).default(''),
    enabled: flag().default(true),
  },
  'a JSON object',
);

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
  status: String(value),
  jobs: context.jobs,
  quarantine: quarantineOf({ quarantine }),
  rev,
  version: context.version,
  createdAt: iso(context.createdAt),
  updatedAt: iso(context.updatedAt),
});

const ListQuery = z.object({ ...paging, status: choices(['enabled', 'disabled', 'deleting']).optional() });
export const KillQuery = z.object({ kill: queryFlag().default(false) });

export function appRoutes(center: Desk): Route[] {
  const { views, runtime, config } = center;
  const shapeOf = async (appName: string) => appShape(await oneOrNearest(views, 'app', appName));
  const turn = async (appName: string, event: { type: 'app.enable' } | { type: 'app.disable'; kill: boolean }) => {
    const { address } = await oneOrNearest(views, 'app', appName);
    await runtime.ask(address, event);
    return shapeOf(appName);
  };
  const checked = ({ enabled, ...app }: z.output<typeof AppBody>): { app: AppConfig; enabled: boolean } => {
    checkAppUrl(app.url, config, 'url');
    checkCommand(app.command, 'command', { needsProgram: false });
    return { app, enabled };
  };

  return [
    route({
      method: 'GET',
      path: '/v1/apps',
      access: 'user',
      says: 'Apps by name.',
      answers: listOf(App),
      query: ListQuery,
      async handle({ query }): Promise<Page<unknown>> {
        const page = await views.list('app', { ...given(query), order: 'name' });
        return pageOf(page, appShape);
      },
    }),
    route({
      method: 'POST',
      path: '/v1/apps',
      access: 'user',
      says: 'Publishes an app.',
      answers: App,
      takesKey: true,
      body: AppBody,
      status: 201,
      async handle({ body, claim }) {
        const { app, enabled } = checked(body);
        const address = `app/${app.name}` as const;
        await createdBy(center, address, claim, claimed => runtime.ask(address, { type: 'app.publish', config: app, enabled, ...claimed }));
        return shapeOf(app.name);
      },
    }),
    route({
      method: 'GET',
      path: '/v1/apps/:name',
      access: 'user',
      says: 'One app.',
      answers: App,
      handle: ({ params }) => shapeOf(params.name),
    }),
    route({
      method: 'PATCH',
      path: '/v1/apps/:name',
      access: 'user',
      says: 'Changes the given fields; null puts one back to its default.',
      answers: App,
      body: PatchBody,
      patches: AppBody,
      handle: ({ body, params }) =>
        center.inTurn(`app/${params.name}`, async () => {
          const before = await shapeOf(params.name);
          const { app, enabled } = checked(parse(AppBody, patched(before, body, READ_ONLY)));
          const { name: _, ...changes } = app;
          await runtime.ask(`app/${params.name}`, { type: 'app.modify', changes, ...('enabled' in body ? { enabled } : {}) });
          return shapeOf(params.name);
        }),
    }),
    route({
      method: 'DELETE',
      path: '/v1/apps/:name',
      access: 'user',
      says: 'Deregisters its jobs, then forgets the app.',
      answers: null,
      status: 204,
      async handle({ params }) {
        const { address } = await oneOrNearest(views, 'app', params.name);
        await runtime.ask(address, { type: 'app.delete' });
      },
    }),
    route({
      method: 'POST',
      path: '/v1/apps/:name/enable',
      access: 'user',
      says: 'Its jobs start again.',
      answers: App,
      handle: ({ params }) => turn(params.name, { type: 'app.enable' }),
    }),
    route({
      method: 'POST',
      path: '/v1/apps/:name/disable',
      access: 'user',
      says: 'Its jobs start nothing new; with kill=true what runs is ended.',
      answers: App,
      query: KillQuery,
      handle: ({ params, query }) => turn(params.name, { type: 'app.disable', kill: query.kill }),
    }),
    releaseRoute({
      center,
      path: '/v1/apps/:name',
      what: 'an app',
      answers: App,
      find: appName => oneOrNearest(views, 'app', appName),
      shape: appShape,
    }),
  ];
}
