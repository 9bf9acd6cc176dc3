/**
 * What was committed inside a document is told to the feed, then trimmed from the document. A crash
 * in between leaves it in the document, where the next one who loads that actor, or claims the
 * partitions, finds it and tells it: a fact that was told already keeps its place.
 *
 *   committed or found --> waiting, in order --> in the feed --> left in the document --> trimmed
 */
import type { Clock } from '../../lib/clock.ts';
import { type HistoryFact, type PartitionRange, type PublishedFact, StoreUnavailable } from '../port.ts';
import { readableFact } from '../readable.ts';
import { managerOf, type Orm } from './connection.ts';
import { ActorRecord } from './entities.ts';
import { asked, repeated } from './errors.ts';
import type { FeedCollection } from './feed.ts';
import type { ActorRow } from './rows.ts';

/** An actor's next commit trims by itself; one that rests is trimmed this much later. */
const TRIM_AFTER_MS = 1_000;
const TRIMMED_AT_ONCE = 250;
/** How soon what could not be placed is tried again when nobody asks for it. */
const RETRY_MS = 500;
const RECOVERED_AT_ONCE = 250;

interface Committed {
  address: string;
  rev: number;
  facts: HistoryFact[];
}

export interface FactPublisher {
  /** Are all facts of this actor's document in the feed? Then its next commit may drop them. */
  isPublished(address: string): boolean;
  /**
   * Throws StoreUnavailable while earlier facts cannot be placed: nothing further should be
   * committed then, or ever more of them would wait.
   */
  ready(): Promise<void>;
  /**
   * Places what was just committed, in this order, behind everything that waits. Throws
   * StoreUnavailable: then it waits, and is placed later.
   */
  publish(committed: Committed[]): Promise<PublishedFact[][]>;
  /** Resolves once what stands in this document is in the feed. */
  found(row: DocumentFacts): Promise<void>;
  /**
   * Tells and trims whatever stands in the documents of these partitions, of whoever had them
   * before.
   */
  recover(partitions: PartitionRange): Promise<void>;
  /**
   * No further pass by itself; what can be told and trimmed at once is, and the rest is found by
   * the next one.
   */
  stop(): Promise<void>;
}

type DocumentFacts = Pick<ActorRow, '_id' | 'rev' | 'facts'>;

interface Waiting extends Committed {
  placed(facts: PublishedFact[]): void;
  failed(error: unknown): void;
}

