/**
 * The output of one run: chunks of both streams in one numbering. The first `headBytes` and the
 * last `tailBytes` are kept, every byte between them is counted.
 *
 *   segment 0 (head)      dropped        segments n..n+4 (tail)
 *   |1 2 3 4 5 6 7 8|  . . . . . . . .  |41 42|43 44|45 46|47 48|49
 *
 * Each chunk has the position of its first byte in its stream: missing bytes are a subtraction.
 */
import type { SpooledChunk } from '../protocol/keeper.ts';
import type { OutputSegments, OutputStreamName } from './ports.ts';
import { countChunk, createSegmentTable, type OutputLimits, type PerStream, type Segment } from './segment-table.ts';
import { readChunks } from './stored-chunks.ts';
import { wholeCharacters } from './utf8.ts';

export interface OutputLog {
  /** Takes bytes as the process wrote them; an incomplete character waits for its rest. */
  add(stream: OutputStreamName, at: number, data: Uint8Array): void;
  /**
   * Ends both streams: stores incomplete characters, and adds an empty chunk behind bytes that are
   * missing at the very end.
   */
  finish(at: number): void;
  /** Chunks behind `afterSeq`, at most `maxBytes` bytes of text, but at least one if any. */
  read(afterSeq: number, maxBytes: number): SpooledChunk[];
  lastSeq(): number;
  /** Bytes taken so far. */
  written(stream: OutputStreamName): number;
  /** Bytes that were dropped before any reader got them. Final once the streams have ended. */
  leftOut(stream: OutputStreamName): number;
}

const STREAMS = ['stdout', 'stderr'] as const;
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

/** Counts the bytes that a reader got, each once, and the stored bytes behind them. */
function createReadCounter() {
  const given = { seq: 0, stdout: 0, stderr: 0 };
  const unread: PerStream = { stdout: 0, stderr: 0 };
  return {
    seq: () => given.seq,
    addStored(stream: OutputStreamName, bytes: number): void {
      unread[stream] += bytes;
    },
    removeDropped(lost: PerStream): void {
      for (const stream of STREAMS) unread[stream] -= lost[stream];
    },
    addRead(seq: number, stream: OutputStreamName, bytes: number): void {
      if (seq <= given.seq) return;
      given.seq = seq;
      given[stream] += bytes;
      unread[stream] -= bytes;
    },
    /** An earlier keeper gave everything up to `seq`; `left`: stored bytes behind it. */
    skipTo(seq: number, left: PerStream): void {
      for (const stream of STREAMS) {
        given[stream] += unread[stream] - left[stream];
        unread[stream] = left[stream];
      }
      given.seq = seq;
    },
    /** Bytes that were dropped before any reader got them. */
    droppedUnread: (stream: OutputStreamName, placed: number): number => placed - given[stream] - unread[stream],
  };
}

/**
 * `recovered`: the totals of an ended run of an earlier keeper. Undefined totals are computed from
 * the stored chunks.
 */
