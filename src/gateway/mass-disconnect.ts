/**
 * Detects that many hosts lose their sockets at once: one closed socket is the end of a host, many
 * are a fault of the network or of this center.
 */
import type { Clock } from '../lib/clock.ts';

export interface MassDisconnect {
  /**
   * Records a closed socket; `left` hosts still have one. A mass disconnect: two or more hosts
   * closed within `withinMs`, and more than are left. Then the call returns those that no earlier
   * call has returned: a thousand calls return a thousand hosts in all.
   */
  record(host: string, left: number): string[];
  /** The host has a session again. */
  reconnected(host: string): void;
}

export function createMassDisconnect(parts: { clock: Clock; withinMs: number }): MassDisconnect {
  /** Monotonic ms at which a host closed, oldest first. */
  const closedAt = new Map<string, number>();
  const unreturned = new Set<string>();
  const remove = (host: string) => {
    closedAt.delete(host);
    unreturned.delete(host);
  };
  return {
    record(host, left) {
      const now = parts.clock.monotonic();
      remove(host);
      for (const [each, at] of closedAt) {
        if (now - at <= parts.withinMs) break;
        remove(each);
      }
      closedAt.set(host, now);
      unreturned.add(host);
      if (closedAt.size < 2 || closedAt.size <= left) return [];
      const returned = [...unreturned];
      unreturned.clear();
      return returned;
    },
    reconnected: remove,
  };
}
