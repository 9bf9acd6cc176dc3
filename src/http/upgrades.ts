/** Which WebSocket is served where: agents at `/v1/agents`, watchers at `/v1/feed`. */

import type { Config } from '../config/types.ts';
import { errorResponse } from './errors.ts';
import { checkHost } from './origin.ts';
import type { SOCKETS } from './socket-paths.ts';
import type { ListenParts } from './websocket/types.ts';

export type UpgradeHandler = ListenParts['upgrade'];
/** By this type the sockets that are served are those that the reference describes. */
export type UpgradeHandlers = Record<keyof typeof SOCKETS, UpgradeHandler>;

export function createUpgrades({ handlers, config }: { handlers: UpgradeHandlers; config: Pick<Config, 'auth'> }): UpgradeHandler {
  const served: UpgradeHandlers = { ...handlers, '/v1/agents': refuseBrowsers(handlers['/v1/agents']) };
  return (request, peer) => {
    try {
      checkHost(request, config);
    } catch (problem) {
      const { status, body } = errorResponse(problem, 'v1');
      return Response.json(body, { status });
    }
    const { pathname } = new URL(request.url);
    return Object.hasOwn(served, pathname) ? served[pathname as keyof typeof SOCKETS](request, peer) : undefined;
  };
}

/** Programs send no Origin; a page that opens a socket for its visitor cannot leave it out. */
const refuseBrowsers =
  (handler: UpgradeHandler): UpgradeHandler =>
  (request, peer) =>
    request.headers.has('origin') ? Response.json(NO_BROWSERS, { status: 403 }) : handler(request, peer);

const NO_BROWSERS = { error: { code: 'forbidden', message: 'agents dial here, browsers do not' } };
