/**
 * The read side, through the ORM: the same questions to SQLite and MongoDB. For what people look
 * at, not for what the runtime lives on.
 */
import type { EntityManager, FilterQuery, InferEntity } from '@mikro-orm/core';
import { CredentialEntity, OutputEntity } from './entities.ts';
import type { CredentialStore, OutputChunk, OutputStore } from './port.ts';
import { readableChunk, readableCredential } from './readable.ts';
import { credentialId } from './record-ids.ts';

type Output = InferEntity<typeof OutputEntity>;

export type StoreQueries = Pick<OutputStore, 'output'> & Pick<CredentialStore, 'credential' | 'credentials'>;

/** `manager` gives a fresh entity manager per question: they remember what they read. */
export function createStoreQueries(manager: () => EntityManager): StoreQueries {
  return {
    async output({ execution, item, stream, after, limit }) {
      const filters: FilterQuery<Output>[] = [{ execution }];
      if (item !== undefined) filters.push({ item });
      if (stream !== undefined) filters.push({ stream });
      if (after !== undefined) filters.push(behind(after));
      const orderBy = { item: 'asc', attempt: 'asc', seq: 'asc' } as const;
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
 * The outer bound says nothing new, but lets the index begin in the right place; the alternatives
 * alone would scan from the start.
 */
function behind({ item, attempt, seq }: Pick<OutputChunk, 'item' | 'attempt' | 'seq'>): FilterQuery<Output> {
  return { item: { $gte: item }, $or: [{ item: { $gt: item } }, { attempt: { $gt: attempt } }, { attempt, seq: { $gt: seq } }] };
}
