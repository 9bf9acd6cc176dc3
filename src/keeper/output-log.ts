/**
 * The output of one run: pieces of both streams under one numbering, the first `headBytes` and the
 * last `tailBytes` of it kept, every byte between them counted.
 *
 *   segment 0 (head)      fell out       segments n..n+4 (tail)
 *   |1 2 3 4 5 6 7 8|  . . . . . . . .  |41 42|43 44|45 46|47 48|49
 *
 * Each piece is stored with the place of its first byte in its stream, so what is missing before it
 * is a subtraction and cannot be miscounted, whatever was dropped and why. Memory holds a row per
 * segment, never a row per piece.
 */

import type { SpooledChunk } from '../protocol/keeper.ts';
import type { Segments, Stream } from './ports.ts';
import { wholeCharacters } from './utf8.ts';

/**
 * Bytes of one piece. Bytes that are no UTF-8 become three each, so its text stays below 64 KiB; as
 * JSON, where a control character takes six, below 128 KiB.
 */
export const PIECE_BYTES_MAX = 21_845;
const HEADER_BYTES = 32;
/** The tail goes in quarters: between `tailBytes` and a quarter (or a piece) more of it is kept. */
const TAIL_PARTS = 4;
const READ_WINDOW = 128 * 1024;

type PerStream = { stdout: number; stderr: number };
type Piece = { seq: number; at: number; stream: Stream; start: number; data: Uint8Array; segment: number; next: number };
type Segment = { number: number; size: number; bytes: number; of: PerStream; firstSeq: number; lastSeq: number };

export interface OutputLog {
  /** Takes bytes as the process wrote them; an unfinished character waits for its rest. */
  add(stream: Stream, at: number, data: Uint8Array): void;
  /**
   * The streams have ended: what still waits is stored, and bytes missing at the very end get an
   * empty piece that tells their number.
   */
  finish(at: number): void;
  /**
   * Stored pieces behind `afterSeq`, at most `maxBytes` bytes of text, at least one piece. Each
   * states its place in its stream: any reader finds from it what it lacks.
   */
  read(afterSeq: number, maxBytes: number): SpooledChunk[];
  lastSeq(): number;
  /** Bytes taken so far. */
  written(stream: Stream): number;
  /** Bytes that no reader was or will be given. Final once the streams have ended. */
  leftOut(stream: Stream): number;
}

export interface OutputLimits {
  headBytes: number;
  tailBytes: number;
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);

function encodeHeader(seq: number, at: number, stream: Stream, start: number, bytes: number): Uint8Array {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, bytes);
  header.setUint32(4, stream === 'stdout' ? 1 : 2);
  header.setFloat64(8, seq);
  header.setFloat64(16, at);
  header.setFloat64(24, start);
  return new Uint8Array(header.buffer);
}

const emptySegment = (number: number): Segment => ({ number, size: 0, bytes: 0, of: { stdout: 0, stderr: 0 }, firstSeq: 0, lastSeq: 0 });

function count(segment: Segment, seq: number, stream: Stream, bytes: number): void {
  if (segment.firstSeq === 0) segment.firstSeq = seq;
  segment.lastSeq = seq;
  segment.bytes += bytes;
  segment.of[stream] += bytes;
}

/**
 * `former`: the totals of a run that an earlier keeper spooled and that has ended; without them
 * they are taken from what is stored.
 */
