/**
 * Metrics of single jobs. All jobs are listed once; after that a scrape reads only jobs with new
 * facts, so its cost follows the number of facts since the last one.
 */

import type { Clock } from '../../../lib/clock.ts';
import type { View } from '../../../runtime/document.ts';
import { Unreadable } from '../../../runtime/errors.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import type { Views } from '../../../runtime/views.ts';

export interface JobMetric {
  /** Seconds since 1970; null: never. `ranAt`: end of the last execution. */
  succeededAt: number | null;
  ranAt: number | null;
  /** Whether the last execution that ended succeeded; null while none has ended. */
  hasSucceeded: boolean | null;
  /** From the first process to the end, seconds; null where none began. */
  tookSeconds: number | null;
  /** Executions that have started no process. */
  waiting: number;
}

export interface JobMetrics {
  /** By name, at most TROUPE_METRICS_JOBS. */
  jobs: ReadonlyMap<string, JobMetric>;
  /** Jobs beyond that number. */
  leftOut: number;
}

/**
 * A job is read again for so long after the last fact about it, monotonic ms: its own turn follows
 * that of its execution.
 */
const SETTLE_MS = 10_000;
/** Between complete lists, ms: a fact may be missing. */
const LIST_MS = 600_000;
const PAGE = 200;
/** Pages of jobs without metrics that one reading counts. */
const PAGES_MAX = 10;
/** Jobs read again one by one; where more changed, listing them all is cheaper. */
const CHANGED_MAX = 500;

export function createJobMetrics({
  runtime,
  views,
  clock,
  max,
}: {
  runtime: Pick<Runtime, 'onFacts'>;
  views: Views;
  clock: Clock;
  /** Jobs with metrics of their own; by name. */
  max: number;
}): { read(): Promise<JobMetrics> } {
  let jobs = new Map<string, JobMetric>();
  /** By name, when the last fact about it came. */
  const changed = new Map<string, number>();
  let leftOut = 0;
  let beyond: Beyond = { cursor: null, count: 0, isDone: true };
  let listedAt = Number.NEGATIVE_INFINITY;

  runtime.onFacts(facts => {
    // Without facts: some were committed that only the store can show.
    if (facts.length === 0) listedAt = Number.NEGATIVE_INFINITY;
    for (const { address } of facts) {
      const name = jobIn(address);
      if (name !== undefined) changed.set(name, clock.monotonic());
    }
    // Without scrapes this map would grow: the next reading lists all jobs instead.
    if (changed.size <= CHANGED_MAX) return;
    changed.clear();
    listedAt = Number.NEGATIVE_INFINITY;
  });

  async function list(): Promise<void> {
    listedAt = clock.monotonic();
    ({ jobs, beyond } = await listJobs(views, max));
  }

  async function readAgain(name: string): Promise<void> {
    const view = await views.get(`job/${name}`).catch((error: unknown) => {
      if (error instanceof Unreadable) return undefined;
      throw error;
    });
    // A created or deleted job moves the limit to another name.
    if (Boolean(view) !== jobs.has(name) && (leftOut > 0 || jobs.size >= max)) listedAt = Number.NEGATIVE_INFINITY;
    else if (view) jobs.set(name, metricOf(view));
    else jobs.delete(name);
  }

  return {
    async read() {
      const now = clock.monotonic();
      let waiting = new Map<string, number>();
      if (max > 0) {
        if (now - listedAt >= LIST_MS) await list();
        else for (const name of [...changed.keys()]) await readAgain(name);
        if (listedAt === Number.NEGATIVE_INFINITY) await list();
        beyond = await countBeyond(views, beyond);
        leftOut = beyond.isDone ? beyond.count : Math.max(leftOut, beyond.count);
        waiting = await countWaiting(views);
      }
      for (const [name, at] of changed) if (now - at > SETTLE_MS) changed.delete(name);
      return { jobs: new Map([...jobs].map(([name, metric]) => [name, { ...metric, waiting: waiting.get(name) ?? 0 }])), leftOut };
    },
  };
}

/** Jobs behind the last one with metrics; `count` is complete when `isDone`. */
interface Beyond {
  cursor: string | null;
  count: number;
  isDone: boolean;
}

const pageBehind = (views: Views, cursor: string | null) =>
  views.list('job', { order: 'name', limit: PAGE, ...(cursor === null ? {} : { cursor }) });

/** The first `max` jobs by name. */
async function listJobs(views: Views, max: number): Promise<{ jobs: Map<string, JobMetric>; beyond: Beyond }> {
  const jobs = new Map<string, JobMetric>();
  let count = 0;
  let cursor: string | null = null;
  do {
    const page = await pageBehind(views, cursor);
    for (const view of page.items) {
      if (jobs.size < max) jobs.set(view.context.config.name, metricOf(view));
      else count += 1;
    }
    cursor = page.next;
  } while (cursor !== null && jobs.size < max);
  return { jobs, beyond: { cursor, count, isDone: cursor === null } };
}

/** Counts at most PAGES_MAX further pages. */
async function countBeyond(views: Views, start: Beyond): Promise<Beyond> {
  let beyond = start;
  for (let pages = 0; pages < PAGES_MAX && !beyond.isDone; pages++) {
    const page = await pageBehind(views, beyond.cursor);
    beyond = { cursor: page.next, count: beyond.count + page.items.length, isDone: page.next === null };
  }
  return beyond;
}

/** Waiting executions by job. They are few, and have an index. */
async function countWaiting(views: Views): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let cursor: string | null = null;
  do {
    const page: Awaited<ReturnType<typeof views.list<'execution'>>> = await views.list('execution', {
      status: ['pending'],
      limit: PAGE,
      ...(cursor === null ? {} : { cursor }),
    });
    for (const { context } of page.items) counts.set(context.job, (counts.get(context.job) ?? 0) + 1);
    cursor = page.next;
  } while (cursor !== null);
  return counts;
}

/** `job/nightly` and `execution/nightly@…` are about nightly. */
function jobIn(address: string): string | undefined {
  const [kind = '', name = ''] = address.split('/', 2);
  if (kind === 'job') return name;
  return kind === 'execution' ? name.slice(0, name.indexOf('@')) : undefined;
}

function metricOf({ context }: View<'job'>): JobMetric {
  const { lastFinishedAt, lastOutcome, lastStartedAt = null, lastSucceededAt = null } = context;
  return {
    succeededAt: lastSucceededAt === null ? null : lastSucceededAt / 1000,
    ranAt: lastFinishedAt === null ? null : lastFinishedAt / 1000,
    hasSucceeded: lastOutcome === null ? null : lastOutcome === 'succeeded',
    tookSeconds: lastFinishedAt === null || lastStartedAt === null ? null : Math.max(0, lastFinishedAt - lastStartedAt) / 1000,
    waiting: 0,
  };
}
