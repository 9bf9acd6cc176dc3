/**
 * Writes the output of a run: every byte gets a position in its stream, and is stored in chunks of
 * whole characters where the limits allow it.
 */
import type { OutputStreamName } from './ports.ts';
import { type PerStream, type SegmentTable, STREAMS } from './segment-table.ts';
import type { StoredChunk } from './stored-chunks.ts';
import { wholeCharacters } from './utf8.ts';

const NOTHING = new Uint8Array(0);

/** `onStored` gets the bytes of each chunk that is stored. */
export function createOutputWriter(table: SegmentTable, onStored: (stream: OutputStreamName, bytes: number) => void) {
  const incomplete: Record<OutputStreamName, Uint8Array> = { stdout: NOTHING, stderr: NOTHING };
  /** Bytes that have a position in a stream: stored, dropped or refused. */
  const placed: PerStream = { stdout: 0, stderr: 0 };
  /** Where each stream's last stored chunk ends, and its segment. */
  const last = { stdout: { end: 0, segment: -1 }, stderr: { end: 0, segment: -1 } };
  let seq = 0;

  function store(stream: OutputStreamName, at: number, data: Uint8Array): void {
    const start = placed[stream];
    placed[stream] += data.length;
    if (!table.isStoring()) return;
    const segment = table.append({ seq: seq + 1, at, stream, start, data });
    if (segment === undefined) return;
    seq += 1;
    onStored(stream, data.length);
    last[stream] = { end: placed[stream], segment: segment.number };
    table.trimTail();
  }

  function place(stream: OutputStreamName, at: number, bytes: Uint8Array, isLast: boolean): void {
    let rest = bytes;
    while (rest.length > 0) {
      const max = table.chunkBytesMax();
      const cut = wholeCharacters(rest, max, isLast);
      if (cut > 0) {
        store(stream, at, rest.subarray(0, cut));
        rest = rest.subarray(cut);
      } else if (rest.length > max) {
        // The next character does not fit into the rest of the head.
        table.closeHead();
      } else {
        incomplete[stream] = rest.slice();
        return;
      }
    }
  }

  const take = (stream: OutputStreamName): Uint8Array => {
    const waiting = incomplete[stream];
    incomplete[stream] = NOTHING;
    return waiting;
  };

  return {
    placed,
    seq: () => seq,
    /** The number of a chunk that is not stored. */
    nextSeq: () => ++seq,
    /** An incomplete character waits for its rest. */
    add(stream: OutputStreamName, at: number, data: Uint8Array): void {
      const waiting = take(stream);
      place(stream, at, waiting.length === 0 ? data : joined(waiting, data), false);
    },
    /** Stores incomplete characters. */
    finish(at: number): void {
      for (const stream of STREAMS) place(stream, at, take(stream), true);
    },
    /** A chunk that an earlier keeper stored. */
    restore(chunk: StoredChunk, segment: number): void {
      seq = chunk.seq;
      onStored(chunk.stream, chunk.data.length);
      placed[chunk.stream] = chunk.start + chunk.data.length;
      last[chunk.stream] = { end: placed[chunk.stream], segment };
    },
    /** Bytes taken so far. */
    written: (stream: OutputStreamName): number => placed[stream] + incomplete[stream].length,
    /** Whether bytes at the end of the stream are not stored, or not any more. */
    lacksEnd(stream: OutputStreamName): boolean {
      const { end, segment } = last[stream];
      const isStored = end === placed[stream] && table.rows.some(({ number }) => number === segment);
      return placed[stream] > 0 && !isStored;
    },
  };
}

function joined(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(before.length + bytes.length);
  whole.set(before);
  whole.set(bytes, before.length);
  return whole;
}
