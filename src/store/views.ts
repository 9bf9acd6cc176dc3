/**
 * Queries through the ORM, the same for SQLite and MongoDB. For pages that people read; the runtime
 * does not use them.
 */
import type { EntityManager, FilterQuery, InferEntity } from '@mikro-orm/core';
import { CredentialEntity, OutputEntity } from './entities.ts';
import type { CredentialStore, OutputChunk, OutputStore } from './port.ts';
import { readableChunk, readableCredential } from './readable.ts';
import { credentialId } from './record-ids.ts';

type Output = InferEntity<typeof OutputEntity>;

export type StoreQueries = Pick<OutputStore, 'output'> & Pick<CredentialStore, 'credential' | 'credentials'>;

/** `manager` returns a new entity manager per query, because a manager caches the rows it loads. */
export function createStoreQueries(manager: () => EntityManager): StoreQueries {
  return {
    async output({ execution, item, stream, after, order = 'oldest', limit }) {
      const filters: FilterQuery<Output>[] = [{ execution }];
      if (item !== undefined) filters.push({ item });
      if (stream !== undefined) filters.push({ stream });
      if (after !== undefined) filters.push(order === 'oldest' ? behind(after) : before(after));
      const way = order === 'oldest' ? 'asc' : 'desc';
      const orderBy = { item: way, attempt: way, seq: way } as const;
      return (await manager().find(OutputEntity, { $and: filters }, { orderBy, limit })).map(readableChunk);
    },

    async credential(kind, id) {
      const record = await manager().findOne(CredentialEntity, { _id: credentialId(kind, id) });
      return record ? readableCredential(record) : undefined;
    },

    async credentials(kind) {
      return (await manager().find(CredentialEntity, { kind }, { orderBy: { id: 'asc' } })).map(readableCredential);
    },
  };
}

/**
 * The outer bound is redundant, but lets the index scan begin at the right entry. The alternatives
 * alone would scan from the start.
 */
function behind({ item, attempt, seq }: Pick<OutputChunk, 'item' | 'attempt' | 'seq'>): FilterQuery<Output> {
  return { item: { $gte: item }, $or: [{ item: { $gt: item } }, { attempt: { $gt: attempt } }, { attempt, seq: { $gt: seq } }] };
}

/** Not `$lte`: a server of the protocol leaves it out where the index goes on behind. */
function before({ item, attempt, seq }: Pick<OutputChunk, 'item' | 'attempt' | 'seq'>): FilterQuery<Output> {
  return {
    item: { $lt: item + 1 },
    $or: [{ item: { $lt: item } }, { item, attempt: { $lt: attempt } }, { item, attempt, seq: { $lt: seq } }],
  };
}
