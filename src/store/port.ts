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

/** One of 256 fixed slices of the actors, by hash of the address. */
export const PARTITIONS = 256;

/** Partitions from `from` to `to`, both included. */
export interface PartitionRange {
  from: number;
  to: number;
}

/**
 * By how much the epochs rise when the store holds an earlier state than agents have served: more
 * than a center can have claimed meanwhile. The places of the feed rise by as much, so that no
 * watcher takes a new fact for one that it has seen.
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
  /** Names this very write: decides an unknown outcome by a later load. */
  writeId: string;
  /** JSON: snapshot, timers, dedupe marks, dead letters, quarantine. */
  state: string;
  /** JSON: effects not known to be carried out; `[]` when none. */
  pendingEffects: string;
  /** Earliest armed timer, epoch ms. */
  nextDue: number | null;
  index: IndexFields;
  /**
   * Only of a row that holds what no store writes: a sentence without a subject. Its document is
   * not to be used.
   */
  damage?: string;
}

/** A past-tense event as history keeps it. */
export interface HistoryFact {
  address: string;
  rev: number;
  /** Place among the facts of one commit: `address:rev:place` is unique. */
  position: number;
  /** Epoch ms. */
  at: number;
  type: string;
  data: Record<string, unknown>;
}

/** A fact with its place in the feed. `cursor` is opaque and sorts only through the store. */
export interface PublishedFact extends HistoryFact {
  cursor: string;
}

/** One turn's (or several turns') atomic update of one actor. */
export interface Write {
  /** The document as it shall be. */
  document: ActorDocument;
  facts: HistoryFact[];
  /**
   * The stored `rev` that it follows, 0: nothing is stored. Default: `document.rev - 1`. Only a
   * birth says so, where an earlier life was forgotten (see `floor`).
   */
  follows?: number;
}

export type CommitResult = { committed: true; facts: PublishedFact[] } | { committed: false };

/**
 * The store did not take it and said so, or cannot be reached. Whether a commit was applied is
 * unknown until read again.
 */
export class StoreUnavailable extends Error {
  readonly code = 'storeUnavailable';
}

export interface ActorStore {
  /**
   * Writes each document whose `rev` still fits; the others come back as `committed: false` and
   * change nothing (of 100 with one stale, 99 commit). Results stand in the order of the writes.
   * Resolves when everything said to be committed is durable. Throws StoreUnavailable with unknown
   * outcome. One address at most once per call (throws otherwise, before anything is written).
   */
  commit(writes: Write[]): Promise<CommitResult[]>;
  load(address: string): Promise<ActorDocument | undefined>;
  /**
   * The highest rev of all tombstones of this partition that were forgotten, 0 when none was. Who
   * is born there begins behind it, so that keys made of address and rev never repeat, whatever
   * life of that name went before.
   */
  floor(partition: number): Promise<number>;
  /**
   * These partitions (default: all) get a new owner: each epoch +1, durable before it resolves. The
   * new epochs, from the first of them on. With `raiseBy` their owner raises them further: throws,
   * having changed nothing, where somebody else has taken one of them.
   */
  claim(owner: string, partitions?: PartitionRange, raiseBy?: number): Promise<number[]>;
  /**
   * Actors whose earliest timer is at or before `until`, earliest first, strictly behind `after` in
   * (nextDue, address) order. Quarantined ones and tombstones never.
   */
  due(query: {
    until: number;
    limit: number;
    after?: { nextDue: number; address: string };
  }): Promise<{ address: string; nextDue: number }[]>;
  /**
   * Addresses of actors with pending effects, whatever their life (also quarantined ones and
   * tombstones), in address order, behind `after`.
   */
  pending(query: { limit: number; after?: string }): Promise<string[]>;
  /**
   * Replaces `pendingEffects` where `rev` still fits, leaving `rev` alone; entries whose `rev`
   * moved on are passed over (their next commit trimmed them). At one rev `pendingEffects` only
   * ever becomes shorter: what is longer, or written already, may be passed over, too.
   */
  acknowledge(entries: { address: string; rev: number; pendingEffects: string }[]): Promise<void>;
  /**
   * Newest first by (index.at, address) unless `order` says `name` (by address). Tombstones never.
   * `cursor` is opaque; one of another order throws BadCursor.
   */
  list(query: ListQuery): Promise<{ items: ActorDocument[]; next: string | null }>;
}

