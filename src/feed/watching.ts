/**
 * One watcher: from its cursor through the stored facts, then along with the live ones.
 *
 *   catching up ---> live ---> over
 *
 *   catching up  reads the store at its own pace
 *   live         receives each fact
 *   over         stopped, or cut for being slow
 */
import { type Clock, pause } from '../lib/clock.ts';
import { type FactStore, type PublishedFact, StoreUnavailable } from '../store/port.ts';
import { type FeedFilter, isWanted } from './filter.ts';

/**
 * A frame of the feed: a fact, or the notice that facts before `from` were deleted, with the cursor
 * of the oldest kept fact and its instant (ISO 8601).
 */
export type WatchFrame = PublishedFact | { type: 'feed.truncated'; data: { from: string; at: string } };

/** A receiver of the feed. */
export interface Watcher {
  /** False: the connection is gone, or its buffer is full beyond the answer of `hasRoom`. */
  take(frame: WatchFrame): boolean;
  /** Whether the buffer takes more before it has drained. */
  hasRoom(): boolean;
  /** Runs `work` at once. May send the frames taken meanwhile together. */
  together?(work: () => void): void;
  /** The last call. `slow`: the watcher may resume from `cursor`, its last position. */
  cut(why: 'slow' | 'stopping', cursor: string): void;
}

export interface WatchLimits {
  /** Live facts that wait for one watcher; with one more it is cut. */
  backlogMax: number;
  /** A watcher whose buffer stays full for this long is cut, ms. */
  stallMs: number;
  /** Interval at which a full buffer is checked again, ms. */
  roomPollMs: number;
  /** Facts per query of the store. */
  page: number;
  /** Delay before a query that the store did not answer is sent again, ms. */
  retryMs: number;
}

/** A fact with the sequence of its cursor. */
export interface Offered {
  fact: PublishedFact;
  sequence: number;
}

export interface Watching {
  /** Offers live facts, in order. Never waits. */
  offer(facts: readonly Offered[]): void;
  end(why: 'slow' | 'stopping'): void;
  /** Ends without `cut`: the watcher has gone. */
  stop(): void;
}

export function createWatching(parts: {
  store: Pick<FactStore, 'facts'>;
  clock: Clock;
  limits: WatchLimits;
  watcher: Watcher;
  filter: FeedFilter;
  /** Facts after this cursor are wanted. */
  from: string;
  /** The page after `from`. */
  first: Awaited<ReturnType<FactStore['facts']>>;
  /** Sequence of the newest fact that was offered to all watchers. */
  known(): number;
  sequenceOf(cursor: string): number;
  over(watching: Watching): void;
}): Watching {
  const { store, clock, limits, watcher, filter, sequenceOf } = parts;
  let state: 'catching' | 'live' | 'over' = 'catching';
  let position = parts.from;
  let sequence = sequenceOf(position);
  let backlog: Offered[] = [];
  let isDraining = false;

  const finish = () => {
    if (state === 'over') return false;
    state = 'over';
    backlog = [];
    parts.over(watching);
    return true;
  };
  const end = (why: 'slow' | 'stopping') => {
    if (finish()) watcher.cut(why, position);
  };

  const give = (next: Offered) => {
    if (isWanted(next.fact, filter) && !watcher.take(next.fact)) return end('slow');
    position = next.fact.cursor;
    sequence = next.sequence;
  };

  /** Resolves with false when the buffer did not drain in time. */
  const room = async (): Promise<boolean> => {
    const since = clock.monotonic();
    while (state !== 'over' && !watcher.hasRoom()) {
      if (clock.monotonic() - since >= limits.stallMs) return false;
      await pause(clock, limits.roomPollMs);
    }
    return true;
  };

  const nextPage = async () => {
    for (;;) {
      try {
        return await store.facts({ after: position, limit: limits.page });
      } catch (problem) {
        if (!(problem instanceof StoreUnavailable) || state === 'over') throw problem;
        await pause(clock, limits.retryMs);
      }
    }
  };

  const catchUp = async () => {
    for (let page = parts.first; ; page = await nextPage()) {
      const [oldest] = page.facts;
      if (page.truncatedFrom !== undefined && oldest && !isOver()) {
        const data = { from: page.truncatedFrom, at: new Date(oldest.at).toISOString() };
        if (!watcher.take({ type: 'feed.truncated', data })) return end('slow');
      }
      for (const fact of page.facts) {
        if (!watcher.hasRoom() && !(await room())) return end('slow');
        if (isOver()) return;
        give({ fact, sequence: sequenceOf(fact.cursor) });
      }
      if (isOver()) return;
      // No await between this check and going live: no fact can be lost.
      if (sequence >= parts.known()) {
        state = 'live';
        return;
      }
      // The store does not show the newest facts yet.
      if (page.facts.length === 0) await pause(clock, limits.roomPollMs);
    }
  };

  const drain = async () => {
    isDraining = true;
    while (backlog.length > 0) {
      if (!(await room())) return end('slow');
      const next = backlog.shift();
      if (isOver() || !next) return;
      give(next);
    }
    isDraining = false;
  };

  const isOver = () => state === 'over';

  const offerOne = (next: Offered) => {
    if (state !== 'live' || next.sequence <= sequence) return;
    if (!isDraining && watcher.hasRoom()) return give(next);
    if (!isWanted(next.fact, filter)) return;
    if (backlog.length >= limits.backlogMax) return end('slow');
    backlog.push(next);
    if (!isDraining) void drain();
  };

  const watching: Watching = {
    offer(facts) {
      const take = () => facts.forEach(offerOne);
      if (facts.length > 1 && watcher.together) watcher.together(take);
      else take();
    },
    end,
    stop: () => void finish(),
  };
  catchUp().catch(() => end('slow'));
  return watching;
}
