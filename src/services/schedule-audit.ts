/**
 * Proves that schedules are armed: it checks all enabled jobs, page by page. It repairs a finding:
 * it wakes the actor and records missing verdicts.
 *
 *   page of jobs --suspects--> wait, look again --confirmed--> `job.unarmed`, ledger entries
 *
 * Work under way must never be a finding. So the second look reads timers before documents: an
 * older timer compared with a newer document is at most early.
 */
import { executionId, nextAtOf } from '../../actors/job/due-times.ts';
import type { JobContext } from '../../actors/job/types.ts';
import { type Clock, pause } from '../lib/clock.ts';
import { viewOf } from '../runtime/document.ts';
import { isPassing, Unreadable } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type ActorDocument, type ActorStore, type Ledger, type Occurrence, StoreUnavailable } from '../store/port.ts';
import { type ArmedJobs, type Finding, type Look, lookAt } from './schedule-check.ts';

export const SCHEDULE_AUDIT = {
  /**
   * Jobs read at once: four milliseconds of work. Smaller pages cost twice as much per job, because
   * caches are cold after each rest.
   */
  page: 250,
  /** From the start to the first pass, and from the end of a pass to the next. */
  passMs: 10_000,
  /** Longest time of a whole pass, ms. */
  passMaxMs: 270_000,
  /**
   * Rest after a page, as a multiple of the time that the page took; `passMaxMs` may shorten it.
   * With the work in the partitions that is about half a percent of a core.
   */
  restTimes: 300,
  /** From the first look to the second. Timers notice a jump of the clock within a second. */
  confirmMs: 2_000,
  /** A due time older than this must have its verdict. */
  lateMs: 60_000,
  /** How far back the ledger is read: longer than a pass and its rest. */
  ledgerMs: 600_000,
  /** Due times of one job read from the ledger in one pass. */
  duesMax: 1_000,
  /** Jobs named in the status. */
  namesMax: 10,
} as const;

type Limits = Record<keyof typeof SCHEDULE_AUDIT, number>;

export interface AuditStatus {
  /** Findings of the last whole pass, and of all passes since the start. */
  unarmed: number;
  unarmedTotal: number;
  /** The latest pass with findings: its end, epoch ms, and its job names, at most `namesMax`. */
  found: { at: number; count: number; jobs: string[] } | null;
  /** When the last whole pass ended, epoch ms; null before the first. */
  checkedAt: number | null;
  /** How long it took, and how many enabled jobs it looked at. */
  passMs: number;
  checked: number;
}

export interface ScheduleAudit {
  /**
   * One pass over all jobs. Resolves with its repaired findings; early when the signal aborts.
   * Throws StoreUnavailable.
   */
  runOnce(signal?: AbortSignal): Promise<Finding[]>;
  /** Runs passes until the signal aborts; retries while the store is unavailable. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  status(): AuditStatus;
}

interface AuditParts {
  store: Pick<ActorStore, 'list' | 'load'> & Pick<Ledger, 'occurrences' | 'keptAfter' | 'record'>;
  runtime: Pick<Runtime, 'tell' | 'timersOf' | 'arm'>;
  clock: Clock;
  log(level: 'info' | 'warn', text: string, fields: Record<string, unknown>): void;
  /** Default: as in SCHEDULE_AUDIT. */
  limits?: Partial<Limits>;
}
type Repairing = Pick<AuditParts, 'store' | 'runtime' | 'clock' | 'log'> & { limits: Limits };

