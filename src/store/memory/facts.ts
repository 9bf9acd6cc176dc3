/** Facts in memory: one array in feed order; a fact's place is its index. Their data is kept as JSON, as every other store does. */

import { feedCursor, feedSequence } from '../cursor.ts';
import { type Fact, type FactStore, FEED_PAGE, type PlacedFact } from '../store.ts';

type StoredFact = Omit<Fact, 'data'> & { data: string };

export function createFacts(): FactStore & { place: (fact: Fact) => PlacedFact } {
  const feed: StoredFact[] = [];
  const histories = new Map<string, StoredFact[]>();

  return {
    place({ address, rev, place, at, type, data }) {
      const stored = { address, rev, place, at, type, data: JSON.stringify(data) };
      const cursor = feedCursor(feed.push(stored));
      const history = histories.get(address);
      if (history) history.push(stored);
      else histories.set(address, [stored]);
      return { ...asTold(stored), cursor };
    },

    async facts({ after, limit = FEED_PAGE }) {
      const behind = after === undefined ? 0 : feedSequence(after, feed.length);
      const page = feed.slice(behind, behind + limit);
      return { facts: page.map((stored, index) => ({ ...asTold(stored), cursor: feedCursor(behind + index + 1) })) };
    },

    async headCursor() {
      return feedCursor(feed.length);
    },

    async history({ address, limit, after }) {
      return (histories.get(address) ?? [])
        .filter(({ rev, place }) => !after || rev > after.rev || (rev === after.rev && place > after.place))
        .sort((a, b) => a.rev - b.rev || a.place - b.place)
        .slice(0, limit)
        .map(asTold);
    },
  };
}

function asTold(stored: StoredFact): Fact {
  return { ...stored, data: JSON.parse(stored.data) };
}
