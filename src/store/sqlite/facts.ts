/** Facts get their place in the feed as they are written: `_id` counts up, and a transaction that is undone leaves no hole in it. */
import { feedCursor, feedSequence } from '../cursor.ts';
import { type Fact, type FactStore, FEED_PAGE, type PlacedFact } from '../store.ts';
import { type Connections, rows } from './connections.ts';

type StoredFact = Omit<Fact, 'data'> & { sequence: number; data: string };

export function createFacts({ writer, reader, read }: Connections): Omit<FactStore, 'history'> & { insert: (fact: Fact) => PlacedFact } {
  const insertion = writer.prepare('insert into facts (address, rev, place, at, type, data) values (?, ?, ?, ?, ?, ?)');
  const page = reader.prepare('select _id as sequence, address, rev, place, at, type, data from facts where _id > ? order by _id limit ?');
  const oldest = reader.prepare('select min(_id) as sequence from facts');
  // Not max(_id): the newest fact may have left with retention, and its cursor must still not lie ahead of the feed.
  const newest = reader.prepare(`select seq as sequence from sqlite_sequence where name = 'facts'`);
  const head = () => rows<{ sequence: number }>(newest)[0]?.sequence ?? 0;

  return {
    /** Only inside a transaction of the writer. */
    insert({ address, rev, place, at, type, data }) {
      const text = JSON.stringify(data);
      const { lastInsertRowid } = insertion.run(address, rev, place, at, type, text);
      return { address, rev, place, at, type, data: JSON.parse(text), cursor: feedCursor(Number(lastInsertRowid)) };
    },

    async facts({ after, limit = FEED_PAGE }) {
      return read(() => {
        const behind = after === undefined ? undefined : feedSequence(after, head());
        const facts = rows<StoredFact>(page, behind ?? 0, limit).map(asPlaced);
        if (behind === undefined) return { facts };
        const first = rows<{ sequence: number | null }>(oldest)[0]?.sequence ?? head() + 1;
        return first > behind + 1 ? { facts, truncatedFrom: feedCursor(first) } : { facts };
      });
    },

    async headCursor() {
      return read(() => feedCursor(head()));
    },
  };
}

function asPlaced({ sequence, data, ...fact }: StoredFact): PlacedFact {
  return { ...fact, data: JSON.parse(data), cursor: feedCursor(sequence) };
}
