/** The records over which `cluster/` decides: one document each, written by compare-and-set. */
import type { CenterProcess, LeaseRecords, OwnershipRecord, OwnershipRecords } from '../cluster-port.ts';
import { PARTITIONS } from '../port.ts';
import type { Collections } from './connection.ts';
import { asked, asStoreError, DUPLICATE_KEY, refusedWrites } from './errors.ts';

interface LeaseRow extends CenterProcess {
  _id: 'center';
  /** Counts the beats. */
  value: number;
  owner: string;
}

export function createLeaseRecords({ meta }: Pick<Collections, 'meta'>): LeaseRecords {
  const rows = meta as unknown as {
    findOne(filter: Partial<LeaseRow>): Promise<LeaseRow | null>;
    updateOne(filter: object, update: object, options?: { upsert: true }): Promise<{ matchedCount: number }>;
    deleteOne(filter: Partial<LeaseRow>): Promise<unknown>;
  };
  return {
    async read() {
      const row = await asked(() => rows.findOne({ _id: 'center' }));
      if (!row) return null;
      const { value: beat, owner, host, pid, machine } = row;
      return { owner, beat, host, pid, machine };
    },
    async take(from, owner, process) {
      const still = from === null ? { owner } : { owner: from.owner, value: from.beat };
      try {
        const update = { $set: { owner, ...process }, $inc: { value: 1 } };
        await rows.updateOne({ _id: 'center', ...still }, update, { upsert: true });
        return true;
      } catch (error) {
        if ((error as { code?: unknown }).code === DUPLICATE_KEY) return false;
        throw asStoreError(error);
      }
    },
    async renew(owner) {
      const { matchedCount } = await asked(() => rows.updateOne({ _id: 'center', owner }, { $inc: { value: 1 } }));
      return matchedCount > 0;
    },
    async release(owner) {
      await asked(() => rows.deleteOne({ _id: 'center', owner }));
    },
  };
}

export function createOwnershipRecords({ partitions }: Pick<Collections, 'partitions'>): OwnershipRecords {
  const none = (): OwnershipRecord => ({
    rev: 0,
    epochs: Array.from({ length: PARTITIONS }, () => 0),
    owners: Array.from({ length: PARTITIONS }, () => null),
  });
  return {
    read: async () => (await asked(() => partitions.findOne({ _id: 0 }))) ?? none(),
    async replace({ rev, epochs, owners }) {
      try {
        const update = { filter: { _id: 0 as const, rev }, update: { $set: { rev: rev + 1, epochs, owners } }, upsert: true };
        await partitions.bulkWrite([{ updateOne: update }], { ordered: false });
        return true;
      } catch (error) {
        if (refusedWrites(error)?.refused.every(({ code }) => code === DUPLICATE_KEY)) return false;
        throw asStoreError(error);
      }
    },
  };
}
