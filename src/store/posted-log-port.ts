/** The part of the store's port for logs of runs that other systems post. */
import type { CursorPassStep } from './pass-step.ts';

/** Of each stream of a log that lists show, bytes of UTF-8. */
export const LOG_TAIL_BYTES = 64 * 1024;

/** Fields that nothing selects by, as they came. */
interface PostedLogDetails {
  /** Empty: it had none. */
  msgid: string;
  location: string;
  group: string;
  event: string;
  command: string;
  workdir: string;
  address: string;
  error: string;
}

export interface PostedLog extends PostedLogDetails {
  /** `id` of its job, in lower case; the job need not exist. */
  job: string;
  /** Unique among the logs of its job. */
  id: string;
  /** End of the run, epoch ms. */
  at: number;
  receivedAt: number;
  /** 0: it went well; -1: it failed. */
  stat: number;
  /** Epoch ms; null: not known. */
  startedAt: number | null;
  durationMs: number;
  stdout: string;
  stderr: string;
  /** Bytes of each stream that are kept. */
  stdoutBytes: number;
  stderrBytes: number;
  /** As in ActorDocument. What is damaged is empty or 0. */
  damage?: string;
}

/** Position in the order of logs. */
export interface PostedLogPosition {
  at: number;
  id: string;
}

interface PostedLogFilter {
  job: string;
  stat?: number;
  /** Bounds on `at`, from inclusive, to exclusive. */
  from?: number;
  to?: number;
}

export interface PostedLogStore {
  /** Keeps a log. False, and no change, where its job has one with this `id`. */
  keepPostedLog(log: PostedLog): Promise<boolean>;
  /**
   * Newest first by (at, id), strictly after `after`, without the next `offset`. `stdout` and
   * `stderr` are the last LOG_TAIL_BYTES of each.
   */
  postedLogs(query: PostedLogFilter & { after?: PostedLogPosition; offset?: number; limit: number }): Promise<PostedLog[]>;
  countPostedLogs(query: PostedLogFilter): Promise<number>;
  /** The whole log. */
  postedLog(job: string, id: string): Promise<PostedLog | undefined>;
  /**
   * Deletes the oldest logs: those from before `before`, and those beyond the newest `keep` of
   * all jobs. The age counts from `at`, or from `receivedAt` where that is earlier. Returns how
   * many; 0: nothing is left to delete.
   */
  deletePostedLogs(query: { before: number; keep: number; limit: number }): Promise<number>;
  /** Deletes the oldest of each job beyond its newest `keep`. The pass is ordered by job. */
  deletePostedLogsOverLimit(query: { keep: number; after?: string; limit: number }): Promise<CursorPassStep>;
}
