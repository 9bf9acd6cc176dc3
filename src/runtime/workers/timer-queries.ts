/** Asks the sets of partitions for timers of actors: one question each, with a timeout. */
import type { Clock } from '../../lib/clock.ts';
import { createPendingRequests } from '../../lib/request-map.ts';
import type { ArmedTimer } from './messages.ts';
import type { PartitionWorker } from './worker-supervisor.ts';

/** How long a set may take to answer. */
const ANSWER_MS = 1_000;

export interface TimerQueries {
  /** In the order of the addresses; undefined where no partition answered. */
  timersOf(addresses: readonly string[]): Promise<(ArmedTimer | undefined)[]>;
  answered(id: number, timers: ArmedTimer[]): void;
}

export function createTimerQueries({ setOf, clock }: { setOf(address: string): PartitionWorker; clock: Clock }): TimerQueries {
  const asked = createPendingRequests<ArmedTimer[]>({ clock, ms: ANSWER_MS, expired: id => asked.resolve(id, []) });

  const ask = (set: PartitionWorker, addresses: string[]): Promise<ArmedTimer[]> =>
    asked.request(id => {
      if (!set.post({ type: 'timersOf', id, addresses })) asked.resolve(id, []);
    });

  return {
    async timersOf(addresses) {
      const found = new Map<string, ArmedTimer | undefined>();
      const groups = [...Map.groupBy(addresses, setOf)];
      await Promise.all(
        groups.map(async ([set, mine]) => {
          const timers = await ask(set, mine);
          for (const [place, address] of mine.entries()) found.set(address, timers[place]);
        }),
      );
      return addresses.map(address => found.get(address));
    },
    answered: asked.resolve,
  };
}
