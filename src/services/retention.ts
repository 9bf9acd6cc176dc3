/**
 * Deletes records beyond an age or a number. A pass works in small steps, so that other work runs
 * in between.
 *
 *   wait ---> pass ---> wait
 *   pass: executions (with their output) -> output -> occurrences -> posted logs
 *         -> facts -> tombstones
 *
 * After a long step (a large one, or a busy store) the next step is smaller, and the pause before
 * it longer. An interrupted pass leaves no partial record; the next pass continues with what is
 * there.
 */
import { type Clock, pause } from '../lib/clock.ts';
import { type ActorDocument, type ActorStore, type CreationPosition, type Retention, StoreUnavailable } from '../store/port.ts';
import type { PostedLogStore } from '../store/posted-log-port.ts';

/** Ages in ms; numbers of records. */
export interface Keep {
  /** Age of an execution: since its end. */
  executionsMs: number;
  executions: number;
  executionsPerJob: number;
  /**
   * Age of output: since the last chunk of an ended execution. Output is deleted with its execution
   * at the latest, so it has no number of its own.
   */
  outputMs: number;
  occurrencesMs: number;
  occurrencesPerJob: number;
  /** Of logs that other systems posted. */
  postedLogsMs: number;
  postedLogs: number;
  postedLogsPerJob: number;
  factsMs: number;
  facts: number;
  tombstonesMs: number;
  tombstones: number;
}

export const RETENTION = {
  /**
   * From the start to the first pass, and from the end of one pass to the next. Records may exceed
   * their number by those of that time.
   */
  firstPassMs: 60_000,
  passMs: 600_000,
  /** Target duration of a step, mostly waiting for turns and for the disk. */
  stepMs: 25,
  /** Records per step. */
  recordsMin: 20,
  recordsMax: 1_000,
  /** Executions per page: one read for their documents and one for those of their jobs. */
  executionsPage: 50,
  /** Pause after a step, as a multiple of its duration, within these bounds. */
  restTimes: 2,
  restMinMs: 5,
  restMaxMs: 2_000,
  /**
   * Between two checks of the occurrences of each job against their number: a job gains at most one
   * per second.
   */
  overLimitMs: 6 * 3_600_000,
  /** Counting continues from the last pass. After this long all executions are counted again. */
  recountMs: 24 * 3_600_000,
} as const;

/**
 * Reads of a document that only the runtime can do. Null: the document is unreadable (a newer
 * version, or damaged); its executions then stay.
 */
export interface DocumentReader {
  /** When this execution ended, epoch ms. */
  endedAt(execution: ActorDocument): number | null;
  /**
   * Addresses of executions that this job counts as open or has messages for: without them the job
   * would wait for ever, or create them again.
   */
  executionsOf(job: ActorDocument): ReadonlySet<string> | null;
}

export type Expired = Record<'executions' | 'output' | 'occurrences' | 'postedLogs' | 'facts' | 'tombstones', number>;

