/**
 * The records over which `cluster/` decides: one document each, written by compare-and-set. The
 * driver writes them, because it repeats a write of one document when the primary changes.
 */

import type { LeaseRecords, OwnershipRecord, OwnershipRecords } from '../cluster-port.ts';
import { PARTITIONS } from '../port.ts';
import { collectionsOf, managerOf, type Orm } from './connection.ts';
import { LeaseRecord, PartitionsRecord } from './entities.ts';
import { asked, asStoreError, isDuplicate } from './errors.ts';

const CENTER = 'center';

export function createLeaseRecords(orm: Orm): LeaseRecords {
  const { lease } = collectionsOf(orm);
  return {
    async read() {
      const row = await asked(() => managerOf(orm).findOne(LeaseRecord, { _id: CENTER }));
      if (!row) return null;
      const { beat, owner, host, pid, machine } = row;
      return { owner, beat, host, pid, machine };
    },
    async take(from, owner, process) {
      const still = from === null ? { owner } : { owner: from.owner, beat: from.beat };
      try {
        await lease.updateOne({ _id: CENTER, ...still }, { $set: { owner, ...process }, $inc: { beat: 1 } }, { upsert: true });
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw asStoreError(error);
      }
    },
    async renew(owner, timeoutMs) {
      const { matchedCount } = await asked(() => lease.updateOne({ _id: CENTER, owner }, { $inc: { beat: 1 } }, { timeoutMS: timeoutMs }));
      return matchedCount > 0;
    },
    async release(owner) {
      await asked(() => lease.deleteOne({ _id: CENTER, owner }));
    },
  };
}

export function createOwnershipRecords(orm: Orm): OwnershipRecords {
  const { partitions } = collectionsOf(orm);
  const none = (): OwnershipRecord => ({
    rev: 0,
    epochs: Array.from({ length: PARTITIONS }, () => 0),
    owners: Array.from({ length: PARTITIONS }, () => null),
  });
  return {
    read: async () => (await asked(() => managerOf(orm).findOne(PartitionsRecord, { _id: 0 }))) ?? none(),
    async replace({ rev, epochs, owners }) {
      try {
        await partitions.updateOne({ _id: 0, rev }, { $set: { rev: rev + 1, epochs, owners } }, { upsert: true });
        return true;
      } catch (error) {
        if (isDuplicate(error)) return false;
        throw asStoreError(error);
      }
    },
  };
}
