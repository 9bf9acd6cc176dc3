/** Where partitions run: in this thread, or in a Web Worker (`threads.ts`). */
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
  /** Number of workers. */
  count: number;
  /** Can a host end or hang alone? Then it is pinged. */
  mayDie: boolean;
  open(parts: { partitions: PartitionRange; receive(message: FromPartitions): void; died(reason: string): void }): WorkerHost;
}

/** All partitions in this thread. Several workers are for tests of the messages between them. */
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
      const own = createPartitions({ store, clock, ids, owner, partitions, send: receive });
      return { post: message => own.receive(message), end: async () => {} };
    },
  };
}
