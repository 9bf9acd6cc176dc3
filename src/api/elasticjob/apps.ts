/** `/api/app`: publish, modify, look, enable, disable, delete. */
import { z } from 'zod';
import { type Route, route } from '../../http/route.ts';
import { field, queryFlag } from '../../protocol/rest/fields.ts';
import { done } from '../../protocol/rest/responses.ts';
import { deleteApp, disableApp, enableApp, modifyApp, publishApp } from '../commands/apps.ts';
import { all, one } from '../lookup.ts';
import type { RouteContext } from '../route-context.ts';
import { CloudApp } from './answers.ts';
import { appConfigOf, appFields, appJson, changesOf, ModifyBody, modification, NamedAppBody, PublishBody } from './app-body.ts';

/** `?kill=true`: what runs is ended, too. */
export const CloudKillQuery = z.object({ kill: field(queryFlag(), 'ends what runs, too').optional() });

export const cloudAppRoutes = (center: RouteContext): Route[] => [
  route({
    method: 'POST',
    path: '/api/app',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Publishes an app.',
    answers: done,
    takesKey: true,
    body: PublishBody,
    async handle({ body, claim }) {
      await publishApp(center, appConfigOf(body), appFields, { claim });
      return true;
    },
  }),
  route({
    method: 'PUT',
    path: '/api/app',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Changes the given fields of an app; null puts one back to its default.',
    answers: done,
    body: NamedAppBody,
    documentedBody: ModifyBody,
    handle: ({ body }) =>
      center.inTurn(`app/${body.appName}`, async () => {
        const app = await one(center.views, 'app', body.appName);
        const before = app.context.config;
        await modifyApp(center, app, changesOf(modification(body, before), before), appFields);
        return true;
      }),
  }),
  route({
    method: 'GET',
    path: '/api/app/list',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'All apps, by name.',
    answers: () => z.array(CloudApp()),
    handle: async () => (await all(center.views, 'app', { order: 'name' })).map(view => appJson(view.context.config)),
  }),
  route({
    method: 'GET',
    path: '/api/app/:appName',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'One app.',
    answers: CloudApp,
    handle: async ({ params }) => appJson((await one(center.views, 'app', params.appName)).context.config),
  }),
  route({
    method: 'GET',
    path: '/api/app/:appName/disable',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Is the app disabled?',
    answers: () => z.boolean(),
    handle: async ({ params }) => (await one(center.views, 'app', params.appName)).value !== 'enabled',
  }),
  route({
    method: 'POST',
    path: '/api/app/:appName/disable',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Its jobs start nothing new.',
    answers: done,
    query: CloudKillQuery,
    async handle({ params, query }) {
      await disableApp(center, await one(center.views, 'app', params.appName), { kill: query.kill ?? false });
      return true;
    },
  }),
  route({
    method: 'POST',
    path: '/api/app/:appName/enable',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Its jobs start again.',
    answers: done,
    async handle({ params }) {
      await enableApp(center, await one(center.views, 'app', params.appName));
      return true;
    },
  }),
  route({
    method: 'DELETE',
    path: '/api/app/:appName',
    tag: 'elasticjob apps',
    access: 'user',
    summary: 'Deregisters its jobs, then forgets the app.',
    answers: done,
    async handle({ params }) {
      await deleteApp(center, await one(center.views, 'app', params.appName));
      return true;
    },
  }),
];
