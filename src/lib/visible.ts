/**
 * Makes untrusted text safe for a log or a terminal. Characters that move the cursor, ring, colour,
 * reorder or hide text are shown as escapes. All output uses this one rule.
 *
 *   Cc     controls: C0, DEL, C1 (U+009B begins a sequence as ESC [ does)
 *   Cf     formats: bidirectional overrides, zero widths, tags
 *   Zl Zp  separators of lines and paragraphs
 *   Cs     half a character
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Joiners inside of words and emoji are kept: Persian, the scripts of India, families of emoji. */
const JOINER = /(?<=[\p{L}\p{M}\p{Extended_Pictographic}\p{Emoji_Modifier}])[\u200c\u200d](?=[\p{L}\p{Extended_Pictographic}])/gu;

const SHORT: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escaped(one: string): string {
  const code = one.codePointAt(0) ?? 0;
  const hex = code.toString(16);
  if (code <= 0xff) return SHORT[one] ?? `\\x${hex.padStart(2, '0')}`;
  return code <= 0xffff ? `\\u${hex.padStart(4, '0')}` : `\\u{${hex}}`;
}

/** One line without hidden characters: ESC becomes `\x1b`, a line feed `\n`, U+202E `\u202e`. */
export function visible(text: string): string {
  if (text.search(HIDDEN) < 0) return text;
  const joiners = new Set([...text.matchAll(JOINER)].map(({ index }) => index));
  return text.replace(HIDDEN, (one, index: number) => (joiners.has(index) ? one : escaped(one)));
}

/** `visible` for each line of a text whose line feeds are trusted. */
export const visibleLines = (text: string): string => text.split('\n').map(visible).join('\n');

/** Escapes the same characters in JSON text; its parsed value and line feeds stay. */
export const visibleJson = (json: string): string =>
  json.replace(HIDDEN, one => (one === '\n' ? one : [...Array(one.length).keys()].map(index => unit(one, index)).join('')));

const unit = (one: string, index: number): string => `\\u${one.charCodeAt(index).toString(16).padStart(4, '0')}`;

/** Select Graphic Rendition, such as `ESC [ 1;31 m`: colours and type styles. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what it is about.
const COLOUR = /\x1b\[[0-9;:]{0,32}m/g;
/** The beginning of one at the end of a piece. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape is what it is about.
const BEGUN = /\x1b(?:\[[0-9;:]{0,32})?$/;
const PLAIN_COLOUR = '\u001b[0m';

export interface ColouredText {
  /** Returns the safe text of the next piece. An unfinished sequence waits for the next piece. */
  push(piece: string): string;
  /** Returns the unfinished sequence, made visible, and resets colours that are still on. */
  end(): string;
}

/** Process output for a terminal: keeps lines, tabs, returns (progress bars) and colours. */
export function createColouredText(): ColouredText {
  let begun = '';
  let isColoured = false;
  const show = (text: string): string => {
    let shown = '';
    let behind = 0;
    for (const { 0: colour, index } of text.matchAll(COLOUR)) {
      shown += asOutput(text.slice(behind, index)) + colour;
      behind = index + colour.length;
      isColoured = !['', '0'].includes(colour.slice(2, -1));
    }
    return shown + asOutput(text.slice(behind));
  };
  return {
    push(piece) {
      const text = begun + piece;
      begun = BEGUN.exec(text)?.[0] ?? '';
      return show(text.slice(0, text.length - begun.length));
    },
    end() {
      const shown = show(begun) + (isColoured ? PLAIN_COLOUR : '');
      begun = '';
      isColoured = false;
      return shown;
    },
  };
}

const asOutput = (text: string): string =>
  text
    .split(/([\n\r\t]+)/)
    .map((part, index) => (index % 2 === 0 ? visible(part) : part))
    .join('');

/** A whole text by the rule of `createColouredText`. */
export function coloured(text: string): string {
  const one = createColouredText();
  return one.push(text) + one.end();
}
