/**
 * The output of some shards, what is there and, if wanted, what still comes. A shard is finished
 * when its last attempt has ended and every byte it wrote is accounted for: the news of the end
 * usually overtakes the output.
 */
import type { ShardState } from '../../../../actors/execution/types.ts';
import { type Clock, pause } from '../../../lib/clock.ts';
import type { Views } from '../../../runtime/views.ts';
import type { OutputService } from '../../../services/output/index.ts';
import { accountedBytes, type OutputPiece, type OutputPosition, readPieces } from '../../../services/output/read.ts';
import type { OutputStore } from '../../../store/port.ts';
import { seqOf } from './after.ts';

/** Between looks at the execution, and at output that another center may have kept. */
const LOOK_MS = 1_000;
/** How long output of an ended shard is waited for while none comes: its host may be away. */
const INCOMPLETE_MS = 30_000;
/** Shards looked at without news per look. */
const LOOKED_AT = 50;

/**
 * Callers rely on the names. `leftOut`: bytes of this stream that are not kept, between the line
 * before and the one behind.
 */
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
  /** How far each shard was read. Moves on. */
  positions: Map<number, OutputPosition>;
  stream: 'stdout' | 'stderr' | 'both';
  isFollowing: boolean;
  signal: AbortSignal;
}

/** Lines in batches, never an empty one. Ends when everything was told, or by the signal. */
export async function* followOutput(parts: FollowParts): AsyncGenerator<LogLine[]> {
  const { views, store, clock, execution, positions, signal, isFollowing } = parts;
  /**
   * Shards whose end was not seen yet; those with something to read; ended ones whose output is
   * incomplete, and since when.
   */
  const open = new Set(parts.items);
  const fresh = new Set(parts.items);
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
        // Complete in the store: once more to the end of it.
        yield* read(item);
        yield* endOf(parts, item, shard);
      }
      if (open.size === 0) return;
      if (fresh.size > 0) continue;
      const looked = pause(clock, LOOK_MS, signal);
      await Promise.race([woken, looked]);
      for (const item of [...open].slice(0, LOOKED_AT)) {
        // To the end of the line, so that each has its turn.
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
 * The news of an end overtakes the output: for INCOMPLETE_MS after it what is not here yet is under
 * way, and not left out.
 */
export const isArriving = (shard: Pick<ShardState, 'status' | 'finishedAt'> | undefined, now: number): boolean =>
  shard?.status === 'done' && shard.finishedAt !== null && now - shard.finishedAt < INCOMPLETE_MS;

/**
 * Bytes of an ended attempt that the log neither has nor counts as left out: under way, given up by
 * the host, or removed by retention.
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

/** The execution counts these bytes as left out, so the log ends with their number. */
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
  // Before the piece it stands before: who resumes behind this line still gets that piece.
  const { attempt, from, to, at, stream, bytes } = piece;
  return { item, attempt, seq: seqOf(attempt, from === to ? to - 1 : to), at, stream, text: '', leftOut: bytes };
}
