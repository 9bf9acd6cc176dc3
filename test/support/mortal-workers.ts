/** Several sets of partitions in this thread, each of which can be killed alone, as a worker is. */
import type { Clock } from '../../src/lib/clock.ts';
import type { Ids } from '../../src/lib/ids.ts';
import type { ToPartitions } from '../../src/runtime/workers/messages.ts';
import { inThisThread, type WorkerHosts } from '../../src/runtime/workers/worker-host.ts';
import type { PartitionRange, Store } from '../../src/store/port.ts';
import { aLife } from './life.ts';

export interface MortalHomes extends WorkerHosts {
  /** Kills whoever serves this partition now. */
  kill(partition: number): void;
  /**
   * Whoever serves this partition now hears nothing until the call of what is given back: then all
   * of it at once, in order.
   */
  deafen(partition: number): () => void;
  /** How often somebody began to serve this partition. */
  beginnings(partition: number): number;
}

export function mortalWorkers({
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
}): MortalHomes {
  const living: { partitions: PartitionRange; end(): void; deafen(): () => void }[] = [];
  const begun: PartitionRange[] = [];
  const has = ({ from, to }: PartitionRange, partition: number) => partition >= from && partition <= to;
  return {
    count,
    mayDie: false,
    open({ partitions, receive, died }) {
      const life = aLife({ clock, store });
      let isAlive = true;
      const end = () => {
        isAlive = false;
        life.kill();
      };
      let unheard: ToPartitions[] | undefined;
      begun.push(partitions);
      const home = inThisThread({ store: life.store, clock: life.clock, ids, owner }).open({
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
        deafen() {
          unheard = [];
          return () => {
            for (const message of unheard ?? []) home.post(message);
            unheard = undefined;
          };
        },
      });
      return {
        post(message) {
          if (!isAlive) return;
          if (unheard) unheard.push(message);
          else home.post(message);
        },
        end: async () => end(),
      };
    },
    deafen: partition => living.find(({ partitions }) => has(partitions, partition))?.deafen() ?? (() => {}),
    kill(partition) {
      const place = living.findIndex(({ partitions }) => has(partitions, partition));
      living.splice(place, 1)[0]?.end();
    },
    beginnings: partition => begun.filter(range => has(range, partition)).length,
  };
}
