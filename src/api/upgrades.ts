/** Which socket is served where: agents at `/v1/agents`, watchers at `/v1/feed`. For `listen`. */
import type { AgentHub } from './agents.ts';
import type { FeedDoor } from './feed.ts';
import type { ListenParts } from './sockets.ts';

export function createUpgrades({ hub, feed }: { hub: Pick<AgentHub, 'accept'>; feed: Pick<FeedDoor, 'upgrade'> }): ListenParts['upgrade'] {
  return (request, peer) => {
    const { pathname } = new URL(request.url);
    if (pathname === '/v1/feed') return feed.upgrade(request);
    if (pathname !== '/v1/agents') return undefined;
    // Agents are programs; a page that dials here on behalf of whoever looks at it is not one.
    if (request.headers.has('origin')) return Response.json(NO_BROWSERS, { status: 403 });
    return hub.accept(peer);
  };
}

const NO_BROWSERS = { error: { code: 'forbidden', message: 'agents dial here, browsers do not' } };
