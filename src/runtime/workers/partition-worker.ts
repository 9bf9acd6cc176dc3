/**
 * Runs a range of partitions in a worker thread. Messages are batched per tick, in both directions.
 */
import { createBatch } from '../../lib/batch.ts';
import { systemClock } from '../../lib/clock.ts';
import { systemIds } from '../../lib/ids.ts';
import type { ClusterRoles } from '../../store/cluster-port.ts';
import { openActorStore } from '../../store/connect.ts';
import { createPartitions, type Partitions } from '../partitions.ts';
import { type FromWorker, receiveBatch, type StartWorker, sendBatch, type ToWorker } from './codec.ts';
import type { FromPartitions, ToPartitions } from './messages.ts';

export interface WorkerScope {
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
  postMessage(batch: FromWorker): void;
}

/**
 * Serves in this scope, which must be a worker's. An unexpected error ends the worker; its
 * supervisor replaces it.
 */
export function runPartitionWorker(scope: WorkerScope, cluster: ClusterRoles): void {
  let partitions: Promise<Partitions> | undefined;
  let closeStore = () => {};

  const post = (messages: FromPartitions[]) => {
    // Before the writer closes: the last reader's close lets it checkpoint the WAL. An actor that
    // is still busy may read.
    if (messages.some(message => message.type === 'stopped' && message.left.length === 0)) closeStore();
    scope.postMessage(sendBatch(messages));
  };
  const outbound = createBatch<FromPartitions>({ schedule: queueMicrotask, send: post });

  async function begin({ store, partitions, owner }: StartWorker): Promise<Partitions> {
    const opened = await openActorStore(store, { clock: systemClock, drawId: systemIds.uuid, cluster });
    closeStore = opened.close;
    return createPartitions({ store: opened.store, clock: systemClock, ids: systemIds, owner, partitions, send: outbound.add });
  }

  scope.onmessage = ({ data }) => {
    if (typeof data !== 'string') partitions = begin(data);
    else
      void partitions?.then(own => {
        for (const message of receiveBatch<ToPartitions>(data)) own.receive(message);
      });
  };
}
