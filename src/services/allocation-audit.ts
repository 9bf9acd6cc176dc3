/**
 * Checks the allocation table of each pool against its jobs and hosts, page by page. A difference
 * that a second look shows again is a fault: those who own the truth send it again.
 *
 *   table, pool, pages of jobs --suspects--> wait, look again --confirmed--> `table.repair`
 */
import { allEntries, entryOf } from '../../actors/table/entries.ts';
import type { TableEntry } from '../../actors/table/types.ts';
import { type Clock, pause } from '../lib/clock.ts';
import type { View } from '../runtime/document.ts';
import { isPassing, Unreadable } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { Views } from '../runtime/views.ts';
import { StoreUnavailable } from '../store/port.ts';
import { belongsIn, type Difference, judgeHosts, judgeJob, pointsOf } from './allocation-check.ts';

const ALLOCATION_AUDIT = {
  /** Jobs read at once. */
  page: 250,
  /** Pause after a page, ms. */
  restMs: 20,
  /** From the first look to the second: a message takes milliseconds. */
  confirmMs: 2_000,
  /** From a request to its pass: more may come. */
  gatherMs: 1_000,
  /** Pools whose check waits; beyond it all are checked. */
  requestsMax: 1_000,
} as const;

interface AllocationStatus {
  /** Rows of all tables at the last pass. */
  rows: number;
  /** Differences that were put right since the start. */
  repairs: number;
  /** End of the last pass, epoch ms; null before the first. */
  checkedAt: number | null;
}

export interface AllocationAudit {
  /**
   * One pass over all pools. Resolves with the differences that it had put right; early when the
   * signal aborts. Throws StoreUnavailable.
   */
  runOnce(signal?: AbortSignal): Promise<Difference[]>;
  /** Has this pool checked soon, null: all pools. Several requests in a short time are one pass. */
  request(pool: string | null): void;
  /** Runs passes until the signal aborts; continues while the store is unavailable. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  status(): AllocationStatus;
}

interface AuditParts {
  views: Views;
  runtime: Pick<Runtime, 'tell'>;
  clock: Clock;
  /** From the end of a pass to the next, ms; 0: never. */
  everyMs: number;
  log(level: 'info' | 'warn', text: string, fields: Record<string, unknown>): void;
}

/** What a look at one pool reads. */
interface Looked {
  pool: View<'pool'>;
  table: View<'table'>;
}

