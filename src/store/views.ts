/** The read side, through the ORM: the same questions to SQLite and MongoDB. For what people look at, not for what the runtime lives on. */
import type { EntityManager, FilterQuery, InferEntity } from '@mikro-orm/core';
import { type ListOrder, type ListPlace, listCursor, listPlace } from './cursor.ts';
import { ActorEntity, CredentialEntity, credentialId, FactEntity, OutputEntity } from './entities.ts';
import { compareText } from './order.ts';
import type { ActorDocument, ActorStore, Credential, CredentialStore, FactStore, ListQuery, OutputChunk, OutputStore } from './store.ts';

type Actor = InferEntity<typeof ActorEntity>;

export type Views = Pick<ActorStore, 'list'> &
  Pick<FactStore, 'history'> &
  Pick<OutputStore, 'output'> &
  Pick<CredentialStore, 'credential' | 'credentials'>;

interface Sources {
  /** A fresh entity manager per question: they remember what they read. */
  manager: () => EntityManager;
  /** How this database asks whether the JSON array `hosts` holds a host. */
  onHost: (host: string) => FilterQuery<Actor>;
}

export function createViews({ manager, onHost }: Sources): Views {
  const page = async (query: ListQuery, order: ListOrder, status: string | undefined): Promise<Actor[]> => {
    const filters: FilterQuery<Actor>[] = [{ kind: query.kind, life: { $ne: 'tombstone' } }];
    if (query.parent !== undefined) filters.push({ parent: query.parent });
    if (status !== undefined) filters.push({ status });
    if (query.outcome) filters.push({ outcome: { $in: query.outcome } });
    if (query.host !== undefined) filters.push(onHost(query.host));
    if (query.from !== undefined) filters.push({ at: { $gte: query.from } });
    if (query.to !== undefined) filters.push({ at: { $lt: query.to } });
    if (query.cursor !== undefined) filters.push(behind(order, listPlace(order, query.cursor)));
    const orderBy = order === 'name' ? ({ _id: 'asc' } as const) : ({ at: 'desc', _id: 'desc' } as const);
    // One more than asked for tells whether there is a next page.
    return manager().find(ActorEntity, { $and: filters }, { orderBy, limit: query.limit + 1 });
  };

  return {
    async list(query) {
      const order = query.order ?? 'newest';
      if (query.outcome?.length === 0) return { items: [], next: null };
      // One question per status, merged here: each comes in order from its index, where one question for all would sort everything first.
      const statuses = query.status ? [...new Set(query.status)] : [undefined];
      const pages = await Promise.all(statuses.map(status => page(query, order, status)));
      const found = pages.length === 1 ? pages.flat() : pages.flat().sort(inOrder(order));
      const items = found.slice(0, query.limit);
      const last = items.at(-1);
      return { items: items.map(asDocument), next: last && found.length > items.length ? listCursor(order, placeOf(last)) : null };
    },

    async history({ address, limit, after }) {
      const later = after && { rev: { $gte: after.rev }, $or: [{ rev: { $gt: after.rev } }, { place: { $gt: after.place } }] };
      const facts = await manager().find(FactEntity, { address, ...later }, { orderBy: { rev: 'asc', place: 'asc' }, limit });
      return facts.map(({ rev, place, at, type, data }) => ({ address, rev, place, at, type, data }));
    },

    async output({ execution, item, stream, after, limit }) {
      const chunks = await manager().find(
        OutputEntity,
        { execution, ...(item !== undefined && { item }), ...(stream && { stream }), ...(after && { $and: [behindChunk(after)] }) },
        { orderBy: { item: 'asc', attempt: 'asc', seq: 'asc' }, limit },
      );
      return chunks.map(asChunk);
    },

    async credential(kind, id) {
      const record = await manager().findOne(CredentialEntity, { _id: credentialId(kind, id) });
      return record ? asCredential(record) : undefined;
    },

    async credentials(kind) {
      return (await manager().find(CredentialEntity, { kind }, { orderBy: { id: 'asc' } })).map(asCredential);
    },
  };
}

/** The outer bound says nothing new, but lets the index begin in the right place; the alternatives alone would scan from the start. */
function behind(order: ListOrder, { at, address }: ListPlace): FilterQuery<Actor> {
  if (order === 'name') return { _id: { $gt: address } };
  return { at: { $lte: at }, $or: [{ at: { $lt: at } }, { _id: { $lt: address } }] };
}

function behindChunk({ item, attempt, seq }: Pick<OutputChunk, 'item' | 'attempt' | 'seq'>): FilterQuery<InferEntity<typeof OutputEntity>> {
  return { item: { $gte: item }, $or: [{ item: { $gt: item } }, { attempt: { $gt: attempt } }, { attempt, seq: { $gt: seq } }] };
}

function placeOf(row: Actor): ListPlace {
  return { at: row.at, address: row._id };
}

function inOrder(order: ListOrder) {
  return (a: Actor, b: Actor) => (order === 'name' ? compareText(a._id, b._id) : b.at - a.at || compareText(b._id, a._id));
}

function asDocument(row: Actor): ActorDocument {
  const { _id: address, kind, partition, rev, incarnation, version, life, quarantined, writeId, state, owed } = row;
  const { nextDue = null, parent = null, status, outcome = null, hosts, at } = row;
  const index = { parent, status, outcome, hosts, at };
  return { address, kind, partition, rev, incarnation, version, life, quarantined, writeId, state, owed, nextDue, index };
}

function asChunk({ execution, item, attempt, seq, at, stream, text, bytes, leftOut }: InferEntity<typeof OutputEntity>): OutputChunk {
  return { execution, item, attempt, seq, at, stream, text: JSON.parse(text), bytes, leftOut };
}

function asCredential({ kind, id, data, expiresAt = null, uses = null }: InferEntity<typeof CredentialEntity>): Credential {
  return { kind, id, data, expiresAt, uses };
}
