/**
 * The stored segments of one run: segment 0 is the head, all others are the tail, whose oldest is
 * dropped when there is too much of it or the disk is full. One row per segment, never per chunk.
 */
import type { OutputSegments, OutputStreamName } from './ports.ts';
import { CHUNK_BYTES_MAX, encodeHeader, HEADER_BYTES, type StoredChunk } from './stored-chunks.ts';

export interface OutputLimits {
  headBytes: number;
  tailBytes: number;
}

export type PerStream = { stdout: number; stderr: number };
export const STREAMS = ['stdout', 'stderr'] as const;

export interface Segment {
  number: number;
  size: number;
  bytes: number;
  of: PerStream;
  firstSeq: number;
  lastSeq: number;
}

/**
 * The tail is dropped in quarters: up to a quarter, or one chunk, more than `tailBytes` is kept.
 */
const TAIL_PARTS = 4;
/** Smallest chunk of the tail, bytes: every character fits. */
const TAIL_CHUNK_BYTES_MIN = 64;

export interface SegmentTable {
  readonly rows: Segment[];
  /** Most bytes of the next chunk. Closes a full head. */
  chunkBytesMax(): number;
  /** The next chunk does not fit into the head any more. */
  closeHead(): void;
  /** Whether further output is stored at all. */
  isStoring(): boolean;
  /** Stores the chunk, dropping the oldest tail for it. Undefined: there is no space. */
  append(chunk: Omit<StoredChunk, 'next'>): Segment | undefined;
  /** Drops the oldest segments beyond `tailBytes`. */
  trimTail(): void;
  /** A segment that an earlier keeper stored. */
  restore(number: number): Segment;
}

/** Counts a stored chunk. */
export function countChunk(segment: Segment, seq: number, stream: OutputStreamName, bytes: number): void {
  if (segment.firstSeq === 0) segment.firstSeq = seq;
  segment.lastSeq = seq;
  segment.bytes += bytes;
  segment.of[stream] += bytes;
}

/** `onDrop` is called before the segment is deleted. */
export function createSegmentTable(segments: OutputSegments, limits: OutputLimits, onDrop: (dropped: Segment) => void): SegmentTable {
  const tailPart = Math.max(1, Math.ceil(limits.tailBytes / TAIL_PARTS));
  const rows: Segment[] = [];
  let isHeadOpen = limits.headBytes > 0;
  let lastNumber = 0;

  const push = (number: number): Segment => {
    const segment = { number, size: 0, bytes: 0, of: { stdout: 0, stderr: 0 }, firstSeq: 0, lastSeq: 0 };
    rows.push(segment);
    return segment;
  };

  function dropOldestOfTail(): boolean {
    const oldest = rows.findIndex(segment => segment.number > 0);
    const [dropped] = oldest < 0 ? [] : rows.splice(oldest, 1);
    if (dropped === undefined) return false;
    onDrop(dropped);
    segments.drop(dropped.number);
    return true;
  }

  function segmentToWrite(): Segment {
    const last = rows.at(-1);
    if (isHeadOpen) return last ?? push(0);
    if (last !== undefined && last.number > 0 && last.bytes < tailPart) return last;
    lastNumber += 1;
    return push(lastNumber);
  }

  return {
    rows,
    chunkBytesMax() {
      const headLeft = limits.headBytes - (rows[0]?.number === 0 ? rows[0].bytes : 0);
      if (headLeft <= 0) isHeadOpen = false;
      return Math.min(CHUNK_BYTES_MAX, isHeadOpen ? headLeft : Math.max(TAIL_CHUNK_BYTES_MIN, tailPart));
    },
    closeHead() {
      isHeadOpen = false;
    },
    isStoring: () => isHeadOpen || limits.tailBytes > 0,
    append(chunk) {
      const header = encodeHeader(chunk);
      for (;;) {
        const segment = segmentToWrite();
        if (segments.append(segment.number, header, chunk.data)) {
          segment.size += HEADER_BYTES + chunk.data.length;
          countChunk(segment, chunk.seq, chunk.stream, chunk.data.length);
          return segment;
        }
        if (segment.size === 0) rows.splice(rows.indexOf(segment), 1);
        // A full disk costs output, the oldest of the tail first, and never the run.
        if (!dropOldestOfTail()) return undefined;
      }
    },
    trimTail() {
      const tail = rows.filter(segment => segment.number > 0);
      let kept = tail.reduce((sum, segment) => sum + segment.bytes, 0);
      for (const oldest of tail) {
        kept -= oldest.bytes;
        if (kept < limits.tailBytes || oldest === rows.at(-1)) break;
        dropOldestOfTail();
      }
    },
    restore: push,
  };
}
