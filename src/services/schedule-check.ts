/**
 * What one look at jobs shows of their schedules. It computes, apart from the scheduler, which due
 * time comes next from the definition of each job and from what already has a verdict. It compares
 * that with the job's document, with the actor in memory and with the timers of its partitions, and
 * reads the ledger for due times that passed without a verdict.
 */
import { crc32 } from 'node:zlib';
import { nextAtOf } from '../../actors/job/due-times.ts';
import type { JobContext } from '../../actors/job/types.ts';
import { viewOf } from '../runtime/document.ts';
import { Unreadable } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ActorDocument, Ledger, Occurrence } from '../store/port.ts';

export interface Finding {
  job: string;
  found: 'unarmed' | 'noVerdict';
  /** The due time without a timer, or without a verdict; epoch ms. */
  dueAt: number;
  /** The armed instant instead; epoch ms. */
  armedAt: number | null;
  reason: string;
}

/** A job with a finding. */
export interface Look {
  rev: number;
  context: JobContext;
  finding: Finding;
}

export interface CheckLimits {
  /** A due time older than this must have its verdict, ms. */
  lateMs: number;
  /** How far back the ledger is read, ms. */
  ledgerMs: number;
  /** Due times of one job read from the ledger in one look. */
  duesMax: number;
}

/**
 * Jobs that an earlier look found armed, with all their verdicts: while the document is unchanged,
 * only its timer can be wrong. Reading the document again would be half of a pass. Checksums of
 * address and document: 100,000 names would take 10 MB, checksums take about 5 MB.
 */
export type ArmedJobs = Map<number, number>;

const keyOf = ({ address }: ActorDocument): number => crc32(address);
const markOf = ({ rev, nextDue }: ActorDocument): number => crc32(`${rev} ${nextDue}`);

export type TimersOf = Awaited<ReturnType<Runtime['timersOf']>>[number];

/** First and last instant, epoch ms, between which a due time must have an entry. */
interface Span {
  from: number;
  until: number;
}

/**
 * The findings in these documents and their timers, in no order. A job that cannot be judged now
 * has none. Takes from `armed` what need not be read again, and adds to it. Throws
 * StoreUnavailable.
 */
export async function lookAt(
  ledger: Pick<Ledger, 'occurrences' | 'keptAfter'>,
  documents: (ActorDocument | undefined)[],
  timers: TimersOf[],
  { now, limits, armed }: { now: number; limits: CheckLimits; armed?: ArmedJobs },
): Promise<Look[]> {
  const looks: Look[] = [];
  const decided: { rev: number; context: JobContext; span: Span }[] = [];
  const lateBefore = now - limits.lateMs;
  // No pause: it would take longer than the few microseconds of a job.
  for (const [index, document] of documents.entries()) {
    if (!document) continue;
    if (armed?.get(keyOf(document)) === markOf(document) && !wrongTimer(document.nextDue, timers[index], lateBefore)) continue;
    const context = liveContext(document);
    if (!context) continue;
    const { rev } = document;
    const finding = unarmedIn(document, context, timers[index], lateBefore);
    const span = finding ? undefined : decidedSpan(document, context, now, limits);
    if (finding) looks.push({ rev, context, finding });
    else if (span) decided.push({ rev, context, span });
    else if (context.watermark <= lateBefore && !hasPendingVerdicts(document)) armed?.set(keyOf(document), markOf(document));
  }
  for (const { rev, context, span } of decided) {
    const finding = await withoutVerdict(ledger, context, span, limits.duesMax);
    if (finding) looks.push({ rev, context, finding });
  }
  return looks;
}

/** Undefined for a job that need not be armed, and for one that cannot be read. */
function liveContext(document: ActorDocument): JobContext | undefined {
  if (document.life !== 'live' || document.quarantined) return undefined;
  if (document.index.status !== 'idle' && document.index.status !== 'running') return undefined;
  try {
    const { context } = viewOf<'job'>(document);
    return context.app === null || context.app.enabled ? context : undefined;
  } catch (error) {
    // Lists and GET show it as `unreadable`.
    if (error instanceof Unreadable) return undefined;
    throw error;
  }
}

