/** `/cloudtask/v2/runtimes`: list, create, read, change, delete. */
import { type Route, serving } from '../../http/route.ts';
import type { View } from '../../runtime/document.ts';
import { askedBy } from '../asked-by.ts';
import { createPool, deletePool } from '../commands/pools.ts';
import { all } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import { SUCCEEDED_ALONE, succeeded } from './answers.ts';
import { runtimeEndpoints } from './endpoints.ts';
import { changedRuntime, newRuntime } from './runtime-body.ts';
import { runtimeDocument } from './runtime-json.ts';

const on = serving(runtimeEndpoints);

export function runtimeDocumentRoutes(center: RouteContext): Route[] {
  const { views, runtime, inTurn } = center;
  const documentOf = async (pool: View<'pool'>) => {
    const hosts = await all(views, 'host', { parent: pool.context.config.name, status: COUNTED });
    return runtimeDocument(pool, hosts);
  };
  const answerOf = async (location: string) => succeeded({ runtime: await documentOf(await oneOrNearest(views, 'pool', location)) });

  return [
    on('GET /cloudtask/v2/runtimes', async () => {
      const pools = await all(views, 'pool', { order: 'name' });
      return succeeded({ runtimes: await Promise.all(pools.map(documentOf)) });
    }),
    on('POST /cloudtask/v2/runtimes', async ({ body, claim, user }) => {
      const config = newRuntime(body);
      await createPool(center, config, { claim, user });
      return answerOf(config.name);
    }),
    on('GET /cloudtask/v2/runtimes/:runtime', ({ params }) => answerOf(params.runtime)),
    on('PUT /cloudtask/v2/runtimes/:runtime', ({ params, body, user }) =>
      inTurn(`pool/${params.runtime}`, async () => {
        const pool = await oneOrNearest(views, 'pool', params.runtime);
        const { server } = await documentOf(pool);
        const { name: _, ...changes } = changedRuntime(body, pool.context.config, server);
        await runtime.ask(pool.address, { type: 'pool.modify', changes, ...askedBy(user) });
        return answerOf(params.runtime);
      }),
    ),
    on('DELETE /cloudtask/v2/runtimes/:runtime', async ({ params }) => {
      await deletePool(center, params.runtime);
      return SUCCEEDED_ALONE;
    }),
  ];
}

/** States of the hosts of a runtime: a retired one is of none. */
const COUNTED = ['joining', 'ready', 'draining', 'suspect', 'lost'];
