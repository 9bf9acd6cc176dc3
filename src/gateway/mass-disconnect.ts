/**
 * Sockets that closed without a word, lately: one is a host's end, many at once are the network's
 * fault or ours.
 */
import type { Clock } from '../lib/clock.ts';

export interface Closings {
  /**
   * Notes one; `left` hosts still have their socket. Where those it happened to within the span are
   * two or more, and more than are left, the answer is all of them that no call has named since
   * they closed: a thousand closings name a thousand hosts, not half a million.
   */
  add(host: string, left: number): string[];
  /** It has a socket again. */
  back(host: string): void;
}

export function createClosings(parts: { clock: Clock; withinMs: number }): Closings {
  /** When, by host, oldest first. */
  const lately = new Map<string, number>();
  const unnamed = new Set<string>();
  const forget = (host: string) => {
    lately.delete(host);
    unnamed.delete(host);
  };
  return {
    add(host, left) {
      const now = parts.clock.monotonic();
      forget(host);
      for (const [each, at] of lately) {
        if (now - at <= parts.withinMs) break;
        forget(each);
      }
      lately.set(host, now);
      unnamed.add(host);
      if (lately.size < 2 || lately.size <= left) return [];
      const named = [...unnamed];
      unnamed.clear();
      return named;
    },
    back: forget,
  };
}
