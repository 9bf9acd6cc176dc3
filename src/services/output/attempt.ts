/**
 * The state of one attempt's output: the end of its head, the pieces of its tail, and the bytes
 * dropped between them. Numbers and sizes, no texts.
 */
import type { OutputChunk } from '../../store/port.ts';

/** Weight of a piece beside its text, so that single bytes do not become a million records. */
export const CHUNK_WEIGHT = 64;

export interface Attempt {
  execution: string;
  item: number;
  attempt: number;
  /** Highest number received, 0 before the first. */
  last: number;
  /** Bytes of each stream up to `last`, kept or left out. */
  ends: { stdout: number; stderr: number };
  isHeadOpen: boolean;
  headWeight: number;
  /** Number of the last piece of the head. */
  headEnd: number;
  /**
   * The newest pieces, oldest first. `bytes` counts the bytes of the process for the piece, and
   * those left out just before it.
   */
  tail: { seq: number; stream: 'stdout' | 'stderr'; bytes: number; weight: number }[];
  tailWeight: number;
  /** All pieces after the head up to this number are left out; 0: none. */
  through: number;
  /** Bytes left out by that. */
  dropped: { stdout: number; stderr: number };
  /** The store has deleted all pieces up to this number. */
  swept: number;
}

export type AttemptName = Pick<OutputChunk, 'execution' | 'item' | 'attempt'>;
export const attemptKey = ({ execution, item, attempt }: AttemptName): string => `${execution}:${item}:${attempt}`;

export const emptyAttempt = ({ execution, item, attempt }: AttemptName): Attempt => ({
  execution,
  item,
  attempt,
  last: 0,
  ends: { stdout: 0, stderr: 0 },
  isHeadOpen: true,
  headWeight: 0,
  headEnd: 0,
  tail: [],
  tailWeight: 0,
  through: 0,
  dropped: { stdout: 0, stderr: 0 },
  swept: 0,
});

export const copyOf = (attempt: Attempt): Attempt => ({
  ...attempt,
  tail: [...attempt.tail],
  dropped: { ...attempt.dropped },
  ends: { ...attempt.ends },
});

/**
 * Adds the piece to the head or the tail. The choice depends only on the pieces before it, so it is
 * the same after a restart.
 */
export function addChunk(attempt: Attempt, chunk: OutputChunk, half: number): void {
  const weight = Math.max(chunk.bytes, chunk.text.length) + CHUNK_WEIGHT;
  attempt.last = chunk.seq;
  attempt.ends[chunk.stream] += chunk.leftOut + chunk.bytes;
  if (attempt.isHeadOpen && attempt.headWeight + weight <= half) {
    attempt.headWeight += weight;
    attempt.headEnd = chunk.seq;
    return;
  }
  attempt.isHeadOpen = false;
  attempt.tail.push({ seq: chunk.seq, stream: chunk.stream, bytes: chunk.bytes + chunk.leftOut, weight });
  attempt.tailWeight += weight;
}

/**
 * Counts the oldest pieces of the tail as left out, until three quarters of the half remain: not
 * every further piece then drops one. The newest piece always stays.
 */
export function dropExcess(attempt: Attempt, half: number): void {
  if (attempt.tailWeight <= half) return;
  let gone = 0;
  for (const piece of attempt.tail) {
    if (attempt.tailWeight <= half * 0.75 || gone === attempt.tail.length - 1) break;
    attempt.tailWeight -= piece.weight;
    attempt.dropped[piece.stream] += piece.bytes;
    attempt.through = piece.seq;
    gone++;
  }
  attempt.tail.splice(0, gone);
}
