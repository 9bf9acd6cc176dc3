/** Where a stream of bytes may be cut without splitting a character. */

/** Bytes of the character that starts with `lead`; 1 for everything that starts none. */
function lengthFrom(lead: number): number {
  if (lead >= 0xf0 && lead <= 0xf4) return 4;
  if (lead >= 0xe0) return lead <= 0xef ? 3 : 1;
  return lead >= 0xc2 && lead <= 0xdf ? 2 : 1;
}

/**
 * The largest number of leading bytes, at most `max`, that ends between two characters. 0: the
 * first one is not complete yet, or longer than `max`. Bytes that are no UTF-8 are cut anywhere.
 * With `last` nothing follows, so an unfinished character at the end is taken as it is.
 */
export function wholeCharacters(bytes: Uint8Array, max: number, last: boolean): number {
  const end = Math.min(bytes.length, max);
  if (last && end === bytes.length) return end;
  for (let back = 1; back <= 3 && back <= end; back++) {
    const byte = bytes[end - back] ?? 0;
    if (byte < 0x80) return end;
    if (byte >= 0xc0) return lengthFrom(byte) > back ? end - back : end;
  }
  return end;
}
