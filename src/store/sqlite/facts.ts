/**
 * Facts get their sequence in the feed when they are written: `_id` counts up, and a rolled-back
 * transaction leaves no gap.
 */
import type { DatabaseSync } from 'node:sqlite';
import { feedCursor, feedSequence } from '../cursor.ts';
import { type FactStore, FEED_PAGE, type HistoryFact, type PublishedFact, RAISE_BY } from '../port.ts';
import { type Raw, readableFact } from '../readable.ts';
import { type ReadConnection, rows, type WriteConnection } from './connections.ts';

type StoredFact = Raw<HistoryFact>;

/**
 * Facts per segment. Fewer facts mean fewer index pages per commit; more facts mean fewer segments
 * per history. Ten million facts are 2,442 segments, some milliseconds.
 */
const SEGMENT_FACTS = 4_096;
/** Beyond any rev and any instant. */
const EVER = Number.MAX_SAFE_INTEGER;

export function factWrites({ writer }: Pick<WriteConnection, 'writer'>): { insert: (fact: HistoryFact) => PublishedFact } {
  const insertion = writer.prepare('insert into facts (feed_segment, address, rev, position, at, type, data) values (?, ?, ?, ?, ?, ?, ?)');
  const corrected = writer.prepare('update facts set feed_segment = ? where _id = ?');
  let segment = segmentOf(headOf(writer)());
  return {
    /** Call only inside a transaction of the writer. */
    insert({ address, rev, position, at, type, data }) {
      const text = JSON.stringify(data);
      const { lastInsertRowid } = insertion.run(segment, address, rev, position, at, type, text);
      const sequence = Number(lastInsertRowid);
      // A rollback released its sequences, maybe back into the segment before.
      if (segment !== segmentOf(sequence - 1)) corrected.run(segmentOf(sequence - 1), sequence);
      segment = segmentOf(sequence);
      return { address, rev, position, at, type, data: JSON.parse(text), cursor: feedCursor(sequence) };
    },
  };
}

/**
 * Skips the sequences that facts of a lost state may have had. Call only inside a transaction of
 * the writer.
 */
export function raiseFeed(writer: DatabaseSync): void {
  writer.prepare(`update sqlite_sequence set seq = seq + ? where name = 'facts'`).run(RAISE_BY);
}

/**
 * Not max(_id): retention may have deleted the newest fact, whose cursor must stay within the feed.
 */
function headOf(connection: DatabaseSync): () => number {
  const newest = connection.prepare(`select seq as sequence from sqlite_sequence where name = 'facts'`);
  return () => rows<{ sequence: number }>(newest)[0]?.sequence ?? 0;
}

export function factReads({ reader, read }: ReadConnection): FactStore {
  const page = reader.prepare(
    'select _id as sequence, address, rev, position, at, type, data from facts where _id > ? order by _id limit ?',
  );
  const oldest = reader.prepare('select min(_id) as sequence from facts');
  const story = (beyond: '<' | '>', direction: 'asc' | 'desc') =>
    reader.prepare(
      `select address, rev, position, at, type, data from facts
       where feed_segment = ? and address = ? and (rev, position) ${beyond} (?, ?) and at >= ? and at < ? order by rev ${direction}, position ${direction} limit ?`,
    );
  const storyOldest = story('>', 'asc');
  const storyNewest = story('<', 'desc');
  const ends = reader.prepare('select (select min(feed_segment) from facts) as first, (select max(feed_segment) from facts) as last');
  const head = headOf(reader);

  return {
    async facts({ after, limit = FEED_PAGE }) {
      return read(() => {
        const behind = after === undefined ? undefined : feedSequence(after, head());
        const facts = rows<StoredFact & { sequence: number }>(page, behind ?? 0, limit).map(asPublished);
        if (behind === undefined) return { facts };
        const first = rows<{ sequence: number | null }>(oldest)[0]?.sequence ?? head() + 1;
        return first > behind + 1 ? { facts, truncatedFrom: feedCursor(first) } : { facts };
      });
    },

    async headCursor() {
      return read(() => feedCursor(head()));
    },

    async history({ address, limit, after, order = 'oldest', from = -EVER, to = EVER }) {
      return read(() => {
        const { first, last } = rows<{ first: number | null; last: number | null }>(ends)[0] ?? {};
        const facts: HistoryFact[] = [];
        if (first === undefined || first === null || last === undefined || last === null) return facts;
        const isOldest = order === 'oldest';
        const { rev, position } = after ?? (isOldest ? { rev: -1, position: -1 } : { rev: EVER, position: EVER });
        // An actor's revs rise with the feed, so the segments in order give its history in order.
        for (let nth = 0; nth <= last - first && facts.length < limit; nth++) {
          const segment = isOldest ? first + nth : last - nth;
          const left = limit - facts.length;
          facts.push(
            ...rows<StoredFact>(isOldest ? storyOldest : storyNewest, segment, address, rev, position, from, to, left).map(asHistoryFact),
          );
        }
        return facts;
      });
    },
  };
}

function asPublished({ sequence, ...fact }: StoredFact & { sequence: number }): PublishedFact {
  return { ...asHistoryFact(fact), cursor: feedCursor(sequence) };
}

const asHistoryFact: (row: StoredFact) => HistoryFact = readableFact;

function segmentOf(sequence: number): number {
  return Math.floor(sequence / SEGMENT_FACTS);
}
