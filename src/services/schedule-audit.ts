/**
 * Proves that schedules are armed. Apart from the scheduler it computes, from the definition of each job and from what already has a verdict, which due time
 * comes next, and compares that with the job's document, with the actor in memory and with the timers of its partitions. It also looks into the ledger for due
 * times that passed without a verdict. What it finds is mended by waking the actor, and said.
 *
 *   pass: page of jobs --suspicious--> wait, look again --still so--> finding --> `job.unarmed` (fact `schedule.unarmed`), ledger entries
 *
 * It must never report what is merely under way: hence the second look, in which timers are asked before documents, so that an older timer is compared with
 * a newer document and is early at most.
 */
import { executionId, nextAtOf } from '../../actors/due.ts';
import type { JobContext } from '../../actors/job.ts';
import { type Clock, pause } from '../clock.ts';
import { viewOf } from '../runtime/document.ts';
import { NoSuchActor, Refused, Unavailable, Busy, Unreadable } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type ActorDocument, type ActorStore, type Ledger, type Occurrence, StoreUnavailable } from '../store/store.ts';

export const SCHEDULE_AUDIT = {
  /** Jobs read at once: some milliseconds of work. */
  page: 100,
  /** From the end of a pass to the next. */
  passMs: 10_000,
  /** A whole pass shall take no longer than this, ms. */
  passMaxMs: 270_000,
  /** Rest after a page: so many times what it took, unless `passMaxMs` asks for less. With its share in the workers that is below 1 % of a core. */
  restTimes: 150,
  /** From the first look to the second. Timers notice a jump of the clock within a second. */
  confirmMs: 2_000,
  /** A due time older than this must have its verdict. */
  lateMs: 60_000,
  /** How far back the ledger is looked through. A pass and its rest must fit in. */
  ledgerMs: 600_000,
  /** Due times of one job looked up in the ledger in one pass. */
  duesMax: 1_000,
  /** Jobs named in the status. */
  namesMax: 10,
} as const;

export interface Finding {
  job: string;
  found: 'unarmed' | 'noVerdict';
  /** The due time that nothing was armed for, or that had no verdict; epoch ms. */
  dueAt: number;
  /** What was armed instead; epoch ms. */
  armedAt: number | null;
  reason: string;
}

export interface AuditStatus {
  /** Findings of the last whole pass, and of all passes since the start. */
  unarmed: number;
  unarmedTotal: number;
  /** The latest pass that found something: when it ended, epoch ms, and the names of its jobs, at most `namesMax`. */
  found: { at: number; count: number; jobs: string[] } | null;
  /** When the last whole pass ended, epoch ms; null before the first. */
  checkedAt: number | null;
  /** How long it took, and how many enabled jobs it looked at. */
  passMs: number;
  checked: number;
}

export interface ScheduleAudit {
  /** One pass over all jobs; resolves with what it found and mended. Broken off by the signal it resolves early. Throws StoreUnavailable. */
  runOnce(signal?: AbortSignal): Promise<Finding[]>;
  /** Passes until the signal; a store that is away is waited for. */
  run(signal: AbortSignal, ready: () => void): Promise<void>;
  status(): AuditStatus;
}

/** What one look at a job shows. */
interface Look {
  rev: number;
  context: JobContext;
  finding: Finding;
}

