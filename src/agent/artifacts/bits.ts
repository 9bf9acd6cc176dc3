/** Bits of a stream, the highest of each byte first. */

const CUT_SHORT = 'it is cut short';

/** Reads ahead only as far as asked. Throws Error when there are no more bits. */
export function createBits(source: AsyncIterable<Uint8Array>) {
  const pieces = source[Symbol.asyncIterator]();
  let bytes: Uint8Array = new Uint8Array(0);
  let at = 0;
  /** Bits of `bytes[at]` that were taken. */
  let bit = 0;
  let ended = false;

  /** Afterwards `count` bytes are here, or all there are. */
  async function fill(count: number): Promise<void> {
    if (bytes.length - at >= count || ended) return;
    const parts = [bytes.subarray(at)];
    let size = bytes.length - at;
    while (size < count) {
      const { done, value } = await pieces.next();
      if (done === true) {
        ended = true;
        break;
      }
      parts.push(value);
      size += value.length;
    }
    bytes = new Uint8Array(Buffer.concat(parts));
    at = 0;
  }

  /** Up to 24 of those that are here. */
  function now(count: number): number {
    let value = 0;
    let left = count;
    while (left > 0) {
      const byte = bytes[at];
      if (byte === undefined) throw new Error(CUT_SHORT);
      const taken = Math.min(left, 8 - bit);
      value = (value << taken) | ((byte >> (8 - bit - taken)) & ((1 << taken) - 1));
      left -= taken;
      bit += taken;
      if (bit === 8) {
        bit = 0;
        at++;
      }
    }
    return value;
  }

  return {
    fill,
    now,
    /** Up to 24. */
    async take(count: number): Promise<number> {
      await fill(4);
      return now(count);
    },
    /** Passes over what is left of a byte. */
    align(): void {
      if (bit === 0) return;
      bit = 0;
      at++;
    },
    /** Whether another byte follows. */
    async more(): Promise<boolean> {
      await fill(1);
      return at < bytes.length;
    },
  };
}
