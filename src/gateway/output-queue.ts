/** Output that is not stored yet: in the order of its arrival, within limits of bytes. */
import type { Run } from '../protocol/agent.ts';
import type { TakenChunk } from '../services/output/index.ts';
import type { HubLimits } from './limits.ts';
import type { AgentSession } from './session.ts';

export interface WaitingOutput {
  from: AgentSession;
  host: string;
  run: Run;
  chunk: TakenChunk;
  /** Bytes that it takes in memory. */
  size: number;
}

export interface OutputQueue {
  /** False: beyond the limit of the session or of all sessions; it is not queued. */
  add(output: WaitingOutput): boolean;
  /** Removes the output of the next write. It counts against the limits until `release`. */
  nextBatch(): WaitingOutput[];
  /** Puts a batch back to the front. That of closed sessions is dropped: they send it again. */
  putBack(batch: readonly WaitingOutput[]): void;
  /** The batch was stored, or is dropped. */
  release(batch: readonly WaitingOutput[]): void;
  /** Removes the output of this session. */
  drop(from: AgentSession): void;
}

export function createOutputQueue(limits: HubLimits): OutputQueue {
  let waiting: WaitingOutput[] = [];
  const bytesOf = new WeakMap<AgentSession, number>();
  let bytesAll = 0;

  const count = (from: AgentSession, change: number) => {
    bytesAll += change;
    bytesOf.set(from, (bytesOf.get(from) ?? 0) + change);
  };
  const release = (batch: readonly WaitingOutput[]) => {
    for (const { from, size } of batch) count(from, -size);
  };
  const drop = (from: AgentSession) => {
    const dropped = waiting.filter(output => output.from === from);
    if (dropped.length === 0) return;
    release(dropped);
    waiting = waiting.filter(output => output.from !== from);
  };

  return {
    add(output) {
      const { from, size } = output;
      if ((bytesOf.get(from) ?? 0) + size > limits.outputWaitingBytes || bytesAll + size > limits.outputWaitingBytesAll) return false;
      count(from, size);
      waiting.push(output);
      return true;
    },
    nextBatch() {
      let bytes = 0;
      let chunks = 0;
      for (const { size } of waiting) {
        if (chunks >= limits.outputBatchChunks || bytes >= limits.outputBatchBytes) break;
        chunks++;
        bytes += size;
      }
      return waiting.splice(0, chunks);
    },
    putBack(batch) {
      waiting = [...batch, ...waiting];
      for (const { from } of batch) if (!from.isOpen()) drop(from);
    },
    release,
    drop,
  };
}
