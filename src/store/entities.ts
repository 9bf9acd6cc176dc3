/**
 * Tables and collections: one set of entities for SQLite and MongoDB, limited to features of both.
 * `_id` is the primary key because MongoDB requires this name. Texts that only the runtime reads
 * stay texts; each field that lists filter by has a column.
 *
 * Each turn writes every secondary index whose columns it changes: add one only for a frequent
 * query. The conditions of partial indexes are equalities and `$exists`, because MongoDB supports
 * little else.
 */
import { defineEntity, p, Type } from '@mikro-orm/core';

/** Epoch ms as a number. The ORM's own bigint compares texts, but MongoDB stores numbers. */
class Instant extends Type<number, number> {
  override getColumnType(): string {
    return 'bigint';
  }
}
const instantColumn = () => p.type(Instant);

/** Columns of an actor that both databases have. */
export const actorProperties = {
  _id: p.string().primary(),
  kind: p.string(),
  partition: p.integer(),
  rev: p.integer(),
  incarnation: p.integer(),
  version: p.integer(),
  life: p.string().$type<'live' | 'done' | 'tombstone'>(),
  quarantined: p.boolean(),
  writeId: p.string(),
  state: p.text(),
  pendingEffects: p.text(),
  nextDue: instantColumn().nullable(),
  /**
   * Whether `nextDue` is in force: it is set, and the actor is neither quarantined nor a tombstone.
   */
  armed: p.boolean(),
  /** Whether `pendingEffects` is anything but `[]`. */
  hasPending: p.boolean(),
  /** Whether lists show it: it is no tombstone. */
  listed: p.boolean(),
  parent: p.string().nullable(),
  pool: p.string().nullable(),
  alias: p.string().nullable(),
  group: p.string().nullable(),
  status: p.string(),
  outcome: p.string().nullable(),
  hosts: p.json<string[]>(),
  at: instantColumn(),
  endedAt: instantColumn().nullable(),
};

/**
 * Indexes of queries that page by address name `_id` after what leads them. What follows `_id` lets
 * a count, and the way to a late page, read the index alone. Of these columns only status,
 * outcome and endedAt change in the life of an actor.
 */
export const ACTOR_INDEXES = [
  { name: 'actors_due', properties: ['nextDue', '_id'], where: { armed: true } },
  { name: 'actors_pending', properties: ['_id'], where: { hasPending: true } },
  { name: 'actors_newest', properties: ['kind', 'at', '_id'] },
  // Executions are listed newest first, jobs by name. The other kinds have few actors: their
  // filters read row by row.
  { name: 'executions_parent', properties: ['parent', 'at', '_id', 'listed'], where: { kind: 'execution' } },
  {
    name: 'executions_ended',
    properties: ['parent', 'endedAt', '_id', 'listed', 'outcome'],
    where: { kind: 'execution', endedAt: { $exists: true } },
  },
  { name: 'executions_status', properties: ['status', 'at', '_id', 'listed'], where: { kind: 'execution' } },
  {
    name: 'executions_outcome',
    properties: ['outcome', 'at', '_id', 'listed'],
    where: { kind: 'execution', outcome: { $exists: true } },
  },
  { name: 'jobs_name', properties: ['_id', 'listed'], where: { kind: 'job' } },
  { name: 'jobs_alias', properties: ['alias', '_id'], where: { kind: 'job' } },
  { name: 'jobs_parent', properties: ['parent', '_id', 'listed'], where: { kind: 'job', parent: { $exists: true } } },
  { name: 'jobs_pool', properties: ['pool', '_id', 'listed'], where: { kind: 'job' } },
  { name: 'jobs_group', properties: ['group', '_id', 'listed', 'pool'], where: { kind: 'job', group: { $exists: true } } },
  { name: 'jobs_status', properties: ['status', '_id', 'listed', 'pool', 'group', 'outcome'], where: { kind: 'job' } },
  {
    name: 'jobs_outcome',
    properties: ['outcome', '_id', 'listed', 'pool', 'group'],
    where: { kind: 'job', outcome: { $exists: true } },
  },
  { name: 'actors_tombstones', properties: ['at', '_id'], where: { life: 'tombstone' } },
] as const;

const ActorEntity = defineEntity({
  name: 'Actor',
  tableName: 'actors',
  properties: actorProperties,
  indexes: ACTOR_INDEXES.map(index => ({ ...index, properties: [...index.properties] })),
});

/** Columns of a fact that both databases have. */
export const factProperties = {
  /**
   * Range of the feed in which the fact was written; always 0 on MongoDB. It leads the index of
   * histories: new facts then go into the few pages of the newest segment. By address alone each
   * fact would dirty a page of its own. A history is read segment by segment.
   */
  feedSegment: p.integer(),
  address: p.string(),
  rev: p.integer(),
  position: p.integer(),
  at: instantColumn(),
  type: p.string(),
};

/** Also prevents a second copy of a fact. */
export const factsHistory = () => ({
  name: 'facts_history',
  properties: ['feedSegment', 'address', 'rev', 'position'] satisfies (keyof typeof factProperties)[],
});

