/** The one file of the product that draws random numbers. Everybody else takes an `Ids`, so a simulation can be replayed from a seed. */
import { randomBytes, randomUUID } from 'node:crypto';

export interface Ids {
  /** `length` characters of `0-9a-z`: short, readable, safe in a URL and a file name; not a secret. */
  short(length: number): string;
  /** A version 4 UUID. */
  uuid(): string;
  /** `bytes` random bytes as base64url, for tokens. */
  secret(bytes: number): string;
  /** 0 <= x < 1, for jitter. */
  fraction(): number;
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

export const systemIds: Ids = {
  short(length) {
    let text = '';
    while (text.length < length) {
      for (const byte of randomBytes(length * 2)) {
        // 252 = 7 x 36: larger values would favour the first letters.
        if (byte < 252 && text.length < length) text += ALPHABET[byte % 36];
      }
    }
    return text;
  },
  uuid: () => randomUUID(),
  secret: bytes => randomBytes(bytes).toString('base64url'),
  fraction: () => randomBytes(4).readUInt32BE() / 2 ** 32,
};
