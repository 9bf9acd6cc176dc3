/**
 * The metrics as prom-client registers them. A file of its own: that package loads slowly, and a
 * center starts without it.
 */
import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import { BUCKETS_MS, type RuntimeMetrics, type Spans } from '../../../runtime/metrics.ts';
import type { JobMetric, JobMetrics } from './job-metrics.ts';

/** All values of one scrape. */
export interface MetricsReading {
  /** Another center serves; this one waits for its end. */
  isStandby: boolean;
  runtime: RuntimeMetrics;
  watchers: number;
  usage: { residentBytes: number; cpuSeconds: number };
  /** Epoch ms. */
  beganAt: number;
  /** Facts by type, executions and runs by outcome, hosts by state. */
  facts: ReadonlyMap<string, number>;
  finished: ReadonlyMap<string, number>;
  runs: ReadonlyMap<string, number>;
  /** Due times that did not run, by verdict. */
  skipped: ReadonlyMap<string, number>;
  /** Deliveries by outcome, each recipient as one. */
  notices: ReadonlyMap<string, number>;
  hosts: ReadonlyMap<string, number>;
  quarantined: number;
  jobs: JobMetrics;
  scheduleAudit: { unarmed: number; unarmedTotal: number; checkedAt: number | null };
  allocation: { rows: number; repairs: number };
  backups: { madeAt: number | null; failed: number } | null;
  /** Uploaded files, and bytes of their contents. */
  files: { files: number; bytes: number };
  /** Logs and messages of other systems, by what became of them. */
  postings: ReadonlyMap<string, number>;
}

type Read = () => MetricsReading;

/** A scrape calls `read` once per metric. */
export function createRegistry(read: Read): Registry {
  const registry = new Registry();
  const define = definitionsIn(registry);
  define.gauge('troupe_standby', 'Whether this center waits while another one serves: 1 or 0.', () => Number(read().isStandby));
  defineRuntime(define, () => read().runtime);
  define.gauge('troupe_feed_watchers', 'Watchers of the feed.', () => read().watchers);
  defineProcess(define, read);
  define.gauge('troupe_jobs_quarantined', 'Jobs in quarantine.', () => read().quarantined);
  defineServices(define, read);
  defineCounts(define, read);
  defineJobs(define, () => read().jobs);
  return registry;
}

type Definitions = ReturnType<typeof definitionsIn>;

/** Metrics whose values are read at each scrape. */
function definitionsIn(registry: Registry) {
  const registers = [registry];
  return {
    gauge: (name: string, help: string, value: () => number) =>
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(value());
        },
      }),
    /** One series per key of `values`; a key that is gone has none. */
    gaugeBy: (label: string, name: string, help: string, values: () => Iterable<[string, number]>) =>
      new Gauge({
        name,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset();
          for (const [key, value] of values()) this.set({ [label]: key }, value);
        },
      }),
    counter: (name: string, help: string, total: () => number) =>
      new Counter({
        name,
        help,
        registers,
        collect() {
          this.reset();
          this.inc(total());
        },
      }),
    counterBy: (label: string, name: string, help: string, totals: () => Iterable<[string, number]>) =>
      new Counter({
        name,
        help,
        labelNames: [label],
        registers,
        collect() {
          this.reset();
          for (const [key, total] of totals()) this.inc({ [label]: key }, total);
        },
      }),
    /** prom-client's Histogram takes single values; these are counted already. In seconds. */
    histogram: (name: string, help: string, spans: () => Spans) => registry.registerMetric(histogram(name, help, spans)),
  };
}

function defineRuntime({ gauge, counter, histogram }: Definitions, read: () => RuntimeMetrics): void {
  counter('troupe_turns_total', 'Committed turns of actors.', () => read().counted.turns);
  counter('troupe_commits_total', 'Calls of the store that wrote turns.', () => read().counted.commits);
  counter(
    'troupe_commit_writes_total',
    'Turns that the store wrote; divided by troupe_commits_total: turns per call.',
    () => read().counted.writes,
  );
  counter('troupe_store_errors_total', 'Failed calls of the store for turns and timers.', () => read().counted.storeErrors);
  histogram('troupe_commit_seconds', 'Time of a call of the store that wrote turns.', () => read().counted.commitMs);
  histogram('troupe_due_lateness_seconds', 'From the instant a timer was due to its delivery to its actor.', () => read().counted.lateMs);
  gauge('troupe_actors', 'Actors in memory.', () => read().level.actors);
  gauge('troupe_mailbox_messages', 'Messages that wait for their actors.', () => read().level.mailbox);
  gauge('troupe_outbox_effects', 'Pending effects: committed and not acknowledged.', () => read().level.outbox);
  gauge('troupe_armed_timers', 'Actors with a timer that is due soon; later timers are in the store alone.', () => read().level.armed);
}