export function createScheduleAudit(parts: AuditParts): ScheduleAudit {
  const { store, runtime, clock, log } = parts;
  const limits: Limits = { ...SCHEDULE_AUDIT, ...parts.limits };
  let status: AuditStatus = { unarmed: 0, unarmedTotal: 0, found: null, checkedAt: null, passMs: 0, checked: 0 };
  /** Of the last whole pass. The first one is paced as if there were 100,000 jobs. */
  let pagesBefore = 100_000 / limits.page;
  const armed: ArmedJobs = new Map();

  /** The findings that a second look shows again, at the same rev. */
  async function confirmed(suspects: Look[], signal: AbortSignal | undefined): Promise<Look[]> {
    if (suspects.length === 0) return [];
    await pause(clock, limits.confirmMs, signal);
    if (signal?.aborted) return [];
    const addresses = suspects.map(({ finding }) => `job/${finding.job}`);
    const timers = await runtime.timersOf(addresses);
    const documents = await Promise.all(addresses.map(address => store.load(address)));
    const looks = await lookAt(store, documents, timers, { now: clock.now(), limits });
    return looks.filter(look => isSame(look, suspects));
  }

  async function page(after: string | undefined, signal: AbortSignal | undefined) {
    const read = await store.list({ kind: 'job', order: 'name', limit: limits.page, ...(after === undefined ? {} : { cursor: after }) });
    const timers = await runtime.timersOf(read.items.map(({ address }) => address));
    const suspects = await lookAt(store, read.items, timers, { now: clock.now(), limits, armed });
    const findings: Finding[] = [];
    for (const look of await confirmed(suspects, signal)) if (await repair({ ...parts, limits }, look)) findings.push(look.finding);
    // The timers themselves may have stopped.
    if (findings.length > 0) runtime.arm();
    return { findings, next: read.next, jobs: read.items.length };
  }

  async function runOnce(signal?: AbortSignal): Promise<Finding[]> {
    const began = clock.monotonic();
    const findings: Finding[] = [];
    let pages = 0;
    let checked = 0;
    for (let after: string | undefined, more = true; more && !signal?.aborted; ) {
      const from = clock.monotonic();
      const done = await page(after, signal);
      findings.push(...done.findings);
      checked += done.jobs;
      pages += 1;
      after = done.next ?? undefined;
      more = done.next !== null;
      const restMs = Math.min((clock.monotonic() - from) * limits.restTimes, limits.passMaxMs / pagesBefore);
      if (more) await pause(clock, restMs, signal);
    }
    if (signal?.aborted) return findings;
    pagesBefore = Math.max(1, pages);
    // Jobs that were deleted stay in it.
    if (armed.size > 2 * checked) armed.clear();
    const jobs = findings.slice(0, limits.namesMax).map(({ job }) => job);
    status = {
      unarmed: findings.length,
      unarmedTotal: status.unarmedTotal + findings.length,
      found: findings.length === 0 ? status.found : { at: clock.now(), count: findings.length, jobs },
      checkedAt: clock.now(),
      passMs: Math.round(clock.monotonic() - began),
      checked,
    };
    return findings;
  }

  return {
    runOnce,
    status: () => status,
    async run(ending, ready) {
      ready();
      for (;;) {
        // Pause first: a start arms every job anyway and is busy.
        await pause(clock, limits.passMs, ending);
        if (ending.aborted) return;
        try {
          await runOnce(ending);
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
          log('warn', 'schedule audit: the pass ends early because the store is unavailable', { cause: error.message });
        }
      }
    },
  };
}

/** Whether a suspect has the same finding and its job was not written in between. */
function isSame({ rev, finding }: Look, suspects: Look[]): boolean {
  const first = suspects.find(suspect => suspect.finding.job === finding.job);
  if (first?.finding.found !== finding.found) return false;
  return finding.found === 'noVerdict' ? finding.dueAt === first.finding.dueAt : rev === first.rev;
}

/** False where the job is deleted, refuses or is unavailable: the next pass checks it again. */
async function repair(parts: Repairing, { finding, context }: Look): Promise<boolean> {
  const { job, found, dueAt, armedAt, reason } = finding;
  try {
    if (found === 'noVerdict') await recordMissing(parts, context, dueAt);
    await parts.runtime.tell(`job/${job}`, { type: 'job.unarmed', found, dueAt, armedAt, watermark: context.watermark, reason });
  } catch (error) {
    if (!isPassing(error)) throw error;
    return false;
  }
  parts.log('warn', 'schedule audit: a job was not armed and is armed again', {
    job,
    dueAt: new Date(dueAt).toISOString(),
    armedAt: armedAt === null ? null : new Date(armedAt).toISOString(),
    reason,
  });
  return true;
}

/** Records each due time from `first` on that has no entry. */
async function recordMissing({ store, clock, limits }: Repairing, { config, watermark }: JobContext, first: number): Promise<void> {
  const until = Math.min(watermark, clock.now() - limits.lateMs);
  const known = await store.occurrences({ job: config.name, from: first, to: until, limit: limits.duesMax });
  const entries: Occurrence[] = [];
  for (let due: number | null = first; due !== null && due <= until && entries.length < limits.duesMax; due = nextAtOf(config, due)) {
    const dueAt = due;
    if (known.some(({ from, to }) => from <= dueAt && dueAt <= to)) continue;
    const id = executionId(config.name, dueAt);
    const execution = await store.load(`execution/${id}`);
    entries.push({
      ...{ job: config.name, from: dueAt, to: dueAt, count: 1, decidedAt: clock.now() },
      verdict: execution ? verdictOf(execution) : 'missedDown',
      execution: execution ? id : null,
      reason: 'no verdict was recorded in time; found by the schedule audit',
    });
  }
  await store.record(entries);
}

/**
 * The verdict by the state of its execution. `waiting` is resolved when a process starts or it
 * ends.
 */
function verdictOf(document: ActorDocument): Occurrence['verdict'] {
  try {
    const { startedAt, outcome } = viewOf<'execution'>(document).context;
    if (startedAt !== null) return 'ran';
    if (outcome === null) return 'waiting';
    return outcome === 'lost' ? 'unknown' : 'notStarted';
  } catch (error) {
    if (error instanceof Unreadable) return 'unknown';
    throw error;
  }
}

/** How long `/v1/ready` shows a finding, ms. */
const WARN_MS = 3_600_000;

/** For `detail` of `/v1/ready`: one sentence where the last hour has findings. */
export function auditWarnings({ found }: AuditStatus, now: number): string[] {
  if (!found || now - found.at > WARN_MS) return [];
  const names = `${found.jobs.join(', ')}${found.count > found.jobs.length ? ' and others' : ''}`;
  const were = found.count === 1 ? 'the schedule of 1 job was' : `the schedules of ${found.count} jobs were`;
  return [`schedule audit: at ${new Date(found.at).toISOString()} ${were} not armed, and armed again: ${names}`];
}
