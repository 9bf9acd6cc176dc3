/** `/cloudtask/v2/runtimes`: a runtime is a pool, its servers are hosts. */
import { Problem } from '../../http/errors.ts';
import { type Route, serving } from '../../http/route.ts';
import type { View } from '../../runtime/document.ts';
import { all } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import { allocJson } from './alloc-json.ts';
import { type Server, succeeded } from './answers.ts';
import { runtimeEndpoints } from './endpoints.ts';
import { SERVING, serverJson, serversInOrder } from './server-json.ts';

const on = serving(runtimeEndpoints);

export const runtimeRoutes = ({ views }: RouteContext): Route[] => {
  const runtimeOf = (runtime: string) => oneOrNearest(views, 'pool', runtime);
  /** Hosts of the runtime that serve and that it admits, by name. */
  async function serversOf({ context }: View<'pool'>): Promise<Server[]> {
    const hosts = await all(views, 'host', { parent: context.config.name, status: SERVING });
    const admitted = hosts.filter(({ context: { id, rejectedByPool } }) => rejectedByPool === null && !context.hosts[id]?.excluded);
    return admitted.map(serverJson).sort(serversInOrder);
  }
  const allocOf = async ({ context: { config } }: View<'pool'>, key?: string) =>
    succeeded({ alloc: allocJson(config.name, await views.get(`table/${config.name}`), key) });

  return [
    on('GET /cloudtask/v2/runtimes/:runtime/servers', async ({ params }) =>
      succeeded({ servers: await serversOf(await runtimeOf(params.runtime)) }),
    ),
    on('GET /cloudtask/v2/runtimes/:runtime/jobsalloc', async ({ params }) => allocOf(await runtimeOf(params.runtime))),
    on('GET /cloudtask/v2/runtimes/:runtime/:server/jobsalloc', async ({ params }) => {
      const pool = await runtimeOf(params.runtime);
      const wanted = params.server.toLowerCase();
      const server = (await serversOf(pool)).find(({ name, ipaddr }) => ipaddr === params.server || name.toLowerCase() === wanted);
      if (server) return allocOf(pool, server.key);
      throw new Problem(
        'notFound',
        `server not found: ${params.server.slice(0, 100)}; runtime ${pool.context.config.name} has no such server that is ready or draining`,
        {
          field: 'server',
        },
      );
    }),
  ];
};
