/** Several partition workers in this thread, each of which can be killed alone. */
import type { Clock } from '../../src/lib/clock.ts';
import type { Ids } from '../../src/lib/ids.ts';
import type { ToPartitions } from '../../src/runtime/workers/messages.ts';
import type { WorkerHosts } from '../../src/runtime/workers/worker-host.ts';
import type { PartitionRange, Store } from '../../src/store/port.ts';
import { inThisThread } from './in-this-thread.ts';
import { anInstance } from './instance.ts';

export interface KillableWorkers extends WorkerHosts {
  /** Kills the present worker of this partition. */
  kill(partition: number): void;
  /**
   * The present worker of this partition gets no message until the returned function is called:
   * then all of them at once, in order.
   */
  pause(partition: number): () => void;
  /** How often a worker of this partition was started. */
  starts(partition: number): number;
}

export function killableWorkers({
  store,
  clock,
  ids,
  owner,
  count,
}: {
  store: Store;
  clock: Clock;
  ids: Ids;
  owner: string;
  count: number;
}): KillableWorkers {
  const living: { partitions: PartitionRange; end(): void; pause(): () => void }[] = [];
  const begun: PartitionRange[] = [];
  const has = ({ from, to }: PartitionRange, partition: number) => partition >= from && partition <= to;
  return {
    count,
    mayDie: false,
    open({ partitions, receive, died }) {
      const instance = anInstance({ clock, store });
      let isAlive = true;
      const end = () => {
        isAlive = false;
        instance.kill();
      };
      let waiting: ToPartitions[] | undefined;
      begun.push(partitions);
      const worker = inThisThread({ store: instance.store, clock: instance.clock, ids, owner }).open({
        partitions,
        receive: message => isAlive && receive(message),
        died,
      });
      living.push({
        partitions,
        end() {
          end();
          died('it was killed');
        },
        pause() {
          waiting = [];
          return () => {
            for (const message of waiting ?? []) worker.post(message);
            waiting = undefined;
          };
        },
      });
      return {
        post(message) {
          if (!isAlive) return;
          if (waiting) waiting.push(message);
          else worker.post(message);
        },
        end: async () => end(),
      };
    },
    pause: partition => living.find(({ partitions }) => has(partitions, partition))?.pause() ?? (() => {}),
    kill(partition) {
      const place = living.findIndex(({ partitions }) => has(partitions, partition));
      living.splice(place, 1)[0]?.end();
    },
    starts: partition => begun.filter(range => has(range, partition)).length,
  };
}
