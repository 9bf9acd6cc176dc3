/**
 * The collections: the entities of both databases, and the fields that let one document be enough.
 * An actor's document carries the facts of its own commits until they are in the feed. One document
 * has all partitions, so that one write claims many of them.
 */
import { defineEntity, p } from '@mikro-orm/core';
import {
  ACTOR_INDEXES,
  actorProperties,
  CredentialEntity,
  FileEntity,
  factProperties,
  factsHistory,
  MetaEntity,
  OccurrenceEntity,
  OutputEntity,
  PostedLogEntity,
} from '../entities.ts';

/** Some servers of the protocol refuse `_id` in a compound index: `address` takes its place. */
const byAddress = <I extends { properties: readonly string[] }>({ properties, ...index }: I) => ({
  ...index,
  properties: properties.map(field => (field === '_id' ? 'address' : field)) as 'address'[],
});

export const ActorRecord = defineEntity({
  name: 'Actor',
  tableName: 'actors',
  properties: {
    ...actorProperties,
    /** The same as `_id`, for compound indexes. */
    address: p.string(),
    /** Of `pendingEffects`: at one rev it only shrinks, which shows a trim that lands too late. */
    pendingLength: p.integer(),
    /** The next commit names it as it was last read: see `write-fencing.ts`. */
    fence: p.string().nullable(),
    /** Whether `facts` holds any. */
    unpublished: p.boolean(),
    /** Of commits whose facts may not be in the feed yet, one JSON text per commit. */
    facts: p.json<string[]>().nullable(),
    /** Of the one document that every insert at a later rev than the first collides with. */
    orphan: p.boolean().nullable(),
  },
  indexes: [
    ...ACTOR_INDEXES.map(byAddress),
    { name: 'actors_unpublished', properties: ['unpublished'], where: { unpublished: true } },
    { name: 'executions_host', properties: ['hosts', 'at', 'address'], where: { kind: 'execution' } },
    // Failures of a host, or of a job.
    { name: 'executions_host_outcome', properties: ['hosts', 'outcome', 'at', 'address'], where: ENDED() },
    { name: 'executions_parent_outcome', properties: ['parent', 'outcome', 'at', 'address'], where: ENDED() },
  ],
  uniques: [{ name: 'actors_orphan', properties: ['orphan'], where: { orphan: true } }],
});

function ENDED() {
  return { kind: 'execution', outcome: { $exists: true } };
}

export const FactRecord = defineEntity({
  name: 'Fact',
  tableName: 'facts',
  properties: {
    /** Its number in the feed, as sixteen digits: see `feed.ts`. */
    _id: p.string().primary(),
    ...factProperties,
    /** A JSON text. */
    data: p.text(),
  },
  uniques: [factsHistory()],
});

export const PartitionsRecord = defineEntity({
  name: 'Partitions',
  tableName: 'partitions',
  properties: {
    /** 0: there is one document. */
    _id: p.integer().primary(),
    rev: p.integer(),
    /** By partition. */
    epochs: p.json<number[]>(),
    owners: p.json<(string | null)[]>(),
  },
});

/** The center that serves from the database: see `cluster/center-lease.ts`. */
export const LeaseRecord = defineEntity({
  name: 'Lease',
  tableName: 'lease',
  properties: {
    /** `center`: there is one document. */
    _id: p.string().primary(),
    owner: p.string(),
    beat: p.integer(),
    host: p.string(),
    pid: p.integer(),
    machine: p.string(),
  },
});

/** `value` by name, as on SQLite. */
export const MetaRecord = defineEntity({
  name: 'Meta',
  tableName: 'meta',
  properties: {
    ...MetaEntity.properties,
    /** Only in the document `schemaVersion`, so that one write changes both. */
    fingerprint: p.string().nullable(),
  },
});

export const records = [
  ActorRecord,
  FactRecord,
  OccurrenceEntity,
  OutputEntity,
  CredentialEntity,
  FileEntity,
  PostedLogEntity,
  PartitionsRecord,
  LeaseRecord,
  MetaRecord,
] as const;
