/**
 * What lies in the collections. Beside what the entities say, an actor's document carries what
 * makes one document enough:
 *
 *   facts       of commits whose facts may not be in the feed yet, one JSON text per commit
 *   fence       named by the next commit as it was last read: see `write-fencing.ts`
 *   owedLength  of `owed`: at one rev it only shrinks, which shows a trim that lands too late
 *   address     `_id` again, for compound indexes: some servers of the protocol refuse `_id` there
 */
import type { InferEntity } from '@mikro-orm/core';
import type { CredentialEntity, MetaEntity, OccurrenceEntity, OutputEntity } from '../entities.ts';
import type { ActorDocument, Fact } from '../port.ts';
import { readableActor } from '../readable.ts';

export interface ActorRow extends Omit<ActorDocument, 'address' | 'index'> {
  _id: string;
  address: string;
  armed: boolean;
  indebted: boolean;
  owedLength: number;
  parent: string | null;
  pool: string | null;
  status: string;
  outcome: string | null;
  hosts: string[];
  at: number;
  fence: string | null;
  /** Whether `facts` holds any. */
  untold: boolean;
  facts?: string[];
  /**
   * Only of the one document that keeps others from being born at a later rev than their first: see
   * `schema.ts`.
   */
  orphan?: true;
}

type Plain<E> = { [K in keyof InferEntity<E> as K extends string ? K : never]: InferEntity<E>[K] };

/** Without eras: they are for SQLite's pages. */
export type FactRow = Omit<Fact, 'data'> & { _id: string; era: 0; data: string };
export type OccurrenceRow = Plain<typeof OccurrenceEntity>;
export type OutputRow = Plain<typeof OutputEntity>;
export type CredentialRow = Plain<typeof CredentialEntity>;
/** One document for all partitions, so that many of them are claimed in one write. */
export interface PartitionsRow {
  _id: 0;
  rev: number;
  /** By partition. */
  epochs: number[];
  owners: (string | null)[];
}
/** `fingerprint`: beside `schemaVersion` alone, so that one write changes both. */
export type MetaRow = Plain<typeof MetaEntity> & { fingerprint?: string };

/** A document that only fences off births has no rev yet: for everybody else it is not there. */
export const isBorn = (row: ActorRow | null): row is ActorRow => row !== null && row.rev !== 0;

export const asDocument = (row: ActorRow): ActorDocument => readableActor({ ...row, address: row._id });

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
    indebted: document.owed !== '[]',
    owedLength: document.owed.length,
    fence: null,
  };
}
