/** Splits a text before its last `bytes` bytes of UTF-8, never within a character. */
export function splitTail(text: string, bytes: number): { before: string; tail: string } {
  // A UTF-16 unit has at most three bytes.
  if (text.length * 3 <= bytes) return { before: '', tail: text };
  const encoded = Buffer.from(text);
  let start = Math.max(0, encoded.length - bytes);
  while (((encoded[start] ?? 0) & 0xc0) === 0x80) start += 1;
  return { before: encoded.toString('utf8', 0, start), tail: encoded.toString('utf8', start) };
}
