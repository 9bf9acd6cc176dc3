/**
 * Sparse files of GNU tar in pax archives: the archive has the data between the holes, and a map of
 * where it belongs. Versions 1.0 (map in front of the data, what `tar --sparse --format=pax`
 * writes) and 0.1 (map in the header) are unpacked.
 */
import { ArtifactError } from '../ports.ts';

export interface SparseFile {
  name: string;
  /** Whole, the holes as zeros. Throws ArtifactError for a map that does not hold. */
  content(packed: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array>;
}

type Span = { offset: number; bytes: number };

/** Spans of data in one file; refused beyond. */
const SPANS_MAX = 100_000;
const BLOCK_BYTES = 512;
const ZEROS_BYTES = 64 * 1024;
const LINE_FEED = 10;

const broken = (what: string): ArtifactError =>
  new ArtifactError('incomplete', `the archive has a sparse file ${what}`, { transient: false });

/** undefined: the entry is no sparse file. Throws ArtifactError for an unknown version. */
export function sparseFile(pax: Record<string, string> | null | undefined): SparseFile | undefined {
  const keys = Object.keys(pax ?? {}).filter(key => key.startsWith('GNU.sparse.'));
  if (!pax || keys.length === 0) return undefined;
  const { 'GNU.sparse.name': name, 'GNU.sparse.major': major, 'GNU.sparse.minor': minor, 'GNU.sparse.map': map } = pax;
  if (name !== undefined && major === '1' && minor === '0')
    return { name, content: packed => withMapInFront(packed, count(pax['GNU.sparse.realsize'])) };
  if (name !== undefined && map !== undefined) {
    const numbers = map.split(',').map(count);
    return { name, content: packed => expand(packed, spansOf(numbers), count(pax['GNU.sparse.size'])) };
  }
  throw new ArtifactError(
    'unsupported',
    `the archive has "${name ?? 'a file'}" in a sparse format that is not read: pack it without --sparse`,
    {
      transient: false,
    },
  );
}

function count(text: string | undefined): number {
  const number = Number(text);
  if (text === undefined || !/^\d{1,15}$/.test(text)) throw broken('with a size that is no number');
  return number;
}

function spansOf(numbers: number[]): Span[] {
  if (numbers.length % 2 !== 0 || numbers.length > 2 * SPANS_MAX) throw broken('with a map that does not hold');
  return Array.from({ length: numbers.length / 2 }, (_, at) => ({ offset: numbers[2 * at] ?? 0, bytes: numbers[2 * at + 1] ?? 0 }));
}

/** The map: a line with the number of spans, two lines for each, filled up to a whole block. */
async function* withMapInFront(packed: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  const pieces = packed[Symbol.asyncIterator]();
  const numbers: number[] = [];
  let line = '';
  let consumed = 0;
  let rest: Uint8Array = new Uint8Array(0);
  let at = 0;
  const next = async (): Promise<void> => {
    const { done, value } = await pieces.next();
    if (done) throw broken('whose map has no end');
    rest = value;
    at = 0;
  };
  while (numbers.length === 0 || numbers.length < 1 + 2 * (numbers[0] ?? 0)) {
    while (at >= rest.length) await next();
    const byte = rest[at++] ?? 0;
    consumed++;
    if (byte === LINE_FEED) {
      numbers.push(count(line));
      line = '';
      if ((numbers[0] ?? 0) > SPANS_MAX) throw broken(`of more than ${SPANS_MAX} spans`);
    } else line += String.fromCharCode(byte);
    if (line.length > 15) throw broken('with a map that does not hold');
  }
  for (let fill = (BLOCK_BYTES - (consumed % BLOCK_BYTES)) % BLOCK_BYTES; fill > 0; ) {
    while (at >= rest.length) await next();
    const skipped = Math.min(fill, rest.length - at);
    at += skipped;
    fill -= skipped;
  }
  const data = async function* (): AsyncGenerator<Uint8Array> {
    if (at < rest.length) yield rest.subarray(at);
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) yield piece.value;
  };
  yield* expand(data(), spansOf(numbers.slice(1)), size);
}

async function* expand(data: AsyncIterable<Uint8Array>, spans: Span[], size: number): AsyncGenerator<Uint8Array> {
  let written = 0;
  let inSpan = 0;
  const left = [...spans];
  for await (let piece of data) {
    while (piece.length > 0) {
      const span = left[0];
      if (!span) throw broken('with more data than its map says');
      if (inSpan === 0) {
        if (span.offset < written) throw broken('whose map goes backwards');
        yield* zeros(span.offset - written);
        written = span.offset;
      }
      const taken = piece.subarray(0, span.bytes - inSpan);
      yield taken;
      written += taken.length;
      inSpan += taken.length;
      piece = piece.subarray(taken.length);
      if (inSpan < span.bytes) continue;
      left.shift();
      inSpan = 0;
    }
  }
  // A span without bytes marks the end of the file.
  if (inSpan > 0 || left.some(({ bytes }) => bytes > 0)) throw broken('with less data than its map says');
  if (written > size) throw broken('with more data than its size');
  yield* zeros(size - written);
}

function* zeros(bytes: number): Generator<Uint8Array> {
  for (let left = bytes; left > 0; left -= ZEROS_BYTES) yield new Uint8Array(Math.min(left, ZEROS_BYTES));
}
