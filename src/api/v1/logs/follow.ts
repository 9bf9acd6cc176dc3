/**
 * Reads the output of shards, and follows it if wanted. A shard is finished when its last attempt
 * has ended and all its bytes are accounted for: the report of the end usually precedes the last
 * output.
 */
import type { ShardState } from '../../../../actors/execution/types.ts';
import { type Clock, pause } from '../../../lib/clock.ts';
import type { Views } from '../../../runtime/views.ts';
import type { OutputService } from '../../../services/output/index.ts';
import { accountedBytes, type OutputPiece, type OutputPosition, readPieces } from '../../../services/output/read.ts';
import type { OutputStore } from '../../../store/port.ts';
import { seqOf } from './after.ts';

/** Between reads of the execution, and of output that another center may have stored. */
const POLL_MS = 1_000;
/** Longest wait for missing output of an ended shard: its host may be lost. */
const INCOMPLETE_MS = 30_000;
/** Shards read per poll without a notice of new output. */
const POLLED_MAX = 50;

/** `leftOut`: missing bytes of this stream between the previous line and the next one. */
export interface LogLine {
  item: number;
  attempt: number;
  seq: number;
  at: number;
  stream: 'stdout' | 'stderr';
  text: string;
  leftOut?: number;
}

export interface FollowParts {
  views: Pick<Views, 'get'>;
  store: Pick<OutputStore, 'output'>;
  output: Pick<OutputService, 'onKept'>;
  clock: Clock;
  execution: string;
  items: readonly number[];
  /** The position of each shard; advances with each read. */
  positions: Map<number, OutputPosition>;
  stream: 'stdout' | 'stderr' | 'both';
  isFollowing: boolean;
  signal: AbortSignal;
}

/** Yields lines in batches, never an empty one. Ends after the last line, or by the signal. */
export async function* followOutput(parts: FollowParts): AsyncGenerator<LogLine[]> {
  const { views, store, clock, execution, positions, signal, isFollowing } = parts;
  /** Unfinished shards. */
  const open = new Set(parts.items);
  /** Shards with unread output. */
  const fresh = new Set(parts.items);
  /** Ended shards with incomplete output, and since when, monotonic ms. */
  const endedSince = new Map<number, number>();
  let wake = () => {};
  const unsubscribe = isFollowing
    ? parts.output.onKept(execution, item => {
        if (!positions.has(item)) return;
        fresh.add(item);
        endedSince.delete(item);
        wake();
      })
    : () => {};

  const read = async function* (item: number): AsyncGenerator<LogLine[]> {
    for (;;) {
      const after = positions.get(item) ?? { attempt: 0, seq: 0 };
      const page = await readPieces(store, { execution, item, after });
      if (page.next) positions.set(item, page.next);
      const lines = page.pieces
        .map(piece => lineOf(item, piece))
        .filter(({ stream }) => parts.stream === 'both' || parts.stream === stream);
      if (lines.length > 0) yield lines;
      if (!page.next || signal.aborted) return;
    }
  };

  const isFinished = async (item: number, shard: ShardState | undefined): Promise<boolean> => {
    if (!shard) return true;
    if (shard.status !== 'done') return false;
    if (!shard.output) return true;
    const since = endedSince.get(item) ?? clock.monotonic();
    endedSince.set(item, since);
    return (await missingOf(parts, item, shard)).length === 0 || clock.monotonic() - since >= INCOMPLETE_MS;
  };

  try {
    while (!signal.aborted) {
      for (const item of fresh) {
        fresh.delete(item);
        yield* read(item);
      }
      if (!isFollowing) {
        const view = await views.get(`execution/${execution}`);
        for (const item of open) {
          const shard = view?.context.shards[item];
          if (!isArriving(shard, clock.now())) yield* endOf(parts, item, shard);
        }
        return;
      }
      const woken = new Promise<void>(resolve => (wake = resolve));
      const view = await views.get(`execution/${execution}`);
      for (const item of [...open]) {
        const shard = view?.context.shards[item];
        if (!(await isFinished(item, shard))) continue;
        open.delete(item);
        // The store is complete: read it to its end.
        yield* read(item);
        yield* endOf(parts, item, shard);
      }
      if (open.size === 0) return;
      if (fresh.size > 0) continue;
      const polled = pause(clock, POLL_MS, signal);
      await Promise.race([woken, polled]);
      for (const item of [...open].slice(0, POLLED_MAX)) {
        // To the end of the set, so that the next poll reads other shards.
        open.delete(item);
        open.add(item);
        fresh.add(item);
      }
    }
  } finally {
    unsubscribe();
  }
}

/**
 * The report of an end precedes the last output: for INCOMPLETE_MS after it, absent bytes count as
 * in transit and not as missing.
 */
export const isArriving = (shard: Pick<ShardState, 'status' | 'finishedAt'> | undefined, now: number): boolean =>
  shard?.status === 'done' && shard.finishedAt !== null && now - shard.finishedAt < INCOMPLETE_MS;

/**
 * Bytes of an ended attempt that the log neither has nor counts as left out: in transit, dropped by
 * the host, or deleted by retention.
 */
async function missingOf({ store, execution, stream: wanted }: FollowParts, item: number, shard: ShardState | undefined) {
  if (shard?.status !== 'done' || !shard.output) return [];
  const accounted = await accountedBytes(store, { execution, item, attempt: shard.attempt });
  const { stdoutBytes, stderrBytes } = shard.output;
  return [
    { stream: 'stdout' as const, bytes: stdoutBytes - accounted.stdout },
    { stream: 'stderr' as const, bytes: stderrBytes - accounted.stderr },
  ].filter(({ stream, bytes }) => bytes > 0 && (wanted === 'both' || wanted === stream));
}

/** Ends the log with the number of missing bytes, which the execution counts as left out. */
async function* endOf(parts: FollowParts, item: number, shard: ShardState | undefined): AsyncGenerator<LogLine[]> {
  const position = parts.positions.get(item);
  const attempt = shard?.attempt ?? 1;
  const seq = seqOf(attempt, position?.attempt === attempt ? Math.max(0, position.seq) : 0);
  const at = shard?.finishedAt ?? 0;
  const missing = await missingOf(parts, item, shard);
  const lines = missing.map(({ stream, bytes }) => ({ item, attempt, seq, at, stream, text: '', leftOut: bytes }));
  if (lines.length > 0) yield lines;
}

function lineOf(item: number, piece: OutputPiece): LogLine {
  if (piece.type === 'text') {
    const { attempt, seq, at, stream, text } = piece.chunk;
    return { item, attempt, seq: seqOf(attempt, seq), at, stream, text };
  }
  // Its seq precedes that of the next piece: a client that resumes behind this line gets that
  // piece.
  const { attempt, from, to, at, stream, bytes } = piece;
  return { item, attempt, seq: seqOf(attempt, from === to ? to - 1 : to), at, stream, text: '', leftOut: bytes };
}