const FactEntity = defineEntity({
  name: 'Fact',
  tableName: 'facts',
  properties: {
    /** Its sequence in the feed. */
    _id: p.integer().primary().autoincrement(),
    ...factProperties,
    data: p.json<Record<string, unknown>>(),
  },
  uniques: [factsHistory()],
});

export const OccurrenceEntity = defineEntity({
  name: 'Occurrence',
  tableName: 'occurrences',
  properties: {
    /** Job and `from`, see `record-ids.ts`. */
    _id: p.string().primary(),
    job: p.string(),
    from: instantColumn(),
    to: instantColumn(),
    count: p.integer(),
    verdict: p.string(),
    execution: p.string().nullable(),
    reason: p.string().nullable(),
    decidedAt: instantColumn(),
    /**
     * Whether it covers more than one instant. There are few ranges, so their own index finds those
     * that begin before a span.
     */
    isRange: p.boolean(),
    /** JSON of `Occurrence.rule`. */
    rule: p.text().nullable(),
  },
  indexes: [
    { name: 'occurrences_time', properties: ['job', 'from'] },
    { name: 'occurrences_ranges', properties: ['job', 'to'], where: { isRange: true } },
  ],
});

export const OutputEntity = defineEntity({
  name: 'Output',
  tableName: 'output',
  properties: {
    /** Execution, item, attempt, seq, see `record-ids.ts`. */
    _id: p.string().primary(),
    execution: p.string(),
    item: p.integer(),
    attempt: p.integer(),
    seq: p.integer(),
    at: instantColumn(),
    stream: p.string().$type<'stdout' | 'stderr'>(),
    /** A JSON string, because some drivers cut a plain text at a NUL. */
    text: p.text(),
    bytes: p.integer(),
    leftOut: p.integer(),
  },
  // Includes stream and bytes, so that sums of output read the index and not the texts.
  indexes: [{ name: 'output_sums', properties: ['execution', 'item', 'attempt', 'seq', 'stream', 'bytes'] }],
});

export const CredentialEntity = defineEntity({
  name: 'Credential',
  tableName: 'credentials',
  properties: {
    /** Kind and id, see `record-ids.ts`. */
    _id: p.string().primary(),
    kind: p.string(),
    id: p.string(),
    data: p.json<Record<string, unknown>>(),
    expiresAt: instantColumn().nullable(),
    uses: p.integer().nullable(),
  },
  indexes: [{ name: 'credentials_kind', properties: ['kind'] }],
});

export const FileEntity = defineEntity({
  name: 'File',
  tableName: 'files',
  properties: {
    /** Content and name, see `record-ids.ts`. */
    _id: p.string().primary(),
    name: p.string(),
    sha256: p.string(),
    md5: p.string(),
    bytes: p.integer(),
    uploadedAt: instantColumn(),
    neededAt: instantColumn(),
  },
  indexes: [
    { name: 'files_sha256', properties: ['sha256', 'uploadedAt'] },
    { name: 'files_md5', properties: ['md5', 'uploadedAt'] },
    { name: 'files_name', properties: ['name', 'uploadedAt'] },
    { name: 'files_newest', properties: ['uploadedAt'] },
  ],
});

export const PostedLogEntity = defineEntity({
  name: 'PostedLog',
  tableName: 'posted_logs',
  properties: {
    /** Job and id, see `record-ids.ts`. */
    _id: p.string().primary(),
    job: p.string(),
    id: p.string(),
    at: instantColumn(),
    receivedAt: instantColumn(),
    /** The earlier of both: a wrong clock elsewhere keeps no log for ever. */
    since: instantColumn(),
    stat: p.integer(),
    startedAt: instantColumn().nullable(),
    durationMs: p.integer(),
    stdoutBytes: p.integer(),
    stderrBytes: p.integer(),
    /** JSON of the other fields. */
    details: p.text(),
    /**
     * JSON strings, as those of output: the end of each stream, which lists show, and what stands
     * before it. Lists do not read the latter, which come last in a row.
     */
    stdout: p.text(),
    stderr: p.text(),
    stdoutBefore: p.text(),
    stderrBefore: p.text(),
  },
  indexes: [
    // Totals and the way to a late page read this index alone.
    { name: 'posted_logs_time', properties: ['job', 'at', 'id', 'stat'] },
    { name: 'posted_logs_age', properties: ['since', 'job', 'id'] },
  ],
});

const PartitionEntity = defineEntity({
  name: 'Partition',
  tableName: 'partitions',
  properties: { _id: p.integer().primary(), owner: p.string(), epoch: p.integer() },
});

/**
 * Numbers about the store: `schemaVersion` and (SQLite) `schemaFingerprint`, the stored format;
 * `probe`, written to test writes; `revision` of the last commit (SQLite); `floorOf` a partition
 * and `keptAfterOf` a job, after deletions.
 */
export const MetaEntity = defineEntity({
  name: 'Meta',
  tableName: 'meta',
  properties: { _id: p.string().primary(), value: p.integer() },
});

export const entities = [
  ActorEntity,
  FactEntity,
  OccurrenceEntity,
  OutputEntity,
  CredentialEntity,
  FileEntity,
  PostedLogEntity,
  PartitionEntity,
  MetaEntity,
];
