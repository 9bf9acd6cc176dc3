/**
 * One watcher's WebSocket.
 *
 *   opened with a token in a header -----------------> watching ---> closed
 *   opened by a browser --first frame: a ticket----> /
 *
 *   closed with 4008 and the last cursor (slow), 4001 (login ended), 1001 (the center stops)
 */

import type { Feed } from '../../feed/feed.ts';
import type { FeedFilter } from '../../feed/filter.ts';
import type { Watcher } from '../../feed/watching.ts';
import type { Socket, SocketHandlers } from '../../http/websocket/types.ts';
import type { Clock } from '../../lib/clock.ts';
import { TicketFrame } from '../../protocol/rest/fact.ts';
import { BadCursor } from '../../store/port.ts';
import { textOf } from './frames.ts';

/** Largest frame from a watcher, bytes. */
const WATCHER_FRAME_MAX = 64 * 1024;
/** Limit of waiting bytes, and the number below which a watcher has room. */
const BUFFER_MAX_BYTES = 1024 * 1024;
const ROOM_BYTES = 256 * 1024;
/** From the opening to the ticket. */
const TICKET_WAIT_MS = 10_000;
/** Between checks of the login. */
const RECHECK_MS = 30_000;

export function watchBySocket(parts: {
  feed: Pick<Feed, 'follow'>;
  clock: Clock;
  after: string | undefined;
  filter: FeedFilter;
  /** The checked token of the handshake, or `ticket`: the first frame must be one. */
  proof: { token: string | undefined } | 'ticket';
  redeemTicket(ticket: string): { token: string | undefined } | undefined;
  mayRead(token: string | undefined): Promise<boolean>;
}): SocketHandlers {
  const { feed, clock, proof } = parts;
  let socket: Socket | undefined;
  let state: 'proving' | 'watching' | 'closed' = 'proving';
  let disarm = () => {};
  let unfollow = () => {};

  const close = (code: number, reason: string) => {
    leave();
    socket?.close(code, reason);
  };
  const leave = () => {
    state = 'closed';
    disarm();
    unfollow();
  };
  const isClosed = () => state === 'closed';

  const watcher: Watcher = {
    take: frame => state === 'watching' && socket?.send(textOf(frame)) !== 'dropped',
    hasRoom: () => (socket?.buffered() ?? 0) < ROOM_BYTES,
    together: work => (socket?.together ? socket.together(work) : work()),
    cut: (why, cursor) => (why === 'slow' ? close(4008, cursor) : close(1001, 'the center stops')),
  };

  const begin = async (token: string | undefined) => {
    disarm();
    state = 'watching';
    disarm = watchLogin(
      clock,
      () => parts.mayRead(token),
      () => close(4001, 'the login of this watcher has ended'),
    );
    try {
      const following = await feed.follow({ after: parts.after, filter: parts.filter }, watcher);
      unfollow = following.stop;
      if (isClosed()) unfollow();
    } catch (problem) {
      if (problem instanceof BadCursor) close(1008, problem.message);
      else close(1013, 'the feed is not available; retry later');
    }
  };

  const prove = async (text: string) => {
    const ticket = ticketIn(text);
    const redeemed = ticket === undefined ? undefined : parts.redeemTicket(ticket);
    if (!redeemed) return close(1008, 'the first frame must be {"type":"ticket","ticket":…}, from POST /v1/feed/tickets');
    if (!(await parts.mayRead(redeemed.token))) return close(4001, 'the login of this ticket has ended');
    if (!isClosed()) await begin(redeemed.token);
  };

  return {
    frameMaxBytes: WATCHER_FRAME_MAX,
    bufferMaxBytes: BUFFER_MAX_BYTES,
    open(opened) {
      socket = opened;
      if (proof !== 'ticket') return void begin(proof.token);
      disarm = clock.after(TICKET_WAIT_MS, () => close(1008, `no ticket within ${TICKET_WAIT_MS} ms`));
    },
    frame(text) {
      if (state === 'watching') return close(1008, 'a watcher may send no further frames');
      if (state === 'closed') return;
      disarm();
      prove(text).catch(() => close(1013, 'the ticket cannot be checked now; retry later'));
    },
    closed: leave,
  };
}

/** Calls `ended` when the login may no longer read. The returned function stops the checks. */
function watchLogin(clock: Clock, mayRead: () => Promise<boolean>, ended: () => void): () => void {
  let disarm = () => {};
  let isStopped = false;
  const arm = () => {
    disarm = clock.after(RECHECK_MS, async () => {
      // An unavailable store does not end a login.
      const isAllowed = await mayRead().catch(() => true);
      if (isStopped) return;
      if (isAllowed) arm();
      else ended();
    });
  };
  arm();
  return () => {
    isStopped = true;
    disarm();
  };
}

function ticketIn(text: string): string | undefined {
  try {
    const parsed = TicketFrame.safeParse(JSON.parse(text));
    return parsed.success ? parsed.data.ticket : undefined;
  } catch {
    return undefined;
  }
}
