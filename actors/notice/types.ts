/** Notifications of a job or a pool: what waits, what is being sent, and to whom. */

/** `succeed`, `failed`: of executions. `host…`: of the hosts of a pool. */
export type NoticeKind = 'succeed' | 'failed' | 'hostJoined' | 'hostLost' | 'hostReturned';

/** What a notification is about. */
export type NoticeSubject = { type: 'job'; name: string; pool: string } | { type: 'pool'; name: string };

/** One kind of notification, as a job configures it. */
export interface NoticeSetting {
  enabled: boolean;
  /** Of the mail; empty: one that says the kind. */
  subject: string;
  /** Mail and http(s) addresses, at most 50. */
  to: string[];
  /** What the mail says first. */
  content: string;
}

export interface NotifySettings {
  succeed: NoticeSetting | null;
  failed: NoticeSetting | null;
}

/** An execution that ended. `item`, `attempt`, `host`: of the shard that decided its outcome. */
export interface RunNotice {
  type: 'run';
  execution: string;
  outcome: string;
  startedAt: number | null;
  /** When it ended, epoch ms. */
  at: number;
  shards: number;
  item: number;
  attempt: number;
  host: string | null;
  exitCode: number | null;
  signal: string | null;
  reason: string | null;
  /** Bytes that it wrote; null: not known. */
  outputBytes: number | null;
}

/** What an execution tells its job of its end, beside the outcome. */
export type DecidingShard = Pick<RunNotice, 'shards' | 'item' | 'attempt' | 'host' | 'exitCode' | 'signal' | 'reason' | 'outputBytes'>;

interface HostNotice {
  type: 'host';
  host: string;
  name: string;
  address: string;
  at: number;
}

export type NoticeEntry = RunNotice | HostNotice;

/** Notices of one kind that go out together. */
interface Folded {
  about: NoticeSubject;
  kind: NoticeKind;
  subject: string;
  content: string;
  to: string[];
  /** How many there were. */
  count: number;
  /** The first ones, at most WAITING_MAX of all that wait. */
  entries: NoticeEntry[];
  last: NoticeEntry;
}

/** It waits for the minute of its recipients, or for an earlier delivery to them. */
export type Gathering = Folded;

export interface Recipient {
  to: string;
  /** Tries that failed. */
  failures: number;
  /** When it is tried again, epoch ms; null: it is being tried. */
  retryAt: number | null;
  /** Number of the round that tries it. */
  round: number;
  /** The minute, epoch ms, in which the limit of this recipient over all jobs has room for it. */
  slot: number | null;
}

/** What is sent: it never changes, so that a repeat says the same. */
export interface NoticeMessage extends Folded {
  /** Counted from 1 in its actor. */
  delivery: number;
  /** Names it among all deliveries, also of an actor that had this address before. */
  id: string;
  /** When it was composed, epoch ms. */
  at: number;
  /** The end of the output of `last`. */
  output: NoticeOutput | null;
}

export interface NoticeOutput {
  text: string;
  /** There is earlier output. */
  isCut: boolean;
}

export interface NoticeDelivery {
  message: NoticeMessage;
  /** It gets its output first: later the store may have more of it, or nothing any more. */
  isReading: boolean;
  /** Those without an outcome. */
  recipients: Recipient[];
}

/** The outcome of one recipient of a round. */
export interface SendResult {
  to: string;
  /**
   * `refused`: for good. `failed`: tried again later. `limited`: its limit has no room before
   * `slot`, epoch ms.
   */
  outcome: 'sent' | 'refused' | 'failed' | 'limited';
  reason: string | null;
  slot?: number;
}

export interface NoticeContext {
  /** Name of the job, or `pool:<name>`. */
  name: string;
  /** Number of the latest delivery, and of the latest round. */
  delivery: number;
  round: number;
  gatherings: Gathering[];
  deliveries: NoticeDelivery[];
  /** `<kind> <address>` -> when it last got a delivery, epoch ms; kept for a minute. */
  recent: Record<string, number>;
  createdAt: number;
}
