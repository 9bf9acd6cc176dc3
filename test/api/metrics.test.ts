/** `/v1/metrics`: its format, counts, spans, several workers. */
import { describe, expect, test } from 'bun:test';
import { surfacesOf } from '../../src/api/surfaces.ts';
import { COUNT_MS } from '../../src/api/v1/metrics/counts.ts';
import { createJobMetrics } from '../../src/api/v1/metrics/job-metrics.ts';
import { metricRoutes } from '../../src/api/v1/metrics.ts';
import { createFeed } from '../../src/feed/feed.ts';
import { createApp } from '../../src/http/app.ts';
import { addSpan, BUCKETS_MS, emptyMetrics } from '../../src/runtime/metrics.ts';
import { createMetricsAggregator, MEASURE_MS } from '../../src/runtime/metrics-aggregator.ts';
import type { PartitionWorker } from '../../src/runtime/workers/worker-supervisor.ts';
import { createMemoryStore } from '../../src/store/memory/index.ts';
import { StoreUnavailable } from '../../src/store/port.ts';
import { createManualClock } from '../support/manual-clock.ts';
import { anApi } from './support.ts';

const on = { TROUPE_AUTH: 'on', TROUPE_ROOT_PASSWORD: 'correct horse battery' };

/** An API with metrics; `metrics().get('name{label}')` reads one of them. */
async function aMeasuredApi(parts: Parameters<typeof anApi>[0] = {}) {
  const api = await anApi(parts);
  const { runtime, views, clock, store } = api;
  const feed = createFeed({ store, clock });
  const extra = metricRoutes({ runtime, views, feed, clock, usage: () => ({ residentBytes: 5, cpuSeconds: 2.5 }) });
  const app = createApp({ ...api.center, surfaces: surfacesOf(api.center, extra) });
  const scrape = (headers: Record<string, string> = {}) => app.request('/v1/metrics', { headers });
  const metrics = async () => {
    const lines = (await (await scrape()).text()).split('\n').filter(line => line !== '' && !line.startsWith('#'));
    return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
  };
  return { ...api, feed, scrape, metrics };
}

