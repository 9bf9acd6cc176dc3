/**
 * The port of the store. One document per actor, written by compare-and-set on its `rev`; beside
 * the documents: facts (history and feed), the occurrence ledger, output, credentials.
 *
 * Three implementations keep this contract (memory, SQLite, MongoDB) and one suite
 * (`test/support/store-contract.ts`) holds them to it. Everything that crosses the port is plain
 * data, so that a store may live in another thread.
 */

import { type OccurrenceEntry, RESOLVED_VERDICTS, type Verdict } from '../../actors/job/occurrence.ts';
import type { IndexFields } from '../../actors/kind.ts';
import type { FileRows, FileStore } from './file-port.ts';
import type { CursorPassStep } from './pass-step.ts';
import type { PostedLogStore } from './posted-log-port.ts';

/** One of 256 fixed slices of the actors, by hash of the address. */
export const PARTITIONS = 256;

/** Partitions from `from` to `to`, both included. */
export interface PartitionRange {
  from: number;
  to: number;
}

/**
 * How much epochs and feed sequences rise after the restore of an earlier state. It exceeds what a
 * center can have claimed since that state. A watcher never takes a new fact for a known one.
 */
export const RAISE_BY = 1_000_000;

export const ALL_PARTITIONS: PartitionRange = { from: 0, to: PARTITIONS - 1 };

/** Facts per `facts` call without a limit. */
export const FEED_PAGE = 500;

/**
 * An actor as it is stored. `state` and `pendingEffects` are JSON texts that only the runtime
 * reads.
 */
export interface ActorDocument {
  address: string;
  kind: string;
  partition: number;
  /** +1 with every commit; 1 for the first. */
  rev: number;
  /** 1 when created, +1 each time a tombstone is created again. */
  incarnation: number;
  /** Version of the machine that wrote `state`. */
  version: number;
  life: 'live' | 'done' | 'tombstone';
  quarantined: boolean;
  /** Unique per write. A later load compares it to decide an unknown outcome. */
  writeId: string;
  /** JSON: snapshot, timers, dedupe marks, dead letters, quarantine. */
  state: string;
  /** JSON: effects that are not acknowledged; `[]` when none. */
  pendingEffects: string;
  /** Earliest armed timer, epoch ms. */
  nextDue: number | null;
  index: IndexFields;
  /**
   * Set only for a row with values that no store writes: what is damaged, as a sentence without its
   * subject. The document must not be used.
   */
  damage?: string;
}

/** A past-tense event as history keeps it. */
export interface HistoryFact {
  address: string;
  rev: number;
  /** Index among the facts of one commit: `address:rev:position` is unique. */
  position: number;
  /** Epoch ms. */
  at: number;
  type: string;
  data: Record<string, unknown>;
}

/** A fact with its cursor in the feed. Cursors are opaque: only the store compares them. */
export interface PublishedFact extends HistoryFact {
  cursor: string;
}

/** One turn's (or several turns') atomic update of one actor. */
export interface Write {
  /** The new document. */
  document: ActorDocument;
  facts: HistoryFact[];
  /**
   * The stored `rev` that must be there; 0: nothing is stored. Default: `document.rev - 1`. It
   * differs only where an actor is created after its tombstone was deleted (see `floor`).
   */
  follows?: number;
}

export type CommitResult = { committed: true; facts: PublishedFact[] } | { committed: false };

/**
 * The store refused the call or cannot be reached. Whether a commit was applied is unknown until
 * the next load.
 */
export class StoreUnavailable extends Error {
  readonly code = 'storeUnavailable';
}

