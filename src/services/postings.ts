/**
 * What other systems post about jobs: logs of runs, and messages about states. Logs are kept as
 * they come, messages become facts of the job. Neither changes what a job does.
 */
import type { ReportedState } from '../../actors/job/types.ts';
import type { Clock } from '../lib/clock.ts';
import { createRateLimit } from '../lib/rate-limit.ts';
import { NoSuchActor } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { PostedLog, PostedLogStore } from '../store/posted-log-port.ts';

const POSTINGS = {
  /** Logs and messages of one job within a second; also events about one runtime. */
  perSecond: 100,
  windowMs: 1_000,
} as const;

type Fate = 'log' | 'repeatedLog' | 'message' | 'refused';

export interface Postings {
  /** Ms until this job may post again; 0: now, and this posting counts. */
  take(subject: string): number;
  /** Idempotent. Throws StoreUnavailable. */
  keepLog(log: PostedLog): Promise<void>;
  /** Resolves once it is committed. Does nothing where the job does not exist. */
  report(job: string, message: { timestamp: string; report: ReportedState }): Promise<void>;
  /** Has the allocation table of this pool checked soon; null: those of all pools. */
  announce(pool: string | null): void;
  /** Since the start; `repeatedLog`: it was there already. */
  counts(): ReadonlyMap<Fate, number>;
}

export function createPostings({
  store,
  runtime,
  clock,
  checkTable,
}: {
  store: Pick<PostedLogStore, 'keepPostedLog'>;
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  checkTable(pool: string | null): void;
}): Postings {
  const limit = createRateLimit({ clock, most: POSTINGS.perSecond, windowMs: POSTINGS.windowMs });
  const counts = new Map<Fate, number>();
  const count = (fate: Fate) => counts.set(fate, (counts.get(fate) ?? 0) + 1);

  return {
    take(subject) {
      const waitMs = limit.take(subject);
      if (waitMs > 0) count('refused');
      return waitMs;
    },
    async keepLog(log) {
      const isNew = await store.keepPostedLog(log);
      count(isNew ? 'log' : 'repeatedLog');
    },
    async report(job, message) {
      count('message');
      try {
        await runtime.tell(`job/${job}`, { type: 'job.reported', ...message });
      } catch (error) {
        // It was deleted meanwhile.
        if (!(error instanceof NoSuchActor)) throw error;
      }
    },
    announce(pool) {
      count('message');
      checkTable(pool);
    },
    counts: () => counts,
  };
}
