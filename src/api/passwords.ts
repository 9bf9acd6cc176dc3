/** Passwords as argon2id with OWASP's floor (19 MiB, 2 passes, 1 lane); at most two are reckoned at a time, or logins could stop everything else. */
import { randomBytes } from 'node:crypto';
import { argon2id, argon2Verify } from 'hash-wasm';
import { Problem } from './errors.ts';

/** A longer password is wrong. */
export const PASSWORD_MAX = 1024;
/** Hashes reckoned at once, and those that may wait for their turn; further logins are asked to come back. */
const AT_ONCE = 2;
const WAITING_MAX = 32;

export interface Passwords {
  /** The encoded hash. Throws Problem `tooMany` when too many wait. */
  hash(password: string): Promise<string>;
  /** Throws as `hash` does. */
  verify(password: string, hash: string): Promise<boolean>;
  /** A hash that no password fits, as dear to verify as any other. */
  readonly nobodys: string;
}

export function createPasswords(): Passwords {
  let running = 0;
  const waiting: (() => void)[] = [];

  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= AT_ONCE) {
      if (waiting.length >= WAITING_MAX) throw new Problem('tooMany', 'too many logins at once; try again soon', { retryAfterMs: 2_000 });
      // Whoever finishes hands its place over, so `running` stays as it is.
      await new Promise<void>(resolve => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };

  return {
    nobodys: '$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    hash: password =>
      inTurn(() =>
        argon2id({
          password,
          salt: randomBytes(16),
          memorySize: 19_456,
          iterations: 2,
          parallelism: 1,
          hashLength: 32,
          outputType: 'encoded',
        }),
      ),
    // The library throws for an empty password instead of saying that it is wrong.
    verify: (password, hash) => inTurn(async () => password !== '' && argon2Verify({ password, hash })),
  };
}
