/**
 * Text order by code point, as SQLite and MongoDB compare UTF-8. JavaScript's `<` compares UTF-16
 * units and puts an emoji before U+FFxx, which would make the memory store page differently from
 * the others.
 */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const shorter = Math.min(a.length, b.length);
  let index = 0;
  while (index < shorter && a.charCodeAt(index) === b.charCodeAt(index)) index++;
  if (index === shorter) return a.length - b.length;
  return rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
}

/** Case is ignored for ASCII letters alone, as `like` of SQLite does. */
export const asciiLower = (text: string): string => text.replace(/[A-Z]/g, letter => letter.toLowerCase());

/** Halves of a surrogate pair stand for code points above every single unit. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}