export function createOutputLog(segments: Segments, limits: OutputLimits, former?: { totals: PerStream | undefined }): OutputLog {
  const tailPart = Math.max(1, Math.ceil(limits.tailBytes / TAIL_PARTS));
  const table: Segment[] = [];
  const carry: Record<Stream, Uint8Array> = { stdout: NOTHING, stderr: NOTHING };
  /** Bytes that have their place in a stream: stored, dropped or refused. */
  const placed: PerStream = { stdout: 0, stderr: 0 };
  let headOpen = limits.headBytes > 0;
  let seq = 0;
  let markers: { seq: number; at: number; stream: Stream; total: number }[] = [];
  /** Where each stream's last stored piece ends, and in which segment it is. */
  const stored = { stdout: { end: 0, segment: -1 }, stderr: { end: 0, segment: -1 } };
  /** The furthest piece that any reader was given, and the bytes given up to there, each once. */
  const given = { seq: 0, stdout: 0, stderr: 0 };
  /** Bytes stored behind that piece. */
  let unread: PerStream = { stdout: 0, stderr: 0 };
  let hint = { seq: 0, segment: 0, position: 0 };

  /** The stored pieces from a position on; an incomplete record ends its segment. */
  function* walk(segment: Segment, from: number): Generator<Piece> {
    let position = from;
    let base = from;
    let window = segments.read(segment.number, base, READ_WINDOW);
    const need = (bytes: number): boolean => {
      if (position + bytes <= base + window.length) return true;
      base = position;
      window = segments.read(segment.number, base, Math.max(READ_WINDOW, bytes));
      return bytes <= window.length;
    };
    while (need(HEADER_BYTES)) {
      const head = new DataView(window.buffer, window.byteOffset + position - base, HEADER_BYTES);
      const length = head.getUint32(0);
      if (length > PIECE_BYTES_MAX || !need(HEADER_BYTES + length)) return;
      const header = new DataView(window.buffer, window.byteOffset + position - base, HEADER_BYTES);
      const data = window.subarray(position - base + HEADER_BYTES, position - base + HEADER_BYTES + length);
      position += HEADER_BYTES + length;
      yield {
        seq: header.getFloat64(8),
        at: header.getFloat64(16),
        stream: header.getUint32(4) === 1 ? 'stdout' : 'stderr',
        start: header.getFloat64(24),
        data,
        segment: segment.number,
        next: position,
      };
    }
  }

  const tail = () => table.filter(segment => segment.number > 0);

  function dropOldestOfTail(): boolean {
    const oldest = table.findIndex(segment => segment.number > 0);
    const [gone] = oldest < 0 ? [] : table.splice(oldest, 1);
    if (gone === undefined) return false;
    const lost = behind(gone, given.seq);
    unread = { stdout: unread.stdout - lost.stdout, stderr: unread.stderr - lost.stderr };
    segments.drop(gone.number);
    return true;
  }

  /** Bytes of a segment's pieces behind `afterSeq`. */
  function behind(segment: Segment, afterSeq: number): PerStream {
    if (segment.firstSeq > afterSeq) return segment.of;
    const sum = { stdout: 0, stderr: 0 };
    if (segment.lastSeq > afterSeq) for (const piece of walk(segment, 0)) if (piece.seq > afterSeq) sum[piece.stream] += piece.data.length;
    return sum;
  }

  let lastSegment = 0;
  function segmentToWrite(): Segment {
    const last = table.at(-1);
    if (headOpen) {
      if (last !== undefined) return last;
    } else if (last !== undefined && last.number > 0 && last.bytes < tailPart) {
      return last;
    } else {
      lastSegment += 1;
    }
    const fresh = emptySegment(headOpen ? 0 : lastSegment);
    table.push(fresh);
    return fresh;
  }

  function put(stream: Stream, at: number, data: Uint8Array): void {
    const start = placed[stream];
    placed[stream] += data.length;
    if (!headOpen && limits.tailBytes === 0) return;
    const header = encodeHeader(seq + 1, at, stream, start, data.length);
    for (;;) {
      const segment = segmentToWrite();
      if (segments.append(segment.number, header, data)) {
        seq += 1;
        segment.size += HEADER_BYTES + data.length;
        count(segment, seq, stream, data.length);
        unread[stream] += data.length;
        stored[stream] = { end: placed[stream], segment: segment.number };
        break;
      }
      if (segment.size === 0) table.splice(table.indexOf(segment), 1);
      // A full disk costs output, oldest of the tail first, and never the job. With nothing left to
      // drop this piece is the one that is left out.
      if (!dropOldestOfTail()) return;
    }
    let kept = tail().reduce((sum, segment) => sum + segment.bytes, 0);
    for (const oldest of tail()) {
      kept -= oldest.bytes;
      if (kept < limits.tailBytes || oldest === table.at(-1)) break;
      dropOldestOfTail();
    }
  }

  function place(stream: Stream, at: number, bytes: Uint8Array, last: boolean): void {
    let rest = bytes;
    while (rest.length > 0) {
      const headLeft = limits.headBytes - (table[0]?.number === 0 ? table[0].bytes : 0);
      if (headOpen && headLeft <= 0) headOpen = false;
      const max = headOpen ? Math.min(PIECE_BYTES_MAX, headLeft) : Math.min(PIECE_BYTES_MAX, Math.max(64, tailPart));
      const cut = wholeCharacters(rest, max, last);
      if (cut > 0) {
        put(stream, at, rest.subarray(0, cut));
        rest = rest.subarray(cut);
      } else if (rest.length > max) {
        // The next character does not fit into what is left of the head.
        headOpen = false;
      } else {
        carry[stream] = rest.slice();
        return;
      }
    }
  }

  /** A reader behind pieces that this log gave nobody had them from an earlier keeper. */
  function passOver(afterSeq: number): void {
    if (afterSeq <= given.seq) return;
    for (const stream of ['stdout', 'stderr'] as const) {
      const rest = table.reduce((sum, segment) => sum + behind(segment, afterSeq)[stream], 0);
      given[stream] += unread[stream] - rest;
      unread[stream] = rest;
    }
    given.seq = Math.min(afterSeq, seq);
  }

  /**
   * Bytes missing at the end of a stream have no piece behind them that could tell, so an empty one
   * is made up. Never stored: a successor makes up the same.
   */
  function mark(at: number): void {
    for (const stream of ['stdout', 'stderr'] as const) {
      const { end, segment } = stored[stream];
      const survives = end === placed[stream] && table.some(({ number }) => number === segment);
      if (placed[stream] > 0 && !survives) markers.push({ seq: ++seq, at, stream, total: placed[stream] });
    }
  }

  if (former !== undefined) {
    let at = 0;
    for (const number of segments.list()) {
      const segment = emptySegment(number);
      table.push(segment);
      for (const piece of walk(segment, 0)) {
        segment.size = piece.next;
        seq = piece.seq;
        count(segment, seq, piece.stream, piece.data.length);
        unread[piece.stream] += piece.data.length;
        placed[piece.stream] = piece.start + piece.data.length;
        stored[piece.stream] = { end: placed[piece.stream], segment: number };
        at = piece.at;
      }
    }
    Object.assign(placed, former.totals);
    mark(at);
  }

  return {
    add(stream, at, data) {
      const waiting = carry[stream];
      if (waiting.length === 0) return place(stream, at, data, false);
      const joined = new Uint8Array(waiting.length + data.length);
      joined.set(waiting);
      joined.set(data, waiting.length);
      carry[stream] = NOTHING;
      place(stream, at, joined, false);
    },
    finish(at) {
      for (const stream of ['stdout', 'stderr'] as const) {
        const waiting = carry[stream];
        carry[stream] = NOTHING;
        place(stream, at, waiting, true);
      }
      segments.rest();
      markers = [];
      mark(at);
    },
    read(afterSeq, maxBytes) {
      passOver(afterSeq);
      const chunks: SpooledChunk[] = [];
      let left = maxBytes;
      const give = (piece: { seq: number; at: number; stream: Stream; start: number; data: Uint8Array }): boolean => {
        const text = decoder.decode(piece.data);
        left -= encoder.encode(text).length;
        if (left < 0 && chunks.length > 0) return false;
        const { seq, at, stream, start } = piece;
        chunks.push({ seq, at, stream, text, bytes: piece.data.length, start });
        if (seq > given.seq) {
          given.seq = seq;
          given[stream] += piece.data.length;
          unread[stream] -= piece.data.length;
        }
        return left > 0;
      };
      for (const segment of table) {
        if (segment.lastSeq <= afterSeq) continue;
        const from = hint.segment === segment.number && hint.seq <= afterSeq ? hint.position : 0;
        for (const piece of walk(segment, from)) {
          if (piece.seq <= afterSeq) continue;
          if (!give(piece)) return chunks;
          hint = { seq: piece.seq, segment: piece.segment, position: piece.next };
        }
      }
      for (const marker of markers) {
        if (marker.seq > afterSeq && !give({ ...marker, start: marker.total, data: NOTHING })) break;
      }
      return chunks;
    },
    lastSeq: () => seq,
    written: stream => placed[stream] + carry[stream].length,
    leftOut: stream => placed[stream] - given[stream] - unread[stream],
  };
}
