/** Hashes and verifies passwords (argon2id) in a worker thread that ends after 5 s idle. */
import { randomBytes } from 'node:crypto';
import type { Clock } from '../lib/clock.ts';
import { createPendingRequests } from '../lib/request-map.ts';
import { AccessError } from './errors.ts';
import type { FromPasswordThread, ToPasswordThread } from './password-worker.ts';

/** Longest password, characters. A longer one fails every login. */
export const PASSWORD_MAX = 1024;
/** Idle time until the thread ends, ms. It holds 25 MB and starts again in some 30 ms. */
export const THREAD_IDLE_MS = 5_000;
/** Longest time of a hash, ms; then the thread is ended. */
const HASH_MS_MAX = 30_000;

export interface Passwords {
  /** The encoded hash. Throws AccessError `unavailable` when the thread ends first. */
  hash(password: string): Promise<string>;
  /** Throws as `hash` does. */
  verify(password: string, hash: string): Promise<boolean>;
  /** Whether `text` has the format of a result of `hash`. */
  isHash(text: string): boolean;
  /** A hash that fits no password and costs as much to verify as any other. */
  readonly dummyHash: string;
  /** Ends the thread; pending calls reject with `unavailable`. Idempotent. A call restarts it. */
  close(): void;
}

type Question = ToPasswordThread extends infer Each ? (Each extends unknown ? Omit<Each, 'id'> : never) : never;

/** Format of a hash by argon2id, with limits on its cost. */
const ENCODED = /^\$argon2id\$v=19\$m=\d{1,7},t=\d{1,2},p=\d{1,2}\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}$/;

/** `script`: the program of the thread; tests replace it. */
export function createPasswords({
  clock,
  script = new URL('./password-worker.ts', import.meta.url).href,
}: {
  clock: Clock;
  script?: string;
}): Passwords {
  let thread: Worker | undefined;
  let disarmIdle = () => {};
  const pending = createPendingRequests<string | boolean>({
    clock,
    ms: HASH_MS_MAX,
    expired: () => end(`its thread did not answer within ${HASH_MS_MAX / 1_000} s`),
  });

  const end = (why: string) => {
    disarmIdle();
    thread?.terminate();
    thread = undefined;
    pending.rejectAll(
      () => new AccessError('unavailable', `the password cannot be checked now: ${why}; try again`, { retryAfterMs: 1_000 }),
    );
  };

  const start = (): Worker => {
    const started = new Worker(script, { type: 'module' });
    const onEnd = (why: string) => {
      if (thread === started) end(why);
    };
    started.onmessage = ({ data }: MessageEvent<FromPasswordThread>) => {
      if ('error' in data) pending.reject(data.id, new Error(`a password cannot be hashed: ${data.error}`));
      else pending.resolve(data.id, data.value);
      if (pending.size === 0) disarmIdle = clock.after(THREAD_IDLE_MS, () => end('its thread is ending'));
    };
    started.onerror = event => {
      // Without this the runtime ends the process.
      event.preventDefault();
      onEnd(`its thread threw: ${event.message.split('\n', 1)[0]}`);
    };
    // Only Bun reports the end of a worker. Elsewhere HASH_MS_MAX detects it.
    started.addEventListener('close', () => onEnd('its thread ended'));
    return started;
  };

  const ask = <T extends string | boolean>(question: Question): Promise<T> =>
    pending.request(id => {
      disarmIdle();
      thread ??= start();
      thread.postMessage({ id, ...question });
    }) as Promise<T>;

  return {
    dummyHash: '$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ibw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA',
    isHash: text => ENCODED.test(text),
    hash: password => ask({ type: 'hash', password, salt: randomBytes(16) }),
    // The library throws for an empty password.
    verify: async (password, hash) => password !== '' && ask<boolean>({ type: 'verify', password, hash }),
    close: () => end('the center is stopping'),
  };
}
