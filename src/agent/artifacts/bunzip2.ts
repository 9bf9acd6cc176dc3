/**
 * bzip2, piece by piece, by dsnet/compress/doc/bzip2-format.pdf. Of 178 bytes (200 MB of zeros)
 * it takes 64 MB of memory; `unbzip2-stream` 1.4.3 took 1.8 GB for two blocks, and blocked its
 * thread for 19 s. `seek-bzip` 2.0.0, `bz2` 1.0.1 and `@foxglove/wasm-bz2` 0.3.0 need the whole
 * file, and end behind the first of several streams.
 *
 *   "BZh" level | block, block, ... | end mark, checksum of all | perhaps another such stream
 *   block: mark, checksum, origin | symbols in use | Huffman trees | symbols
 *   symbols -> move to front, runs -> Burrows-Wheeler -> runs -> bytes
 */
import { createBits } from './bits.ts';

const BLOCK_MARK = 0x314159265359;
const END_MARK = 0x177245385090;
const BLOCK_UNIT = 100_000;
const GROUP_SYMBOLS = 50;
/** Of a tree's code; the deepest that a decoder must take. */
const CODE_BITS_MAX = 20;
const SELECTORS_MAX = 32_768;
/** Selectors of six bits each, and six trees. */
const HEADER_BYTES_MAX = 64 * 1024;
const PIECE_BYTES = 64 * 1024;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte << 24;
  for (let bit = 0; bit < 8; bit++) value = value < 0 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value >>> 0;
});

/** Throws Error whose message continues "the archive is broken:". The reader may stop early. */
export async function* bunzip2(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const bits = createBits(source);
  let words = new Uint32Array(0);
  do {
    if ((await bits.take(24)) !== 0x425a68) throw new Error('it does not begin like bzip2');
    const level = (await bits.take(8)) - 0x30;
    if (level < 1 || level > 9) throw new Error('its bzip2 block size is none');
    if (words.length < level * BLOCK_UNIT) words = new Uint32Array(level * BLOCK_UNIT);
    let all = 0;
    for (;;) {
      const mark = (await bits.take(24)) * 2 ** 24 + (await bits.take(24));
      const expected = (await bits.take(16)) * 2 ** 16 + (await bits.take(16));
      if (mark === END_MARK) {
        if (expected !== all) throw new Error('its checksum does not hold');
        break;
      }
      if (mark !== BLOCK_MARK) throw new Error('a bzip2 block does not begin like one');
      // A block is read without waiting in between, so all its bytes must be here: at most its
      // trees, and a code of the longest kind for each word.
      await bits.fill(HEADER_BYTES_MAX + (level * BLOCK_UNIT * CODE_BITS_MAX) / 8);
      const origin = readBlock(bits, words, level * BLOCK_UNIT);
      const sum = yield* output(words, origin);
      if (sum !== expected) throw new Error('the checksum of a bzip2 block does not hold');
      all = (((all << 1) | (all >>> 31)) ^ sum) >>> 0;
    }
    bits.align();
  } while (await bits.more());
}

type Bits = ReturnType<typeof createBits>;
interface Origin {
  /** Where the first byte's successor stands in the words. */
  at: number;
  count: number;
}

/**
 * Leaves the inverse of the Burrows-Wheeler transform in `words`: a byte, and above it the index of
 * the next.
 */
function readBlock(bits: Bits, words: Uint32Array, most: number): Origin {
  if (bits.now(1) === 1) throw new Error('a bzip2 block is of a form given up long ago');
  const start = bits.now(24);
  const used = readUsed(bits);
  const trees = bits.now(3);
  if (trees < 2 || trees > 6) throw new Error('a bzip2 block has a wrong number of trees');
  const selectors = readSelectors(bits, trees);
  const codes = Array.from({ length: trees }, () => readTree(bits, used.length + 2));
  const counts = new Uint32Array(256);
  const last = used.length + 1;
  let count = 0;
  let run = 0;
  let weight = 1;
  let group = 0;
  let left = 0;
  let tree: Tree | undefined;
  for (;;) {
    if (left === 0) {
      tree = codes[selectors[group++] ?? -1];
      left = GROUP_SYMBOLS;
    }
    if (tree === undefined) throw new Error('a bzip2 block goes on behind its last tree');
    left--;
    const symbol = decodeSymbol(bits, tree);
    if (symbol < 2) {
      // Runs are numbers of base two with the digits one and two.
      run += weight << symbol;
      weight <<= 1;
      if (run > most) throw new Error('a bzip2 block is longer than it may be');
      continue;
    }
    if (run > 0) {
      if (count + run > most) throw new Error('a bzip2 block is longer than it may be');
      const byte = used[0] ?? 0;
      words.fill(byte, count, count + run);
      counts[byte] = (counts[byte] ?? 0) + run;
      count += run;
      run = 0;
      weight = 1;
    }
    if (symbol === last) break;
    if (count >= most) throw new Error('a bzip2 block is longer than it may be');
    const byte = used[symbol - 1] ?? 0;
    used.copyWithin(1, 0, symbol - 1);
    used[0] = byte;
    words[count++] = byte;
    counts[byte] = (counts[byte] ?? 0) + 1;
  }
  if (start >= count) throw new Error('a bzip2 block begins outside of itself');
  for (let byte = 0, sum = 0; byte < 256; byte++) {
    const many = counts[byte] ?? 0;
    counts[byte] = sum;
    sum += many;
  }
  for (let at = 0; at < count; at++) {
    const byte = (words[at] ?? 0) & 0xff;
    const index = counts[byte] ?? 0;
    counts[byte] = index + 1;
    words[index] = ((words[index] ?? 0) & 0xff) | (at << 8);
  }
  return { at: (words[start] ?? 0) >>> 8, count };
}

