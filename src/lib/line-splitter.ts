/** Splits a stream of bytes into lines of UTF-8. */

/**
 * The returned function takes bytes and calls `onLine` for each complete line, without its line
 * break. It throws RangeError on a line of more than `lineBytesMax`, and what `onLine` throws.
 */
export function createLineSplitter(lineBytesMax: number, onLine: (text: string) => void): (bytes: Uint8Array) => void {
  let pending: Uint8Array[] = [];
  let size = 0;
  const decoder = new TextDecoder();
  return bytes => {
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const part = bytes.subarray(from, end);
      const text = pending.length === 0 ? decoder.decode(part) : decoder.decode(Buffer.concat([...pending, part]));
      pending = [];
      size = 0;
      from = end + 1;
      onLine(text);
    }
    if (from === bytes.length) return;
    pending.push(bytes.slice(from));
    size += bytes.length - from;
    if (size > lineBytesMax) throw new RangeError(`a line has more than ${lineBytesMax} bytes`);
  };
}
