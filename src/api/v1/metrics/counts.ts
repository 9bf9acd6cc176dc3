/** Counts for the metrics: of facts as they are committed, of hosts and jobs from their lists. */
import type { Clock } from '../../../lib/clock.ts';
import { createSingleFlight } from '../../../lib/single-flight.ts';
import type { Runtime } from '../../../runtime/runtime.ts';
import type { Views } from '../../../runtime/views.ts';
import { StoreUnavailable } from '../../../store/port.ts';
import { all } from '../../lookup.ts';
import type { JobMetrics } from './job-metrics.ts';
import type { MetricsReading } from './registry.ts';

/** Age at which the lists are counted again, ms. */
export const COUNT_MS = 5_000;

const OUTCOMES = ['succeeded', 'failed', 'timedOut', 'cancelled', 'lost'];
/** Verdicts of due times that did not run. */
const NOT_RUN = ['coalesced', 'skippedOverlap', 'missedDown', 'disabled', 'refused'];
const NOTICES: Record<string, string> = {
  'notification.sent': 'sent',
  'notification.tried': 'tried',
  'notification.failed': 'failed',
};
const HOST_STATES = ['joining', 'ready', 'draining', 'suspect', 'lost', 'retired'];

const zeros = (names: readonly string[]) => new Map(names.map(name => [name, 0]));

/** Counts facts from this call on. Each fact changes the returned maps. */
export function countFacts(runtime: Pick<Runtime, 'onFacts'>): Pick<MetricsReading, 'facts' | 'finished' | 'runs' | 'skipped' | 'notices'> {
  const facts = new Map<string, number>();
  const finished = zeros(OUTCOMES);
  const runs = zeros(OUTCOMES);
  const skipped = zeros(NOT_RUN);
  const notices = zeros(Object.values(NOTICES));
  const add = (counts: Map<string, number>, key: string, count = 1) => counts.set(key, (counts.get(key) ?? 0) + count);
  runtime.onFacts(committed => {
    for (const { type, data } of committed) {
      add(facts, type);
      if (type === 'execution.finished') add(finished, String(data.outcome));
      if (type === 'shard.ended') add(runs, String(data.outcome));
      const notice = NOTICES[type];
      if (notice) add(notices, notice, (data.to as unknown[]).length);
      if (type === 'job.skipped') add(skipped, String(data.verdict), Number(data.count));
    }
  });
  return { facts, finished, runs, skipped, notices };
}

type ListCounts = Pick<MetricsReading, 'hosts' | 'quarantined' | 'jobs'>;

/**
 * Resolves with the counts of the lists, at most COUNT_MS old: many callers share one read. While
 * the store is unavailable, it resolves with the previous counts.
 */
export function createListCounts({
  views,
  clock,
  jobMetrics,
}: {
  views: Views;
  clock: Clock;
  jobMetrics: { read(): Promise<JobMetrics> };
}): { read(): Promise<ListCounts> } {
  let counts: ListCounts = { hosts: zeros(HOST_STATES), quarantined: 0, jobs: { jobs: new Map(), leftOut: 0 } };
  let countedAt = Number.NEGATIVE_INFINITY;
  const reads = createSingleFlight<void>();
  const count = async () => {
    const hosts = await all(views, 'host', { order: 'name' });
    const quarantined = await all(views, 'job', { order: 'name', status: ['quarantined'] });
    counts = {
      hosts: new Map(HOST_STATES.map(status => [status, hosts.filter(({ value }) => value === status).length])),
      quarantined: quarantined.length,
      jobs: await jobMetrics.read(),
    };
    countedAt = clock.monotonic();
  };
  return {
    async read() {
      if (clock.monotonic() - countedAt < COUNT_MS) return counts;
      await reads.join('all', count).catch((error: unknown) => {
        if (!(error instanceof StoreUnavailable)) throw error;
      });
      return counts;
    },
  };
}
