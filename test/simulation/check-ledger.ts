/**
 * The occurrence ledger against a walk through every second. Each due time of each schedule, from
 * the registration of a job to its last watermark, has exactly one verdict that matches the
 * processes.
 */
import { drainMicrotasks } from 'bun:jsc';
import type { ExecutionContext } from '../../actors/execution/types.ts';
import type { JobConfig } from '../../actors/job/types.ts';
import type { Occurrence } from '../../src/store/port.ts';
import { executionsOf } from './checks.ts';
import type { Cluster } from './cluster.ts';
import { stateOf } from './truth.ts';
import { secondsOf } from './workload.ts';

/** A stretch of a job's life under one set of schedules: due times in (from, until]. */
interface Stretch {
  from: number;
  until: number;
  seconds: ReadonlySet<number>;
}

export function checkLedger(cluster: Cluster): void {
  const { truth } = cluster;
  for (const address of truth.addresses) {
    if (address.startsWith('job/')) checkJob(cluster, address.slice('job/'.length));
  }
}

function checkJob(cluster: Cluster, job: string): void {
  const { system, truth } = cluster;
  const verdicts = new Map<number, Occurrence>();
  const stretches = stretchesOf(truth, job);
  const expected = stretches.flatMap(duesOf);
  for (const entry of entriesOf(truth, job)) {
    const covered = expected.filter(due => due >= entry.from && due <= entry.to);
    if (covered.length !== entry.count) {
      system.fail('ledger', `${job}: the entry ${textOf(entry)} counts ${entry.count} due times, there are ${covered.length}`);
    }
    for (const due of covered) {
      const before = verdicts.get(due);
      if (before) system.fail('ledger', `${job}: ${iso(due)} has two verdicts, ${textOf(before)} and ${textOf(entry)}`);
      verdicts.set(due, entry);
    }
    if (entry.execution !== null && !truth.read(`execution/${entry.execution}`)) {
      system.fail('ledger', `${job}: ${textOf(entry)} names execution ${entry.execution}, which is not there`);
    }
    checkVerdict(cluster, job, entry);
  }
  const keptAfter = keptAfterOf(truth, job);
  for (const due of expected) if (!verdicts.has(due) && due > keptAfter) system.fail('ledger', `${job}: ${iso(due)} has no verdict`);
  for (const address of truth.addresses) {
    if (!address.startsWith(`execution/${job}@`)) continue;
    const dueAt = stateOf(truth, address)?.context.dueAt;
    if (typeof dueAt !== 'number' || dueAt <= keptAfter) continue;
    const execution = verdicts.get(dueAt)?.execution;
    if (execution !== address.slice('execution/'.length))
      system.fail('ledger', `${address} is there, and ${iso(dueAt)} names ${execution}`);
  }
}

/**
 * The verdict of the entry matches the processes that the hosts ran. By now every execution has
 * ended, so none waits.
 */
function checkVerdict({ system, truth, witness }: Cluster, job: string, entry: Occurrence): void {
  const { verdict, execution } = entry;
  if (!['waiting', 'ran', 'notStarted', 'unknown'].includes(verdict)) return;
  const fail = (what: string) => system.fail('ledger', `${job}: ${textOf(entry)} of ${execution} ${what}`);
  if (verdict === 'waiting') return fail('still waits');
  if (execution === null || entry.count !== 1) return fail('names no execution of its own');
  const hadProcess = witness.processes.some(({ run }) => run.startsWith(`${execution}:`));
  if (verdict === 'ran' && !hadProcess) fail('had no process');
  if (verdict === 'notStarted' && hadProcess) fail('had a process');
  if (verdict === 'notStarted' && entry.reason === null) fail('has no reason');
  const context = stateOf(truth, `execution/${execution}`)?.context as unknown as ExecutionContext | undefined;
  const attempts = context?.shards.flatMap(shard => [...shard.past, shard]) ?? [];
  if (verdict === 'unknown' && context && !attempts.some(({ outcome, startedAt }) => outcome === 'lost' && startedAt === null))
    fail('lost no order to start');
}

/**
 * An execution is given up before its start only where its job allows it, not before its time, and
 * never with success.
 */
export function checkStartWithin(cluster: Cluster): void {
  for (const { id, config, createdAt, expired, outcome } of executionsOf(cluster)) {
    if (expired === undefined) continue;
    const fail = (what: string) => cluster.system.fail('startWithin', `${id} was given up (${expired}), and ${what}`);
    const limit = config.startWithinMs ?? 0;
    if (limit === 0) fail('has no limit');
    const at = cluster.truth.factsOf(`execution/${id}`).find(({ type }) => type === 'execution.notStarted')?.at ?? 0;
    if (at < createdAt + limit) fail(`that ${at - createdAt} ms after its creation, the limit is ${limit}`);
    const hadProcess = cluster.witness.processes.some(({ run }) => run.startsWith(`${id}:`));
    if (outcome === 'succeeded' && !hadProcess) fail('succeeded without a process');
  }
}

/**
 * The periods of a job, cut where its schedules changed. The facts have the instants, the recorded
 * commits the configurations.
 */
function stretchesOf(truth: Cluster['truth'], job: string): Stretch[] {
  const stretches: Stretch[] = [];
  const configs = truth.configsOf(`job/${job}`);
  let open: { from: number; seconds: ReadonlySet<number> } | undefined;
  const close = (until: number) => {
    if (open) stretches.push({ ...open, until });
    open = undefined;
  };
  for (const { type, at, rev } of truth.factsOf(`job/${job}`)) {
    if (type === 'job.registered' || type === 'job.updated') {
      close(at);
      open = { from: at, seconds: secondsIn(configs.get(rev)) };
    } else if (type === 'job.deregistering') close(at);
  }
  // Live at the end: everything up to the watermark has its verdict, and the job is disabled by
  // then, so nothing moves it.
  close(Number(stateOf(truth, `job/${job}`)?.context.watermark ?? 0));
  return stretches;
}

const secondsIn = (config: JobConfig | undefined): ReadonlySet<number> =>
  new Set((config?.schedules ?? []).flatMap(schedule => (schedule.type === 'cron' ? [...secondsOf(schedule.cron)] : [])));

function duesOf({ from, until, seconds }: Stretch): number[] {
  const dues: number[] = [];
  for (let at = (Math.floor(from / 1000) + 1) * 1000; at <= until; at += 1000) if (seconds.has((at / 1000) % 60)) dues.push(at);
  return dues;
}

function entriesOf(truth: Cluster['truth'], job: string): Occurrence[] {
  let entries: Occurrence[] = [];
  void truth.store.occurrences({ job, limit: 100_000 }).then(found => {
    entries = found;
  });
  drainMicrotasks();
  return entries;
}

/**
 * Entries behind it must exist; entries before it may have been deleted, and all of a job whose
 * tombstone is deleted.
 */
function keptAfterOf(truth: Cluster['truth'], job: string): number {
  const address = `job/${job}`;
  let place = Number.NEGATIVE_INFINITY;
  void truth.store.keptAfter(job).then(found => {
    place = found ?? place;
  });
  drainMicrotasks();
  if (!truth.buried.has(address)) return place;
  const isBack = truth.read(address)?.life !== 'tombstone';
  return isBack ? Math.max(place, Number(stateOf(truth, address)?.context.createdAt)) : Number.POSITIVE_INFINITY;
}

const iso = (at: number): string => new Date(at).toISOString();
const textOf = ({ from, to, verdict }: Occurrence): string => `${verdict} ${iso(from)}${from === to ? '' : `..${iso(to)}`}`;
