/** Columns of a text in a terminal: its width, cuts and line breaks. */

import stringWidth from 'string-width';
import wrapAnsi from 'wrap-ansi';
import { visible } from '../lib/visible.ts';

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const PLAIN = /^[\x20-\x7e]*$/;

export const widthOf = (text: string): number => (PLAIN.test(text) ? text.length : stringWidth(text));

/** Cuts to at most `columns`; a cut text ends with an ellipsis. */
export function cutToWidth(text: string, columns: number): string {
  if (text.length <= columns && PLAIN.test(text)) return text;
  let taken = '';
  let width = 0;
  let fits = '';
  for (const { segment } of graphemes.segment(text)) {
    width += widthOf(segment);
    if (width > columns) return `${fits}…`;
    taken += segment;
    if (width < columns) fits = taken;
  }
  return text;
}

/**
 * Lines of at most `columns`, broken between words; a longer word stays whole. The first line keeps
 * its indent, the others begin with `hang`. Blanks at a break are dropped. A broken text is in
 * composed form: `e` with a mark becomes `é`.
 */
export function wrapped(text: string, columns: number, hang = ''): string[] {
  if (widthOf(text) <= columns) return [text];
  const indent = /^ */.exec(text)?.[0] ?? '';
  const words = text.slice(indent.length).normalize();
  const [first = ''] = linesOf(words, columns - indent.length);
  const rest = words.slice(first.length).trimStart();
  return [indent + first, ...(rest === '' ? [] : linesOf(rest, columns - hang.length).map(line => hang + line))];
}

const linesOf = (words: string, columns: number): string[] => wrapAnsi(words, Math.max(1, columns)).split('\n');

/** One line of untrusted text for a terminal: line breaks become blanks, other controls visible. */
export const singleLine = (text: string): string => visible(text.replace(/[\t\n\r\u2028\u2029]+/g, ' '));
