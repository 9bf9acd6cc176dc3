/**
 * The agent's journal: its runs, unacknowledged reports, highest epochs and fences. One file of
 * JSON lines, each a change; many changes share one fsync, and the file is rewritten now and then.
 *
 * Memory changes at once, so that a repeat during an fsync is recognised. Whatever must be durable
 * before an effect waits for the promise of `write`.
 */
import { createWriteQueue } from '../lib/batch.ts';
import { journalHead } from '../lib/journal-head.ts';
import type { Log } from '../lib/log.ts';
import { AGENT_JOURNAL, type JournalState, readJournal, writeLine } from './journal-lines.ts';
import type { AgentLimits } from './limits.ts';
import type { Disk } from './ports.ts';
import { blankRecord, type Change, type NewRecord, type RunRecord } from './runs/records.ts';

export interface Journal {
  readonly records: ReadonlyMap<string, RunRecord>;
  readonly joined: boolean;
  /** Fingerprint of the trusted installation's key; undefined before the first welcome. */
  readonly centerKey: string | undefined;
  /** Highest known epoch of a partition, -1 for none. */
  epoch(partition: number): number;
  epochs(): Iterable<[partition: number, epoch: number]>;
  /** A new number for a report. */
  nextId(): number;
  /**
   * Resolves once the changes are on the disk. Rejects when they cannot be written: memory has them
   * all the same, and the next successful write includes them. Without changes it resolves once all
   * earlier ones are durable. With `reserve` a full disk gets the reserved space first.
   */
  write(changes: Change[], options?: { reserve: boolean }): Promise<void>;
  /** Written soon, without a sync: for changes that can be learnt again. */
  note(changes: Change[]): void;
  /** Resolves once everything before it was written, or failed. */
  flushed(): Promise<void>;
  /** Deletes expired records, restores the reserve. Returns warnings for the log. */
  sweep(now: number): Promise<string[]>;
}

/** The reason of a refused start. */
export const cannotWrite = (cause: unknown): string =>
  `this host cannot write the agent's journal: ${cause instanceof Error ? cause.message : String(cause)}`;

export const JOURNAL = 'journal.jsonl';
export const RESERVE = 'journal.reserve';

/**
 * Reads the journal and rewrites it. Throws when another revision wrote it, or when a line other
 * than the last one is broken.
 */
export async function openJournal(from: { disk: Disk; limits: AgentLimits; log: Log; now: number }): Promise<Journal> {
  const { disk, limits, log } = from;
  const state = readJournal(await disk.read(JOURNAL));
  const { records, epochs } = state;
  for (const warning of expire(records, limits, from.now)) log.warn(warning);
  const reserve = createReserve(disk, limits.reserveBytes, log);
  const file = createJournalFile(disk, limits, state);

  const writeBatch = async (batch: Entry[]) => {
    try {
      await file.append(
        batch.flatMap(one => one.changes),
        { sync: batch.some(one => one.settle !== undefined) },
      );
      for (const one of batch) one.settle?.();
    } catch (problem) {
      for (const one of batch) if (!one.reserve) one.settle?.(problem);
      const urgent = batch.filter(one => one.reserve);
      if (urgent.length === 0) return;
      const failure = await reserve
        .release()
        .then(file.replace)
        .then(
          () => undefined,
          (again: unknown) => again,
        );
      for (const one of urgent) one.settle?.(failure);
    }
  };

  // One microtask later, so that the changes of one tick share an fsync.
  const queue = createWriteQueue<Entry>({ schedule: queueMicrotask, write: writeBatch });
  const enqueue = (changes: Change[], rest: Omit<Entry, 'changes'>) => {
    for (const change of changes) apply(state, change);
    queue.add({ changes, ...rest });
  };

  await Promise.all([file.replace(), reserve.restore()]).catch(problem => {
    log.error('the journal cannot be written, the agent refuses starts', { problem: String(problem) });
  });

  return {
    records,
    get joined() {
      return state.joined;
    },
    get centerKey() {
      return state.centerKey;
    },
    epoch: partition => epochs.get(partition) ?? -1,
    epochs: () => epochs,
    nextId: () => state.nextId++,
    write: (changes, options) =>
      new Promise((resolve, reject) => {
        enqueue(changes, { reserve: options?.reserve === true, settle: problem => (problem === undefined ? resolve() : reject(problem)) });
      }),
    note: changes => enqueue(changes, { reserve: false, settle: undefined }),
    flushed: queue.idle,
    async sweep(now) {
      const warnings = expire(records, limits, now);
      await reserve.restore().catch(() => undefined);
      return warnings;
    },
  };
}

