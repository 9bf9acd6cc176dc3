/**
 * The one file of the product that draws random numbers. All other files take an `Ids`, so that a
 * simulation is reproducible from a seed. `node:crypto` would take 5 ms of the start of each worker
 * thread, so the global `crypto` draws.
 */

export interface Ids {
  /** `length` characters of `0-9a-z`, safe in a URL and a file name; not a secret. */
  short(length: number): string;
  /** A version 4 UUID. */
  uuid(): string;
  /** `bytes` random bytes as base64url, for tokens. */
  secret(bytes: number): string;
  /** 0 <= x < 1, for jitter. */
  fraction(): number;
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

/**
 * Drawn in one go: every turn of an actor takes a handful, and a call to the system for each would
 * be a tenth of its time.
 */
const POOL_BYTES = 8192;
let pool = new Uint8Array(0);
let used = 0;

function byte(): number {
  if (used >= pool.length) {
    pool = crypto.getRandomValues(new Uint8Array(POOL_BYTES));
    used = 0;
  }
  const drawn = pool[used] as number;
  used += 1;
  return drawn;
}

export const systemIds: Ids = {
  short(length) {
    let text = '';
    while (text.length < length) {
      const drawn = byte();
      // 252 = 7 x 36: larger values would favour the first letters.
      if (drawn < 252) text += ALPHABET[drawn % 36];
    }
    return text;
  },
  uuid: () => crypto.randomUUID(),
  // Secrets never come from the pool.
  secret: bytes => Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('base64url'),
  fraction: () => (((byte() * 256 + byte()) * 256 + byte()) * 256 + byte()) / 2 ** 32,
};