export function createOutputLog(segments: OutputSegments, limits: OutputLimits, recovered?: { totals: PerStream | undefined }): OutputLog {
  const reads = createReadCounter();
  const table = createSegmentTable(segments, limits, dropped => reads.removeDropped(behind(dropped, reads.seq())));
  const incomplete: Record<OutputStreamName, Uint8Array> = { stdout: NOTHING, stderr: NOTHING };
  /** Bytes that have a position in a stream: stored, dropped or refused. */
  const placed: PerStream = { stdout: 0, stderr: 0 };
  /** Where each stream's last stored chunk ends, and its segment. */
  const last = { stdout: { end: 0, segment: -1 }, stderr: { end: 0, segment: -1 } };
  let seq = 0;
  let markers: Marker[] = [];

  /** Bytes of a segment's chunks behind `afterSeq`. */
  function behind(segment: Segment, afterSeq: number): PerStream {
    if (segment.firstSeq > afterSeq) return segment.of;
    const sum = { stdout: 0, stderr: 0 };
    if (segment.lastSeq > afterSeq)
      for (const chunk of readChunks(segments, segment.number, 0)) if (chunk.seq > afterSeq) sum[chunk.stream] += chunk.data.length;
    return sum;
  }

  function store(stream: OutputStreamName, at: number, data: Uint8Array): void {
    const start = placed[stream];
    placed[stream] += data.length;
    if (!table.isStoring()) return;
    const segment = table.append({ seq: seq + 1, at, stream, start, data });
    if (segment === undefined) return;
    seq += 1;
    reads.addStored(stream, data.length);
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

  /** A reader behind chunks that this log never gave had them from an earlier keeper. */
  function skipTo(afterSeq: number): void {
    if (afterSeq <= reads.seq()) return;
    const left = { stdout: 0, stderr: 0 };
    for (const segment of table.rows) {
      const bytes = behind(segment, afterSeq);
      for (const stream of STREAMS) left[stream] += bytes[stream];
    }
    reads.skipTo(Math.min(afterSeq, seq), left);
  }

  /**
   * No chunk follows bytes that are missing at the end, so an empty one is generated. Never stored:
   * a later keeper generates the same.
   */
  function addMarkers(at: number): void {
    for (const stream of STREAMS) {
      const { end, segment } = last[stream];
      const isStored = end === placed[stream] && table.rows.some(({ number }) => number === segment);
      if (placed[stream] > 0 && !isStored) markers.push({ seq: ++seq, at, stream, start: placed[stream], data: NOTHING });
    }
  }

  function restore(totals: PerStream | undefined): void {
    let at = 0;
    for (const number of segments.list()) {
      const segment = table.restore(number);
      for (const chunk of readChunks(segments, number, 0)) {
        segment.size = chunk.next;
        seq = chunk.seq;
        countChunk(segment, seq, chunk.stream, chunk.data.length);
        reads.addStored(chunk.stream, chunk.data.length);
        placed[chunk.stream] = chunk.start + chunk.data.length;
        last[chunk.stream] = { end: placed[chunk.stream], segment: number };
        at = chunk.at;
      }
    }
    Object.assign(placed, totals);
    addMarkers(at);
  }

  if (recovered !== undefined) restore(recovered.totals);
  const read = createReader({ segments, rows: table.rows, markers: () => markers, onRead: reads.addRead });
  return {
    add(stream, at, data) {
      const waiting = incomplete[stream];
      if (waiting.length === 0) return place(stream, at, data, false);
      incomplete[stream] = NOTHING;
      place(stream, at, joined(waiting, data), false);
    },
    finish(at) {
      for (const stream of STREAMS) {
        const waiting = incomplete[stream];
        incomplete[stream] = NOTHING;
        place(stream, at, waiting, true);
      }
      segments.closeFiles();
      markers = [];
      addMarkers(at);
    },
    read(afterSeq, maxBytes) {
      skipTo(afterSeq);
      return read(afterSeq, maxBytes);
    },
    lastSeq: () => seq,
    written: stream => placed[stream] + incomplete[stream].length,
    leftOut: stream => reads.droppedUnread(stream, placed[stream]),
  };
}

interface Marker {
  seq: number;
  at: number;
  stream: OutputStreamName;
  start: number;
  data: Uint8Array;
}

/** Reads stored chunks, then markers. Remembers where the last read ended. */
function createReader(from: {
  segments: OutputSegments;
  rows: Segment[];
  markers(): Marker[];
  onRead(seq: number, stream: OutputStreamName, bytes: number): void;
}): OutputLog['read'] {
  let position = { seq: 0, segment: 0, next: 0 };
  return (afterSeq, maxBytes) => {
    const chunks: SpooledChunk[] = [];
    let left = maxBytes;
    const give = ({ seq, at, stream, start, data }: Marker): boolean => {
      const text = decoder.decode(data);
      left -= encoder.encode(text).length;
      if (left < 0 && chunks.length > 0) return false;
      chunks.push({ seq, at, stream, text, bytes: data.length, start });
      from.onRead(seq, stream, data.length);
      return left > 0;
    };
    for (const segment of from.rows) {
      if (segment.lastSeq <= afterSeq) continue;
      const start = position.segment === segment.number && position.seq <= afterSeq ? position.next : 0;
      for (const chunk of readChunks(from.segments, segment.number, start)) {
        if (chunk.seq <= afterSeq) continue;
        if (!give(chunk)) return chunks;
        position = { seq: chunk.seq, segment: segment.number, next: chunk.next };
      }
    }
    for (const marker of from.markers()) if (marker.seq > afterSeq && !give(marker)) break;
    return chunks;
  };
}

function joined(before: Uint8Array, bytes: Uint8Array): Uint8Array {
  const whole = new Uint8Array(before.length + bytes.length);
  whole.set(before);
  whole.set(bytes, before.length);
  return whole;
}
