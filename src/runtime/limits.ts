/** Everything in the runtime that can grow, with its limit and what happens there. */
import type { Backoff } from '../lib/backoff.ts';
import type { RestartLimits } from '../lib/restart-policy.ts';

export const LIMITS = {
  /**
   * Messages waiting at one actor. A command beyond it is answered Busy; messages of other actors
   * wait at their sender.
   */
  mailbox: 10_000,
  /** Messages of one actor decided before they are committed together. */
  turnMessages: 64,
  /** The same for an actor that gathers. */
  gatheredMessages: 1_024,
  /**
   * An actor that gathers waits so long after a commit before its next turn, per MB of its
   * document. One with fewer bytes does not wait.
   */
  gatherMsPerMB: 30,
  gatherFromBytes: 128 * 1024,
  /** Documents of one group commit; further ones go with the next. */
  commitWrites: 256,
  /**
   * With more group commits than this within the window, of a mean size between these, the next
   * ones wait this long to collect more.
   */
  commitPaceFrom: 1.25,
  commitPaceTo: 32,
  commitsUnpaced: 24,
  commitWindowMs: 50,
  commitPaceMs: 2,
  /**
   * Actors kept in memory, a few KB each. Beyond it the longest idle ones are dropped and loaded
   * again when needed.
   */
  loadedActors: 10_000,
  /** Failures on one message before it goes to the dead letters and its actor into quarantine. */
  failures: 3,
  /** Dead letters kept per actor, the latest. */
  deadLetters: 20,
  /** An actor without messages this long leaves memory; looked for every `sweepMs`. */
  idleActorMs: 30_000,
  /**
   * The same for an actor that has ended: it rarely gets another message, and most actors are
   * executions that last a second.
   */
  endedActorMs: 500,
  sweepMs: 1_000,
  /**
   * Senders kept per actor for dropping repeats; a mark is deleted once the sender's effect is
   * acknowledged, so this is only reached after many crashes.
   */
  seen: 20_000,
  /** A snapshot beyond this is not committed: the turn fails. Far below MongoDB's 16 MB. */
  stateBytes: 8 * 1024 * 1024,
  /** First and longest wait before the store is asked again. */
  storeRetryMs: 100,
  storeRetryMaxMs: 5_000,
  /**
   * How long an acknowledged effect may wait for its actor's next commit before a background pass
   * trims it.
   */
  trimAfterMs: 200,
  /**
   * How often the store is queried for actors with pending effects that this owner has not loaded:
   * a previous owner may have written them at the last moment.
   */
  pendingLookMs: 60_000,
  /**
   * Interval of pings to a worker, and the number of unanswered pings after which it is replaced.
   */
  heartbeatMs: 1_000,
  heartbeatsMissed: 5,
  /**
   * Replacements of one worker within the window; after one more its partitions stay down until the
   * center restarts.
   */
  replacements: 5,
  replacementWindowMs: 60_000,
  /** First wait before a worker is replaced; doubled with each replacement within the window. */
  replaceAfterMs: 100,
  /** Timers due within this span are kept in memory; later ones are looked up again. */
  horizonMs: 60_000,
  /**
   * Timers due longer ago than this are overdue: of those so many are under way at once, the others
   * wait for them.
   */
  overdueMs: 2_000,
  overdueAtOnce: 128,
  /** The longest sleep of the timers, so that a jump of the wall clock is detected. */
  napMs: 1_000,
  /**
   * Least difference, ms, between the progress of wall clock and monotonic clock that means the
   * wall clock was set. Less is drift.
   */
  clockJumpMs: 2_000,
} as const;

/**
 * Delay between attempts to reach an unavailable store, or to start a worker that cannot take over.
 */
export const STORE_RETRY: Backoff = { baseMs: LIMITS.storeRetryMs, capMs: LIMITS.storeRetryMaxMs };

export const WORKER_RESTARTS: RestartLimits = {
  restarts: LIMITS.replacements,
  windowMs: LIMITS.replacementWindowMs,
  delay: { baseMs: LIMITS.replaceAfterMs, capMs: LIMITS.storeRetryMaxMs },
};
