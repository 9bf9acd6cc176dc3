/**
 * The live feed at `GET /v1/feed`: WebSocket, or server-sent events for a caller that sends
 * `Accept: text/event-stream`.
 */
import { type Feed, FeedFull } from '../../feed/feed.ts';
import { errorResponse, nativeErrors, Problem } from '../../http/errors.ts';
import { isOurs } from '../../http/origin.ts';
import { readQuery } from '../../http/query.ts';
import { type Route, serving } from '../../http/route.ts';
import type { SocketHandlers } from '../../http/websocket/types.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Ids } from '../../lib/ids.ts';
import { FeedQuery, feedEndpoints } from '../../protocol/rest/fact.ts';
import { type Auth, tokenIn } from '../../security/authentication.ts';
import { can } from '../../security/can.ts';
import { filterOf } from './frames.ts';
import { watchBySocket } from './socket.ts';
import { streamFeed } from './sse.ts';
import { createTickets } from './tickets.ts';

const on = serving(feedEndpoints);

export interface FeedApiParts {
  feed: Pick<Feed, 'follow'>;
  auth: Pick<Auth, 'who'>;
  config: { auth: 'on' | 'off'; cors: readonly string[] };
  clock: Clock;
  ids: Ids;
}

export interface FeedApi {
  /** For `createApp`. */
  routes: Route[];
  /** For the handshake of a WebSocket at `/v1/feed`. */
  upgrade(request: Request): Promise<SocketHandlers | Response>;
}

export function createFeedApi({ feed, auth, config, clock, ids }: FeedApiParts): FeedApi {
  const tickets = createTickets({ clock, ids });
  const mayRead = async (token: string | undefined) => {
    const user = await auth.who(token);
    return user !== undefined && can(user, 'read');
  };

  const stream = on('GET /v1/feed', async ({ query, c }) => {
    if (!c.req.header('accept')?.includes('text/event-stream')) {
      throw new Problem('invalid', 'the feed needs a WebSocket, or the header "Accept: text/event-stream" for server-sent events', {
        field: 'Accept',
      });
    }
    const token = tokenIn(c.req.raw);
    const after = c.req.header('last-event-id') || query.after;
    return orBusy(streamFeed({ feed, clock, after, filter: filterOf(query), mayRead: () => mayRead(token) }));
  });
  const issueTicket = on('POST /v1/feed/tickets', ({ c }) => {
    const { ticket, expiresAt } = tickets.issue(tokenIn(c.req.raw));
    return { ticket, expiresAt: new Date(expiresAt).toISOString() };
  });

  const admit = async (request: Request): Promise<SocketHandlers> => {
    const origin = request.headers.get('origin');
    if (origin !== null && !config.cors.includes(origin) && !isOurs(origin, request, config.auth)) {
      throw new Problem('forbidden', 'this origin may not watch the feed; add it to TROUPE_CORS to allow it');
    }
    const query = readQuery(FeedQuery, request.url, 'GET /v1/feed') ?? {};
    const token = tokenIn(request);
    const isAllowed = await mayRead(token);
    if (token !== undefined && !isAllowed)
      throw new Problem('unauthorized', 'the token is invalid or has expired; POST /v1/login returns one');
    return watchBySocket({
      feed,
      clock,
      after: query.after,
      filter: filterOf(query),
      proof: isAllowed ? { token } : 'ticket',
      redeemTicket: tickets.redeem,
      mayRead,
    });
  };

  return {
    routes: [stream, issueTicket],
    async upgrade(request) {
      try {
        return await admit(request);
      } catch (problem) {
        const { status, body, headers } = errorResponse(problem, nativeErrors);
        return Response.json(body, { status, headers });
      }
    },
  };
}

async function orBusy(answer: Promise<Response>): Promise<Response> {
  try {
    return await answer;
  } catch (problem) {
    if (problem instanceof FeedFull)
      throw new Problem('tooMany', 'the feed has reached its limit of watchers; retry later', { retryAfterMs: 5_000 });
    throw problem;
  }
}
