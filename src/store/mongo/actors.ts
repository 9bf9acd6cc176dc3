/**
 * The hot path: actors by compare-and-set, many in one unordered bulk write. Each row names the
 * `rev` it follows, and may insert. Where the `rev` has moved on, the insert is a duplicate key.
 * The server names the row, and writes all others.
 */

import type { FilterQuery } from '@mikro-orm/core';
import type { PartitionOwnership } from '../cluster-port.ts';
import { type ActorStore, ALL_PARTITIONS, type Write } from '../port.ts';
import { refuseRepeats } from '../refuse-repeats.ts';
import type { Orm } from './connection.ts';
import { ActorRecord } from './entities.ts';
import { asked, asStoreError, DUPLICATE_KEY, refusedWrites, repeated } from './errors.ts';
import type { FactPublisher } from './fact-publisher.ts';
import { type ActorRow, asDocument, fieldsOf, isCreated } from './rows.ts';
import type { WriteFencing } from './write-fencing.ts';

interface Parts {
  orm: Orm;
  ownership: PartitionOwnership;
  fencing: WriteFencing;
  publisher: FactPublisher;
}

export function createActors({ orm, ownership, fencing, publisher }: Parts): Omit<ActorStore, 'list' | 'floor'> {
  /**
   * Resolves with the indexes of the writes that lost. After any other error each outcome is
   * unknown.
   */
  const write = async (writes: Write[]): Promise<Set<number>> => {
    const addresses = writes.map(({ document }) => document.address);
    try {
      const [wheres, changes] = [writes.map(conditionOf), writes.map(changeOf)];
      // One unordered bulk write underneath.
      await repeated(() => orm.driver.nativeUpdateMany(ActorRecord, wheres, changes, { upsert: true }));
      return new Set();
    } catch (error) {
      const refused = refusedWrites(error)?.refused;
      if (refused?.every(({ code }) => code === DUPLICATE_KEY)) return new Set(refused.map(({ index }) => index));
      fencing.raise(addresses);
      throw asStoreError(error);
    }
  };

  const followed = ({ document, follows = document.rev - 1 }: Write): number => follows;

  const conditionOf = (write: Write) => {
    const { address } = write.document;
    return { _id: address, rev: followed(write), fence: fencing.fenceOf(address) };
  };

  const changeOf = (write: Write): object => {
    const { document, facts } = write;
    const added = facts.length > 0 ? [JSON.stringify(facts)] : [];
    const isPublished = publisher.isPublished(document.address);
    return {
      ...fieldsOf(document),
      unpublished: added.length > 0 || !isPublished,
      // Replaces published facts; undefined removes the field.
      ...(isPublished ? { facts: added.length > 0 ? added : undefined } : {}),
      ...(!isPublished && added.length > 0 ? { $push: { facts: added[0] } } : {}),
      // Only a write that follows nothing may insert an actor: any other insert collides with the
      // document that is `orphan` already.
      ...(followed(write) === 0 ? {} : { $setOnInsert: { orphan: true } }),
    };
  };

  return {
    async commit(writes) {
      refuseRepeats(writes);
      if (writes.length === 0) return [];
      await ownership.check();
      await publisher.ready();
      const lost = await write(writes);
      const committed = writes.filter((_, index) => !lost.has(index));
      for (const { document } of committed) fencing.committed(document.address);
      const placed = await publisher.publish(committed.map(({ document: { address, rev }, facts }) => ({ address, rev, facts })));
      let next = 0;
      return writes.map((_, index) => (lost.has(index) ? { committed: false } : { committed: true, facts: placed[next++] ?? [] }));
    },

    async load(address) {
      // First: the read may write a fence, which would block a new owner.
      await ownership.check();
      const row = await fencing.read(address);
      if (!isCreated(row)) return undefined;
      await publisher.found(row);
      return asDocument(row);
    },

    async claim(owner, range = ALL_PARTITIONS, raiseBy) {
      const epochs = await ownership.claim(owner, range, raiseBy);
      // With `raiseBy` the owner stays the same: its earlier writes are no hazard.
      if (raiseBy !== undefined) return epochs;
      fencing.raiseAll();
      await publisher.recover(range);
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
      const where = (behind ?? { armed: true, nextDue: { $lte: until } }) as FilterQuery<ActorRow>;
      const orderBy = { nextDue: 'asc', address: 'asc' } as const;
      const rows = await asked(() => orm.driver.find(ActorRecord, where, { orderBy, limit, fields: ['nextDue'] }));
      return rows.map(row => ({ address: row._id as string, nextDue: row.nextDue as number }));
    },

    async pending({ limit, after = '' }) {
      if (limit <= 0) return [];
      const where = { hasPending: true, address: { $gt: after } };
      const rows = await asked(() => orm.driver.find(ActorRecord, where, { orderBy: { address: 'asc' }, limit, fields: ['_id'] }));
      return rows.map(row => row._id as string);
    },

    async acknowledge(entries) {
      if (entries.length === 0) return;
      const wheres = entries.map(({ address, rev, pendingEffects }) => ({
        _id: address,
        rev,
        pendingLength: { $gt: pendingEffects.length },
      }));
      const changes = entries.map(({ pendingEffects }) => ({
        pendingEffects,
        hasPending: pendingEffects !== '[]',
        pendingLength: pendingEffects.length,
      }));
      await asked(() => repeated(() => orm.driver.nativeUpdateMany(ActorRecord, wheres, changes)));
    },
  };
}