export interface ListQuery {
  kind: string;
  limit: number;
  cursor?: string;
  order?: 'newest' | 'name';
  parent?: string;
  pool?: string;
  /** How the name begins. */
  prefix?: string;
  status?: string[];
  outcome?: string[];
  host?: string;
  /** Bounds on `index.at`, from inclusive, to exclusive. */
  from?: number;
  to?: number;
}

export interface FactStore {
  /**
   * The facts behind `after` (absent: from the oldest kept), in feed order, at most `limit`
   * (default FEED_PAGE). `truncatedFrom` is there when facts behind `after` are no longer kept: the
   * cursor of the oldest kept, which then comes first.
   */
  facts(query: FactQuery): Promise<{ facts: PublishedFact[]; truncatedFrom?: string }>;
  /** The cursor of the newest fact, or of the empty beginning. */
  headCursor(): Promise<string>;
  /** History of an actor, oldest first unless `order` says otherwise, strictly behind `after`. */
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
  /** Throws BadCursor when it is not one of ours, or lies ahead of the newest fact. */
  after?: string;
  limit?: number;
}

export class BadCursor extends Error {
  readonly code = 'badCursor';
}

export type { Verdict };
/** A due time with its verdict, or a stretch of them; both ends are due times. */
export type Occurrence = OccurrenceEntry & {
  /** As of an ActorDocument: its verdict is not known. */
  damage?: string;
};

/** Whether an entry is what became of one that waits. */
export const isResolved = ({ verdict }: Pick<Occurrence, 'verdict'>): boolean => RESOLVED_VERDICTS.includes(verdict);
/** Whether `entry` is what became of `before`, the one that is stored. */
export const resolves = (before: Occurrence, entry: Occurrence): boolean =>
  before.verdict === 'waiting' && isResolved(entry) && before.execution === entry.execution;

