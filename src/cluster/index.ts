/** Ownership in a database that several centers reach: the roles that a store gets. */
import type { Clock } from '../lib/clock.ts';
import type { ClusterRoles } from '../store/cluster-port.ts';
import { createCenterLease, type Standby } from './center-lease.ts';
import { createPartitionOwnership } from './partition-ownership.ts';
import { isProcessAlive, thisProcess } from './this-process.ts';

export type { Standby } from './center-lease.ts';

/** For a worker, which claims partitions for its center. */
export const workerRoles = (clock: Clock): ClusterRoles => ({
  ownership: records => createPartitionOwnership({ records, clock }),
});

/** For a whole center. `center`: the name by which its workers claim. */
export const centerRoles = ({
  clock,
  drawId,
  center,
  standby,
}: {
  clock: Clock;
  /** Draws a unique text. */
  drawId(): string;
  center: string;
  /** Absent: a database that another center serves is refused. */
  standby?: Standby | undefined;
}): ClusterRoles => ({
  ownership: records => createPartitionOwnership({ records, clock, center }),
  lease: (records, database) =>
    createCenterLease({ records, clock, owner: drawId(), process: thisProcess(drawId), isAlive: isProcessAlive, standby, ...database }),
});
