/** The records over which `cluster/` decides: one document each, written by compare-and-set. */

import type { LeaseRecords, OwnershipRecord, OwnershipRecords } from '../cluster-port.ts';
import { PARTITIONS } from '../port.ts';
import { managerOf, type Orm } from './connection.ts';
import { LeaseRecord, PartitionsRecord } from './entities.ts';
import { asked, asStoreError, isDuplicate } from './errors.ts';

const CENTER = 'center';

export function createLeaseRecords(orm: Orm): LeaseRecords {
  return {
    async read() {
      const row = await asked(() => managerOf(orm).findOne(LeaseRecord, { _id: CENTER }));
      if (!row) return null;
      const { beat, owner, host, pid, machine } = row;
      return { owner, beat, host, pid, machine };
    },
    async take(from, owner, process) {
      const still = from === null ? { owner } : { owner: from.owner, beat: from.beat };
      const change = { owner, ...process, $inc: { beat: 1 } } as object;
      try {
        await orm.driver.nativeUpdate(LeaseRecord, { _id: CENTER, ...still }, change, { upsert: true });
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw asStoreError(error);
      }
    },
    async renew(owner) {
      const change = { $inc: { beat: 1 } } as object;
      return (await asked(() => managerOf(orm).nativeUpdate(LeaseRecord, { _id: CENTER, owner }, change))) > 0;
    },
    async release(owner) {
      await asked(() => managerOf(orm).nativeDelete(LeaseRecord, { _id: CENTER, owner }));
    },
  };
}

export function createOwnershipRecords(orm: Orm): OwnershipRecords {
  const none = (): OwnershipRecord => ({
    rev: 0,
    epochs: Array.from({ length: PARTITIONS }, () => 0),
    owners: Array.from({ length: PARTITIONS }, () => null),
  });
  return {
    read: async () => (await asked(() => managerOf(orm).findOne(PartitionsRecord, { _id: 0 }))) ?? none(),
    async replace({ rev, epochs, owners }) {
      const change = { rev: rev + 1, epochs, owners };
      try {
        await orm.driver.nativeUpdate(PartitionsRecord, { _id: 0, rev }, change, { upsert: true });
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw asStoreError(error);
      }
    },
  };
}
