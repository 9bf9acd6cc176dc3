/** Which socket is served where: agents at `/v1/agents`, watchers at `/v1/feed`. For `listen`. */

import type { FeedDoor } from '../api/feed/index.ts';
import type { Config } from '../config/center.ts';
import type { AgentHub } from '../gateway/index.ts';
import { answerTo } from './errors.ts';
import { checkHost } from './origin.ts';
import type { SOCKETS } from './socket-paths.ts';
import type { ListenParts } from './websocket/index.ts';

export function createUpgrades({
  hub,
  feed,
  config,
}: {
  hub: Pick<AgentHub, 'accept'>;
  feed: Pick<FeedDoor, 'upgrade'>;
  config: Pick<Config, 'auth'>;
}): ListenParts['upgrade'] {
  // By the type no socket is served that the reference does not tell of, nor the other way round.
  const served: Record<keyof typeof SOCKETS, ListenParts['upgrade']> = {
    '/v1/feed': request => feed.upgrade(request),
    // Agents are programs; a page that dials here on behalf of whoever looks at it is not one.
    '/v1/agents': (request, peer) => (request.headers.has('origin') ? Response.json(NO_BROWSERS, { status: 403 }) : hub.accept(peer)),
  };
  return (request, peer) => {
    try {
      checkHost(request, config);
    } catch (problem) {
      const { status, body } = answerTo(problem, 'v1');
      return Response.json(body, { status });
    }
    const { pathname } = new URL(request.url);
    return Object.hasOwn(served, pathname) ? served[pathname as keyof typeof SOCKETS](request, peer) : undefined;
  };
}

const NO_BROWSERS = { error: { code: 'forbidden', message: 'agents dial here, browsers do not' } };
