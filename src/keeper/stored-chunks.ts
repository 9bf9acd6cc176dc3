/** Format of a stored chunk: a header of 32 bytes, then the bytes as the process wrote them. */
import type { OutputSegments, OutputStreamName } from './ports.ts';

/**
 * Bytes of one chunk. Invalid UTF-8 becomes three bytes each, so its text stays below 64 KiB; as
 * JSON, where a control character takes six bytes, below 128 KiB.
 */
export const CHUNK_BYTES_MAX = 21_845;
export const HEADER_BYTES = 32;
const READ_WINDOW = 128 * 1024;

export interface StoredChunk {
  seq: number;
  at: number;
  stream: OutputStreamName;
  /** Bytes of the stream before this chunk, stored or not. */
  start: number;
  data: Uint8Array;
  /** Position of the next chunk in the segment. */
  next: number;
}

export function encodeHeader({ seq, at, stream, start, data }: Omit<StoredChunk, 'next'>): Uint8Array {
  const header = new DataView(new ArrayBuffer(HEADER_BYTES));
  header.setUint32(0, data.length);
  header.setUint32(4, stream === 'stdout' ? 1 : 2);
  header.setFloat64(8, seq);
  header.setFloat64(16, at);
  header.setFloat64(24, start);
  return new Uint8Array(header.buffer);
}

/** The chunks of a segment from a position on. Stops at an incomplete one. */
export function* readChunks(segments: OutputSegments, segment: number, from: number): Generator<StoredChunk> {
  let position = from;
  let base = from;
  let window = segments.read(segment, base, READ_WINDOW);
  const need = (bytes: number): boolean => {
    if (position + bytes <= base + window.length) return true;
    base = position;
    window = segments.read(segment, base, Math.max(READ_WINDOW, bytes));
    return bytes <= window.length;
  };
  while (need(HEADER_BYTES)) {
    const length = new DataView(window.buffer, window.byteOffset + position - base, HEADER_BYTES).getUint32(0);
    if (length > CHUNK_BYTES_MAX || !need(HEADER_BYTES + length)) return;
    // Read again: `need` may have moved the window.
    const header = new DataView(window.buffer, window.byteOffset + position - base, HEADER_BYTES);
    const data = window.subarray(position - base + HEADER_BYTES, position - base + HEADER_BYTES + length);
    position += HEADER_BYTES + length;
    yield {
      seq: header.getFloat64(8),
      at: header.getFloat64(16),
      stream: header.getUint32(4) === 1 ? 'stdout' : 'stderr',
      start: header.getFloat64(24),
      data,
      next: position,
    };
  }
}