function defineProcess({ gauge, counter }: Definitions, read: Read): void {
  gauge('process_resident_memory_bytes', 'Resident memory of the center.', () => read().usage.residentBytes);
  counter('process_cpu_seconds_total', 'Processor time of the center, in seconds.', () => read().usage.cpuSeconds);
  gauge('process_start_time_seconds', 'Start of the center, in seconds since 1970.', () => read().beganAt / 1000);
}

function defineServices({ gauge, counter }: Definitions, read: Read): void {
  gauge(
    'troupe_schedules_unarmed',
    'Jobs that the last pass of the schedule audit found not armed, and armed again. Anything but 0 is a fault.',
    () => read().scheduleAudit.unarmed,
  );
  counter('troupe_schedules_unarmed_total', 'The same of all passes.', () => read().scheduleAudit.unarmedTotal);
  gauge(
    'troupe_schedule_audit_timestamp_seconds',
    'End of the last pass of the schedule audit, in seconds since 1970; 0 before the first.',
    () => (read().scheduleAudit.checkedAt ?? 0) / 1000,
  );
  gauge('troupe_allocation_rows', 'Rows of all allocation tables at the last check.', () => read().allocation.rows);
  counter(
    'troupe_allocation_repairs_total',
    'Differences of allocation tables that a check put right. Anything but 0 is a fault.',
    () => read().allocation.repairs,
  );
  gauge(
    'troupe_backup_last_success_timestamp_seconds',
    'When the newest backup of this center was made, in seconds since 1970; 0: there is none, or it makes none.',
    () => (read().backups?.madeAt ?? 0) / 1000,
  );
  gauge('troupe_files', 'Uploaded files: names of contents.', () => read().files.files);
  gauge('troupe_files_bytes', 'Bytes of uploaded files, each content once, and of incomplete uploads.', () => read().files.bytes);
  counter('troupe_backup_failures_total', 'Backups that failed.', () => read().backups?.failed ?? 0);
}

function defineCounts({ gaugeBy, counterBy }: Definitions, read: Read): void {
  counterBy('fate', 'troupe_postings_total', 'Logs and messages that other systems posted, by what became of them.', () => read().postings);
  counterBy('type', 'troupe_facts_total', 'Facts by type.', () => read().facts);
  counterBy('outcome', 'troupe_executions_finished_total', 'Executions by outcome.', () => read().finished);
  const runs = 'Runs by outcome: every attempt of every shard that was assigned to a host.';
  counterBy('outcome', 'troupe_runs_ended_total', runs, () => read().runs);
  counterBy('verdict', 'troupe_due_times_skipped_total', 'Due times that did not run, by verdict.', () => read().skipped);
  const notices = 'Notifications by outcome, each recipient as one: sent, tried and waiting for a retry, failed for good.';
  counterBy('outcome', 'troupe_notifications_total', notices, () => read().notices);
  gaugeBy('status', 'troupe_hosts', 'Hosts by state.', () => read().hosts);
}

/** One series per job name; none before there is a value. */
function defineJobs({ gauge, gaugeBy }: Definitions, read: () => JobMetrics): void {
  const ofJob = (name: string, help: string, metricOf: (job: JobMetric) => number | null) =>
    // Not `job`: Prometheus sets that label itself and would rename this one.
    gaugeBy('job_name', name, help, () =>
      [...read().jobs].flatMap(([job, metric]): [string, number][] => {
        const value = metricOf(metric);
        return value === null ? [] : [[job, value]];
      }),
    );
  ofJob(
    'troupe_job_last_success_timestamp_seconds',
    'When an execution of the job last succeeded, in seconds since 1970.',
    job => job.succeededAt,
  );
  ofJob('troupe_job_last_run_timestamp_seconds', 'When the last execution of the job ended, in seconds since 1970.', job => job.ranAt);
  ofJob('troupe_job_last_run_succeeded', 'Whether the last execution that ended succeeded: 1 or 0.', job =>
    job.hasSucceeded === null ? null : Number(job.hasSucceeded),
  );
  ofJob('troupe_job_last_run_duration_seconds', 'From its first process to the end of the last execution.', job => job.tookSeconds);
  ofJob('troupe_job_waiting', 'Executions of the job that have started no process yet.', job => job.waiting);
  gauge('troupe_jobs_without_metrics', 'Jobs beyond TROUPE_METRICS_JOBS, which have no metrics of their own.', () => read().leftOut);
}

function histogram(name: string, help: string, spans: () => Spans): Metric {
  const samples = () => {
    const { buckets, sumMs } = spans();
    let below = 0;
    const values = buckets.map((count, index) => {
      below += count;
      const bound = BUCKETS_MS[index];
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
    get: async () => ({ name, help, type: 'histogram', aggregator: 'sum', values: samples() }),
  } as never;
}
