/** Documents of the collections as plain values, and what a commit makes of an actor. */
import type { InferEntity } from '@mikro-orm/core';
import type { ActorDocument } from '../port.ts';
import { type Raw, readableActor } from '../readable.ts';
import type { ActorRecord, FactRecord } from './entities.ts';

/** As a write names it: what the entity infers beside its columns is not stored. */
export type Plain<E> = { [K in keyof InferEntity<E> as K extends string ? K : never]: InferEntity<E>[K] };

export type ActorRow = Plain<typeof ActorRecord>;
export type FactRow = Plain<typeof FactRecord>;

/** A document that only fences off births has no rev yet: for everybody else it is not there. */
export const isCreated = (row: ActorRow | null): row is ActorRow => row !== null && row.rev !== 0;

export const asDocument = (row: ActorRow): ActorDocument => readableActor({ ...row, address: row._id } as Raw<never>);

/**
 * What a commit sets, but for `rev` and facts; null where there is nothing, so that a field never
 * keeps an older value.
 */
export function fieldsOf(document: ActorDocument) {
  const { address, index, rev, ...fields } = document;
  return {
    ...fields,
    ...index,
    address,
    rev,
    armed: document.nextDue !== null && !document.quarantined && document.life !== 'tombstone',
    hasPending: document.pendingEffects !== '[]',
    pendingLength: document.pendingEffects.length,
    fence: null,
  };
}
