/**
 * Cuts the middle out of long texts of a JSON document while it arrives, so that nobody holds them
 * whole. Everything else passes unchanged, also what is no JSON: the parser behind it refuses that.
 *
 *   "head … [N bytes are left out here] … tail"
 */

/** Characters of a block: what is cut is whole blocks. */
const BLOCK = 4_096;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export interface JsonTextCutter {
  /** Takes the next piece of the document, of whole characters. */
  write(piece: string): void;
  /** The document with its cuts. */
  end(): string;
}

/**
 * `maxBytes`: a text of at most as many bytes of UTF-8 stays whole; of a longer one about half as
 * many stay at each end.
 */
export function createJsonTextCutter(maxBytes: number): JsonTextCutter {
  const done: string[] = [];
  /** The open text; undefined between texts. */
  let open: CutText | undefined;
  /** The beginning of an escape whose end has not arrived. */
  let carry = '';

  /** Passes what stands between texts; returns the index behind it. */
  const between = (text: string, from: number): number => {
    const quote = text.indexOf('"', from);
    const end = quote < 0 ? text.length : quote + 1;
    done.push(text.slice(from, end));
    if (quote >= 0) open = new CutText(maxBytes);
    return end;
  };

  return {
    write(piece) {
      const text = carry + piece;
      carry = '';
      for (let at = 0; at < text.length; ) {
        if (!open) {
          at = between(text, at);
          continue;
        }
        const { end, bytes, stop } = blockAt(text, at);
        open.add(text.slice(at, end), bytes);
        at = end;
        if (stop === 'unit') {
          carry = text.slice(end);
          return;
        }
        if (stop === 'quote') {
          done.push(open.whole(), '"');
          open = undefined;
          at += 1;
        }
      }
    },
    end() {
      if (open) done.push(open.whole());
      return done.join('') + carry;
    },
  };
}

/** Longest unit: an escaped pair of surrogates. */
const MAX_ESCAPE = 12;

/**
 * One block from `from`. `stop`: why it ends: the quote that ends the text, a unit whose end is
 * missing, or neither.
 */
function blockAt(text: string, from: number): { end: number; bytes: number; stop: 'quote' | 'unit' | null } {
  let bytes = 0;
  let at = from;
  while (at < text.length && at - from < BLOCK) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return { end: at, bytes, stop: 'quote' };
    if (code > 0x1f && code < 0x80 && code !== BACKSLASH) {
      bytes += 1;
      at += 1;
      continue;
    }
    const unit = unitAt(text, at);
    if (!unit) return { end: at, bytes, stop: 'unit' };
    bytes += unit.bytes;
    at += unit.length;
  }
  return { end: at, bytes, stop: null };
}

/** A character or an escape, with its length as it is written; undefined: its end is missing. */
function unitAt(text: string, at: number): { length: number; bytes: number } | undefined {
  const point = text.codePointAt(at) ?? 0;
  if (point !== BACKSLASH) return { length: point > 0xffff ? 2 : 1, bytes: bytesOf(point) };
  const kind = text[at + 1];
  if (kind === undefined) return undefined;
  if (kind !== 'u') return { length: 2, bytes: 1 };
  if (at + 6 > text.length) return undefined;
  const code = Number.parseInt(text.slice(at + 2, at + 6), 16);
  if (code < 0xd800 || code > 0xdbff) return { length: 6, bytes: bytesOf(code) };
  if (at + MAX_ESCAPE > text.length && '\\u'.startsWith(text.slice(at + 6, at + 8))) return undefined;
  return /^\\ud[c-f]/i.test(text.slice(at + 6, at + 10)) ? { length: MAX_ESCAPE, bytes: 4 } : { length: 6, bytes: 3 };
}

const bytesOf = (point: number): number => (point < 0x80 ? 1 : point < 0x800 ? 2 : point <= 0xffff ? 3 : 4);

/** A text block by block: all of it while it is short, then its two ends. */
class CutText {
  readonly #maxBytes: number;
  readonly #head: string[] = [];
  #tail: { text: string; bytes: number }[] = [];
  #headBytes = 0;
  #tailBytes = 0;
  #leftOut = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(text: string, bytes: number): void {
    const half = this.#maxBytes / 2;
    if (this.#tail.length === 0 && this.#headBytes + bytes <= half) {
      this.#head.push(text);
      this.#headBytes += bytes;
      return;
    }
    this.#tail.push({ text, bytes });
    this.#tailBytes += bytes;
    if (this.#headBytes + this.#tailBytes + this.#leftOut <= this.#maxBytes) return;
    let gone = 0;
    for (const oldest of this.#tail) {
      // One block leaves in any case: the text is too long.
      if (this.#leftOut > 0 && this.#tailBytes - oldest.bytes < half) break;
      this.#tailBytes -= oldest.bytes;
      this.#leftOut += oldest.bytes;
      gone += 1;
    }
    if (gone > 0) this.#tail = this.#tail.slice(gone);
  }

  whole(): string {
    const mark = this.#leftOut === 0 ? '' : `\\n[${this.#leftOut} bytes are left out here]\\n`;
    return `${this.#head.join('')}${mark}${this.#tail.map(({ text }) => text).join('')}`;
  }
}
