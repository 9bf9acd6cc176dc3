/**
 * Facts in memory: one array in feed order. The sequence of a fact is its index, counted from the
 * first fact ever. `data` is stored as JSON, as in every other store.
 */

import { feedCursor, feedSequence } from '../cursor.ts';
import { type FactStore, FEED_PAGE, type HistoryFact, type PublishedFact } from '../port.ts';
import { readableFact } from '../readable.ts';

type StoredFact = Omit<HistoryFact, 'data'> & { data: string };

export interface KeptFacts {
  /** Oldest first. */
  feed: readonly StoredFact[];
  dropOldest(count: number): void;
}

export function createMemoryFacts(): FactStore & { append: (fact: HistoryFact) => PublishedFact; kept: KeptFacts } {
  const feed: StoredFact[] = [];
  /** Deleted facts before the first of `feed`. */
  let dropped = 0;
  const histories = new Map<string, StoredFact[]>();

  return {
    kept: {
      feed,
      dropOldest(count) {
        for (const stored of feed.splice(0, count)) {
          const history = histories.get(stored.address) ?? [];
          history.splice(history.indexOf(stored), 1);
          if (history.length === 0) histories.delete(stored.address);
        }
        dropped += count;
      },
    },

    append({ address, rev, position, at, type, data }) {
      const stored = { address, rev, position, at, type, data: JSON.stringify(data) };
      const cursor = feedCursor(dropped + feed.push(stored));
      const history = histories.get(address);
      if (history) history.push(stored);
      else histories.set(address, [stored]);
      return { ...asHistoryFact(stored), cursor };
    },

    async facts({ after, limit = FEED_PAGE }) {
      const behind = after === undefined ? dropped : feedSequence(after, dropped + feed.length);
      const from = Math.max(behind, dropped);
      const page = feed.slice(from - dropped, from - dropped + limit);
      const facts = page.map((stored, index) => ({ ...asHistoryFact(stored), cursor: feedCursor(from + index + 1) }));
      return behind < dropped ? { facts, truncatedFrom: feedCursor(dropped + 1) } : { facts };
    },

    async headCursor() {
      return feedCursor(dropped + feed.length);
    },

    async history({ address, limit, after, order = 'oldest', from = Number.NEGATIVE_INFINITY, to = Number.POSITIVE_INFINITY }) {
      const direction = order === 'oldest' ? 1 : -1;
      const inOrder = (a: { rev: number; position: number }, b: { rev: number; position: number }) =>
        (a.rev - b.rev || a.position - b.position) * direction;
      return (histories.get(address) ?? [])
        .filter(fact => (!after || inOrder(fact, after) > 0) && fact.at >= from && fact.at < to)
        .sort(inOrder)
        .slice(0, limit)
        .map(asHistoryFact);
    },
  };
}

const asHistoryFact: (stored: StoredFact) => HistoryFact = readableFact;