export interface ActorStore {
  /**
   * Writes each document whose `rev` still fits. The others return `committed: false` and change
   * nothing: of 100 with one stale, 99 commit. Results are in the order of the writes. Resolves
   * when every committed write is durable. Throws StoreUnavailable with unknown outcome. Throws
   * before any write where one address occurs twice.
   */
  commit(writes: Write[]): Promise<CommitResult[]>;
  load(address: string): Promise<ActorDocument | undefined>;
  /**
   * The highest rev of all deleted tombstones of this partition; 0 when none was deleted. The revs
   * of an actor created there begin after it, so that keys made of address and rev never repeat.
   */
  floor(partition: number): Promise<number>;
  /**
   * Gives these partitions (default: all) a new owner and raises each epoch by 1. Resolves with the
   * new epochs in order of partition, once they are durable. With `raiseBy` the owner raises its
   * epochs further; throws, having changed nothing, where another owner has one of the partitions.
   */
  claim(owner: string, partitions?: PartitionRange, raiseBy?: number): Promise<number[]>;
  /**
   * Actors whose earliest timer is at or before `until`, in (nextDue, address) order, strictly
   * after `after`. Excludes quarantined actors and tombstones.
   */
  due(query: {
    until: number;
    limit: number;
    after?: { nextDue: number; address: string };
  }): Promise<{ address: string; nextDue: number }[]>;
  /**
   * Addresses of actors with pending effects, in address order, strictly after `after`. Includes
   * quarantined actors and tombstones.
   */
  pending(query: { limit: number; after?: string }): Promise<string[]>;
  /**
   * Replaces `pendingEffects` where `rev` still fits, and leaves `rev` alone. Skips an entry with
   * another `rev`: its next commit trimmed it. At one rev `pendingEffects` only shrinks, so a store
   * may also skip a text that is longer or already written.
   */
  acknowledge(entries: { address: string; rev: number; pendingEffects: string }[]): Promise<void>;
  /**
   * Newest first by (index.at, address); with `order: 'name'` by address, with `'ended'` by
   * (index.endedAt, address). Excludes tombstones.
   * `cursor` is opaque; one of another order throws BadCursor.
   */
  list(query: ListQuery): Promise<ListAnswer>;
}

interface ListAnswer {
  items: ActorDocument[];
  next: string | null;
  /** Only with `total: true`. */
  total?: number;
}

export interface ListQuery {
  kind: string;
  limit: number;
  cursor?: string;
  /** Items to leave out, of those after `cursor`. Default 0. */
  offset?: number;
  /** Count all items that the filters match, whatever `cursor`, `offset` and `limit`. */
  total?: boolean;
  /** `ended`: those that have ended, newest end first. */
  order?: 'newest' | 'name' | 'ended';
  parent?: string;
  pool?: string;
  alias?: string;
  group?: string;
  /** Beginning of the name. */
  prefix?: string;
  /** Part of the name; ASCII letters in any case. */
  text?: string;
  status?: string[];
  outcome?: string[];
  /**
   * Any of these statuses, each with its outcomes (default: all; null: none yet). No status twice.
   */
  states?: { status: string; outcome?: (string | null)[] }[];
  host?: string;
  /** Bounds on `index.at`, with order `ended` on `index.endedAt`: from inclusive, to exclusive. */
  from?: number;
  to?: number;
}

export interface FactStore {
  /**
   * At most `limit` (default FEED_PAGE) facts after `after`, in feed order; without `after` from
   * the oldest. `truncatedFrom` is set when facts after `after` were deleted: the cursor of the
   * oldest kept fact, which is then the first.
   */
  facts(query: FactQuery): Promise<{ facts: PublishedFact[]; truncatedFrom?: string }>;
  /** The cursor of the newest fact, or of the empty beginning. */
  headCursor(): Promise<string>;
  /** History of an actor strictly after `after`. Default order: oldest first. */
  history(query: HistoryQuery): Promise<HistoryFact[]>;
}

interface HistoryQuery {
  address: string;
  limit: number;
  after?: { rev: number; position: number };
  order?: 'oldest' | 'newest';
  /** Bounds on `at`, epoch ms: from inclusive, to exclusive. */
  from?: number;
  to?: number;
}

interface FactQuery {
  /**
   * Throws BadCursor for a text that is no cursor of this feed, or that is beyond the newest fact.
   */
  after?: string;
  limit?: number;
}

export class BadCursor extends Error {
  readonly code = 'badCursor';
}

export type { Verdict };
/** A due time with its verdict, or a range of due times; both ends are due times. */
export type Occurrence = OccurrenceEntry & {
  /** As in ActorDocument. The verdict is then unknown. */
  damage?: string;
};

