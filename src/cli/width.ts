/**
 * How many columns a text takes in a terminal: one for most characters, two for wide ones, none for
 * marks that sit on others.
 */

import { visible } from '../lib/visible.ts';

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const PLAIN = /^[\x20-\x7e]*$/;
const WIDE = /^[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]/u;
// Half-width katakana and Hangul are of these scripts, yet narrow.
const HALF = /^[\uff61-\uffdc]/;
const PICTURE = /^(\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f|\p{Regional_Indicator}{2}|[#*0-9]\ufe0f?\u20e3)/u;
const NOTHING = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

export function widthOf(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let columns = 0;
  for (const { segment } of graphemes.segment(text)) columns += widthOfOne(segment);
  return columns;
}

function widthOfOne(grapheme: string): number {
  if (PICTURE.test(grapheme)) return 2;
  if (HALF.test(grapheme)) return 1;
  if (WIDE.test(grapheme)) return 2;
  return NOTHING.test(grapheme) ? 0 : 1;
}

/** Cut to at most `columns`, the last of them an ellipsis when something is missing. */
export function cutTo(text: string, columns: number): string {
  if (text.length <= columns && PLAIN.test(text)) return text;
  let taken = '';
  let width = 0;
  let fits = '';
  for (const { segment } of graphemes.segment(text)) {
    width += widthOfOne(segment);
    if (width > columns) return `${fits}…`;
    taken += segment;
    if (width < columns) fits = taken;
  }
  return text;
}

/**
 * Lines of at most `columns`, broken between words; only a word that is longer than that sticks
 * out. Lines behind the first begin with `hang`. Runs of blanks at a break are dropped.
 */
export function wrapped(text: string, columns: number, hang = ''): string[] {
  if (widthOf(text) <= columns) return [text];
  const lines: string[] = [];
  let line = '';
  // A text that begins with blanks keeps them: they are its indent.
  for (const word of text.match(/^ *\S+| +\S+/g) ?? []) {
    if (line !== '' && widthOf(line) + widthOf(word) > columns) {
      lines.push(line);
      line = hang + word.trimStart();
    } else line += word;
  }
  return [...lines, line];
}

/** One line of untrusted text for a terminal: line breaks become blanks, other controls visible. */
export const tame = (text: string): string => visible(text.replace(/[\t\n\r\u2028\u2029]+/g, ' '));
