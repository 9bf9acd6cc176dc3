/** A store on MongoDB as a center opens it, with the parts that a test may replace. */
import { createCenterLease, type Standby } from '../../src/cluster/center-lease.ts';
import { createPartitionOwnership } from '../../src/cluster/partition-ownership.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { CenterProcess } from '../../src/store/cluster-port.ts';
import { createMongoStore, type MongoOptions } from '../../src/store/mongo/index.ts';
import type { Store } from '../../src/store/port.ts';

export interface MongoStoreOptions extends Omit<Partial<MongoOptions>, 'cluster'> {
  url: string;
  /** By what name the center claims by other stores. */
  center?: string;
  /** The process that takes the lease of the database; absent: no lease is taken. */
  process?: CenterProcess;
  isAlive?(pid: number): boolean;
  standby?: Standby;
}

export function aMongoStore({ center, process, isAlive = () => true, standby, ...options }: MongoStoreOptions): Promise<Store> {
  const { clock = systemClock, drawId = () => crypto.randomUUID() } = options;
  return createMongoStore({
    clock,
    drawId,
    ...options,
    cluster: {
      ownership: records => createPartitionOwnership({ records, clock, center }),
      ...(process && {
        lease: (records, database) => createCenterLease({ records, clock, owner: drawId(), process, isAlive, standby, ...database }),
      }),
    },
  });
}
