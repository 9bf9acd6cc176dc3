/** `/cloudtask/v2/runtimes`: a runtime is a pool, its servers are hosts. */
import { type Route, serving } from '../../http/route.ts';
import { compareText } from '../../store/order.ts';
import { all } from '../lookup.ts';
import { oneOrNearest } from '../nearest-name.ts';
import type { RouteContext } from '../route-context.ts';
import { type Server, succeeded } from './answers.ts';
import { runtimeEndpoints } from './endpoints.ts';
import { SERVING, serverJson } from './server-json.ts';

const on = serving(runtimeEndpoints);

export const runtimeRoutes = ({ views }: RouteContext): Route[] => [
  on('GET /cloudtask/v2/runtimes/:runtime/servers', async ({ params }) => {
    const { context } = await oneOrNearest(views, 'pool', params.runtime);
    const hosts = await all(views, 'host', { parent: context.config.name, status: SERVING });
    const admitted = hosts.filter(host => host.context.rejectedByPool === null);
    return succeeded({ servers: admitted.map(serverJson).sort(inOrder) });
  }),
];

const inOrder = (a: Server, b: Server): number =>
  compareText(a.name, b.name) || compareText(a.ipaddr, b.ipaddr) || compareText(a.key, b.key);
