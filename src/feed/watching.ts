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
 * A frame of the feed: a fact, or the notice that facts before `from` are no longer kept: the
 * cursor of the oldest that is, and its instant (ISO 8601).
 */
export type WatchFrame = PublishedFact | { type: 'feed.truncated'; data: { from: string; at: string } };

/** A receiver of the feed. */
export interface Watcher {
  /** False: it is gone, or its buffer is full beyond what it said with `hasRoom`. */
  take(frame: WatchFrame): boolean;
  /** Whether more may be sent before what was sent has left. */
  hasRoom(): boolean;
  /** Does what is given at once; where it can, the frames taken meanwhile leave together. */
  together?(work: () => void): void;
  /** No more comes. `slow`: it may resume from `cursor`, the last it was given. */
  cut(why: 'slow' | 'stopping', cursor: string): void;
}

export interface WatchLimits {
  /** Live facts that wait for one watcher; one more, and it is cut. */
  backlogMax: number;
  /** A watcher that makes no room for so long is cut, ms. */
  stallMs: number;
  /** Between looks whether a full watcher has room again, ms. */
  roomPollMs: number;
  /** Facts per question to the store. */
  page: number;
  /** Until a store that was away is asked again, ms. */
  retryMs: number;
}

/** A fact with its place read from the cursor. */
export interface Offered {
  fact: PublishedFact;
  sequence: number;
}

export interface Watching {
  /** Gives it live facts, in order. Never waits. */
  offer(facts: readonly Offered[]): void;
  end(why: 'slow' | 'stopping'): void;
  /** Ends it without `cut`: the watcher itself left. */
  stop(): void;
}

export function createWatching(parts: {
  store: Pick<FactStore, 'facts'>;
  clock: Clock;
  limits: WatchLimits;
  watcher: Watcher;
  filter: FeedFilter;
  /** Everything behind it is wanted. */
  from: string;
  /** The page behind `from`. */
  first: Awaited<ReturnType<FactStore['facts']>>;
  /** Place of the newest fact that was offered to all. */
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

  /** False when it made none in time. */
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
      // Nothing is awaited between this look and going live: no fact can slip through.
      if (sequence >= parts.known()) {
        state = 'live';
        return;
      }
      // The newest facts are not to be seen in the store yet.
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