describe('metrics', () => {
  test('the metrics need a token, as Prometheus sends it, and come in its format', async () => {
    const api = await aMeasuredApi({ env: on });
    expect((await api.scrape()).status).toBe(401);
    const { token } = (await api.post('/v1/login', { username: 'root', password: on.TROUPE_ROOT_PASSWORD })).body;
    const answer = await api.scrape({ authorization: `Bearer ${token}` });
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(await answer.text()).toContain('# TYPE troupe_due_lateness_seconds histogram');
  });

  test('the metrics count turns, facts, outcomes, and hosts by state', async () => {
    const api = await aMeasuredApi();
    const before = await api.metrics();
    expect(before.get('troupe_executions_finished_total{outcome="cancelled"}')).toBe(0);
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const { execution } = (await api.post('/v1/jobs/a/trigger')).body;
    await api.post(`/v1/executions/${execution}/cancel`);
    await api.aHost();
    await api.clock.advance(COUNT_MS);
    const during = await api.metrics();
    expect(during.get('troupe_hosts{status="ready"}')).toBe(1);
    expect(during.get('troupe_facts_total{type="job.triggered"}')).toBe(1);
    const turns = (metrics: Map<string, number>) => metrics.get('troupe_turns_total') ?? 0;
    expect(turns(during)).toBeGreaterThan(turns(before) + 4);
    expect(during.get('troupe_commit_writes_total')).toBe(turns(during));
    expect(during.get('troupe_commit_seconds_count')).toBe(during.get('troupe_commits_total') ?? -1);
    expect(during.get('troupe_mailbox_messages')).toBe(0);
    expect(during.get('troupe_executions_finished_total{outcome="cancelled"}')).toBe(1);
    expect([during.get('process_cpu_seconds_total'), during.get('process_resident_memory_bytes')]).toEqual([2.5, 5]);
  });

  test('the metrics count notifications by outcome, each recipient as one', async () => {
    const api = await aMeasuredApi();
    await api.aHost();
    const to = ['a@x.org', 'b@x.org', 'c@x.org'];
    api.world.notifier.answer = address => ({ to: address, outcome: address === 'a@x.org' ? 'refused' : 'sent', reason: 'r' });
    await api.post('/v1/jobs', { name: 'a', command: 'b', notify: { failed: { to } } });
    await api.post('/v1/jobs/a/trigger');
    const start = api.starts().at(-1);
    if (start) await api.ended(start, 'failed');
    await api.clock.advance(100);
    const metrics = await api.metrics();
    const of = (outcome: string) => metrics.get(`troupe_notifications_total{outcome="${outcome}"}`);
    expect(['sent', 'tried', 'failed'].map(of)).toEqual([2, 0, 1]);
  });

  test('the metrics count runs by outcome, each attempt as one', async () => {
    const api = await aMeasuredApi();
    await api.aHost();
    await api.post('/v1/jobs', { name: 'a', command: 'b', retry: { attempts: 2, backoffMs: 0, maxBackoffMs: 0 } });
    await api.post('/v1/jobs/a/trigger');
    for (const outcome of ['failed', 'succeeded'] as const) {
      const start = api.starts().at(-1);
      if (start) await api.ended(start, outcome);
      await api.clock.advance(1);
    }
    const metrics = await api.metrics();
    const of = (outcome: string) => metrics.get(`troupe_runs_ended_total{outcome="${outcome}"}`);
    expect(['failed', 'succeeded', 'lost'].map(of)).toEqual([1, 1, 0]);
    expect(metrics.get('troupe_executions_finished_total{outcome="succeeded"}')).toBe(1);
  });

  test('the metrics show how late due times were', async () => {
    const api = await aMeasuredApi();
    await api.post('/v1/jobs', { name: 'a', command: 'b', schedules: [{ type: 'cron', cron: '0/5 * * * * ?' }] });
    expect((await api.metrics()).get('troupe_armed_timers')).toBe(1);
    const before = (await api.metrics()).get('troupe_due_lateness_seconds_count') ?? 0;
    await api.clock.advance(5_000);
    await api.settled();
    const after = await api.metrics();
    expect(after.get('troupe_due_lateness_seconds_count')).toBe(before + 1);
    expect(after.get('troupe_due_lateness_seconds_bucket{le="+Inf"}')).toBe(before + 1);
    expect(after.get('troupe_due_lateness_seconds_bucket{le="0.001"}')).toBe(before + 1);
  });

  test('the metrics count jobs in quarantine, and keep the count when the store is away', async () => {
    const store = createMemoryStore();
    const away = { is: false };
    const shaky = {
      ...store,
      async list(query: Parameters<typeof store.list>[0]) {
        if (away.is) throw new StoreUnavailable('gone');
        return store.list(query);
      },
    };
    const api = await aMeasuredApi({ store: shaky });
    await api.post('/v1/jobs', { name: 'a', command: 'b' });
    const { config } = (await api.context('job/a')).context;
    await api.ask('job/a', { type: 'job.update', config: { ...config, app: 'gone' } });
    await api.settled();
    await api.clock.advance(COUNT_MS);
    expect((await api.metrics()).get('troupe_jobs_quarantined')).toBe(1);
    away.is = true;
    await api.clock.advance(COUNT_MS);
    const without = await api.metrics();
    expect([without.get('troupe_jobs_quarantined'), without.get('troupe_facts_total{type="actor.quarantined"}')]).toEqual([1, 1]);
  });
});

describe('spans', () => {
  test('a span falls into the bucket whose bound it does not exceed', () => {
    const { lateMs } = emptyMetrics().counted;
    for (const ms of [-5, 1, 2, 60_000, 60_001]) addSpan(lateMs, ms);
    expect(lateMs.sumMs).toBe(120_004);
    expect(lateMs.buckets).toHaveLength(BUCKETS_MS.length + 1);
    expect([lateMs.buckets[0], lateMs.buckets[1], lateMs.buckets.at(-2), lateMs.buckets.at(-1)]).toEqual([2, 1, 1, 1]);
  });
});

describe('the metrics of several workers', () => {
  const aSet = (isThere = true) => {
    const asked: number[] = [];
    return { asked, set: { post: ({ id }: { id: number }) => isThere && asked.push(id) > 0 } as unknown as PartitionWorker };
  };
  const turned = (turns: number, mailbox: number) => {
    const metrics = emptyMetrics();
    return { counted: { ...metrics.counted, turns }, level: { ...metrics.level, mailbox } };
  };

  test('the metrics of several workers are added up, keep the counts of a replaced worker, and wait for none that is silent', async () => {
    const clock = createManualClock();
    const [one, two, gone] = [aSet(), aSet(), aSet(false)];
    const measuring = createMetricsAggregator({ workers: [one.set, two.set, gone.set], clock });
    const first = measuring.measure();
    measuring.measured(one.set, one.asked[0] ?? 0, turned(10, 1));
    measuring.measured(two.set, two.asked[0] ?? 0, turned(5, 2));
    expect(await first).toMatchObject({ counted: { turns: 15 }, level: { mailbox: 3 } });

    measuring.lost(one.set);
    const second = measuring.measure();
    measuring.measured(one.set, one.asked[1] ?? 0, turned(1, 7));
    await clock.advance(MEASURE_MS);
    expect(await second).toMatchObject({ counted: { turns: 16 }, level: { mailbox: 9 } });
  });
});

