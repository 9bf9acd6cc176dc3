/**
 * Tickets for browsers, which cannot send a header with a WebSocket: issued for a token by POST,
 * valid for one socket, redeemed by its first frame. They are kept in memory; after a restart a
 * browser requests another one.
 */
import { createBoundedMap } from '../../lib/bounded-map.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Ids } from '../../lib/ids.ts';

/** Lifetime of a ticket, ms. */
const TICKET_MS = 30_000;
/** Limit of open tickets; beyond it the oldest is deleted. */
const TICKETS_MAX = 10_000;

export interface Tickets {
  /** `token`: that of the request; the socket stays open while it is valid. */
  issue(token: string | undefined): { ticket: string; expiresAt: number };
  /** Undefined for an unknown, redeemed or expired ticket. */
  redeem(ticket: string): { token: string | undefined } | undefined;
}

export function createTickets({ clock, ids }: { clock: Clock; ids: Ids }): Tickets {
  /** In the order of issue, which is the order of expiry. */
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
      const issued = open.get(ticket);
      open.delete(ticket);
      return issued && issued.until > clock.monotonic() ? { token: issued.token } : undefined;
    },
  };
}