export interface Ledger {
  /**
   * Writes entries; `_id` is job and `from`, so writing one twice is nothing. The first writing
   * stands, but for a `waiting` entry: what became of it, written for the same execution, takes the
   * place of its verdict, reason and `decidedAt`, once. In whichever order the two are written, the
   * result is the same.
   */
  record(entries: Occurrence[]): Promise<void>;
  /**
   * Entries of one job that touch from..to (inclusive), by `from`, oldest first unless `order` says
   * otherwise, behind `after` (a `from`) in that order.
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
  /** Due times per verdict. Entries that stick out of from..to count whole. */
  summary(query: { job: string; from?: number; to?: number }): Promise<Partial<Record<Verdict, number>>>;
  /** Due times of the job up to here (epoch ms, inclusive) may be deleted; null: none was. */
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

/** What is kept of one stream of one attempt. */
export interface OutputSum extends Pick<OutputChunk, 'execution' | 'item' | 'attempt' | 'stream'> {
  /** Sum of `bytes`. */
  bytes: number;
  /** Lowest `seq`. */
  first: number;
}

export interface OutputStore {
  /** Keeps chunks; one that is kept already (same attempt and seq) is passed over. */
  keepOutput(chunks: OutputChunk[]): Promise<void>;
  /** By (item, attempt, seq) strictly behind `after`; `item` and `stream` filter. */
  output(query: {
    execution: string;
    item?: number;
    stream?: 'stdout' | 'stderr';
    after?: { item: number; attempt: number; seq: number };
    limit: number;
  }): Promise<OutputChunk[]>;
  /**
   * One sum per stream of each attempt of these executions that has any chunk; `range` narrows it
   * to chunks of one attempt, `from` and `to` inclusive.
   */
  outputSums(query: { executions: string[]; range?: { item: number; attempt: number; from: number; to: number } }): Promise<OutputSum[]>;
  /**
   * Forgets chunks of one attempt of one shard with `from <= seq <= to` (the middle of an output
   * beyond its cap).
   */
  dropOutput(range: { execution: string; item: number; attempt: number; from: number; to: number }): Promise<void>;
}

/**
 * Users, login tokens, join tokens, settings: small records by kind and id (a hash where the id is
 * a secret).
 */
export interface CredentialStore {
  /** Writes the record, in place of one of the same kind and id. */
  putCredential(record: Credential): Promise<void>;
  credential(kind: string, id: string): Promise<Credential | undefined>;
  /** Removing what is not there is fine. */
  removeCredential(kind: string, id: string): Promise<void>;
  /** All records of a kind, by id. They are few by nature: no paging. */
  credentials(kind: string): Promise<Credential[]>;
  /**
   * Takes one use of a record atomically; false when it has none left, is expired
   * (`expiresAt <= now`), or is unknown.
   */
  spend(kind: string, id: string, now: number): Promise<boolean>;
  /** Removes what expired before `now` (`expiresAt < now`); says how many. */
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
  /** As of an ActorDocument: it has no data, and has expired. */
  damage?: string;
}

/** A place among the executions in the order of their creation. */
export interface CreationPosition {
  /** `index.at`. */
  at: number;
  address: string;
}

/**
 * A step of a tour by name: how much it removed, and behind which name the next one goes on; null
 * when the tour is over.
 */
export interface CursorPassStep {
  deleted: number;
  next: string | null;
}

/**
 * What leaves after a while, in steps: each removes or looks at about `limit` records, durably, and
 * a crash between two leaves nothing half. How long what is kept is said in `retention.ts`; here
 * stands what never leaves: who has not ended, owes something, or is in quarantine; the newest
 * fact.
 */
export interface Retention {
  /**
   * Executions that may leave, in the order of their creation: behind `after`, up to and with
   * `until`; of one job when it is named.
   */
  endedExecutions(query: { until: CreationPosition; after?: CreationPosition; job?: string; limit: number }): Promise<ActorDocument[]>;
  /**
   * How many executions of any state were created behind `after`, counted up to `limit`, and the
   * last one counted.
   */
  countExecutions(query: { after?: CreationPosition; limit: number }): Promise<{ count: number; last?: CreationPosition }>;
  /**
   * Among the next `limit` jobs with executions, by name behind `after`: those with more than
   * `keep`, and the newest execution beyond.
   */
  jobsOverLimit(query: {
    keep: number;
    after?: string;
    limit: number;
  }): Promise<{ jobs: { job: string; until: CreationPosition }[]; next: string | null }>;
  /**
   * Removes their output and then, where all of it is gone, the executions themselves: a crash
   * leaves an execution without output, never output that nobody would look for. `gone` may lack
   * some: `limit` was reached, or they may not leave.
   */
  deleteExecutions(query: { addresses: string[]; limit: number }): Promise<{ gone: string[]; deleted: number }>;
  /**
   * Removes output of executions that have ended, or are not there, and wrote nothing since
   * `before`. The tour goes by execution id.
   */
  deleteOutput(query: { before: number; after?: string; limit: number }): Promise<CursorPassStep>;
  /**
   * Removes the oldest facts: those from before `before`, and those beyond the newest `keep`. Says
   * how many; 0: nothing is left to remove.
   */
  deleteFacts(query: { before: number; keep: number; limit: number }): Promise<number>;
  /**
   * Removes the oldest entries of each job that end before `before` or are beyond its newest `keep`
   * (absent: any number; it costs a walk through that many), and remembers up to where
   * (`keptAfter`). The tour goes by job.
   */
  deleteOccurrences(query: { before: number; keep?: number; after?: string; limit: number }): Promise<CursorPassStep>;
  /**
   * Removes the oldest tombstones: those that ended before `before`, and those beyond the newest
   * `keep`. Says how many; 0: nothing is left to remove.
   */
  deleteTombstones(query: { before: number; keep: number; limit: number }): Promise<number>;
}

export interface Store extends ActorStore, FactStore, Ledger, OutputStore, CredentialStore, Retention {
  /** Resolves when it can commit; else throws StoreUnavailable. For `/v1/ready`. */
  probe(): Promise<void>;
  /** Idempotent. What was committed stays. */
  close(): Promise<void>;
}

/** What a center may read of a database from which another one serves. */
export type EarlyReads = Pick<CredentialStore, 'credential'>;

/** What changes the store. In the embedded one a single thread does all of it. */
export type StoreWrites = Pick<Store, (typeof STORE_WRITES)[number]>;
export type StoreReads = Omit<Store, keyof StoreWrites | 'close'>;

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
  'probe',
] as const satisfies (keyof Store)[];
