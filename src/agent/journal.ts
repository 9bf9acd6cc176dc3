/**
 * What the agent must not forget: the runs it answers for, the reports no center has taken yet, the
 * highest epochs and fences. One file of JSON lines; each line changes one thing, so reading them
 * from the top gives the present. Many changes share one fsync; now and then the file is written
 * anew.
 *
 * Memory changes at once, so a repeat that arrives during an fsync is known for one. What must be
 * durable before it shows waits for the promise.
 */
import { createWriteQueue } from '../lib/batch.ts';

import { journalHead } from '../lib/journal-head.ts';
import type { Log } from '../lib/log.ts';
import { AGENT_JOURNAL, readJournal, writeLine } from './journal-lines.ts';
import type { AgentLimits } from './limits.ts';
import type { Disk } from './ports.ts';
import { blankRecord, type Change, type NewRecord, type RunRecord } from './runs/records.ts';

export interface Journal {
  readonly records: ReadonlyMap<string, RunRecord>;
  readonly joined: boolean;
  /** Fingerprint of the installation's key to obey; undefined before the first welcome. */
  readonly centerKey: string | undefined;
  /** Highest epoch seen of a partition, -1 when none was. */
  epoch(partition: number): number;
  /** All of them. */
  epochs(): Iterable<[partition: number, epoch: number]>;
  /** A number no report had before. */
  nextId(): number;
  /**
   * Resolves once the changes are on the disk. Rejects when they cannot be written; memory then has
   * them all the same, and the next write that goes well brings them along: without any change this
   * asks whether all before is durable, and tries again if not. With `reserve` the space kept for
   * this case is given up first.
   */
  write(changes: Change[], options?: { reserve: boolean }): Promise<void>;
  /** Written soon, without waiting for the disk: for what may be learnt again. */
  note(changes: Change[]): void;
  /** Resolves once everything before it was tried. */
  flushed(): Promise<void>;
  /** Forgets what is over for long, restores the reserve. Returns sentences worth a log line. */
  sweep(now: number): Promise<string[]>;
}

/** Why something was not promised, in words for the run's reason. */
export const cannotWrite = (cause: unknown): string =>
  `this host cannot write the agent's journal: ${cause instanceof Error ? cause.message : String(cause)}`;

export const JOURNAL = 'journal.jsonl';
export const RESERVE = 'journal.reserve';

/**
 * Reads the journal and writes it anew. Throws when another revision wrote it, or when it is broken
 * anywhere but in its last line.
 */
