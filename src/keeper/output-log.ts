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
import { createReadCounter, createReader, type Marker } from './output-reader.ts';
import { createOutputWriter } from './output-writer.ts';
import type { OutputSegments, OutputStreamName } from './ports.ts';
import { countChunk, createSegmentTable, type OutputLimits, type PerStream, type Segment, STREAMS } from './segment-table.ts';
import { readChunks } from './stored-chunks.ts';

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

const NOTHING = new Uint8Array(0);

/**
 * `recovered`: the totals of an ended run of an earlier keeper. Undefined totals are computed from
 * the stored chunks.
 */
export function createOutputLog(segments: OutputSegments, limits: OutputLimits, recovered?: { totals: PerStream | undefined }): OutputLog {
  const reads = createReadCounter();
  const table = createSegmentTable(segments, limits, dropped => reads.removeDropped(behind(dropped, reads.seq())));
  const writer = createOutputWriter(table, reads.addStored);
  let markers: Marker[] = [];

  /** Bytes of a segment's chunks behind `afterSeq`. */
  function behind(segment: Segment, afterSeq: number): PerStream {
    if (segment.firstSeq > afterSeq) return segment.of;
    const sum = { stdout: 0, stderr: 0 };
    if (segment.lastSeq > afterSeq)
      for (const chunk of readChunks(segments, segment.number, 0)) if (chunk.seq > afterSeq) sum[chunk.stream] += chunk.data.length;
    return sum;
  }

  /** A reader behind chunks that this log never gave had them from an earlier keeper. */
  function skipTo(afterSeq: number): void {
    if (afterSeq <= reads.seq()) return;
    const left = { stdout: 0, stderr: 0 };
    for (const segment of table.rows) {
      const bytes = behind(segment, afterSeq);
      for (const stream of STREAMS) left[stream] += bytes[stream];
    }
    reads.skipTo(Math.min(afterSeq, writer.seq()), left);
  }

  /**
   * No chunk follows bytes that are missing at the end, so an empty one is generated. Never stored:
   * a later keeper generates the same.
   */
  function addMarkers(at: number): void {
    for (const stream of STREAMS)
      if (writer.lacksEnd(stream)) markers.push({ seq: writer.nextSeq(), at, stream, start: writer.placed[stream], data: NOTHING });
  }

  function restore(totals: PerStream | undefined): void {
    let at = 0;
    for (const number of segments.list()) {
      const segment = table.restore(number);
      for (const chunk of readChunks(segments, number, 0)) {
        segment.size = chunk.next;
        countChunk(segment, chunk.seq, chunk.stream, chunk.data.length);
        writer.restore(chunk, number);
        at = chunk.at;
      }
    }
    Object.assign(writer.placed, totals);
    addMarkers(at);
  }

  if (recovered !== undefined) restore(recovered.totals);
  const read = createReader({ segments, rows: table.rows, markers: () => markers, onRead: reads.addRead });
  return {
    add: writer.add,
    finish(at) {
      writer.finish(at);
      segments.closeFiles();
      markers = [];
      addMarkers(at);
    },
    read(afterSeq, maxBytes) {
      skipTo(afterSeq);
      return read(afterSeq, maxBytes);
    },
    lastSeq: writer.seq,
    written: writer.written,
    leftOut: stream => reads.droppedUnread(stream, writer.placed[stream]),
  };
}
