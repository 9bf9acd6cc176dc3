/**
 * `GET /v1/metrics`, as Prometheus reads it: what the partitions count, the facts as they are
 * committed (the same that feed and history carry), and what lists know of hosts and jobs. A figure
 * is of this center since it began.
 */
import type { Registry } from 'prom-client';
import type { Feed } from '../../feed/feed.ts';
import { type Route, serving } from '../../http/route.ts';
import type { Clock } from '../../lib/clock.ts';
import { createSingleFlight } from '../../lib/single-flight.ts';
import { metricEndpoints } from '../../protocol/rest/center.ts';
import { emptyMetrics, type RuntimeMetrics } from '../../runtime/metrics.ts';

import type { Runtime } from '../../runtime/runtime.ts';
import type { Views } from '../../runtime/views.ts';
import { StoreUnavailable } from '../../store/port.ts';
import { all } from '../lookup.ts';
import { createJobMetrics, type JobMetrics } from './metrics/job-metrics.ts';
import type { MetricsReading } from './metrics/registry.ts';

/** Hosts and jobs are counted anew when the last count is so old. */
export const COUNT_MS = 5_000;

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
const OUTCOMES = ['succeeded', 'failed', 'timedOut', 'cancelled', 'lost'];
/** Verdicts of due times that did not run. */
const NOT_RUN = ['coalesced', 'skippedOverlap', 'missedDown', 'disabled', 'refused'];
const HOST_STATES = ['joining', 'ready', 'draining', 'suspect', 'lost', 'retired'];

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
  const facts = new Map<string, number>();
  const finished = new Map(OUTCOMES.map(outcome => [outcome, 0]));
  const skipped = new Map(NOT_RUN.map(verdict => [verdict, 0]));
  const runs = new Map(OUTCOMES.map(outcome => [outcome, 0]));
  let hosts = new Map(HOST_STATES.map(status => [status, 0]));
  let quarantined = 0;
  const up = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
  runtime.onFacts(committed => {
    for (const { type, data } of committed) {
      up(facts, type);
      if (type === 'execution.finished') up(finished, String(data.outcome));
      if (type === 'shard.ended') up(runs, String(data.outcome));
      if (type === 'job.skipped') skipped.set(String(data.verdict), (skipped.get(String(data.verdict)) ?? 0) + Number(data.count));
    }
  });

  const jobFigures = createJobMetrics({ runtime, views, clock, max: jobsMax });
  let jobs: JobMetrics = { jobs: new Map(), leftOut: 0 };

  let countedAt = Number.NEGATIVE_INFINITY;
  const counting = createSingleFlight<void>();
  const count = async () => {
    const [found, shut] = [
      await all(views, 'host', { order: 'name' }),
      await all(views, 'job', { order: 'name', status: ['quarantined'] }),
    ];
    hosts = new Map(HOST_STATES.map(status => [status, found.filter(({ value }) => value === status).length]));
    quarantined = shut.length;
    jobs = await jobFigures.read();
    countedAt = clock.monotonic();
  };
  /** However many ask at once, and however often: lists are not read for each. */
  const counted = async () => {
    if (clock.monotonic() - countedAt < COUNT_MS) return;
    // An absent store is a figure itself; the others are served all the same, these as they were.
    await counting.join('all', count).catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error;
    });
  };

  let figures: RuntimeMetrics = emptyMetrics();
  const read = (): MetricsReading => ({
    isStandby: false,
    figures,
    watchers: feed.watchers(),
    usage: usage(),
    beganAt,
    facts,
    finished,
    runs,
    skipped,
    hosts,
    quarantined,
    jobs,
    scheduleAudit: scheduleAudit(),
    backups: backups?.() ?? null,
  });
  let registry: Promise<Registry> | undefined;

  return [
    on('GET /v1/metrics', async () => {
      registry ??= import('./metrics/registry.ts').then(({ createRegistry }) => createRegistry(read));
      const [told, measured] = await Promise.all([registry, runtime.measure(), counted()]);
      figures = measured;
      return new Response(await told.metrics(), { headers: { 'Content-Type': told.contentType } });
    }),
  ];
}
