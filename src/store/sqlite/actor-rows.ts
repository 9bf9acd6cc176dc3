/** Converts an actor to a row and back. */

import type { ListPosition } from '../cursor.ts';
import type { ActorDocument } from '../port.ts';
import { type Raw, readableActor } from '../readable.ts';
import { booleanColumn } from './connections.ts';

export const ACTOR_COLUMNS = `_id as address, kind, partition, rev, incarnation, version, life, quarantined, write_id as writeId, state, pending_effects as pendingEffects,
  next_due as nextDue, parent, pool, alias, "group", status, outcome, hosts, at, ended_at as endedAt`;

/** A row of ACTOR_COLUMNS: document and index fields, `hosts` as JSON, no booleans. */
export type StoredActor = Raw<ActorDocument & ActorDocument['index']> & ListPosition;

export const documentOfRow: (row: StoredActor) => ActorDocument = readableActor;

/** In the order of all writing statements. The last value is the rev that must be stored. */
export function bindings(document: ActorDocument): (string | number | null)[] {
  const { index, nextDue } = document;
  const armed = nextDue !== null && !document.quarantined && document.life !== 'tombstone';
  return [
    document.partition,
    document.incarnation,
    document.version,
    document.life,
    booleanColumn(document.quarantined),
    document.writeId,
    document.state,
    document.pendingEffects,
    nextDue,
    booleanColumn(armed),
    booleanColumn(document.pendingEffects !== '[]'),
    index.status,
    index.outcome,
    JSON.stringify(index.hosts),
    index.endedAt,
    document.kind,
    index.parent,
    index.pool,
    index.alias,
    index.group,
    booleanColumn(document.life !== 'tombstone'),
    index.at,
    document.address,
    document.rev - 1,
  ];
}
