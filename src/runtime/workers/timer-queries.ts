/** Queries partition workers for timers of actors: one request each, with a timeout. */
import type { Clock } from '../../lib/clock.ts';
import { createPendingRequests } from '../../lib/request-map.ts';
import type { ArmedTimer } from './messages.ts';
import type { PartitionWorker } from './worker-supervisor.ts';

/** Time limit of an answer, ms. */
const ANSWER_MS = 1_000;

export interface TimerQueries {
  /** In the order of the addresses; undefined where no partition answered. */
  timersOf(addresses: readonly string[]): Promise<(ArmedTimer | undefined)[]>;
  answered(id: number, timers: ArmedTimer[]): void;
}

export function createTimerQueries({ workerOf, clock }: { workerOf(address: string): PartitionWorker; clock: Clock }): TimerQueries {
  const asked = createPendingRequests<ArmedTimer[]>({ clock, ms: ANSWER_MS, expired: id => asked.resolve(id, []) });

  const ask = (worker: PartitionWorker, addresses: string[]): Promise<ArmedTimer[]> =>
    asked.request(id => {
      if (!worker.post({ type: 'timersOf', id, addresses })) asked.resolve(id, []);
    });

  return {
    async timersOf(addresses) {
      const found = new Map<string, ArmedTimer | undefined>();
      const groups = [...Map.groupBy(addresses, workerOf)];
      await Promise.all(
        groups.map(async ([worker, own]) => {
          const timers = await ask(worker, own);
          for (const [index, address] of own.entries()) found.set(address, timers[index]);
        }),
      );
      return addresses.map(address => found.get(address));
    },
    answered: asked.resolve,
  };
}
