/**
 * Slows guessing down: a few tries are free, then each costs a longer wait, per account and per address. The wait is short enough that
 * nobody can lock the owner out for long.
 */
import type { Clock } from '../clock.ts';
import { Problem } from './errors.ts';
import { keepNewest } from './newest.ts';

/** Tries that cost nothing. */
export const FREE = { account: 5, address: 20 } as const;
/** The first wait; it doubles with each further try up to the last. */
export const WAIT_FIRST_MS = 1_000;
export const WAIT_LAST_MS = 60_000;
/** Tries are forgotten after this long without one. */
export const FORGET_MS = 15 * 60_000;
/** Accounts and addresses remembered; the one heard of longest ago is forgotten first. */
const REMEMBERED_MAX = 10_000;

interface Tries {
  count: number;
  lastAt: number;
  notBefore: number;
}

export interface Throttle {
  /** Counts a try, before it is known how it ends, so that many at once do not slip through. Throws Problem `tooMany` while the wait runs. */
  attempt(account: string, address: string): void;
  /** The owner is back: the account starts afresh, and the address is given this try back. */
  succeeded(account: string, address: string): void;
}

export function createThrottle({ clock }: { clock: Clock }): Throttle {
  const tries = new Map<string, Tries>();
  const keysOf = (account: string, address: string) =>
    [
      { key: `account ${account.slice(0, 100)}`, free: FREE.account },
      { key: `address ${address}`, free: FREE.address },
    ] as const;

  return {
    attempt(account, address) {
      const now = clock.monotonic();
      const keys = keysOf(account, address);
      const waitMs = Math.max(0, ...keys.map(({ key }) => (tries.get(key)?.notBefore ?? now) - now));
      if (waitMs > 0) throw new Problem('tooMany', 'too many logins failed; wait a little', { retryAfterMs: waitMs });
      for (const { key, free } of keys) {
        const before = tries.get(key);
        const count = before && now - before.lastAt < FORGET_MS ? before.count + 1 : 1;
        const notBefore = count < free ? now : now + Math.min(WAIT_LAST_MS, WAIT_FIRST_MS * 2 ** (count - free));
        // Taken out first, so that the map stays in order of the last try.
        tries.delete(key);
        tries.set(key, { count, lastAt: now, notBefore });
      }
      keepNewest(tries, REMEMBERED_MAX);
    },
    succeeded(account, address) {
      const [ofAccount, ofAddress] = keysOf(account, address);
      tries.delete(ofAccount.key);
      const known = tries.get(ofAddress.key);
      if (known) tries.set(ofAddress.key, { ...known, count: Math.max(0, known.count - 1), notBefore: clock.monotonic() });
    },
  };
}
