/**
 * Output of attempts within a cap: the first half of it is kept as it came, the second half is the
 * newest, and what fell out between them is counted to the byte.
 *
 *   1 2 3 ... h | left out: n bytes of stdout, m of stderr | t ... newest
 *
 *   per attempt, both streams under one numbering
 *
 * The count is written before anything is dropped (`logs/tally.ts`). A crash between the two leaves
 * pieces that the count covers already; readers pass over them and the next drop removes them.
 */

import { createBoundedMap } from '../../lib/bounded-map.ts';
import { createMutex } from '../../lib/keyed-mutex.ts';
import type { OutputChunk, OutputStore } from '../../store/port.ts';
import { type Attempt, type AttemptName, addChunk, attemptKey, copyOf, dropExcess, freshAttempt } from './attempt.ts';
import { recordsOf } from './read.ts';
import { BEFORE_ALL, olderTallies, readTally, tallyRecords } from './tally.ts';

/** Kept per attempt unless said otherwise: bytes of output, and CHUNK_WEIGHT for each piece. */
const OUTPUT_CAP_BYTES = 1024 * 1024;
/**
 * Pieces of all attempts that are remembered (number and size); beyond, the attempts heard of least
 * recently are forgotten and read again when needed. An attempt by itself weighs ATTEMPT_PIECES, as
 * it takes that much memory: most have ended, and nobody says so.
 */
const REMEMBERED_MAX = 20_000;
const ATTEMPT_PIECES = 16;
const piecesOf = (attempt: Attempt): number => attempt.tail.length + ATTEMPT_PIECES;

/**
 * A piece as its host sends it: `start` is the bytes of its stream before it. What is left out is
 * the distance from what is here.
 */
export type TakenChunk = Omit<OutputChunk, 'leftOut'> & { start: number };

export interface OutputService {
  /**
   * Resolves once the pieces are durable, or known to be kept already, or counted as left out.
   * Throws what the store throws; then nothing counts as taken.
   */
  keep(chunks: TakenChunk[]): Promise<void>;
  /** Called with the shard after new output of the execution is kept. Returns unsubscribe. */
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

  /** The pieces not taken before, in order, each in its place. */
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

  /** Removes what the count covers. */
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
    // One after the other: each builds on what the one before left.
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

/** The attempt as the store has it; a fresh one where it has nothing. */
async function load(store: OutputStore, name: AttemptName, half: number): Promise<Attempt> {
  const attempt = freshAttempt(name);
  // Most runs write little and are new here: one question tells so.
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
