/**
 * Sends facts to watchers as they are committed, in the order of the feed, without gaps and without
 * repeats. The store is authoritative: where a fact does not follow the last known one, the missing
 * part is read from the store.
 */
import { type Clock, pause } from '../lib/clock.ts';
import { feedSequence } from '../store/cursor.ts';
import { type FactStore, FEED_PAGE, type PublishedFact } from '../store/port.ts';
import type { FeedFilter } from './filter.ts';
import { createWatching, type Offered, type Watcher, type Watching, type WatchLimits } from './watching.ts';

export interface FeedLimits extends WatchLimits {
  /** Watchers at once; a further one is FeedFull. */
  watchersMax: number;
  /** Published facts that wait for missing ones; beyond, all facts come from the store. */
  incomingMax: number;
}

const feedLimits: FeedLimits = {
  watchersMax: 1_000,
  incomingMax: 10_000,
  backlogMax: 5_000,
  stallMs: 30_000,
  roomPollMs: 25,
  page: FEED_PAGE,
  retryMs: 1_000,
};

/** The number of watchers is at its limit. */
export class FeedFull extends Error {
  readonly code = 'feedFull';
}

interface Known {
  cursor: string;
  sequence: number;
}

export interface Feed {
  /** Takes committed facts in feed order; never waits. Skips repeated facts. */
  publish(facts: PublishedFact[]): void;
  /** Reads facts that other centers may have written to the same store. */
  look(): void;
  /**
   * Resolves once the first stored facts are read; they arrive afterwards. Throws BadCursor,
   * StoreUnavailable, FeedFull. `stop` ends the watcher without `cut`.
   */
  follow(from: { after?: string | undefined; filter?: FeedFilter }, watcher: Watcher): Promise<{ stop(): void }>;
  watchers(): number;
  /** Cuts every watcher and accepts no further one. Idempotent. */
  stop(): void;
}

export function createFeed(parts: { store: Pick<FactStore, 'facts' | 'headCursor'>; clock: Clock; limits?: Partial<FeedLimits> }): Feed {
  const { store, clock } = parts;
  const limits = { ...feedLimits, ...parts.limits };
  const watchings = new Set<Watching>();
  /** Newest fact that was offered to all; undefined before the first watcher. */
  let known: Known | undefined;
  let incoming: PublishedFact[] = [];
  let isMending = false;
  /** The store may have facts that this feed has not seen. */
  let mustRead = false;
  let isStopped = false;

  /**
   * Offers consecutive facts. Their sequences are read from the cursors once, not by each watcher.
   */
  const offer = (facts: Offered[]) => {
    const last = facts.at(-1);
    if (!last) return;
    known = { cursor: last.fact.cursor, sequence: last.sequence };
    for (const watching of [...watchings]) watching.offer(facts);
  };

  const flow = () => {
    let taken = 0;
    let last = known?.sequence;
    const next: Offered[] = [];
    for (const fact of incoming) {
      const sequence = sequenceOf(fact.cursor);
      if (last !== undefined && sequence > last + 1) break;
      taken++;
      if (last !== undefined && sequence <= last) continue;
      last = sequence;
      next.push({ fact, sequence });
    }
    incoming.splice(0, taken);
    offer(next);
    if ((incoming.length > 0 || mustRead) && !isMending) void mend();
  };

  /** Reads from the store until the waiting facts follow the known ones. */
  const mend = async () => {
    isMending = true;
    while (!isStopped && (mustRead || incoming.length > 0)) {
      const readAll = mustRead;
      mustRead = false;
      try {
        known ??= knownAt(await store.headCursor());
        const { sequence: from, cursor: after } = known;
        const page = await store.facts({ after, limit: limits.page });
        offer(page.facts.map(offered).filter(({ sequence }) => sequence > from));
        if (readAll && page.facts.length > 0) mustRead = true;
        // An empty page: the sequence was never used (its write was rolled back). The waiting facts
        // follow.
        const [next] = incoming;
        if (page.facts.length === 0 && next && sequenceOf(next.cursor) > from + 1) offer([offered(next)]);
      } catch {
        mustRead ||= readAll;
        await pause(clock, limits.retryMs);
      }
      flow();
    }
    isMending = false;
  };

  return {
    publish(facts) {
      if (isStopped || facts.length === 0) return;
      if (incoming.length + facts.length > limits.incomingMax) {
        incoming = [];
        mustRead = true;
      } else incoming.push(...facts);
      if (isMending) return;
      // Without watchers no fact can be missed.
      if (watchings.size === 0 && !mustRead) {
        known = knownAt((facts.at(-1) as PublishedFact).cursor);
        incoming = [];
      } else flow();
    },
    look() {
      if (isStopped || watchings.size === 0) return;
      mustRead = true;
      if (!isMending) void mend();
    },
    async follow({ after, filter = {} }, watcher) {
      if (isStopped || watchings.size >= limits.watchersMax)
        throw new FeedFull(`the feed has ${watchings.size} watchers, it takes no more`);
      const head = await store.headCursor();
      const from = after ?? head;
      const first = await store.facts({ after: from, limit: limits.page });
      // Without a live watcher the known position may skip ahead. With one it may not, or facts
      // under way would count as repeats.
      if (known === undefined || (watchings.size === 0 && known.sequence < sequenceOf(head))) known = knownAt(head);
      const watching = createWatching({
        store,
        clock,
        limits,
        watcher,
        filter,
        from,
        first,
        known: () => known?.sequence ?? sequenceOf(head),
        sequenceOf,
        over: gone => void watchings.delete(gone),
      });
      if (isStopped) watching.end('stopping');
      else watchings.add(watching);
      return { stop: watching.stop };
    },
    watchers: () => watchings.size,
    stop() {
      isStopped = true;
      for (const watching of [...watchings]) watching.end('stopping');
    },
  };
}

/** Sequences are only compared: the encoding of cursors is the store's. */
const sequenceOf = (cursor: string): number => feedSequence(cursor, Number.MAX_SAFE_INTEGER);
const knownAt = (cursor: string): Known => ({ cursor, sequence: sequenceOf(cursor) });
const offered = (fact: PublishedFact): Offered => ({ fact, sequence: sequenceOf(fact.cursor) });
