/**
 * The hot path: actors by compare-and-set, many in one unordered bulk write. Each names the `rev`
 * it follows and may insert: where the `rev` moved on, the insert finds the document in its way,
 * and the server says which one of the batch that was. All others stand.
 */

import type { PartitionOwnership } from '../cluster-port.ts';
import { type ActorStore, ALL_PARTITIONS, type Write } from '../port.ts';
import { refuseRepeats } from '../refuse-repeats.ts';
import type { Collections } from './connection.ts';
import { asked, asStoreError, DUPLICATE_KEY, refusedWrites } from './errors.ts';
import type { Telling } from './fact-publisher.ts';
import { asDocument, fieldsOf, isBorn } from './rows.ts';
import type { Doubt } from './write-fencing.ts';

interface Parts {
  collections: Collections;
  ownership: PartitionOwnership;
  doubt: Doubt;
  telling: Telling;
}

export function createActors({ collections: { actors }, ownership, doubt, telling }: Parts): Omit<ActorStore, 'list' | 'floor'> {
  /** Indexes of the writes that came too late. Any other error leaves each outcome in doubt. */
  const write = async (writes: Write[]): Promise<Set<number>> => {
    const addresses = writes.map(({ document }) => document.address);
    try {
      await actors.bulkWrite(writes.map(operation), { ordered: false });
      return new Set();
    } catch (error) {
      const refused = refusedWrites(error)?.refused;
      if (refused?.every(({ code }) => code === DUPLICATE_KEY)) return new Set(refused.map(({ index }) => index));
      doubt.raise(addresses);
      throw asStoreError(error);
    }
  };

  const operation = ({ document, facts, follows = document.rev - 1 }: Write) => {
    const { address } = document;
    const told = facts.length > 0 ? [JSON.stringify(facts)] : [];
    const $set = { ...fieldsOf(document), untold: told.length > 0 || !telling.isTold(address) };
    return {
      updateOne: {
        filter: { _id: address, rev: follows, fence: doubt.fenceOf(address) },
        update: {
          ...(telling.isTold(address)
            ? withFacts($set, told)
            : { $set, ...(told.length > 0 ? { $push: { facts: told[0] as string } } : {}) }),
          // Only what follows nothing may be born; any other insert collides with the document that
          // is `orphan` already.
          ...(follows === 0 ? {} : { $setOnInsert: { orphan: true as const } }),
        },
        upsert: true,
      },
    };
  };

  return {
    async commit(writes) {
      refuseRepeats(writes);
      if (writes.length === 0) return [];
      await ownership.check();
      await telling.ready();
      const lost = await write(writes);
      const committed = writes.filter((_, place) => !lost.has(place));
      for (const { document } of committed) doubt.committed(document.address);
      const placed = await telling.tell(committed.map(({ document: { address, rev }, facts }) => ({ address, rev, facts })));
      let next = 0;
      return writes.map((_, place) => (lost.has(place) ? { committed: false } : { committed: true, facts: placed[next++] ?? [] }));
    },

    async load(address) {
      // It may write a fence, which would stand in the way of a new owner.
      await ownership.check();
      const row = await doubt.read(address);
      if (!isBorn(row)) return undefined;
      await telling.found(row);
      return asDocument(row);
    },

    async claim(owner, range = ALL_PARTITIONS, raiseBy) {
      const epochs = await ownership.claim(owner, range, raiseBy);
      // Its own writes of before count as before.
      if (raiseBy !== undefined) return epochs;
      doubt.raiseAll();
      await telling.recover(range);
      return epochs;
    },

    async due({ until, limit, after }) {
      if (limit <= 0) return [];
      const behind = after && {
        $or: [
          { armed: true, nextDue: { $gt: after.nextDue, $lte: until } },
          { armed: true, nextDue: { $eq: after.nextDue, $lte: until }, address: { $gt: after.address } },
        ],
      };
      const rows = await asked(() =>
        actors
          .find(behind ?? { armed: true, nextDue: { $lte: until } }, { projection: { nextDue: 1 } })
          .sort({ nextDue: 1, address: 1 })
          .limit(limit)
          .toArray(),
      );
      return rows.map(row => ({ address: row._id, nextDue: row.nextDue as number }));
    },

    async owing({ limit, after = '' }) {
      if (limit <= 0) return [];
      const rows = await asked(() =>
        actors
          .find({ indebted: true, address: { $gt: after } }, { projection: { _id: 1 } })
          .sort({ address: 1 })
          .limit(limit)
          .toArray(),
      );
      return rows.map(row => row._id);
    },

    async settle(entries) {
      if (entries.length === 0) return;
      const operations = entries.map(({ address, rev, owed }) => ({
        updateOne: {
          filter: { _id: address, rev, owedLength: { $gt: owed.length } },
          update: { $set: { owed, indebted: owed !== '[]', owedLength: owed.length } },
        },
      }));
      await asked(() => actors.bulkWrite(operations, { ordered: false }));
    },
  };
}

/** In place of those that were told. */
function withFacts<T extends object>($set: T, told: string[]) {
  return told.length > 0 ? { $set: { ...$set, facts: told } } : { $set, $unset: { facts: '' as const } };
}
