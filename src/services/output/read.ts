/** Reads kept output: pieces in order, with a marker for each gap. */
import type { OutputChunk, OutputStore, OutputSum } from '../../store/port.ts';
import { type AttemptName, attemptKey } from './attempt.ts';
import { BEFORE_ALL, readTally, type Tally, tallyOf } from './tally.ts';

/** Records per query of the store. */
const OUTPUT_PAGE = 500;

/** A position in the output of one shard; `{ attempt: 0, seq: 0 }` is before the first piece. */
export interface OutputPosition {
  attempt: number;
  seq: number;
}

export type OutputPiece =
  | { type: 'text'; chunk: OutputChunk }
  /**
   * `bytes` of this stream are not kept: pieces `from`..`to`, or bytes that the host dropped just
   * before piece `to`.
   */
  | { type: 'leftOut'; attempt: number; from: number; to: number; at: number; stream: 'stdout' | 'stderr'; bytes: number };

/**
 * One page of a shard's output after `after`. `next`: where the following page begins; undefined
 * when the page is empty.
 */
export async function readPieces(
  store: Pick<OutputStore, 'output'>,
  { execution, item, after, limit = OUTPUT_PAGE }: { execution: string; item: number; after: OutputPosition; limit?: number },
): Promise<{ pieces: OutputPiece[]; next: OutputPosition | undefined }> {
  const pieces: OutputPiece[] = [];
  let next: OutputPosition | undefined;
  let position = after;
  let tally: Tally | undefined;
  let tallyFor = 0;
  for (let more = true; more; ) {
    const records = await store.output({ execution, item, after: { item, ...(next ?? after) }, limit });
    more = false;
    for (const chunk of records) {
      const before = chunk.attempt === position.attempt ? Math.max(0, position.seq) : 0;
      next = position = { attempt: chunk.attempt, seq: chunk.seq };
      more = false;
      if (chunk.seq < 0) continue;
      if (tallyFor !== chunk.attempt) {
        // Read from its beginning, an attempt has its tally on this page; otherwise the tally was
        // before it.
        const isBegun = chunk.attempt === after.attempt && after.seq !== 0;
        tally = isBegun ? await readTally(store, chunk) : tallyOf(records.filter(({ attempt }) => attempt === chunk.attempt));
        tallyFor = chunk.attempt;
      }
      if (tally && chunk.seq > tally.headEnd && chunk.seq <= tally.through) {
        // The count covers this piece, whose deletion was interrupted. A page must not end here:
        // the next one could not know that pieces were skipped.
        position = { attempt: chunk.attempt, seq: before };
        more = records.length === limit;
        continue;
      }
      if (tally && before < tally.through && chunk.seq > tally.through) pieces.push(...gapOf(tally, chunk.attempt));
      if (chunk.leftOut > 0) {
        const { attempt, seq, at, stream, leftOut } = chunk;
        pieces.push({ type: 'leftOut', attempt, from: seq, to: seq, at, stream, bytes: leftOut });
      }
      pieces.push({ type: 'text', chunk });
    }
  }
  return { pieces, next };
}

function gapOf({ headEnd, through, at, stdout, stderr }: Tally, attempt: number): OutputPiece[] {
  const pieces: OutputPiece[] = [];
  const base = { type: 'leftOut', attempt, from: headEnd + 1, to: through, at } as const;
  if (stdout > 0) pieces.push({ ...base, stream: 'stdout', bytes: stdout });
  if (stderr > 0) pieces.push({ ...base, stream: 'stderr', bytes: stderr });
  return pieces;
}

/** All records of one attempt, tallies first. */
export async function* recordsOf(
  store: Pick<OutputStore, 'output'>,
  { execution, item, attempt }: AttemptName,
): AsyncGenerator<OutputChunk> {
  let seq = BEFORE_ALL;
  for (;;) {
    const page = await store.output({ execution, item, after: { item, attempt, seq }, limit: OUTPUT_PAGE });
    for (const record of page) {
      if (record.attempt !== attempt) return;
      yield record;
      seq = record.seq;
    }
    if (page.length < OUTPUT_PAGE) return;
  }
}

export type StreamBytes = Record<'stdout' | 'stderr', number>;

/** Bytes that are kept, or counted as left out. */
export async function accountedBytes(store: Pick<OutputStore, 'output'>, name: AttemptName): Promise<StreamBytes> {
  const tally = await readTally(store, name);
  const bytes = { stdout: tally?.stdout ?? 0, stderr: tally?.stderr ?? 0 };
  for await (const { seq, stream, bytes: written, leftOut } of recordsOf(store, name)) {
    const isCounted = tally && seq > tally.headEnd && seq <= tally.through;
    if (seq > 0 && !isCounted) bytes[stream] += written + leftOut;
  }
  return bytes;
}

/** Kept bytes by attempt (`attemptKey`); an attempt without any is absent. */
export async function keptBytes(
  store: Pick<OutputStore, 'output' | 'outputSums'>,
  executions: string[],
): Promise<Map<string, StreamBytes>> {
  const kept = new Map<string, StreamBytes>();
  if (executions.length === 0) return kept;
  const add = ({ bytes, stream, ...name }: OutputSum, sign: 1 | -1) => {
    const sums = kept.get(attemptKey(name)) ?? { stdout: 0, stderr: 0 };
    sums[stream] += sign * bytes;
    kept.set(attemptKey(name), sums);
  };
  for (const sum of await store.outputSums({ executions })) {
    add(sum, 1);
    // A tally means that the pieces it covers are gone, or are about to be deleted.
    if (sum.first >= 0 || sum.stream !== 'stdout') continue;
    const tally = await readTally(store, sum);
    if (!tally) continue;
    const { execution, item, attempt } = sum;
    const range = { item, attempt, from: tally.headEnd + 1, to: tally.through };
    for (const covered of await store.outputSums({ executions: [execution], range })) add(covered, -1);
  }
  return kept;
}
