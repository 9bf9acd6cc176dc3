/** Handlers of WebSocket handshakes by path: agents at `/v1/agents`, watchers at `/v1/feed`. */

import type { Config } from '../config/types.ts';
import { errorResponse, nativeErrors } from './errors.ts';
import { checkHost } from './origin.ts';
import type { SOCKETS } from './socket-paths.ts';
import type { ListenParts } from './websocket/types.ts';

export type UpgradeHandler = ListenParts['upgrade'];
/** This type makes the served sockets those of the reference. */
export type UpgradeHandlers = Record<keyof typeof SOCKETS, UpgradeHandler>;

export function createUpgrades({ handlers, config }: { handlers: UpgradeHandlers; config: Pick<Config, 'auth'> }): UpgradeHandler {
  const served: UpgradeHandlers = { ...handlers, '/v1/agents': refuseBrowsers(handlers['/v1/agents']) };
  return (request, peer) => {
    try {
      checkHost(request, config);
    } catch (problem) {
      const { status, body } = errorResponse(problem, nativeErrors);
      return Response.json(body, { status });
    }
    const { pathname } = new URL(request.url);
    return Object.hasOwn(served, pathname) ? served[pathname as keyof typeof SOCKETS](request, peer) : undefined;
  };
}

/** A browser always sends Origin with a handshake; agents do not. */
const refuseBrowsers =
  (handler: UpgradeHandler): UpgradeHandler =>
  (request, peer) =>
    request.headers.has('origin') ? Response.json(NO_BROWSERS, { status: 403 }) : handler(request, peer);

const NO_BROWSERS = { error: { code: 'forbidden', message: '/v1/agents is for agents; a browser may not connect' } };
