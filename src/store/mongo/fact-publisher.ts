/**
 * Publishes the facts that a commit left in its document to the feed, then trims them there. After
 * a crash in between, the next load of the actor, or the next claim of its partition, publishes
 * them. A fact that is in the feed already keeps its sequence.
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

/** The next commit of an actor trims its facts; without one they are trimmed after this time. */
const TRIM_AFTER_MS = 1_000;
const TRIMMED_AT_ONCE = 250;
/** Pause before facts that were not placed are tried again, where no call does so earlier. */
const RETRY_MS = 500;
const RECOVERED_AT_ONCE = 250;

interface Committed {
  address: string;
  rev: number;
  facts: HistoryFact[];
}

export interface FactPublisher {
  /** Whether all facts of this actor's document are in the feed: its next commit may drop them. */
  isPublished(address: string): boolean;
  /**
   * Throws StoreUnavailable while earlier facts cannot be placed. A commit must not follow then: it
   * would add to those that wait, without a limit.
   */
  ready(): Promise<void>;
  /**
   * Places committed facts in this order, behind those that wait. Throws StoreUnavailable: then
   * they wait, and are placed later.
   */
  publish(committed: Committed[]): Promise<PublishedFact[][]>;
  /** Resolves once the facts of this document are in the feed. */
  found(row: DocumentFacts): Promise<void>;
  /** Publishes and trims all facts in documents of these partitions, of former owners too. */
  recover(partitions: PartitionRange): Promise<void>;
  /** Publishes and trims once more, then ends. The next owner finds the rest in the documents. */
  stop(): Promise<void>;
}

type DocumentFacts = Pick<ActorRow, '_id' | 'rev' | 'facts'>;

interface Waiting extends Committed {
  placed(facts: PublishedFact[]): void;
  failed(error: unknown): void;
}

export function createFactPublisher(orm: Orm, feed: Pick<FeedCollection, 'append'>, clock: Clock): FactPublisher {
  let waiting: Waiting[] = [];
  /** Number of commits that wait, by actor. */
  const unpublished = new Map<string, number>();
  /** Newest rev of their documents, by actor. */
  const newest = new Map<string, number>();
  /** Published, and still in the document of this rev. */
  const leftOver = new Map<string, number>();
  let passing = false;
  /** The last pass failed: no caller waits for what is left. */
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
    // Later: facts that are committed together are placed together.
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
      // They go on waiting, but their callers get the error now; later ones were not tried at all.
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
    // Beside those that wait, the document may have facts of a commit without an answer.
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
        // Documents that are marked without facts are trimmed too.
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

/** Skips what cannot be read: it must not keep a center from its partitions. */
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