export function createScheduleAudit(parts: {
  store: Pick<ActorStore, 'list' | 'load'> & Pick<Ledger, 'occurrences' | 'keptAfter' | 'record'>;
  runtime: Pick<Runtime, 'tell' | 'timersOf' | 'arm'>;
  clock: Clock;
  log(level: 'info' | 'warn', text: string, fields: Record<string, unknown>): void;
  /** Default: as in SCHEDULE_AUDIT. */
  limits?: Partial<Record<keyof typeof SCHEDULE_AUDIT, number>>;
}): ScheduleAudit {
  const { store, runtime, clock, log } = parts;
  const limits: Record<keyof typeof SCHEDULE_AUDIT, number> = { ...SCHEDULE_AUDIT, ...parts.limits };
  let status: AuditStatus = { unarmed: 0, unarmedTotal: 0, found: null, checkedAt: null, passMs: 0, checked: 0 };
  /** Of the last whole pass. The first one is paced as if there were 100,000 jobs. */
  let pagesBefore = 1_000;

  /** What does not fit in these documents and timers, in no order; nothing of those that are well, or cannot be judged now. */
  async function look(documents: (ActorDocument | undefined)[], timers: TimersOf[]): Promise<Look[]> {
    const looks: Look[] = [];
    const passed: { rev: number; context: JobContext; from: number; until: number }[] = [];
    const now = clock.now();
    // In one go: of the few microseconds that a job costs, most would be spent on waiting for it.
    for (const [place, document] of documents.entries()) {
      const context = document && liveContext(document);
      if (!context) continue;
      const { rev } = document;
      const finding = unarmedIn(document, context, timers[place], now);
      const span = finding ? undefined : decidedLately(document, context, now);
      if (finding) looks.push({ rev, context, finding });
      else if (span) passed.push({ rev, context, ...span });
    }
    for (const { rev, context, ...span } of passed) {
      const finding = await withoutVerdict(context, span);
      if (finding) looks.push({ rev, context, finding });
    }
    return looks;
  }

  /** The span of the last minutes in which a due time must stand in the ledger by now; undefined where there was none. */
  function decidedLately(document: ActorDocument, context: JobContext, now: number): { from: number; until: number } | undefined {
    const { config, watermark, createdAt, updatedAt } = context;
    const until = Math.min(watermark, now - limits.lateMs);
    // Before an edit due times followed another definition.
    const from = Math.max(createdAt, updatedAt, now - limits.lateMs - limits.ledgerMs);
    if (from >= until || document.owed.includes('"type":"record"')) return undefined;
    const first = nextAtOf(config, from);
    return first !== null && first <= until ? { from, until } : undefined;
  }

  /** The oldest due time of the span that is not in the ledger. */
  async function withoutVerdict(context: JobContext, span: { from: number; until: number }): Promise<Finding | undefined> {
    const job = context.config.name;
    const from = Math.max(span.from, (await store.keptAfter(job)) ?? span.from);
    const entries = await store.occurrences({ job, from, to: span.until, limit: limits.duesMax });
    const until = entries.length < limits.duesMax ? span.until : (entries.at(-1)?.from ?? span.until);
    const dueAt = firstUncovered(context, from, until, entries);
    if (dueAt === undefined) return undefined;
    return { job, found: 'noVerdict', dueAt, armedAt: null, reason: 'the due time passed without a verdict' };
  }

  /** Looked at again after a while; what is still so, and of the same rev, is a finding. */
  async function confirmed(suspects: Look[], signal: AbortSignal | undefined): Promise<Look[]> {
    if (suspects.length === 0) return [];
    await pause(clock, limits.confirmMs, signal);
    if (signal?.aborted) return [];
    const addresses = suspects.map(({ finding }) => `job/${finding.job}`);
    const timers = await runtime.timersOf(addresses);
    const looks = await look(await Promise.all(addresses.map(address => store.load(address))), timers);
    const before = new Map(suspects.map(suspect => [suspect.finding.job, suspect]));
    return looks.filter(({ rev, finding }) => {
      const first = before.get(finding.job);
      if (first?.finding.found !== finding.found) return false;
      return finding.found === 'noVerdict' ? finding.dueAt === first.finding.dueAt : rev === first.rev;
    });
  }

  async function mend({ finding, context }: Look): Promise<boolean> {
    const { job, found, dueAt, armedAt, reason } = finding;
    try {
      if (found === 'noVerdict') await record(context, dueAt);
      await runtime.tell(`job/${job}`, { type: 'job.unarmed', found, dueAt, armedAt, watermark: context.watermark, reason });
    } catch (error) {
      const passing = [NoSuchActor, Refused, Unavailable, Busy].some(kind => error instanceof kind);
      if (!passing) throw error;
      // Gone, shut, or not to be reached: the next pass looks at it anew.
      return false;
    }
    log('warn', 'schedule audit: a job was not armed and is armed again', {
      job,
      dueAt: new Date(dueAt).toISOString(),
      armedAt: armedAt === null ? null : new Date(armedAt).toISOString(),
      reason,
    });
    return true;
  }

  /** Every due time of the looked-through minutes that has no entry gets one: `ran` where its execution is there. */
  async function record(context: JobContext, first: number): Promise<void> {
    const { config, watermark } = context;
    const until = Math.min(watermark, clock.now() - limits.lateMs);
    const known = await store.occurrences({ job: config.name, from: first, to: until, limit: limits.duesMax });
    const entries: Occurrence[] = [];
    for (let due: number | null = first; due !== null && due <= until && entries.length < limits.duesMax; due = nextAtOf(config, due)) {
      const dueAt = due;
      if (known.some(({ from, to }) => from <= dueAt && dueAt <= to)) continue;
      const id = executionId(config.name, dueAt);
      const ran = (await store.load(`execution/${id}`)) !== undefined;
      entries.push({
        ...{ job: config.name, from: dueAt, to: dueAt, count: 1, decidedAt: clock.now() },
        verdict: ran ? 'ran' : 'missedDown',
        execution: ran ? id : null,
        reason: ran ? null : 'no verdict was recorded in time; found by the schedule audit',
      });
    }
    await store.record(entries);
  }

  async function page(after: string | undefined, signal: AbortSignal | undefined) {
    const read = await store.list({ kind: 'job', order: 'name', limit: limits.page, ...(after === undefined ? {} : { cursor: after }) });
    const timers = await runtime.timersOf(read.items.map(({ address }) => address));
    const suspects = await look(read.items, timers);
    const findings: Finding[] = [];
    for (const found of await confirmed(suspects, signal)) if (await mend(found)) findings.push(found.finding);
    // It may be the timers themselves that stand still.
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
    status = {
      unarmed: findings.length,
      unarmedTotal: status.unarmedTotal + findings.length,
      found:
        findings.length === 0
          ? status.found
          : { at: clock.now(), count: findings.length, jobs: findings.slice(0, limits.namesMax).map(({ job }) => job) },
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
      while (!ending.aborted) {
        try {
          await runOnce(ending);
        } catch (error) {
          if (!(error instanceof StoreUnavailable)) throw error;
          log('warn', 'schedule audit: the store is away; the pass is broken off', { cause: error.message });
        }
        await pause(clock, limits.passMs, ending);
      }
    },
  };
}

