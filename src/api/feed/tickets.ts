/**
 * Tickets for browsers, which cannot send a header with a WebSocket: bought with the token by POST,
 * good for one socket, shown as its first frame. They live in memory: who finds his ticket gone
 * after a restart buys another.
 */
import { createBoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Ids } from '../../lib/ids.ts';

/** From buying to showing. */
const TICKET_MS = 30_000;
/** Tickets not shown yet; one more, and the oldest is void. */
const TICKETS_MAX = 10_000;

export interface Tickets {
  /** `token`: what it was bought with; the socket lives as long as that is good. */
  issue(token: string | undefined): { ticket: string; expiresAt: number };
  /** Undefined when it is none, was shown before, or came too late. */
  redeem(ticket: string): { token: string | undefined } | undefined;
}

export function createTickets({ clock, ids }: { clock: Clock; ids: Ids }): Tickets {
  /** In the order of sale, which is the order of expiry. */
  const open = createBoundedMap<string, { token: string | undefined; until: number }>({ max: TICKETS_MAX });

  return {
    issue(token) {
      const now = clock.monotonic();
      for (const [ticket, { until }] of open) {
        if (until > now) break;
        open.delete(ticket);
      }
      const ticket = ids.secret(32);
      open.set(ticket, { token, until: now + TICKET_MS });
      return { ticket, expiresAt: clock.now() + TICKET_MS };
    },
    redeem(ticket) {
      const sold = open.get(ticket);
      open.delete(ticket);
      return sold && sold.until > clock.monotonic() ? { token: sold.token } : undefined;
    },
  };
}
