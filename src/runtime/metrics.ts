/**
 * Counters of a partition worker: plain numbers that can be added over workers, and over the
 * restarts of one worker.
 */

/** Upper bounds of the buckets of a histogram, ms. */
export const BUCKETS_MS = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000] as const;

/**
 * How often a span was at most so long (`buckets`, one per bound and one beyond; not cumulative),
 * and how long all of them were together.
 */
export interface Spans {
  buckets: number[];
  sumMs: number;
}

/** Since the worker started. */
export interface Counters {
  /** Turns that were committed; several messages of one actor may share one. */
  turns: number;
  /** Calls of the store that wrote turns, and the writes in them that succeeded. */
  commits: number;
  writes: number;
  /** Calls of the store that failed. */
  storeErrors: number;
  commitMs: Spans;
  /** From the instant a timer was due to its being handed to its actor. */
  lateMs: Spans;
}

/** As it is now. */
interface Level {
  /** Actors in memory, and messages in their mailboxes. */
  actors: number;
  mailbox: number;
  /** Effects that are not acknowledged. */
  outbox: number;
  /**
   * Actors with a timer that is due soon (within the horizon of `timers.ts`); later ones are in the
   * store alone.
   */
  armed: number;
}

export interface RuntimeMetrics {
  counted: Counters;
  level: Level;
}

const noSpans = (): Spans => ({ buckets: Array.from({ length: BUCKETS_MS.length + 1 }, () => 0), sumMs: 0 });
export const emptyCounters = (): Counters => ({ turns: 0, commits: 0, writes: 0, storeErrors: 0, commitMs: noSpans(), lateMs: noSpans() });
export const emptyMetrics = (): RuntimeMetrics => ({ counted: emptyCounters(), level: { actors: 0, mailbox: 0, outbox: 0, armed: 0 } });

/** A clock that was set back makes no span negative. */
export function addSpan(spans: Spans, ms: number): void {
  const span = Math.max(0, ms);
  const index = BUCKETS_MS.findIndex(bound => span <= bound);
  const bucket = index < 0 ? BUCKETS_MS.length : index;
  spans.buckets[bucket] = (spans.buckets[bucket] ?? 0) + 1;
  spans.sumMs += span;
}

const spansTogether = (a: Spans, b: Spans): Spans => ({
  buckets: a.buckets.map((count, index) => count + (b.buckets[index] ?? 0)),
  sumMs: a.sumMs + b.sumMs,
});

export const sumCounters = (a: Counters, b: Counters): Counters => ({
  turns: a.turns + b.turns,
  commits: a.commits + b.commits,
  writes: a.writes + b.writes,
  storeErrors: a.storeErrors + b.storeErrors,
  commitMs: spansTogether(a.commitMs, b.commitMs),
  lateMs: spansTogether(a.lateMs, b.lateMs),
});

export const sumMetrics = (a: RuntimeMetrics, b: RuntimeMetrics): RuntimeMetrics => ({
  counted: sumCounters(a.counted, b.counted),
  level: {
    actors: a.level.actors + b.level.actors,
    mailbox: a.level.mailbox + b.level.mailbox,
    outbox: a.level.outbox + b.level.outbox,
    armed: a.level.armed + b.level.armed,
  },
});