export function createFactPublisher(orm: Orm, feed: Pick<FeedCollection, 'append'>, clock: Clock): FactPublisher {
  let waiting: Waiting[] = [];
  /** Per actor, how many of its commits wait. */
  const unpublished = new Map<string, number>();
  /** Of those, the newest rev of their documents. */
  const newest = new Map<string, number>();
  /** Published, and still in the document of this rev. */
  const leftOver = new Map<string, number>();
  let passing = false;
  /** The last pass failed: what waits has nobody who waits for it. */
  let stuck = false;
  let disarmRetry = () => {};
  let disarmTrim: (() => void) | null = null;
  let stopped = false;

  const enqueue = (one: Committed): Promise<PublishedFact[]> =>
    new Promise((placed, failed) => {
      if (one.facts.length > 0) unpublished.set(one.address, (unpublished.get(one.address) ?? 0) + 1);
      waiting.push({ ...one, placed, failed });
      begin();
    });
  /** Resolves when everything that waits now is placed. */
  const everything = (): Promise<unknown> => enqueue({ address: '', rev: 0, facts: [] });

  function begin(): void {
    if (passing) return;
    passing = true;
    // Not at once: what is committed together is placed together.
    queueMicrotask(() => void passes());
  }

  /** One pass at a time: their order is the order of the feed. */
  async function passes(): Promise<void> {
    disarmRetry();
    do await pass();
    while (waiting.length > 0 && !stuck);
    passing = false;
    if (stuck && !stopped) disarmRetry = clock.after(RETRY_MS, begin);
  }

  async function pass(): Promise<void> {
    const batch = [...waiting];
    try {
      const placed = await feed.append(batch.flatMap(({ facts }) => facts));
      waiting = waiting.slice(batch.length);
      stuck = false;
      let at = 0;
      for (const each of batch) {
        finish(each);
        each.placed(placed.slice(at, at + each.facts.length));
        at += each.facts.length;
      }
      armTrim();
    } catch (error) {
      stuck = true;
      // They wait on, but whoever asked hears of it now; what came meanwhile has not been tried.
      const late = waiting.slice(batch.length);
      waiting = [
        ...batch.filter(({ facts }) => facts.length > 0).map(withoutCaller),
        ...late.filter(({ facts }) => facts.length > 0).map(withoutCaller),
      ];
      for (const each of [...batch, ...late]) each.failed(error);
    }
  }

  function finish({ address, rev, facts }: Committed): void {
    if (facts.length === 0) return;
    const left = (unpublished.get(address) ?? 1) - 1;
    if (left > 0) unpublished.set(address, left);
    else {
      unpublished.delete(address);
      leftOver.set(address, Math.max(rev, newest.get(address) ?? 0));
      newest.delete(address);
    }
  }

  function armTrim(): void {
    if (stopped || leftOver.size === 0) return;
    disarmTrim ??= clock.after(TRIM_AFTER_MS, () => {
      disarmTrim = null;
      // A rest in the documents is trimmed later, or sent again after a restart: idempotent.
      void trim().then(armTrim, armTrim);
    });
  }

  async function trim(): Promise<void> {
    const some = [...leftOver].slice(0, TRIMMED_AT_ONCE);
    if (some.length === 0) return;
    const wheres = some.map(([_id, rev]) => ({ _id, rev }));
    // Undefined removes the field.
    const changes = some.map(() => ({ unpublished: false, facts: undefined }));
    await asked(() => repeated(() => orm.driver.nativeUpdateMany(ActorRecord, wheres, changes)));
    for (const [address, rev] of some) if (leftOver.get(address) === rev) leftOver.delete(address);
  }

  async function found({ _id: address, rev, facts: left }: DocumentFacts): Promise<void> {
    const facts = left ?? [];
    if (facts.length === 0 || leftOver.get(address) === rev) return;
    const waits = unpublished.has(address) && waiting.some(each => each.address === address && each.rev === rev);
    // Beside what waits there may lie what a commit without an answer has left.
    await (waits ? everything() : enqueue({ address, rev, facts: factsIn(facts) }));
  }

  return {
    isPublished: address => !unpublished.has(address),
    async ready() {
      if (stuck) await everything();
    },
    publish(committed) {
      for (const { address, rev } of committed) {
        leftOver.delete(address);
        if (unpublished.has(address)) newest.set(address, rev);
      }
      return Promise.all(committed.map(each => (each.facts.length === 0 ? [] : enqueue(each))));
    },
    found,
    async recover({ from, to }) {
      for (;;) {
        const where = { unpublished: true, partition: { $gte: from, $lte: to } };
        const some = { fields: ['rev', 'facts'], limit: RECOVERED_AT_ONCE } as const;
        const rows = await asked(() => managerOf(orm).find(ActorRecord, where, some));
        if (rows.length === 0) return;
        const byTime = rows.map(row => ({ row, at: factsIn(row.facts ?? [])[0]?.at ?? 0 })).sort((a, b) => a.at - b.at);
        await Promise.all(byTime.map(({ row }) => found(row)));
        // Also where the mark stands without facts.
        for (const { _id, rev } of rows) leftOver.set(_id, rev);
        while (leftOver.size > 0) await trim();
      }
    },
    async stop() {
      stopped = true;
      disarmRetry();
      disarmTrim?.();
      try {
        await everything();
        while (leftOver.size > 0) await trim();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    },
  };
}

/** What cannot be read of them is lost: it must not keep a center from its partitions. */
const factsIn = (texts: unknown): HistoryFact[] => (Array.isArray(texts) ? texts.flatMap(factsOf) : []);

function factsOf(text: unknown): HistoryFact[] {
  try {
    const facts: unknown = JSON.parse(String(text));
    return Array.isArray(facts) ? facts.map(readableFact) : [];
  } catch {
    return [];
  }
}

const withoutCaller = (one: Waiting): Waiting => ({ ...one, placed: () => {}, failed: () => {} });
