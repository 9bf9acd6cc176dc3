/** Whether an execution fits on the hosts of a pool when they run nothing else. */
import { costOf, fits, priceOn } from './ledger.ts';
import { hostsFor, place } from './placement.ts';
import type { Cost, LedgerHost, ReservationRequest } from './types.ts';

export interface Shortage {
  /**
   * The resource of which no host has enough for one shard; `together`: each shard fits, but not
   * all at once; `servers`: the job names none of the hosts.
   */
  of: 'cpu' | 'memory' | 'both' | 'together' | 'servers';
  /** Cost of one shard on a host that runs nothing, the app's own share included. */
  price: Cost;
  /** The most that any one host has of each. */
  largest: Cost;
  /** How many shards fit at once. */
  together: number;
}

/**
 * Null where it fits, and where the pool has no hosts. Hosts that take no new runs now count: they
 * may take runs later.
 */
export function shortageOf(all: LedgerHost[], request: ReservationRequest): Shortage | null {
  if (all.length === 0) return null;
  const hosts = hostsFor(all, request);
  const empty = hosts.map(({ refusing: _, ...host }): LedgerHost => {
    return { ...host, open: true, reservations: {}, apps: {}, used: costOf({ cpus: 0, memoryMB: 0 }) };
  });
  const price = priceOn({ apps: {} }, request);
  if (hosts.length === 0) return { of: 'servers', price, largest: { cpu: 0, memory: 0 }, together: 0 };
  const largest = { cpu: Math.max(...empty.map(({ total }) => total.cpu)), memory: Math.max(...empty.map(({ total }) => total.memory)) };
  const together = place(empty, request).placed.length;
  if (!empty.some(({ total }) => fits(total, price))) {
    const [cpu, memory] = [price.cpu > largest.cpu, price.memory > largest.memory];
    return { of: cpu === memory ? 'both' : cpu ? 'cpu' : 'memory', price, largest, together };
  }
  return together < request.runs.length && !request.partial ? { of: 'together', price, largest, together } : null;
}