export interface RetentionService {
  /**
   * One pass; resolves with the number of deleted records. Resolves early when the signal aborts.
   * Throws what the store throws. Never call it while a pass runs.
   */
  runOnce(signal?: AbortSignal): Promise<Expired>;
  /** Runs passes until the signal aborts; retries while the store is unavailable. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
}

/** The signal interrupted the pass. */
class Ended extends Error {}

const EVER: CreationPosition = { at: Number.MAX_SAFE_INTEGER, address: '' };

export function createRetentionService(parts: {
  store: Retention & Pick<ActorStore, 'load'> & Pick<PostedLogStore, 'deletePostedLogs' | 'deletePostedLogsOverLimit'>;
  clock: Clock;
  keep: Keep;
  reader: DocumentReader;
  log(level: 'info' | 'warn', text: string, fields: Record<string, unknown>): void;
}): RetentionService {
  const { store, clock, keep, reader, log } = parts;
  /** Records per step, by kind of step: their costs differ. */
  const sizes = new Map<string, number>();
  /** Executions up to `last`, without those deleted since. */
  let counted: { count: number; last?: CreationPosition; since: number } | undefined;
  let overLimitCheckedAt: number | undefined;
  let signal: AbortSignal | undefined;
  let deleted: Expired;

  async function step<T>(name: string, work: (limit: number) => Promise<T>): Promise<T> {
    if (signal?.aborted) throw new Ended();
    const limit = sizes.get(name) ?? 50;
    const began = clock.monotonic();
    const result = await work(limit);
    const tookMs = clock.monotonic() - began;
    if (tookMs > RETENTION.stepMs) sizes.set(name, Math.max(RETENTION.recordsMin, Math.floor(limit / 2)));
    else if (tookMs < RETENTION.stepMs / 2) sizes.set(name, Math.min(RETENTION.recordsMax, Math.ceil(limit * 1.5)));
    await pause(clock, Math.min(RETENTION.restMaxMs, Math.max(RETENTION.restMinMs, tookMs * RETENTION.restTimes)), signal);
    return result;
  }

  async function countExecutions(): Promise<{ count: number }> {
    const now = clock.monotonic();
    if (!counted || now - counted.since > RETENTION.recountMs) counted = { count: 0, since: now };
    const mine = counted;
    for (;;) {
      const { count, last, limit } = await step('count', async limit => ({
        ...(await store.countExecutions({ limit, ...(mine.last && { after: mine.last }) })),
        limit,
      }));
      mine.count += count;
      if (last) mine.last = last;
      if (count < limit) return mine;
    }
  }

  /** Executions of the page that ended before `before` and that their job no longer needs. */
  async function leaving(page: ActorDocument[], before: number): Promise<string[]> {
    const held = new Map<string, ReadonlySet<string> | null>();
    for (const job of new Set(page.flatMap(({ index }) => index.parent ?? []))) {
      const document = await store.load(`job/${job}`);
      held.set(job, document ? reader.executionsOf(document) : new Set());
    }
    return page.flatMap(document => {
      const { address, index } = document;
      const holds = index.parent === null ? new Set<string>() : held.get(index.parent);
      const endedAt = reader.endedAt(document);
      return !holds || holds.has(address) || endedAt === null || endedAt >= before ? [] : [address];
    });
  }

  /** Deletes executions up to `until` that ended before `before`, oldest first, at most `most`. */
  async function deleteExecutions(
    query: { until: CreationPosition; job?: string },
    { before = EVER.at, most = EVER.at } = {},
  ): Promise<void> {
    let after: CreationPosition | undefined;
    for (let left = most; left > 0; ) {
      const page = await step('ended', limit =>
        store.endedExecutions({ ...query, limit: Math.min(limit, left, RETENTION.executionsPage), ...(after && { after }) }),
      );
      const last = page.at(-1);
      if (!last) return;
      after = { at: last.index.at, address: last.address };
      const createdAt = new Map(page.map(({ address, index }) => [address, index.at]));
      let addresses = await leaving(page, before);
      while (addresses.length > 0) {
        const mine = addresses;
        const { gone, deleted: records } = await step('executions', limit => store.deleteExecutions({ addresses: mine, limit }));
        if (records === 0) break;
        left -= gone.length;
        deleted.executions += gone.length;
        deleted.output += records - gone.length;
        for (const address of gone) uncount({ at: createdAt.get(address) ?? 0, address });
        const away = new Set(gone);
        addresses = addresses.filter(address => !away.has(address));
      }
    }
  }

  function uncount({ at, address }: CreationPosition): void {
    const last = counted?.last;
    if (counted && last && (at < last.at || (at === last.at && address <= last.address))) counted.count -= 1;
  }

  async function executions(now: number): Promise<void> {
    const total = await countExecutions();
    const before = now - keep.executionsMs;
    // An execution was created before it ended.
    await deleteExecutions({ until: { at: before, address: '' } }, { before });
    for (let next: string | null = ''; next !== null; ) {
      const after: string = next;
      const overLimit = await step('jobs over the limit', limit => store.jobsOverLimit({ keep: keep.executionsPerJob, after, limit }));
      for (const one of overLimit.jobs) await deleteExecutions(one);
      next = overLimit.next;
    }
    await deleteExecutions({ until: EVER }, { most: total.count - keep.executions });
  }

  async function cursorPass(
    kind: 'output' | 'occurrences' | 'postedLogs',
    name: string,
    work: (after: string, limit: number) => ReturnType<Retention['deleteOutput']>,
  ) {
    for (let next: string | null = ''; next !== null; ) {
      const after: string = next;
      const done = await step(name, limit => work(after, limit));
      deleted[kind] += done.deleted;
      next = done.next;
    }
  }

  async function drain(kind: 'postedLogs' | 'facts' | 'tombstones', work: (limit: number) => Promise<number>): Promise<void> {
    for (let count = 1; count > 0; ) {
      count = await step(kind, work);
      deleted[kind] += count;
    }
  }

  async function pass(): Promise<void> {
    const now = clock.now();
    await executions(now);
    await cursorPass('output', 'output', (after, limit) => store.deleteOutput({ before: now - keep.outputMs, after, limit }));
    const occurrences = { before: now - keep.occurrencesMs };
    await cursorPass('occurrences', 'occurrences', (after, limit) => store.deleteOccurrences({ ...occurrences, after, limit }));
    if (overLimitCheckedAt === undefined || clock.monotonic() - overLimitCheckedAt >= RETENTION.overLimitMs) {
      overLimitCheckedAt = clock.monotonic();
      const overLimit = { ...occurrences, keep: keep.occurrencesPerJob };
      await cursorPass('occurrences', 'occurrences over the limit', (after, limit) =>
        store.deleteOccurrences({ ...overLimit, after, limit }),
      );
    }
    await drain('postedLogs', limit => store.deletePostedLogs({ before: now - keep.postedLogsMs, keep: keep.postedLogs, limit }));
    await cursorPass('postedLogs', 'posted logs over the limit', (after, limit) =>
      store.deletePostedLogsOverLimit({ keep: keep.postedLogsPerJob, after, limit }),
    );
    await drain('facts', limit => store.deleteFacts({ before: now - keep.factsMs, keep: keep.facts, limit }));
    await drain('tombstones', limit => store.deleteTombstones({ before: now - keep.tombstonesMs, keep: keep.tombstones, limit }));
  }

  async function runOnce(until?: AbortSignal): Promise<Expired> {
    signal = until;
    deleted = { executions: 0, output: 0, occurrences: 0, postedLogs: 0, facts: 0, tombstones: 0 };
    try {
      await pass();
    } catch (error) {
      if (!(error instanceof Ended)) throw error;
    }
    return deleted;
  }

  return {
    runOnce,
    async run(ending, ready) {
      ready();
      await pause(clock, RETENTION.firstPassMs, ending);
      while (!ending.aborted) {
        try {
          const gone = await runOnce(ending);
          if (Object.values(gone).some(count => count > 0)) log('info', 'retention deleted old records', gone);
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
          log('warn', 'retention: the pass ends early because the store is unavailable', { cause: error.message });
        }
        await pause(clock, RETENTION.passMs, ending);
      }
    },
  };
}
