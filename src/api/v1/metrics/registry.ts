/**
 * The figures in prom-client's words. A file of its own, because that package takes its time to
 * load and a center need not wait for it.
 */
import { Counter, Gauge, type Metric, Registry } from 'prom-client';
import { BUCKETS_MS, type RuntimeMetrics, type Spans } from '../../../runtime/metrics.ts';
import type { JobMetric, JobMetrics } from './job-metrics.ts';

/** Everything that is told, as it is now. */
export interface MetricsReading {
  /** Another center serves; this one waits for its end. */
  isStandby: boolean;
  figures: RuntimeMetrics;
  watchers: number;
  usage: { residentBytes: number; cpuSeconds: number };
  beganAt: number;
  /** Facts by type, executions and runs by outcome, hosts by state. */
  facts: ReadonlyMap<string, number>;
  finished: ReadonlyMap<string, number>;
  runs: ReadonlyMap<string, number>;
  /** Due times that did not run, by verdict. */
  skipped: ReadonlyMap<string, number>;
  hosts: ReadonlyMap<string, number>;
  quarantined: number;
  jobs: JobMetrics;
  scheduleAudit: { unarmed: number; unarmedTotal: number; checkedAt: number | null };
  backups: { madeAt: number | null; failed: number } | null;
}

/** `read` is asked for each figure of an answer. */
export function createRegistry(read: () => MetricsReading): Registry {
  const registry = new Registry();
  const registers = [registry];

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
  /**
   * The same for spans, which a Histogram would want one by one. Told in seconds, as is the custom
   * there.
   */
  const spans = (name: string, help: string, of: () => Spans) => registry.registerMetric(histogram(name, help, of));

  gauge('troupe_standby', 'Whether this center waits while another one serves: 1 or 0.', () => Number(read().isStandby));
  total('troupe_turns_total', 'Turns of actors that were committed.', () => read().figures.counted.turns);
  total('troupe_commits_total', 'Calls of the store that wrote turns.', () => read().figures.counted.commits);
  total(
    'troupe_commit_writes_total',
    'Writes of turns that stood; by troupe_commits_total: how many share a call.',
    () => read().figures.counted.writes,
  );
  total('troupe_store_errors_total', 'Calls of the store for turns and timers that failed.', () => read().figures.counted.storeErrors);
  spans('troupe_commit_seconds', 'Time that a call of the store took.', () => read().figures.counted.commitMs);
  spans(
    'troupe_due_lateness_seconds',
    'From the instant a timer was due to its being handed to its actor.',
    () => read().figures.counted.lateMs,
  );
  gauge('troupe_actors', 'Actors in memory.', () => read().figures.level.actors);
  gauge('troupe_mailbox_messages', 'Messages that wait for their actors.', () => read().figures.level.mailbox);
  gauge('troupe_outbox_effects', 'Effects that are owed and not known to be carried out.', () => read().figures.level.outbox);
  gauge(
    'troupe_armed_timers',
    'Actors with a timer that is due soon; later ones are in the store alone.',
    () => read().figures.level.armed,
  );
  gauge('troupe_feed_watchers', 'Watchers of the feed.', () => read().watchers);
  gauge('process_resident_memory_bytes', 'Memory that the center holds.', () => read().usage.residentBytes);
  total('process_cpu_seconds_total', 'Time that the center has computed, in seconds.', () => read().usage.cpuSeconds);
  gauge('process_start_time_seconds', 'When the center began, in seconds since 1970.', () => read().beganAt / 1000);
  gauge('troupe_jobs_quarantined', 'Jobs in quarantine.', () => read().quarantined);

  gauge(
    'troupe_schedules_unarmed',
    'Jobs that the last pass of the schedule audit found not armed, and armed again. Anything but 0 is a fault.',
    () => read().scheduleAudit.unarmed,
  );
  total('troupe_schedules_unarmed_total', 'The same of all passes.', () => read().scheduleAudit.unarmedTotal);
  gauge(
    'troupe_schedule_audit_timestamp_seconds',
    'When the last pass of the schedule audit ended, in seconds since 1970; 0 before the first.',
    () => (read().scheduleAudit.checkedAt ?? 0) / 1000,
  );

  gauge(
    'troupe_backup_last_success_timestamp_seconds',
    'When the newest backup of this center was made, in seconds since 1970; 0: there is none, or it makes none.',
    () => (read().backups?.madeAt ?? 0) / 1000,
  );
  total('troupe_backup_failures_total', 'Backups that could not be made.', () => read().backups?.failed ?? 0);

  new Counter({
    name: 'troupe_facts_total',
    help: 'Facts by type.',
    labelNames: ['type'],
    registers,
    collect() {
      this.reset();
      for (const [type, count] of read().facts) this.inc({ type }, count);
    },
  });
  new Counter({
    name: 'troupe_executions_finished_total',
    help: 'Executions by outcome.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of read().finished) this.inc({ outcome }, count);
    },
  });
  new Counter({
    name: 'troupe_runs_ended_total',
    help: 'Runs by outcome: every attempt of every shard that was given to a host.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset();
      for (const [outcome, count] of read().runs) this.inc({ outcome }, count);
    },
  });
  new Counter({
    name: 'troupe_due_times_skipped_total',
    help: 'Due times that did not run, by verdict.',
    labelNames: ['verdict'],
    registers,
    collect() {
      this.reset();
      for (const [verdict, count] of read().skipped) this.inc({ verdict }, count);
    },
  });
  new Gauge({
    name: 'troupe_hosts',
    help: 'Hosts by state.',
    labelNames: ['status'],
    registers,
    collect() {
      for (const [status, count] of read().hosts) this.set({ status }, count);
    },
  });
  ofJobs(registers, read);
  return registry;
}

/** One series per job name; none before there is a value. */
function ofJobs(registers: Registry[], read: () => MetricsReading): void {
  const figure = (name: string, help: string, of: (job: JobMetric) => number | null) =>
    new Gauge({
      name,
      help,
      // Not `job`: Prometheus sets that label itself and would rename this one.
      labelNames: ['job_name'],
      registers,
      collect() {
        this.reset();
        for (const [job, figures] of read().jobs.jobs) {
          const value = of(figures);
          if (value !== null) this.set({ job_name: job }, value);
        }
      },
    });
  figure(
    'troupe_job_last_success_timestamp_seconds',
    'When an execution of the job last succeeded, in seconds since 1970.',
    job => job.succeededAt,
  );
  figure('troupe_job_last_run_timestamp_seconds', 'When the last execution of the job ended, in seconds since 1970.', job => job.ranAt);
  figure('troupe_job_last_run_succeeded', 'Whether the last execution that ended succeeded: 1 or 0.', job =>
    job.hasSucceeded === null ? null : Number(job.hasSucceeded),
  );
  figure('troupe_job_last_run_duration_seconds', 'From its first process to the end of the last execution.', job => job.tookSeconds);
  figure('troupe_job_waiting', 'Executions of the job that have started no process yet.', job => job.waiting);
  new Gauge({
    name: 'troupe_jobs_without_figures',
    help: 'Jobs beyond TROUPE_METRICS_JOBS, which have no figures of their own.',
    registers,
    collect() {
      this.set(read().jobs.leftOut);
    },
  });
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