/** Whether the entry has the final verdict of a `waiting` one. */
export const isResolved = ({ verdict }: Pick<Occurrence, 'verdict'>): boolean => RESOLVED_VERDICTS.includes(verdict);
/** Whether `entry` gives the stored entry `before` its final verdict. */
export const resolves = (before: Occurrence, entry: Occurrence): boolean =>
  before.verdict === 'waiting' && isResolved(entry) && before.execution === entry.execution;

export interface Ledger {
  /**
   * Writes entries by job and `from`. Idempotent. The first write of an entry stays. A `waiting`
   * entry takes verdict, reason and `decidedAt` once from a final entry of the same execution. The
   * order of the two writes does not matter.
   */
  record(entries: Occurrence[]): Promise<void>;
  /**
   * Entries of one job that overlap from..to (inclusive), by `from`, after `after` (a `from`).
   * Default order: oldest first.
   */
  occurrences(query: {
    job: string;
    from?: number;
    to?: number;
    verdict?: Verdict;
    after?: number;
    limit: number;
    order?: 'oldest' | 'newest';
  }): Promise<Occurrence[]>;
  /** Due times per verdict. An entry that overlaps the range counts whole. */
  summary(query: { job: string; from?: number; to?: number }): Promise<Partial<Record<Verdict, number>>>;
  /**
   * Due times of the job up to this instant (epoch ms, inclusive) may be deleted; null: none was.
   */
  keptAfter(job: string): Promise<number | null>;
}

/** Output of one attempt of one shard, as the keeper numbered it. */
export interface OutputChunk {
  execution: string;
  item: number;
  attempt: number;
  /** Counts up by one per chunk of an attempt, from 1. */
  seq: number;
  /** Epoch ms at which the keeper read it. */
  at: number;
  stream: 'stdout' | 'stderr';
  text: string;
  /** Bytes the process wrote for `text`; differs from its length where it was no valid UTF-8. */
  bytes: number;
  /** Bytes of this stream left out just before this chunk. */
  leftOut: number;
}

/** Sum of one stream of one attempt. */
export interface OutputSum extends Pick<OutputChunk, 'execution' | 'item' | 'attempt' | 'stream'> {
  /** Sum of `bytes`. */
  bytes: number;
  /** Lowest `seq`. */
  first: number;
}

export interface OutputStore {
  /** Keeps chunks. Idempotent: skips a chunk whose attempt and seq are stored. */
  keepOutput(chunks: OutputChunk[]): Promise<void>;
  /**
   * By (item, attempt, seq), strictly after `after`; `item` and `stream` filter. Default order:
   * oldest first.
   */
  output(query: {
    execution: string;
    item?: number;
    stream?: 'stdout' | 'stderr';
    after?: { item: number; attempt: number; seq: number };
    order?: 'oldest' | 'newest';
    limit: number;
  }): Promise<OutputChunk[]>;
  /**
   * One sum per stream of each attempt of these executions that has any chunk; `range` narrows it
   * to chunks of one attempt, `from` and `to` inclusive.
   */
  outputSums(query: { executions: string[]; range?: { item: number; attempt: number; from: number; to: number } }): Promise<OutputSum[]>;
  /**
   * Deletes chunks of one attempt of one shard with `from <= seq <= to`: the middle of an output
   * over its cap.
   */
  dropOutput(range: { execution: string; item: number; attempt: number; from: number; to: number }): Promise<void>;
}

/**
 * Users, login tokens, join tokens, settings: small records by kind and id (a hash where the id is
 * a secret).
 */
export interface CredentialStore {
  /** Writes the record and replaces one of the same kind and id. */
  putCredential(record: Credential): Promise<void>;
  credential(kind: string, id: string): Promise<Credential | undefined>;
  /** Idempotent. */
  removeCredential(kind: string, id: string): Promise<void>;
  /** All records of a kind, by id. Not paged: there are few. */
  credentials(kind: string): Promise<Credential[]>;
  /**
   * Takes one use of a record atomically; false when it has none left, is expired
   * (`expiresAt <= now`), or is unknown.
   */
  spend(kind: string, id: string, now: number): Promise<boolean>;
  /** Removes records that expired before `now` (`expiresAt < now`); returns how many. */
  sweepCredentials(now: number): Promise<number>;
}

