/**
 * `GET /v1/metrics`, as Prometheus reads it: what the partitions count, the facts as they are committed (the same that feed and history carry), and what
 * lists know of hosts and jobs. A figure is of this center since it began.
 */
import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import { z } from 'zod';
import type { Clock } from '../../clock.ts';
import type { Feed } from '../../feed/feed.ts';
import { BUCKETS_MS, type Figures, noFigures, type Spans } from '../../runtime/figures.ts';
import type { Runtime } from '../../runtime/runtime.ts';
import type { Views } from '../../runtime/views.ts';
import { StoreUnavailable } from '../../store/store.ts';
import { all } from '../lookup.ts';
import { type Route, route } from '../routes.ts';

/** Hosts and jobs are counted anew when the last count is so old. */
export const COUNT_MS = 5_000;

export interface MetricParts {
  runtime: Pick<Runtime, 'measure' | 'onFacts'>;
  views: Views;
  feed: Pick<Feed, 'watchers'>;
  clock: Clock;
  /** Of the process: bytes it holds, and seconds it has computed. */
  usage(): { residentBytes: number; cpuSeconds: number };
}

const HOST_STATES = ['joining', 'ready', 'draining', 'suspect', 'lost', 'retired'];

export function metricRoutes({ runtime, views, feed, clock, usage }: MetricParts): Route[] {
  const registry = new Registry();
  const registers = [registry];
  const began = clock.now();
  let figures: Figures = noFigures();

  const gauge = (name: string, help: string, of: () => number) =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(of());
      },
    });
  /** What somebody else counts up. */
  const total = (name: string, help: string, of: () => number) =>
    new Counter({
      name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(of());
      },
    });
  /** The same for spans, which a Histogram would want one by one. Told in seconds, as is the custom there. */
  const spans = (name: string, help: string, of: () => Spans) => registry.registerMetric(histogram(name, help, of));

  total('troupe_turns_total', 'Turns of actors that were committed.', () => figures.counted.turns);
  total('troupe_commits_total', 'Calls of the store that wrote turns.', () => figures.counted.commits);
  total(
    'troupe_commit_writes_total',
    'Writes of turns that stood; by troupe_commits_total: how many share a call.',
    () => figures.counted.writes,
  );
  total('troupe_store_errors_total', 'Calls of the store for turns and timers that failed.', () => figures.counted.storeErrors);
  spans('troupe_commit_seconds', 'Time that a call of the store took.', () => figures.counted.commitMs);
  spans('troupe_due_lateness_seconds', 'From the instant a timer was due to its being handed to its actor.', () => figures.counted.lateMs);
  gauge('troupe_actors', 'Actors in memory.', () => figures.level.actors);
  gauge('troupe_mailbox_messages', 'Messages that wait for their actors.', () => figures.level.mailbox);
  gauge('troupe_outbox_effects', 'Effects that are owed and not known to be carried out.', () => figures.level.outbox);
  gauge('troupe_armed_timers', 'Actors with a timer that is due soon; later ones are in the store alone.', () => figures.level.armed);
  gauge('troupe_feed_watchers', 'Watchers of the feed.', () => feed.watchers());
  gauge('process_resident_memory_bytes', 'Memory that the center holds.', () => usage().residentBytes);
  total('process_cpu_seconds_total', 'Time that the center has computed, in seconds.', () => usage().cpuSeconds);
  gauge('process_start_time_seconds', 'When the center began, in seconds since 1970.', () => began / 1000);

  const facts = new Counter({ name: 'troupe_facts_total', help: 'Facts by type.', labelNames: ['type'], registers });
  const runs = new Counter({
    name: 'troupe_executions_finished_total',
    help: 'Executions by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  for (const outcome of ['succeeded', 'failed', 'timedOut', 'cancelled', 'lost']) runs.inc({ outcome }, 0);
  runtime.onFacts(committed => {
    for (const { type, data } of committed) {
      facts.inc({ type });
      if (type === 'execution.finished') runs.inc({ outcome: String(data.outcome) });
    }
  });

  const hosts = new Gauge({ name: 'troupe_hosts', help: 'Hosts by state.', labelNames: ['status'], registers });
  const quarantined = new Gauge({ name: 'troupe_jobs_quarantined', help: 'Jobs in quarantine.', registers });
  let countedAt = Number.NEGATIVE_INFINITY;
  let counting: Promise<void> | undefined;
  const count = async () => {
    const [found, shut] = [
      await all(views, 'host', { order: 'name' }),
      await all(views, 'job', { order: 'name', status: ['quarantined'] }),
    ];
    for (const status of HOST_STATES) hosts.set({ status }, found.filter(({ value }) => value === status).length);
    quarantined.set(shut.length);
    countedAt = clock.monotonic();
  };
  /** However many ask at once, and however often: lists are not read for each. */
  const counted = async () => {
    if (clock.monotonic() - countedAt < COUNT_MS) return;
    counting ??= count().finally(() => {
      counting = undefined;
    });
    // A store that is away is a figure itself: the others are told all the same, these as they were.
    await counting.catch((error: unknown) => {
      if (!(error instanceof StoreUnavailable)) throw error;
    });
  };

  return [
    route({
      method: 'GET',
      path: '/v1/metrics',
      access: 'user',
      says: 'Figures of this center for Prometheus, which sends a token as `Authorization: Bearer`.',
      answers: { 'text/plain': z.string() },
      async handle() {
        [figures] = await Promise.all([runtime.measure(), counted()]);
        return new Response(await registry.metrics(), { headers: { 'Content-Type': registry.contentType } });
      },
    }),
  ];
}

/** A histogram whose figures come from elsewhere, as the registry asks for them. */
function histogram(name: string, help: string, of: () => Spans): Metric {
  const told = () => {
    const { buckets, sumMs } = of();
    let below = 0;
    const values = buckets.map((count, place) => {
      below += count;
      const bound = BUCKETS_MS[place];
      return { labels: { le: bound === undefined ? '+Inf' : bound / 1000 }, value: below, metricName: `${name}_bucket` };
    });
    return [
      ...values,
      { labels: {}, value: sumMs / 1000, metricName: `${name}_sum` },
      { labels: {}, value: below, metricName: `${name}_count` },
    ];
  };
  return {
    name,
    help,
    type: 'histogram',
    aggregator: 'sum',
    get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: told() }),
  } as never;
}
