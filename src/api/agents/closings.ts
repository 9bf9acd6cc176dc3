/** Sockets that closed without a word, lately: one is a host's end, many at once are the network's fault or ours. */
import type { Clock } from '../../clock.ts';

export interface Closings {
  /** Notes one; all hosts it happened to within the span and that are not back. */
  add(host: string): string[];
}

export function createClosings(parts: { clock: Clock; withinMs: number; isBack(host: string): boolean }): Closings {
  const lately = new Map<string, number>();
  return {
    add(host) {
      const now = parts.clock.monotonic();
      lately.delete(host);
      lately.set(host, now);
      for (const [each, at] of lately) if (now - at > parts.withinMs || parts.isBack(each)) lately.delete(each);
      return [...lately.keys()];
    },
  };
}
