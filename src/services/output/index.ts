/**
 * Output of attempts within a cap: the first half of the cap is the head, the second half holds the
 * newest pieces, and the bytes dropped between them are counted exactly.
 *
 *   1 2 3 ... h | left out: n bytes of stdout, m of stderr | t ... newest
 *
 *   per attempt, both streams under one numbering
 *
 * The count is written before pieces are deleted (`tally.ts`). A crash between the two leaves
 * pieces that the count covers already; readers skip them and the next sweep deletes them.
 */

import { createBoundedMap } from '../../lib/bounded-map.ts';
import { createMutex } from '../../lib/keyed-mutex.ts';
import type { OutputChunk, OutputStore } from '../../store/port.ts';
import { type Attempt, type AttemptName, addChunk, attemptKey, copyOf, dropExcess, emptyAttempt } from './attempt.ts';
import { recordsOf } from './read.ts';
import { BEFORE_ALL, olderTallies, readTally, tallyRecords } from './tally.ts';

/** Default cap per attempt: bytes of output, with CHUNK_WEIGHT for each piece. */
const OUTPUT_CAP_BYTES = 1024 * 1024;
/**
 * Pieces in memory over all attempts (number and size). Beyond, the attempts without output for
 * longest are removed, and read again when needed. An attempt itself weighs ATTEMPT_PIECES, its
 * memory: most attempts have ended without a notice.
 */
const REMEMBERED_MAX = 20_000;
const ATTEMPT_PIECES = 16;
const piecesOf = (attempt: Attempt): number => attempt.tail.length + ATTEMPT_PIECES;

/**
 * A piece as its host sends it. `start`: bytes of its stream before it. The gap between `start` and
 * the bytes received so far is left out.
 */
export type TakenChunk = Omit<OutputChunk, 'leftOut'> & { start: number };

export interface OutputService {
  /**
   * Resolves once each piece is durable, or counted as left out. Idempotent. Throws what the store
   * throws; then no piece counts as received.
   */
  keep(chunks: TakenChunk[]): Promise<void>;
  /**
   * Calls `listener` with the shard after each kept output of the execution. Returns unsubscribe.
   */
  onKept(execution: string, listener: (item: number) => void): () => void;
}

export function createOutputService(parts: { store: OutputStore; capBytes?: number; rememberedMax?: number }): OutputService {
  const { store, capBytes = OUTPUT_CAP_BYTES, rememberedMax = REMEMBERED_MAX } = parts;
  const attempts = createBoundedMap<string, Attempt>({ max: rememberedMax, weightOf: piecesOf });
  const listeners = new Map<string, Set<(item: number) => void>>();
  const half = Math.floor(capBytes / 2);
  const inTurn = createMutex();

  const keepNow = async (chunks: TakenChunk[]) => {
    const writes: OutputChunk[] = [];
    const nexts: Attempt[] = [];
    for (const group of byAttempt(chunks)) {
      // A copy: if the write fails, memory still matches the store.
      const next = copyOf(attempts.get(attemptKey(group[0])) ?? (await load(store, group[0], half)));
      const taken = take(next, group);
      if (taken.length === 0) continue;
      const droppedBefore = next.through;
      dropExcess(next, half);
      if (next.through > droppedBefore) writes.push(...tallyRecords(next, group[0].at));
      writes.push(...taken.filter(({ seq }) => seq <= next.headEnd || seq > next.through));
      nexts.push(next);
    }
    if (writes.length > 0) await store.keepOutput(writes);
    for (const next of nexts) {
      if (next.swept < next.through) await sweep(next);
      attempts.set(attemptKey(next), next);
      for (const listener of [...(listeners.get(next.execution) ?? [])]) listener(next.item);
    }
  };

  /** The pieces that are new, in order, added to head or tail. */
  const take = (next: Attempt, group: TakenChunk[]): OutputChunk[] => {
    const taken: OutputChunk[] = [];
    for (const { start, ...piece } of [...group].sort((a, b) => a.seq - b.seq)) {
      if (piece.seq <= next.last) continue;
      const chunk = { ...piece, leftOut: Math.max(0, start - next.ends[piece.stream]) };
      addChunk(next, chunk, half);
      taken.push(chunk);
    }
    return taken;
  };

  /** Deletes the pieces that the count covers. */
  const sweep = async (attempt: Attempt) => {
    const range = { execution: attempt.execution, item: attempt.item, attempt: attempt.attempt };
    try {
      await store.dropOutput({ ...range, from: attempt.headEnd + 1, to: attempt.through });
      await store.dropOutput({ ...range, ...olderTallies(attempt.through) });
      attempt.swept = attempt.through;
    } catch {
      // Acknowledged output is durable and the rest out of sight; the next sweep takes it too.
    }
  };

  return {
    // One call after the other: each needs the state that the one before it left.
    keep: chunks => inTurn(() => keepNow(chunks)),
    onKept(execution, listener) {
      const known = listeners.get(execution) ?? new Set();
      listeners.set(execution, known);
      known.add(listener);
      return () => {
        known.delete(listener);
        if (known.size === 0 && listeners.get(execution) === known) listeners.delete(execution);
      };
    },
  };
}

/** The stored attempt, or a new one. */
async function load(store: OutputStore, name: AttemptName, half: number): Promise<Attempt> {
  const attempt = emptyAttempt(name);
  // Most attempts write little and are new here: one query shows it.
  const { execution, item } = name;
  const [first] = await store.output({ execution, item, after: { item, attempt: name.attempt, seq: BEFORE_ALL }, limit: 1 });
  if (first?.attempt !== name.attempt) return attempt;
  const tally = await readTally(store, name);
  if (tally) {
    const { headEnd, through, stdout, stderr } = tally;
    Object.assign(attempt, { isHeadOpen: false, headEnd, through, last: through, dropped: { stdout, stderr }, ends: { stdout, stderr } });
  }
  for await (const chunk of recordsOf(store, name)) {
    if (chunk.seq > attempt.last) addChunk(attempt, chunk, half);
    else if (chunk.seq > 0 && chunk.seq <= attempt.headEnd) attempt.ends[chunk.stream] += chunk.leftOut + chunk.bytes;
  }
  return attempt;
}

function byAttempt(chunks: TakenChunk[]): [TakenChunk, ...TakenChunk[]][] {
  const groups = new Map<string, [TakenChunk, ...TakenChunk[]]>();
  for (const chunk of chunks) {
    const key = attemptKey(chunk);
    const group = groups.get(key);
    if (group) group.push(chunk);
    else groups.set(key, [chunk]);
  }
  return [...groups.values()];
}