export function createAllocationAudit({ views, runtime, clock, everyMs, log }: AuditParts): AllocationAudit {
  let status: AllocationStatus = { rows: 0, repairs: 0, checkedAt: null };
  let requested = new Set<string | null>();
  /** Ends the wait for the next pass. */
  let wake = new AbortController();

  async function look(name: string): Promise<Looked | undefined> {
    const table = await views.get(`table/${name}`);
    const pool = await views.get(`pool/${name}`);
    if (!pool || table) return pool && table && { pool, table };
    log('warn', 'allocation audit: a pool has no table; it is made again', { pool: name });
    await send(() => runtime.tell(`pool/${name}`, { type: 'pool.describe' }));
    return undefined;
  }

  /** Suspects: all jobs of the pool against the table, and what the table has besides. */
  async function suspects({ pool, table }: Looked, signal: AbortSignal | undefined): Promise<Difference[]> {
    const hosts = judgeHosts(pool, table);
    // Choices follow from the hosts.
    if (hosts) return [hosts];
    const { name } = pool.context.config;
    const parts = { pool: pool.context, table: table.context, points: pointsOf(Object.keys(pool.context.hosts)) };
    const found: Difference[] = [];
    const besides = new Map(allEntries(table.context).map(entry => [entry.job, entry]));
    for (let cursor: string | null | undefined; cursor !== null && !signal?.aborted; ) {
      const page = await views.list('job', {
        ...{ pool: name, order: 'name', limit: ALLOCATION_AUDIT.page },
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const job of page.items.filter(each => belongsIn(name, each))) {
        const entry = besides.get(job.context.config.name);
        besides.delete(job.context.config.name);
        found.push(...[judgeJob(parts, job, entry)].filter(each => each !== undefined));
      }
      for (const { address } of page.unreadable) besides.delete(address.slice('job/'.length));
      cursor = page.next;
      if (cursor !== null) await pause(clock, ALLOCATION_AUDIT.restMs, signal);
    }
    return [...found, ...[...besides.values()].map(entry => gone(name, entry))];
  }

  /** The suspects that a second look shows again, unchanged. */
  async function confirmed(first: Difference[], signal: AbortSignal | undefined): Promise<Difference[]> {
    const [suspect] = first;
    if (!suspect) return [];
    await pause(clock, ALLOCATION_AUDIT.confirmMs, signal);
    const looked = signal?.aborted ? undefined : await look(suspect.pool);
    if (!looked) return [];
    const parts = { pool: looked.pool.context, table: looked.table.context, points: pointsOf(Object.keys(looked.pool.context.hosts)) };
    const again = await Promise.all(
      first.map(async ({ pool, job: name }) => {
        if (name === null) return judgeHosts(looked.pool, looked.table);
        const job = await readable(views.get(`job/${name}`));
        const entry = entryOf(looked.table.context, name);
        if (job === 'unreadable') return undefined;
        return job && belongsIn(pool, job) ? judgeJob(parts, job, entry) : entry && gone(pool, entry);
      }),
    );
    return first.filter((difference, index) => again[index]?.seen === difference.seen && again[index]?.reason === difference.reason);
  }

  async function repair(difference: Difference): Promise<boolean> {
    const { pool, job, reason } = difference;
    const done = await send(() => runtime.tell(`table/${pool}`, { type: 'table.repair', job, reason }));
    if (done) log('warn', 'allocation audit: a table differed and is put right', { pool, job, reason });
    return done;
  }

  async function check(pool: string, signal: AbortSignal | undefined): Promise<{ rows: number; repaired: Difference[] }> {
    const looked = await look(pool);
    if (!looked) return { rows: 0, repaired: [] };
    const rows = allEntries(looked.table.context).filter(({ hosts }) => hosts !== null).length;
    const repaired: Difference[] = [];
    const found = await confirmed(await suspects(looked, signal), signal);
    for (const difference of found) if (await repair(difference)) repaired.push(difference);
    return { rows, repaired };
  }

  async function runOnce(signal?: AbortSignal): Promise<Difference[]> {
    const repaired: Difference[] = [];
    let rows = 0;
    for (let cursor: string | null | undefined; cursor !== null && !signal?.aborted; ) {
      const page = await views.list('pool', { order: 'name', limit: 50, ...(cursor === undefined ? {} : { cursor }) });
      for (const { context } of page.items) {
        const checked = await check(context.config.name, signal);
        rows += checked.rows;
        repaired.push(...checked.repaired);
      }
      cursor = page.next;
    }
    if (!signal?.aborted) status = { rows, repairs: status.repairs + repaired.length, checkedAt: clock.now() };
    return repaired;
  }

  async function runRequested(pools: ReadonlySet<string | null>, signal: AbortSignal): Promise<void> {
    if (pools.has(null)) {
      await runOnce(signal);
      return;
    }
    for (const pool of pools) {
      if (pool === null || signal.aborted) return;
      const { repaired } = await check(pool, signal);
      status = { ...status, repairs: status.repairs + repaired.length };
    }
  }

  /** Resolves with the pools to check, after `everyMs` or soon after a request. */
  async function nextPass(ending: AbortSignal): Promise<ReadonlySet<string | null>> {
    if (requested.size === 0) await pause(clock, everyMs || FOREVER_MS, AbortSignal.any([ending, wake.signal]));
    if (requested.size === 0) return ALL;
    await pause(clock, ALLOCATION_AUDIT.gatherMs, ending);
    const pools = requested;
    requested = new Set();
    wake = new AbortController();
    return pools;
  }

  return {
    runOnce,
    request(pool) {
      requested.add(requested.size < ALLOCATION_AUDIT.requestsMax ? pool : null);
      wake.abort();
    },
    status: () => status,
    async run(ending, ready) {
      ready();
      while (!ending.aborted) {
        const pools = await nextPass(ending);
        if (ending.aborted) return;
        try {
          await runRequested(pools, ending);
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
          log('warn', 'allocation audit: the pass ends early because the store is unavailable', { cause: error.message });
        }
      }
    },
  };
}

const ALL: ReadonlySet<string | null> = new Set([null]);
/** Without passes of their own time a check waits for a request. */
const FOREVER_MS = 1_000 * 365 * 86_400_000;

const gone = (pool: string, entry: TableEntry): Difference => ({
  ...{ pool, job: entry.job, reason: 'the table has a job that is not sticky in its pool' },
  seen: JSON.stringify(entry),
});

/** False where the actor is deleted, refuses or is unavailable: the next pass checks it again. */
async function send(tell: () => Promise<unknown>): Promise<boolean> {
  try {
    await tell();
    return true;
  } catch (error) {
    if (!isPassing(error)) throw error;
    return false;
  }
}

async function readable<T>(read: Promise<T>): Promise<T | 'unreadable'> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Unreadable) return 'unreadable';
    throw error;
  }
}
