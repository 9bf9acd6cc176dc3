/**
 * Figures of single jobs. The jobs are listed once; afterwards only those are read again that a
 * committed fact is about, so a scrape costs what happened since the last one.
 */

import type { Clock } from '../../../lib/clock.ts';
import type { View } from '../../../runtime/document.ts';
import { Unreadable } from '../../../runtime/errors.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import type { Views } from '../../../runtime/views.ts';

export interface JobMetric {
  /** Seconds since 1970; null where there was none. `ran`: when the last execution ended. */
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
  /** By name, at most as many as the setting says. */
  jobs: ReadonlyMap<string, JobMetric>;
  /** Jobs beyond that number. */
  leftOut: number;
}

/**
 * A job is read again for so long after the last fact about it: its own turn comes after that of
 * its execution. Monotonic ms.
 */
const SETTLE_MS = 10_000;
/** All jobs are listed anew so often, in case a fact never came here, ms. */
const LIST_MS = 600_000;
const PAGE = 200;
/** Pages of jobs without figures that are counted with one reading. */
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
  /** Jobs with figures of their own; by name. */
  max: number;
}): { read(): Promise<JobMetrics> } {
  const jobs = new Map<string, JobMetric>();
  /** By name, when the last fact about it came. */
  const changed = new Map<string, number>();
  let leftOut = 0;
  let beyond: { cursor: string | null; count: number; isDone: boolean } = { cursor: null, count: 0, isDone: true };
  let listedAt = Number.NEGATIVE_INFINITY;
  let waiting = new Map<string, number>();

  runtime.onFacts(facts => {
    // Without facts: some were committed that only the store can show.
    if (facts.length === 0) listedAt = Number.NEGATIVE_INFINITY;
    for (const { address } of facts) {
      const name = jobIn(address);
      if (name !== undefined) changed.set(name, clock.monotonic());
    }
    // Nobody may ever read: then the next reading lists all of them.
    if (changed.size <= CHANGED_MAX) return;
    changed.clear();
    listedAt = Number.NEGATIVE_INFINITY;
  });

  const pageBehind = (cursor: string | null) => views.list('job', { order: 'name', limit: PAGE, ...(cursor === null ? {} : { cursor }) });

  async function list(): Promise<void> {
    listedAt = clock.monotonic();
    const found = new Map<string, JobMetric>();
    let cursor: string | null = null;
    beyond = { cursor: null, count: 0, isDone: true };
    do {
      const page = await pageBehind(cursor);
      for (const view of page.items) {
        if (found.size < max) found.set(view.context.config.name, figureOf(view));
        else beyond.count += 1;
      }
      cursor = page.next;
    } while (cursor !== null && found.size < max);
    jobs.clear();
    for (const [name, figure] of found) jobs.set(name, figure);
    beyond = { ...beyond, cursor, isDone: cursor === null };
  }

  /** The others are only counted, some with each reading. */
  async function countOn(): Promise<void> {
    for (let pages = 0; pages < PAGES_MAX && !beyond.isDone; pages++) {
      const page = await pageBehind(beyond.cursor);
      beyond = { cursor: page.next, count: beyond.count + page.items.length, isDone: page.next === null };
    }
    leftOut = beyond.isDone ? beyond.count : Math.max(leftOut, beyond.count);
  }

  async function readAgain(name: string): Promise<void> {
    const view = await views.get(`job/${name}`).catch((error: unknown) => {
      if (error instanceof Unreadable) return undefined;
      throw error;
    });
    // One that is new or gone changes who is beyond the number.
    if (Boolean(view) !== jobs.has(name) && (leftOut > 0 || jobs.size >= max)) listedAt = Number.NEGATIVE_INFINITY;
    else if (view) jobs.set(name, figureOf(view));
    else jobs.delete(name);
  }

  /** Those that wait are few, and have an index. */
  async function countWaiting(): Promise<void> {
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
    waiting = counts;
  }

  return {
    async read() {
      const now = clock.monotonic();
      if (max > 0) {
        if (now - listedAt >= LIST_MS) await list();
        else for (const name of [...changed.keys()]) await readAgain(name);
        if (listedAt === Number.NEGATIVE_INFINITY) await list();
        await countOn();
        await countWaiting();
      }
      for (const [name, at] of changed) if (now - at > SETTLE_MS) changed.delete(name);
      return { jobs: new Map([...jobs].map(([name, figure]) => [name, { ...figure, waiting: waiting.get(name) ?? 0 }])), leftOut };
    },
  };
}

/** `job/nightly` and `execution/nightly@…` are about nightly. */
function jobIn(address: string): string | undefined {
  const [kind = '', name = ''] = address.split('/', 2);
  if (kind === 'job') return name;
  return kind === 'execution' ? name.slice(0, name.indexOf('@')) : undefined;
}

function figureOf({ context }: View<'job'>): JobMetric {
  const { lastFinishedAt, lastOutcome, lastStartedAt = null, lastSucceededAt = null } = context;
  return {
    succeededAt: lastSucceededAt === null ? null : lastSucceededAt / 1000,
    ranAt: lastFinishedAt === null ? null : lastFinishedAt / 1000,
    hasSucceeded: lastOutcome === null ? null : lastOutcome === 'succeeded',
    tookSeconds: lastFinishedAt === null || lastStartedAt === null ? null : Math.max(0, lastFinishedAt - lastStartedAt) / 1000,
    waiting: 0,
  };
}
