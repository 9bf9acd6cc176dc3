/** Documents of the collections as plain values, and what a commit makes of an actor. */
import type { InferEntity } from '@mikro-orm/core';
import type { ActorDocument } from '../port.ts';
import { type Raw, readableActor } from '../readable.ts';
import type { ActorRecord, FactRecord } from './entities.ts';

/** As a write names it: what the entity infers beside its columns is not stored. */
export type Plain<E> = { [K in keyof InferEntity<E> as K extends string ? K : never]: InferEntity<E>[K] };

export type ActorRow = Plain<typeof ActorRecord>;
export type FactRow = Plain<typeof FactRecord>;

/** False of a document that only holds a fence (rev 0): its actor does not exist. */
export const isCreated = (row: ActorRow | null): row is ActorRow => row !== null && row.rev !== 0;

export const asDocument = (row: ActorRow): ActorDocument => readableActor({ ...row, address: row._id } as Raw<never>);

/**
 * The fields that a commit sets, without facts. An empty one is null, so that no older value stays.
 */
export function fieldsOf(document: ActorDocument) {
  const { address, index, rev, ...fields } = document;
  return {
    ...fields,
    ...index,
    address,
    rev,
    armed: document.nextDue !== null && !document.quarantined && document.life !== 'tombstone',
    listed: document.life !== 'tombstone',
    hasPending: document.pendingEffects !== '[]',
    pendingLength: document.pendingEffects.length,
    fence: null,
  };
}
