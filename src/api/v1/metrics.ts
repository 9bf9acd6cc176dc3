/**
 * `GET /v1/metrics`, as Prometheus reads it: what the partitions count, the facts as they are
 * committed (the same that feed and history carry), and what lists know of hosts and jobs. A figure
 * is of this center since it began.
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
  /** Jobs with figures of their own. Default: 2,000. */
  jobsMax?: number;
  runtime: Pick<Runtime, 'measure' | 'onFacts'>;
  views: Views;
  feed: Pick<Feed, 'watchers'>;
  clock: Clock;
  /** What the schedule audit has found. */
  scheduleAudit?(): MetricsReading['scheduleAudit'];
  /** Of the backups that this center makes; absent where it makes none. */
  backups?: (() => NonNullable<MetricsReading['backups']>) | null;
  /** Of the process: bytes it holds, and seconds it has computed. */
  usage(): { residentBytes: number; cpuSeconds: number };
}

const on = serving(metricEndpoints);

const noAudit = () => ({ unarmed: 0, unarmedTotal: 0, checkedAt: null });
const JOBS_MAX = 2_000;

export function metricRoutes({
  runtime,
  views,
  feed,
  clock,
  usage,
  jobsMax = JOBS_MAX,
  scheduleAudit = noAudit,
  backups = null,
}: MetricParts): Route[] {
  const beganAt = clock.now();
  const facts = countFacts(runtime);
  const lists = createListCounts({ views, clock, jobMetrics: createJobMetrics({ runtime, views, clock, max: jobsMax }) });
  const measure = async (): Promise<MetricsReading> => {
    const [figures, counts] = await Promise.all([runtime.measure(), lists.read()]);
    return {
      isStandby: false,
      figures,
      watchers: feed.watchers(),
      usage: usage(),
      beganAt,
      ...facts,
      ...counts,
      scheduleAudit: scheduleAudit(),
      backups: backups?.() ?? null,
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