export interface Credential {
  kind: string;
  id: string;
  data: Record<string, unknown>;
  /** Epoch ms, null = never. */
  expiresAt: number | null;
  /** Uses left, null = any number. */
  uses: number | null;
  /** As in ActorDocument. The record then has no data, and has expired. */
  damage?: string;
}

/** Position of an execution in the order of creation. */
export interface CreationPosition {
  /** `index.at`. */
  at: number;
  address: string;
}

/**
 * Deletion in steps. Each step deletes or reads about `limit` records, durably; a crash between two
 * steps leaves no partial record. `services/retention.ts` has the ages. The store never deletes an
 * actor that has not ended, has pending effects or is quarantined, nor the newest fact.
 */
export interface Retention {
  /**
   * Executions that may be deleted, in order of creation: after `after`, up to and including
   * `until`; with `job` only those of this job.
   */
  endedExecutions(query: { until: CreationPosition; after?: CreationPosition; job?: string; limit: number }): Promise<ActorDocument[]>;
  /**
   * Counts executions of any state that were created after `after`, up to `limit`; returns the last
   * one counted.
   */
  countExecutions(query: { after?: CreationPosition; limit: number }): Promise<{ count: number; last?: CreationPosition }>;
  /**
   * Of the next `limit` jobs with executions, by name after `after`: the jobs with more than `keep`
   * executions, and the newest execution over the limit.
   */
  jobsOverLimit(query: {
    keep: number;
    after?: string;
    limit: number;
  }): Promise<{ jobs: { job: string; until: CreationPosition }[]; next: string | null }>;
  /**
   * Deletes their output, then each execution whose output is gone. A crash leaves an execution
   * without output, never output without an execution. `gone` lacks executions that may not be
   * deleted, and those beyond `limit`.
   */
  deleteExecutions(query: { addresses: string[]; limit: number }): Promise<{ gone: string[]; deleted: number }>;
  /**
   * Deletes output without a chunk since `before`, of executions that have ended or do not exist.
   * The pass is ordered by execution id.
   */
  deleteOutput(query: { before: number; after?: string; limit: number }): Promise<CursorPassStep>;
  /**
   * Deletes the oldest facts: those from before `before`, and those beyond the newest `keep`.
   * Returns how many; 0: nothing is left to delete.
   */
  deleteFacts(query: { before: number; keep: number; limit: number }): Promise<number>;
  /**
   * Deletes the oldest entries of each job: those that end before `before`, and those beyond its
   * newest `keep`. Stores the last deleted instant (`keptAfter`). Without `keep` any number stays;
   * with it the step reads that many entries. The pass is ordered by job.
   */
  deleteOccurrences(query: { before: number; keep?: number; after?: string; limit: number }): Promise<CursorPassStep>;
  /**
   * Deletes the oldest tombstones: those that ended before `before`, and those beyond the newest
   * `keep`. Returns how many; 0: nothing is left to delete.
   */
  deleteTombstones(query: { before: number; keep: number; limit: number }): Promise<number>;
}

export interface Store extends ActorStore, FactStore, Ledger, OutputStore, CredentialStore, FileRows, PostedLogStore, Retention {
  readonly files: FileStore;
  /** Resolves when the store can commit; else throws StoreUnavailable. For `/v1/ready`. */
  probe(): Promise<void>;
  /** Idempotent. Commits stay. */
  close(): Promise<void>;
}

/** Reads that a standby may do while another center serves from the database. */
export type EarlyReads = Pick<CredentialStore, 'credential'>;

/** Methods that write. In the embedded store one thread runs all of them. */
export type StoreWrites = Pick<Store, (typeof STORE_WRITES)[number]>;
export type StoreReads = Omit<Store, keyof StoreWrites | 'close' | 'files'>;

export const STORE_WRITES = [
  'commit',
  'claim',
  'acknowledge',
  'record',
  'keepOutput',
  'dropOutput',
  'deleteExecutions',
  'deleteOutput',
  'deleteFacts',
  'deleteOccurrences',
  'deleteTombstones',
  'putCredential',
  'removeCredential',
  'spend',
  'sweepCredentials',
  'putFileRow',
  'removeFileRow',
  'keepPostedLog',
  'deletePostedLogs',
  'deletePostedLogsOverLimit',
  'probe',
] as const satisfies Exclude<keyof Store, 'files'>[];