/**
 * Every due time up to the watermark has its verdict, so the next one must be armed: in the
 * document, in memory and in the timers.
 */
function unarmedIn(document: ActorDocument, { config, watermark }: JobContext, timers: TimersOf, lateBefore: number): Finding | undefined {
  const dueAt = nextAtOf(config, watermark);
  if (dueAt === null) return undefined;
  const wrong = isLate(document.nextDue, dueAt)
    ? { armedAt: document.nextDue, reason: 'its document is armed for no due time, or for a later one' }
    : wrongTimer(dueAt, timers, lateBefore);
  return wrong && { job: config.name, found: 'unarmed', dueAt, ...wrong };
}

/** An instant that is early does no harm. */
const isLate = (armedAt: number | null, dueAt: number): boolean => armedAt === null || armedAt > dueAt;

/** What of these timers will not wake a job in time that is due then. */
function wrongTimer(dueAt: number | null, timers: TimersOf, lateBefore: number): Pick<Finding, 'armedAt' | 'reason'> | undefined {
  if (dueAt === null || !timers || timers.isBusy) return undefined;
  const { loaded, timer, until } = timers;
  if (loaded !== undefined && isLate(loaded, dueAt))
    return { armedAt: loaded, reason: 'its actor in memory is armed for no due time, or for a later one' };
  // Later timers are in the store alone.
  if (dueAt <= until && isLate(timer, dueAt)) return { armedAt: timer, reason: 'no timer will wake it in time' };
  return dueAt < lateBefore ? { armedAt: timer, reason: 'it is overdue, and its timer does not fire' } : undefined;
}

/** The latest span whose due times must be in the ledger by now; undefined where it has none. */
function decidedSpan(document: ActorDocument, context: JobContext, now: number, { lateMs, ledgerMs }: CheckLimits): Span | undefined {
  const { config, watermark, createdAt, updatedAt } = context;
  const until = Math.min(watermark, now - lateMs);
  // Before an edit due times followed another definition.
  const from = Math.max(createdAt, updatedAt, now - lateMs - ledgerMs);
  if (from >= until || hasPendingVerdicts(document)) return undefined;
  const first = nextAtOf(config, from);
  return first !== null && first <= until ? { from, until } : undefined;
}

/** Verdicts of this document are still pending. */
const hasPendingVerdicts = ({ pendingEffects }: ActorDocument): boolean => pendingEffects.includes('"type":"record"');

/** The oldest due time of the span that is not in the ledger. */
async function withoutVerdict(
  ledger: Pick<Ledger, 'occurrences' | 'keptAfter'>,
  context: JobContext,
  span: Span,
  duesMax: number,
): Promise<Finding | undefined> {
  const job = context.config.name;
  const from = Math.max(span.from, (await ledger.keptAfter(job)) ?? span.from);
  const entries = await ledger.occurrences({ job, from, to: span.until, limit: duesMax });
  const until = entries.length < duesMax ? span.until : (entries.at(-1)?.from ?? span.until);
  const dueAt = firstUncovered(context, { from, until }, entries);
  if (dueAt === undefined) return undefined;
  return { job, found: 'noVerdict', dueAt, armedAt: null, reason: 'the due time passed without a verdict' };
}

/** The first due time of the span without an entry. Entries are in the order of their `from`. */
function firstUncovered({ config }: JobContext, { from, until }: Span, entries: Occurrence[]): number | undefined {
  let index = 0;
  for (let due = nextAtOf(config, from); due !== null && due <= until; due = nextAtOf(config, due)) {
    while (index < entries.length && (entries[index] as Occurrence).to < due) index += 1;
    const entry = entries[index];
    if (!entry || entry.from > due) return due;
  }
  return undefined;
}
