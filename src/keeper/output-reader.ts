/** Reads of a run's output: stored chunks, then markers; and the bytes that reads have taken. */
import type { SpooledChunk } from '../protocol/keeper.ts';
import type { OutputSegments, OutputStreamName } from './ports.ts';
import { type PerStream, type Segment, STREAMS } from './segment-table.ts';
import { readChunks } from './stored-chunks.ts';

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();

/** An empty chunk behind bytes that are missing at the end of a stream. */
export interface Marker {
  seq: number;
  at: number;
  stream: OutputStreamName;
  start: number;
  data: Uint8Array;
}

/** Counts the bytes that a reader got, each once, and the stored bytes behind them. */
export function createReadCounter() {
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

/** Reads stored chunks, then markers. Keeps the position where the last read ended. */
export function createReader(from: {
  segments: OutputSegments;
  rows: Segment[];
  markers(): Marker[];
  onRead(seq: number, stream: OutputStreamName, bytes: number): void;
}): (afterSeq: number, maxBytes: number) => SpooledChunk[] {
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
