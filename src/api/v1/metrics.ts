/**
 * `GET /v1/metrics` in the format of Prometheus: counts of the partitions, of the committed facts
 * (those of feed and history), and of the lists of hosts and jobs. Counters begin at 0 with each
 * start of the center.
 */
import type { Registry } from 'prom-client';
import type { Feed } from '../../feed/feed.ts';
import { type Route, serving } from '../../http/route.ts';
import type { Clock } from '../../lib/clock.ts';
import { metricEndpoints } from '../../protocol/rest/center.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Views } from '../../runtime/views.ts';
import { countFacts, createListCounts } from './metrics/counts.ts';
import { createJobMetrics } from './metrics/job-metrics.ts';
import type { MetricsReading } from './metrics/registry.ts';

export interface MetricParts {
  /** Jobs with metrics of their own. Default: 2,000. */
  jobsMax?: number;
  runtime: Pick<Runtime, 'measure' | 'onFacts'>;
  views: Views;
  feed: Pick<Feed, 'watchers'>;
  clock: Clock;
  /** Findings of the schedule audit. Default: none. */
  scheduleAudit?(): MetricsReading['scheduleAudit'];
  /** Rows and repairs of the allocation tables. Default: none. */
  allocation?(): MetricsReading['allocation'];
  /** Of the backups that this center makes. Default: it makes none. */
  backups?: (() => NonNullable<MetricsReading['backups']>) | null;
  /** Of uploaded files. Default: there are none. */
  files?(): Promise<MetricsReading['files']>;
  /** Of what other systems post. Default: they post nothing. */
  postings?(): MetricsReading['postings'];
  /** Resident memory and processor time of the process. */
  usage(): { residentBytes: number; cpuSeconds: number };
}

const on = serving(metricEndpoints);

const noAudit = () => ({ unarmed: 0, unarmedTotal: 0, checkedAt: null });
const noFiles = async () => ({ files: 0, bytes: 0 });
const noTables = () => ({ rows: 0, repairs: 0 });
const noPostings = () => new Map<string, number>();
const JOBS_MAX = 2_000;

export function metricRoutes({
  runtime,
  views,
  feed,
  clock,
  usage,
  jobsMax = JOBS_MAX,
  scheduleAudit = noAudit,
  allocation = noTables,
  backups = null,
  files = noFiles,
  postings = noPostings,
}: MetricParts): Route[] {
  const beganAt = clock.now();
  const facts = countFacts(runtime);
  const lists = createListCounts({ views, clock, jobMetrics: createJobMetrics({ runtime, views, clock, max: jobsMax }) });
  const measure = async (): Promise<MetricsReading> => {
    const [measured, counts, totals] = await Promise.all([runtime.measure(), lists.read(), files()]);
    return {
      isStandby: false,
      runtime: measured,
      watchers: feed.watchers(),
      usage: usage(),
      beganAt,
      ...facts,
      ...counts,
      scheduleAudit: scheduleAudit(),
      allocation: allocation(),
      backups: backups?.() ?? null,
      files: totals,
      postings: postings(),
    };
  };
  let reading: MetricsReading | undefined;
  let registry: Promise<Registry> | undefined;

  return [
    on('GET /v1/metrics', async () => {
      registry ??= import('./metrics/registry.ts').then(({ createRegistry }) => createRegistry(() => reading as MetricsReading));
      const [metrics, measured] = await Promise.all([registry, measure()]);
      reading = measured;
      return new Response(await metrics.metrics(), { headers: { 'Content-Type': metrics.contentType } });
    }),
  ];
}
