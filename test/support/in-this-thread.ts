/** Partitions without threads. */
import type { Clock } from '../../src/lib/clock.ts';
import type { Ids } from '../../src/lib/ids.ts';
import { createPartitions } from '../../src/runtime/partitions.ts';
import type { WorkerHosts } from '../../src/runtime/workers/worker-host.ts';
import type { ActorStore } from '../../src/store/port.ts';

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