/** How long `/v1/ready` tells of a finding, ms. */
const WARN_MS = 3_600_000;

/** For `/v1/ready`: one sentence where the last hour has brought a finding. */
export function auditWarnings({ found }: AuditStatus, now: number): string[] {
  if (!found || now - found.at > WARN_MS) return [];
  const names = `${found.jobs.join(', ')}${found.count > found.jobs.length ? ' and others' : ''}`;
  const were = found.count === 1 ? 'the schedule of 1 job was' : `the schedules of ${found.count} jobs were`;
  return [`schedule audit: at ${new Date(found.at).toISOString()} ${were} not armed, and armed again: ${names}`];
}

type TimersOf = Awaited<ReturnType<Runtime['timersOf']>>[number];

/** The context of a job that must be armed where it has a due time left; undefined of every other one, and of one that cannot be read. */
function liveContext(document: ActorDocument): JobContext | undefined {
  if (document.life !== 'live' || document.quarantined) return undefined;
  if (document.index.status !== 'idle' && document.index.status !== 'running') return undefined;
  try {
    const { context } = viewOf<'job'>(document);
    return context.app === null || context.app.enabled ? context : undefined;
  } catch (error) {
    // Shown as `unreadable` wherever jobs are shown.
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/** Every due time up to the watermark has its verdict: the next one must be armed, in the document, in memory and in the timers. A timer that is early does no harm. */
function unarmedIn(document: ActorDocument, { config, watermark }: JobContext, timers: TimersOf, now: number): Finding | undefined {
  const dueAt = nextAtOf(config, watermark);
  if (dueAt === null) return undefined;
  const found = (armedAt: number | null, reason: string): Finding => ({ job: config.name, found: 'unarmed', dueAt, armedAt, reason });
  const isLate = (armedAt: number | null) => armedAt === null || armedAt > dueAt;
  if (isLate(document.nextDue)) return found(document.nextDue, 'its document is armed for no due time, or for a later one');
  if (!timers || timers.isBusy) return undefined;
  if (timers.loaded !== undefined && isLate(timers.loaded))
    return found(timers.loaded, 'its actor in memory is armed for no due time, or for a later one');
  // Later timers are in the store alone.
  if (dueAt <= timers.until && isLate(timers.timer)) return found(timers.timer, 'no timer will wake it in time');
  if (dueAt >= now - SCHEDULE_AUDIT.lateMs) return undefined;
  return found(timers.timer, 'it is overdue, and its timer does not fire');
}

/** The first due time in [from, until] that no entry covers. Entries stand in the order of their beginnings. */
function firstUncovered({ config }: JobContext, from: number, until: number, entries: Occurrence[]): number | undefined {
  let place = 0;
  for (let due = nextAtOf(config, from); due !== null && due <= until; due = nextAtOf(config, due)) {
    while (place < entries.length && (entries[place] as Occurrence).to < due) place += 1;
    const entry = entries[place];
    if (!entry || entry.from > due) return due;
  }
  return undefined;
}
