/** Where a set of partitions lives: in this thread, or in a worker (`workers.ts`). */
import type { Clock } from '../../lib/clock.ts';
import type { Ids } from '../../lib/ids.ts';
import type { ActorStore, PartitionRange } from '../../store/port.ts';
import { createPartitions } from '../partitions.ts';
import type { FromPartitions, ToPartitions } from './messages.ts';

export interface WorkerHost {
  post(message: ToPartitions): void;
  /** Ends it at once. Resolves when none of its writes can happen any more. */
  end(): Promise<void>;
}

export interface WorkerHosts {
  /** Sets of partitions; each has a home. */
  count: number;
  /** Can a home die or hang alone? Then it is asked now and then whether it is there. */
  mayDie: boolean;
  open(parts: { partitions: PartitionRange; receive(message: FromPartitions): void; died(reason: string): void }): WorkerHost;
}

/**
 * All in this thread, which lives and dies as one. Several sets are for tests of what they say to
 * each other.
 */
export function inThisThread({
  store,
  clock,
  ids,
  owner,
  count = 1,
}: {
  store: ActorStore;
  clock: Clock;
  ids: Ids;
  owner: string;
  count?: number;
}): WorkerHosts {
  return {
    count,
    mayDie: false,
    open({ partitions, receive }) {
      const set = createPartitions({ store, clock, ids, owner, partitions, send: receive });
      return { post: message => set.receive(message), end: async () => {} };
    },
  };
}