export async function openJournal(from: { disk: Disk; limits: AgentLimits; log: Log; now: number }): Promise<Journal> {
  const { disk, limits, log } = from;
  const state = readJournal(await disk.read(JOURNAL));
  const { records, epochs } = state;
  let appended = 0;
  // True while memory is ahead of the file: the next write then replaces the file.
  let ahead = true;
  let reserved = false;
  for (const sentence of prune(records, limits, from.now)) log.warn(sentence);

  const apply = (change: Change) => {
    if ('run' in change) {
      const record = records.get(change.run);
      if (record) Object.assign(record, change.set);
      else if (isWhole(change.set)) records.set(change.run, { ...blankRecord, ...change.set });
    } else if ('epoch' in change) epochs.set(change.epoch[0], change.epoch[1]);
    else if ('joined' in change) state.joined = true;
    else if ('centerKey' in change) state.centerKey = change.centerKey;
    else state.nextId = Math.max(state.nextId, change.nextId);
  };

  const whole = () => {
    let text = journalHead(AGENT_JOURNAL) + writeLine({ nextId: state.nextId });
    if (state.joined) text += writeLine({ joined: true });
    if (state.centerKey !== undefined) text += writeLine({ centerKey: state.centerKey });
    for (const epoch of epochs) text += writeLine({ epoch });
    for (const [run, set] of records) text += writeLine({ run, set });
    return text;
  };

  const replace = async () => {
    const text = whole();
    await disk.replace(JOURNAL, text);
    appended = 0;
    ahead = false;
  };

  /**
   * One line for all that a batch changes of a run: a short one begins, starts and ends within a
   * few of them.
   */
  const linesOf = (changes: Change[]): string => {
    const runs = new Map<string, Partial<RunRecord>>();
    let text = '';
    for (const change of changes) {
      if (!('run' in change)) text += writeLine(change);
      // Deleted since: a line without its beginning, which the file may lack, means nothing.
      else if (records.has(change.run)) runs.set(change.run, { ...runs.get(change.run), ...change.set });
    }
    for (const [run, set] of runs) text += writeLine({ run, set });
    return text;
  };

  const persist = async (batch: Batch[]) => {
    if (ahead || appended > limits.journalAppendMax) return replace();
    const text = linesOf(batch.flatMap(one => one.changes));
    if (text === '') return;
    // Until the append has gone well, its bytes may be on the disk in part.
    ahead = true;
    await disk.append(JOURNAL, text, { sync: batch.some(one => one.settle !== undefined) });
    appended += text.length;
    ahead = false;
  };

  const giveUpReserve = async () => {
    log.warn('the disk is full: the journal gives up its reserve', { bytes: limits.reserveBytes });
    reserved = false;
    await disk.remove(RESERVE);
  };

  const flushOnce = async (batch: Batch[]) => {
    try {
      await persist(batch);
      for (const one of batch) one.settle?.();
    } catch (problem) {
      ahead = true;
      for (const one of batch) if (!one.reserve) one.settle?.(problem);
      const urgent = batch.filter(one => one.reserve);
      if (urgent.length === 0) return;
      let verdict: unknown;
      try {
        if (reserved) await giveUpReserve();
        await replace();
      } catch (again) {
        ahead = true;
        verdict = again;
      }
      for (const one of urgent) one.settle?.(verdict);
    }
  };

  // One turn later, so that the changes of one tick share an fsync.
  const queue = createWriteQueue<Batch>({ schedule: queueMicrotask, write: flushOnce });

  const enqueue = (changes: Change[], rest: Omit<Batch, 'changes'>) => {
    for (const change of changes) apply(change);
    queue.add({ changes, ...rest });
  };

  const restoreReserve = async () => {
    if (reserved) return;
    if ((await disk.read(RESERVE))?.length !== limits.reserveBytes) await disk.replace(RESERVE, '-'.repeat(limits.reserveBytes));
    reserved = true;
  };

  await Promise.all([replace(), restoreReserve()]).catch(problem => {
    log.error('the journal cannot be written, starts will be refused', { problem: String(problem) });
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
      const said = prune(records, limits, now);
      if (!reserved) await restoreReserve().catch(() => undefined);
      return said;
    },
  };
}

interface Batch {
  changes: Change[];
  reserve: boolean;
  /** Absent for what nobody waits for. With a problem: it is not on the disk. */
  settle: ((problem?: unknown) => void) | undefined;
}

/** A change of a run that was forgotten meanwhile changes nothing. */
const isWhole = (set: Partial<RunRecord>): set is NewRecord => set.run !== undefined && set.fence !== undefined;

/**
 * Oldest first: a map keeps the order in which the runs came. What is forgotten here leaves the
 * file when it is next written anew.
 */
function prune(records: Map<string, RunRecord>, limits: AgentLimits, now: number): string[] {
  const said: string[] = [];
  let over = 0;
  for (const record of records.values()) if (record.settled && record.unreported.length === 0) over++;
  for (const [key, record] of records) {
    if (record.endedAt === null) continue;
    const age = now - record.endedAt;
    if (record.unreported.length > 0 && age > limits.undeliveredMs) {
      said.push(`${key}: no center took its report for ${limits.undeliveredMs} ms, it is given up`);
      record.unreported = [];
    }
    if (!record.settled || record.unreported.length > 0) continue;
    if (over > limits.endedKeptMax || age > limits.endedKeptMs) {
      records.delete(key);
      over--;
    }
  }
  return said;
}
