/**
 * Facts get their sequence in the feed after their commit: `_id` counts up by one. Each insert
 * follows the one before, and a sequence that another writer took is a duplicate key. So there is
 * never a gap, no reader sees n + 1 before n, and any number of writers may append at once. A fact
 * of the feed is a duplicate too (of actor, rev and position) and keeps its sequence.
 */
import type { FilterQuery } from '@mikro-orm/core';
import { feedCursor, feedSequence } from '../cursor.ts';
import { type FactStore, FEED_PAGE, type HistoryFact, type PublishedFact, StoreUnavailable } from '../port.ts';
import { readableFact } from '../readable.ts';
import { collectionsOf, HERE, managerOf, type Orm } from './connection.ts';
import { FactRecord } from './entities.ts';
import { asked, asStoreError, DUPLICATE_KEY, refusedWrites } from './errors.ts';
import type { FactRow } from './rows.ts';

/** Facts of one insert. */
const INSERTS_MAX = 1_000;

/** After so many sequences that others took first, another error is likely: the call fails. */
const COLLISIONS_MAX = 1_000;

export interface FeedCollection extends FactStore {
  /**
   * Gives each fact its sequence, in this order, or finds the one it has. Idempotent.
   * Throws StoreUnavailable: then some may be in the feed.
   */
  append(facts: HistoryFact[]): Promise<PublishedFact[]>;
}

export function createFeedCollection(orm: Orm): FeedCollection {
  // The ORM passes no read concern of a single query.
  const { facts } = collectionsOf(orm);

  /** The last sequence that is known to be taken. */
  let taken: number | undefined;

  const newest = async (options = {}) => {
    const [row] = await facts
      .find({}, { ...options, projection: { _id: 1 } })
      .sort({ _id: -1 })
      .limit(1)
      .toArray();
    return sequenceOf(row?._id);
  };
  const sequenceOfFact = async ({ address, rev, position }: HistoryFact) => {
    const row = await facts.findOne({ feedSegment: 0, address, rev, position }, { ...HERE, projection: { _id: 1 } });
    return row ? sequenceOf(row._id) : undefined;
  };

  /** How many of them, from the first on, got the sequences after `head`. */
  const insert = async (head: number, some: HistoryFact[]): Promise<number> => {
    try {
      const rows = some.map((fact, nth) => asRow(fact, head + 1 + nth));
      // In order: behind the first refused row nothing is inserted.
      await orm.driver.nativeInsertMany(FactRecord, rows);
      return some.length;
    } catch (error) {
      const [first] = refusedWrites(error)?.refused ?? [];
      if (first?.code === DUPLICATE_KEY) return first.index;
      throw asStoreError(error);
    }
  };

  return {
    async append(wanted) {
      const placed: PublishedFact[] = [];
      let collisions = 0;
      try {
        while (placed.length < wanted.length) {
          taken ??= await asked(() => newest(HERE));
          const head: number = taken;
          const some = wanted.slice(placed.length, placed.length + INSERTS_MAX);
          const count = await insert(head, some);
          placed.push(...some.slice(0, count).map((fact, nth) => asPublished(asRow(fact, head + 1 + nth))));
          taken = head + count;
          const refused = some[count];
          if (!refused) continue;
          const known = await asked(() => sequenceOfFact(refused));
          if (known !== undefined) placed.push(asPublished(asRow(refused, known)));
          taken = undefined;
          if (++collisions > COLLISIONS_MAX + wanted.length)
            throw new StoreUnavailable('facts were not placed: other writers took each position of the feed');
        }
        return placed;
      } catch (error) {
        // Inserts without an answer may have taken some.
        taken = undefined;
        throw error;
      }
    },

    async facts({ after, limit = FEED_PAGE }) {
      const behind = after === undefined ? undefined : feedSequence(after, Number.MAX_SAFE_INTEGER);
      if (limit <= 0) return { facts: [] };
      const where = { _id: { $gt: idOf(behind ?? 0) } };
      const rows = await asked(() => managerOf(orm).find(FactRecord, where, { orderBy: { _id: 'asc' }, limit }));
      const page = rows.map(asPublished);
      if (behind === undefined || after === undefined) return { facts: page };
      // A page behind it shows that it lies in the feed; there are no holes, so one that begins
      // later shows what is gone.
      if (rows.length === 0) feedSequence(after, await asked(() => newest()));
      const first = sequenceOf(rows[0]?._id);
      return first > behind + 1 ? { facts: page, truncatedFrom: feedCursor(first) } : { facts: page };
    },

    async headCursor() {
      return feedCursor(await asked(() => newest()));
    },

    async history({ address, limit, after, order = 'oldest', from, to }) {
      if (limit <= 0) return [];
      const isOldest = order === 'oldest';
      const beyond = (value: number) => (isOldest ? { $gt: value } : { $lt: value });
      const at = { ...(from === undefined ? {} : { $gte: from }), ...(to === undefined ? {} : { $lt: to }) };
      const wanted = { feedSegment: 0 as const, address, ...(from === undefined && to === undefined ? {} : { at }) };
      const behind = after && {
        $or: [
          { ...wanted, rev: beyond(after.rev) },
          { ...wanted, rev: after.rev, position: beyond(after.position) },
        ],
      };
      const direction = isOldest ? 'asc' : 'desc';
      const where = (behind ?? wanted) as FilterQuery<FactRow>;
      const rows = await asked(() => managerOf(orm).find(FactRecord, where, { orderBy: { rev: direction, position: direction }, limit }));
      return rows.map(asHistoryFact);
    },
  };
}

/**
 * Sixteen digits: as texts they stand in the order of the numbers, whatever the server makes of
 * numbers as keys.
 */
const idOf = (sequence: number): string => String(sequence).padStart(16, '0');
const sequenceOf = (id: string | undefined): number => (id === undefined ? 0 : Number(id));

const asRow = ({ address, rev, position, at, type, data }: HistoryFact, sequence: number): FactRow => ({
  _id: idOf(sequence),
  feedSegment: 0,
  address,
  rev,
  position,
  at,
  type,
  data: JSON.stringify(data),
});

const asHistoryFact: (row: FactRow) => HistoryFact = readableFact;
const asPublished = (row: FactRow): PublishedFact => ({ ...asHistoryFact(row), cursor: feedCursor(sequenceOf(row._id)) });