interface Entry {
  changes: Change[];
  reserve: boolean;
  /** Undefined for a note. With a problem: the changes are not on the disk. */
  settle: ((problem?: unknown) => void) | undefined;
}

function apply(state: JournalState, change: Change): void {
  if ('run' in change) {
    const record = state.records.get(change.run);
    if (record) Object.assign(record, change.set);
    else if (isWhole(change.set)) state.records.set(change.run, { ...blankRecord, ...change.set });
  } else if ('epoch' in change) state.epochs.set(change.epoch[0], change.epoch[1]);
  else if ('joined' in change) state.joined = true;
  else if ('centerKey' in change) state.centerKey = change.centerKey;
  else state.nextId = Math.max(state.nextId, change.nextId);
}

/** False for a change of a run that was deleted meanwhile: it has no effect. */
const isWhole = (set: Partial<RunRecord>): set is NewRecord => set.run !== undefined && set.fence !== undefined;

/** The file: appended to, or replaced while memory is ahead of it. */
function createJournalFile(disk: Disk, limits: AgentLimits, state: JournalState) {
  let appendedBytes = 0;
  let isBehind = true;

  const replace = async () => {
    isBehind = true;
    await disk.replace(JOURNAL, textOf(state));
    appendedBytes = 0;
    isBehind = false;
  };

  return {
    replace,
    async append(changes: Change[], { sync }: { sync: boolean }): Promise<void> {
      if (isBehind || appendedBytes > limits.journalAppendMax) return replace();
      const text = linesOf(state.records, changes);
      if (text === '') return;
      // A failed append may have written a part of its bytes.
      isBehind = true;
      await disk.append(JOURNAL, text, { sync });
      appendedBytes += text.length;
      isBehind = false;
    },
  };
}

function textOf(state: JournalState): string {
  let text = journalHead(AGENT_JOURNAL) + writeLine({ nextId: state.nextId });
  if (state.joined) text += writeLine({ joined: true });
  if (state.centerKey !== undefined) text += writeLine({ centerKey: state.centerKey });
  for (const epoch of state.epochs) text += writeLine({ epoch });
  for (const [run, set] of state.records) text += writeLine({ run, set });
  return text;
}

/** One line per run: a short run has several changes in one batch. */
function linesOf(records: ReadonlyMap<string, RunRecord>, changes: Change[]): string {
  const runs = new Map<string, Partial<RunRecord>>();
  let text = '';
  for (const change of changes) {
    if (!('run' in change)) text += writeLine(change);
    // Not of a deleted run: the file may lack its first line.
    else if (records.has(change.run)) runs.set(change.run, { ...runs.get(change.run), ...change.set });
  }
  for (const [run, set] of runs) text += writeLine({ run, set });
  return text;
}

/** Space that is released on a full disk, so that ends can still be written. */
function createReserve(disk: Disk, bytes: number, log: Log) {
  let isThere = false;
  return {
    async restore(): Promise<void> {
      if (isThere) return;
      if ((await disk.read(RESERVE))?.length !== bytes) await disk.replace(RESERVE, '-'.repeat(bytes));
      isThere = true;
    },
    async release(): Promise<void> {
      if (!isThere) return;
      log.warn('the disk is full: the journal releases its reserve', { bytes });
      isThere = false;
      await disk.remove(RESERVE);
    },
  };
}

/**
 * Deletes expired records from memory, oldest first: a map keeps the order in which they came. They
 * leave the file when it is rewritten.
 */
function expire(records: Map<string, RunRecord>, limits: AgentLimits, now: number): string[] {
  const warnings: string[] = [];
  let ended = 0;
  for (const record of records.values()) if (record.closed && record.unreported.length === 0) ended++;
  for (const [key, record] of records) {
    if (record.endedAt === null) continue;
    const age = now - record.endedAt;
    if (record.unreported.length > 0 && age > limits.undeliveredMs) {
      warnings.push(`${key}: no center took its report for ${limits.undeliveredMs} ms, the agent drops it`);
      record.unreported = [];
    }
    if (!record.closed || record.unreported.length > 0) continue;
    if (ended > limits.endedKeptMax || age > limits.endedKeptMs) {
      records.delete(key);
      ended--;
    }
  }
  return warnings;
}
