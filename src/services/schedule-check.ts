/**
 * What one look at jobs shows of their schedules. It computes, apart from the scheduler, which due
 * time comes next from the definition of each job and from what already has a verdict. It compares
 * that with the job's document, with the actor in memory and with the timers of its partitions, and
 * reads the ledger for due times that passed without a verdict.
 */
import { nextAtOf } from '../../actors/job/due-times.ts';
import type { JobContext } from '../../actors/job/types.ts';
import { viewOf } from '../runtime/document.ts';
import { Unreadable } from '../runtime/errors.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { ActorDocument, Ledger, Occurrence } from '../store/port.ts';

export interface Finding {
  job: string;
  found: 'unarmed' | 'noVerdict';
  /** The due time that nothing was armed for, or that had no verdict; epoch ms. */
  dueAt: number;
  /** What was armed instead; epoch ms. */
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

export type TimersOf = Awaited<ReturnType<Runtime['timersOf']>>[number];

/** First and last instant, epoch ms, between which a due time must have an entry. */
interface Span {
  from: number;
  until: number;
}

/**
 * The findings in these documents and their timers, in no order. A job that cannot be judged now
 * has none. Throws StoreUnavailable.
 */
export async function lookAt(
  ledger: Pick<Ledger, 'occurrences' | 'keptAfter'>,
  documents: (ActorDocument | undefined)[],
  timers: TimersOf[],
  { now, limits }: { now: number; limits: CheckLimits },
): Promise<Look[]> {
  const looks: Look[] = [];
  const decided: { rev: number; context: JobContext; span: Span }[] = [];
  // Without a pause: of the few microseconds that a job costs, a wait would take most.
  for (const [place, document] of documents.entries()) {
    const context = document && liveContext(document);
    if (!context) continue;
    const { rev } = document;
    const finding = unarmedIn(document, context, timers[place], now - limits.lateMs);
    const span = finding ? undefined : decidedSpan(document, context, now, limits);
    if (finding) looks.push({ rev, context, finding });
    else if (span) decided.push({ rev, context, span });
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
 * document, in memory and in the timers. A timer that is early does no harm.
 */
function unarmedIn(document: ActorDocument, { config, watermark }: JobContext, timers: TimersOf, lateBefore: number): Finding | undefined {
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
  if (dueAt >= lateBefore) return undefined;
  return found(timers.timer, 'it is overdue, and its timer does not fire');
}

/** The latest span whose due times must be in the ledger by now; undefined where it has none. */
function decidedSpan(document: ActorDocument, context: JobContext, now: number, { lateMs, ledgerMs }: CheckLimits): Span | undefined {
  const { config, watermark, createdAt, updatedAt } = context;
  const until = Math.min(watermark, now - lateMs);
  // Before an edit due times followed another definition.
  const from = Math.max(createdAt, updatedAt, now - lateMs - ledgerMs);
  if (from >= until || document.pendingEffects.includes('"type":"record"')) return undefined;
  const first = nextAtOf(config, from);
  return first !== null && first <= until ? { from, until } : undefined;
}

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
  let place = 0;
  for (let due = nextAtOf(config, from); due !== null && due <= until; due = nextAtOf(config, due)) {
    while (place < entries.length && (entries[place] as Occurrence).to < due) place += 1;
    const entry = entries[place];
    if (!entry || entry.from > due) return due;
  }
  return undefined;
}