describe('metrics of a job', () => {
  const name = (figure: string, job: string) => `troupe_job_${figure}{job_name="${job}"}`;

  test('the metrics of a job show when it last ran and succeeded, whether it did, how long it took and how many wait', async () => {
    const api = await aMeasuredApi();
    for (const job of ['a', 'b']) await api.post('/v1/jobs', { name: job, command: 'true', overlap: 'allow' });
    const fresh = await api.metrics();
    expect(fresh.get(name('waiting', 'a'))).toBe(0);
    expect(fresh.get('troupe_jobs_without_metrics')).toBe(0);
    expect(fresh.has(name('last_run_succeeded', 'a'))).toBe(false);
    await api.post('/v1/jobs/a/trigger');
    await api.clock.advance(COUNT_MS);
    expect((await api.metrics()).get(name('waiting', 'a'))).toBe(1);

    await api.aHost();
    await api.clock.advance(1_000);
    const run = async (outcome: 'succeeded' | 'failed') => {
      const start = api.starts().at(-1);
      if (!start) throw new Error('nothing was started');
      await api.started(start);
      await api.clock.advance(3_000);
      await api.ended(start, outcome);
      await api.clock.advance(COUNT_MS);
      return api.metrics();
    };
    const good = await run('succeeded');
    const succeededAt = good.get(name('last_success_timestamp_seconds', 'a'));
    expect(succeededAt).toBe(good.get(name('last_run_timestamp_seconds', 'a')) ?? Number.NaN);
    expect(['last_run_succeeded', 'last_run_duration_seconds', 'waiting'].map(figure => good.get(name(figure, 'a')))).toEqual([1, 3, 0]);
    expect(good.has(name('last_run_succeeded', 'b'))).toBe(false);

    await api.post('/v1/jobs/a/trigger');
    await api.clock.advance(10);
    const bad = await run('failed');
    expect(bad.get(name('last_run_succeeded', 'a'))).toBe(0);
    expect(bad.get(name('last_success_timestamp_seconds', 'a'))).toBe(succeededAt ?? Number.NaN);
    expect(bad.get(name('last_run_timestamp_seconds', 'a'))).toBeGreaterThan(succeededAt ?? Number.NaN);

    // Of a center that starts again nothing is lost.
    const again = await aMeasuredApi({ store: api.store, clock: api.clock });
    const after = await again.metrics();
    for (const figure of [
      'last_success_timestamp_seconds',
      'last_run_timestamp_seconds',
      'last_run_succeeded',
      'last_run_duration_seconds',
    ]) {
      expect([figure, after.get(name(figure, 'a'))]).toEqual([figure, bad.get(name(figure, 'a'))]);
    }
  });

  test('the metrics of jobs cover as many jobs as the setting says; a gauge counts the others, and a deleted job has none', async () => {
    const api = await anApi();
    const jobs = createJobMetrics({ ...api, max: 2 });
    for (const job of ['a', 'b', 'c', 'd']) await api.post('/v1/jobs', { name: job, command: 'true' });
    const read = async () => {
      const { jobs: found, leftOut } = await jobs.read();
      return [[...found.keys()].join(), leftOut];
    };
    expect(await read()).toEqual(['a,b', 2]);
    await api.del('/v1/jobs/a');
    await api.settled();
    expect(await read()).toEqual(['b,c', 1]);
    await api.post('/v1/jobs', { name: 'a', command: 'true' });
    expect(await read()).toEqual(['a,b', 2]);
  });

  test('the metrics of a job are read again only where something happened', async () => {
    const api = await anApi();
    for (const job of ['a', 'b', 'c']) await api.post('/v1/jobs', { name: job, command: 'true' });
    const asked: string[] = [];
    const views = {
      get: (address: `job/${string}`) => {
        asked.push(address);
        return api.views.get(address);
      },
      list: (kind: 'job', query: never) => {
        asked.push(kind);
        return api.views.list(kind, query);
      },
    } as unknown as typeof api.views;
    const jobs = createJobMetrics({ ...api, views, max: 10 });
    await jobs.read();
    expect(asked.splice(0)).toEqual(['job', 'execution']);
    await api.clock.advance(60_000);
    await jobs.read();
    expect(asked.splice(0)).toEqual(['execution']);
    await api.post('/v1/jobs/b/trigger');
    await jobs.read();
    expect(asked.splice(0)).toEqual(['job/b', 'execution']);
  });
});
