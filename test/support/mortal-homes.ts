/** Several sets of partitions in this thread, each of which can be killed alone, as a worker is. */
import type { Clock } from '../../src/clock.ts';
import type { Ids } from '../../src/ids.ts';
import { type Homes, inThisThread } from '../../src/runtime/homes.ts';
import type { PartitionRange, Store } from '../../src/store/store.ts';
import { aLife } from './life.ts';

export interface MortalHomes extends Homes {
  /** Kills whoever serves this partition now. */
  kill(partition: number): void;
  /** How often somebody began to serve this partition. */
  beginnings(partition: number): number;
}

export function mortalHomes({
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
  const living: { partitions: PartitionRange; end(): void }[] = [];
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
      });
      return { post: message => isAlive && home.post(message), end: async () => end() };
    },
    kill(partition) {
      const place = living.findIndex(({ partitions }) => has(partitions, partition));
      living.splice(place, 1)[0]?.end();
    },
    beginnings: partition => begun.filter(range => has(range, partition)).length,
  };
}