/**
 * Follows the chain and spells out the runs: four alike are followed by how many more. Returns the
 * checksum.
 */
function* output(words: Uint32Array, { at, count }: Origin): Generator<Uint8Array, number> {
  let index = at;
  let before = -1;
  let alike = 0;
  let sum = 0xffffffff;
  let piece = new Uint8Array(PIECE_BYTES);
  let filled = 0;
  for (let done = 0; done < count; done++) {
    const word = words[index] ?? 0;
    const byte = word & 0xff;
    index = word >>> 8;
    const isCount = alike === 4;
    const times = isCount ? byte : 1;
    const value = isCount ? before : byte;
    if (filled + times > PIECE_BYTES) {
      yield piece.subarray(0, filled);
      piece = new Uint8Array(PIECE_BYTES);
      filled = 0;
    }
    for (let time = 0; time < times; time++) {
      piece[filled++] = value;
      sum = (sum << 8) ^ (TABLE[((sum >>> 24) ^ value) & 0xff] ?? 0);
    }
    alike = isCount ? 0 : byte === before ? alike + 1 : 1;
    before = isCount ? -1 : byte;
  }
  if (filled > 0) yield piece.subarray(0, filled);
  return ~sum >>> 0;
}

/** The bytes that occur, in their order: the initial list of move-to-front. */
function readUsed(bits: Bits): Uint8Array {
  const ranges = bits.now(16);
  const used: number[] = [];
  for (let range = 0; range < 16; range++) {
    if ((ranges & (0x8000 >> range)) === 0) continue;
    const inside = bits.now(16);
    for (let bit = 0; bit < 16; bit++) if ((inside & (0x8000 >> bit)) !== 0) used.push(range * 16 + bit);
  }
  if (used.length === 0) throw new Error('a bzip2 block has no symbols');
  return Uint8Array.from(used);
}

/** Which tree decodes each group of symbols. */
function readSelectors(bits: Bits, trees: number): Uint8Array {
  const count = bits.now(15);
  if (count < 1 || count > SELECTORS_MAX) throw new Error('a bzip2 block selects no tree');
  const order = Uint8Array.from({ length: trees }, (_, tree) => tree);
  const selectors = new Uint8Array(count);
  for (let at = 0; at < count; at++) {
    let index = 0;
    while (bits.now(1) === 1) if (++index >= trees) throw new Error('a bzip2 block selects a tree it has not');
    const tree = order[index] ?? 0;
    order.copyWithin(1, 0, index);
    order[0] = tree;
    selectors[at] = tree;
  }
  return selectors;
}

/**
 * A canonical code: per length the last code and the offset to subtract, and the symbols in the
 * order of their codes.
 */
interface Tree {
  limit: Int32Array;
  offset: Int32Array;
  symbols: Uint16Array;
}

function readTree(bits: Bits, size: number): Tree {
  const lengths = new Uint8Array(size);
  let length = bits.now(5);
  for (let symbol = 0; symbol < size; symbol++) {
    for (;;) {
      if (length < 1 || length > CODE_BITS_MAX) throw new Error('a bzip2 block has a code that is too long');
      if (bits.now(1) === 0) break;
      length += bits.now(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  const limit = new Int32Array(CODE_BITS_MAX + 1).fill(-1);
  const offset = new Int32Array(CODE_BITS_MAX + 1);
  const symbols: number[] = [];
  for (let bit = 1, code = 0; bit <= CODE_BITS_MAX; bit++) {
    code <<= 1;
    offset[bit] = symbols.length - code;
    lengths.forEach((of, symbol) => {
      if (of === bit) symbols.push(symbol);
    });
    code = symbols.length - (offset[bit] ?? 0);
    limit[bit] = code - 1;
  }
  return { limit, offset, symbols: Uint16Array.from(symbols) };
}

function decodeSymbol(bits: Bits, { limit, offset, symbols }: Tree): number {
  let code = 0;
  for (let length = 1; length <= CODE_BITS_MAX; length++) {
    code = (code << 1) | bits.now(1);
    const last = limit[length] ?? -1;
    if (code <= last) {
      const symbol = symbols[code + (offset[length] ?? 0)];
      if (symbol !== undefined) return symbol;
    }
  }
  throw new Error('a bzip2 block has a code of no symbol');
}
