/**
 * Output on its way to the store: chunks of many runs share few writes, one write at a time. The
 * acknowledgement follows the write, so acknowledged output is durable, and a slow store slows
 * agents down through their windows.
 */

import type { Clock } from '../lib/clock.ts';
import { keyOfRun, type OutputFrame, type Run } from '../protocol/agent.ts';
import type { TakenChunk } from '../services/output/index.ts';
import { StoreUnavailable } from '../store/port.ts';
import { type HubLimits, type HubLog, retryDelay } from './limits.ts';
import { createOutputOwners } from './output-owners.ts';
import { createOutputQueue, type WaitingOutput } from './output-queue.ts';
import type { AgentSession } from './session.ts';

/**
 * Tries of a write that fails although the store is available. After the last one its output is
 * dropped and not acknowledged.
 */
const TRIES_MAX = 3;

export interface OutputIntake {
  /** False: too much output waits; the caller closes the session, and its agent connects again. */
  take(from: AgentSession, host: string, frame: OutputFrame): boolean;
  /** Its execution has committed that this run goes to that host. */
  sent(host: string, run: Run): void;
  /** Removes the waiting output of an ended session; its agent sends it again. */
  drop(from: AgentSession): void;
}

export function createOutputIntake(parts: {
  /** Resolves when the chunks are durable, or dropped because nothing needs them. */
  keep(chunks: TakenChunk[]): Promise<void>;
  /**
   * Whether this run was sent to that host. Output of other hosts is acknowledged and dropped.
   * Throws what the store throws.
   */
  isRunOf(host: string, run: Run): Promise<boolean>;
  clock: Clock;
  limits: HubLimits;
  log: HubLog;
}): OutputIntake {
  const { keep, clock, limits, log } = parts;
  const owners = createOutputOwners(parts);
  const queue = createOutputQueue(limits);
  let isWriting = false;
  let failures = 0;

  const write = async () => {
    const batch = queue.nextBatch();
    if (batch.length === 0) {
      isWriting = false;
      return;
    }
    try {
      const wanted: TakenChunk[] = [];
      for (const one of batch) if (await owners.isOwn(one)) wanted.push(one.chunk);
      if (wanted.length > 0) await keep(wanted);
      failures = 0;
      queue.release(batch);
      acknowledge(batch);
    } catch (problem) {
      failures++;
      if (!(problem instanceof StoreUnavailable)) log('error', 'output cannot be stored', { runs: batch.length, failures, problem });
      if (!(problem instanceof StoreUnavailable) && failures >= TRIES_MAX) {
        failures = 0;
        queue.release(batch);
      } else {
        queue.putBack(batch);
        return void clock.after(retryDelay(limits, failures), () => void write());
      }
    }
    clock.soon(() => void write());
  };

  return {
    take(from, host, frame) {
      const { run, seq, at, stream, text, bytes, start } = frame;
      // A string has two bytes per UTF-16 unit in memory.
      const size = text.length * 2 + 200;
      const { execution, item, attempt } = run;
      const chunk = { execution, item, attempt, seq, at, stream, text, bytes, start };
      if (!queue.add({ from, host, run, chunk, size })) return false;
      if (!isWriting) {
        isWriting = true;
        clock.soon(() => void write());
      }
      return true;
    },
    sent: owners.sent,
    drop: queue.drop,
  };
}

/** Acknowledges the highest stored number of each run to the session that sent it. */
function acknowledge(batch: readonly WaitingOutput[]): void {
  const through = new Map<AgentSession, Map<string, { run: Run; seq: number }>>();
  for (const { from, run, chunk } of batch) {
    const runs = through.get(from) ?? new Map<string, { run: Run; seq: number }>();
    through.set(from, runs);
    const key = keyOfRun(run);
    runs.set(key, { run, seq: Math.max(chunk.seq, runs.get(key)?.seq ?? 0) });
  }
  for (const [from, runs] of through)
    for (const { run, seq } of runs.values()) from.send({ type: 'outputAcknowledged', run, through: seq });
}
