/**
 * Output on its way to the store: pieces of many runs gathered into few writes, one write at a
 * time. `kept` goes back only after the write, so a slow store slows the agents down through their
 * windows and loses nothing that was acknowledged.
 */

import { createBoundedSet } from '../lib/bounded-map.ts';
import type { Clock } from '../lib/clock.ts';
import { type OutputFrame, type Run, runKey } from '../protocol/agent.ts';
import type { TakenChunk } from '../services/output/index.ts';
import { StoreUnavailable } from '../store/port.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';
import type { Session } from './session.ts';

/**
 * Tries of a write that fails for another reason than an absent store; then its pieces are passed
 * over, not acknowledged.
 */
const TRIES_MAX = 3;
/** Runs remembered per session; of the oldest beyond it the store is asked again. */
const RUNS_KNOWN = 1_000;
/**
 * Runs remembered to have been sent to their hosts, of all hosts together; of the oldest beyond it
 * the store is asked.
 */
const RUNS_SENT = 2_000;

export interface OutputIntake {
  /** False: too much waits; the session has to go and come again. */
  take(from: Session, host: string, frame: OutputFrame): boolean;
  /**
   * This run goes to that host, as its execution has committed: nobody need be asked whose it is
   * when its output comes.
   */
  sent(host: string, run: Run): void;
  /** The session is over: what of it waits will be brought again by the next. */
  drop(from: Session): void;
}

interface Waiting {
  from: Session;
  host: string;
  run: Run;
  chunk: TakenChunk;
  size: number;
}

export function createOutputIntake(parts: {
  /** Resolves once the chunks are durable, or known not to be wanted. */
  keep(chunks: TakenChunk[]): Promise<void>;
  /**
   * Did this run go to that host? What others write of it is acknowledged and dropped. Throws what
   * the store throws.
   */
  isRunOf(host: string, run: Run): Promise<boolean>;
  clock: Clock;
  limits: HubLimits;
  log: HubLog;
}): OutputIntake {
  const { keep, isRunOf, clock, limits, log } = parts;
  let waiting: Waiting[] = [];
  const bytesOf = new WeakMap<Session, number>();
  let bytesAll = 0;
  let isWriting = false;
  let failures = 0;

  const count = (from: Session, change: number) => {
    bytesAll += change;
    bytesOf.set(from, (bytesOf.get(from) ?? 0) + change);
  };

  const gather = (): Waiting[] => {
    let bytes = 0;
    let places = 0;
    for (const one of waiting) {
      if (places >= limits.outputBatchChunks || bytes >= limits.outputBatchBytes) break;
      places++;
      bytes += one.size;
    }
    return waiting.splice(0, places);
  };

  /** Runs that a session has been found to write rightly; asked once for each. */
  const known = new WeakMap<Session, Set<string>>();
  const sentTo = createBoundedSet<string>(RUNS_SENT);
  const isRightful = async ({ from, host, run }: Waiting): Promise<boolean> => {
    const runs = known.get(from) ?? createBoundedSet<string>(RUNS_KNOWN);
    known.set(from, runs);
    const key = runKey(run);
    if (runs.has(key)) return true;
    if (!sentTo.delete(`${host} ${key}`) && !(await isRunOf(host, run))) {
      log('warn', `host/${host} wrote output of a run that is not its own`, { security: true, run: key });
      return false;
    }
    runs.add(key);
    return true;
  };

  const acknowledge = (batch: Waiting[]) => {
    const through = new Map<Session, Map<string, { run: Run; seq: number }>>();
    for (const { from, run, chunk } of batch) {
      const runs = through.get(from) ?? new Map<string, { run: Run; seq: number }>();
      through.set(from, runs);
      const key = runKey(run);
      const highest = Math.max(chunk.seq, runs.get(key)?.seq ?? 0);
      runs.set(key, { run, seq: highest });
    }
    for (const [from, runs] of through)
      for (const { run, seq } of runs.values()) from.send({ type: 'outputAcknowledged', run, through: seq });
  };

  const forget = (batch: Waiting[]) => {
    for (const one of batch) count(one.from, -one.size);
  };

  const drop = (from: Session) => {
    const gone = waiting.filter(one => one.from === from);
    if (gone.length === 0) return;
    forget(gone);
    waiting = waiting.filter(one => one.from !== from);
  };

  const write = async () => {
    const batch = gather();
    if (batch.length === 0) {
      isWriting = false;
      return;
    }
    try {
      const wanted: TakenChunk[] = [];
      for (const one of batch) if (await isRightful(one)) wanted.push(one.chunk);
      if (wanted.length > 0) await keep(wanted);
      failures = 0;
      forget(batch);
      acknowledge(batch);
    } catch (problem) {
      failures++;
      if (!(problem instanceof StoreUnavailable)) log('error', 'output cannot be kept', { runs: batch.length, failures, problem });
      if (!(problem instanceof StoreUnavailable) && failures >= TRIES_MAX) {
        failures = 0;
        forget(batch);
      } else {
        waiting = [...batch, ...waiting];
        for (const one of batch) if (!one.from.isOpen()) drop(one.from);
        return void clock.after(retryDelay(limits, failures), () => void write());
      }
    }
    clock.soon(() => void write());
  };

  return {
    take(from, host, frame) {
      const { run, seq, at, stream, text, bytes, start } = frame;
      // A string's two bytes per unit are what waits in memory.
      const size = text.length * 2 + 200;
      if ((bytesOf.get(from) ?? 0) + size > limits.outputWaitingBytes || bytesAll + size > limits.outputWaitingBytesAll) return false;
      count(from, size);
      const { execution, item, attempt } = run;
      waiting.push({ from, host, run, chunk: { execution, item, attempt, seq, at, stream, text, bytes, start }, size });
      if (!isWriting) {
        isWriting = true;
        clock.soon(() => void write());
      }
      return true;
    },
    sent(host, run) {
      sentTo.add(`${host} ${runKey(run)}`);
    },
    drop,
  };
}
