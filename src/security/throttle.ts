/**
 * Slows password guessing. An address without a wrong try never waits, so other addresses cannot
 * lock out the owner. An address with wrong tries waits longer after each one:
 *
 *   wait = max(delay(wrong tries of the address), delay(wrong tries on the account)),
 *   counted from the last wrong try of this address
 *
 * Tries from other addresses do not postpone the end of a wait.
 */
import ipaddr from 'ipaddr.js';
import { backoffDelay } from '../lib/backoff.ts';
import type { Clock } from '../lib/clock.ts';
import { AccessError } from './errors.ts';

/** Wrong tries without a wait. */
export const FREE = { account: 5, address: 20 } as const;
/** The longest wait, ms. The wait begins with 1 s and doubles with each further wrong try. */
export const WAIT_LAST_MS = 60_000;
const WAITS = { baseMs: 1_000, capMs: WAIT_LAST_MS };
/** Wrong tries expire this long after the last one, ms. */
export const TRIES_EXPIRE_MS = 15 * 60_000;
/**
 * Limit of the records of accounts, and of those of addresses. At the limit the one with the fewest
 * wrong tries is removed, the oldest of these.
 */
const RECORDS_MAX = 10_000;
/** Longer account names share a record by their first characters. */
const NAME_MAX = 100;

interface Tries {
  wrong: number;
  lastAt: number;
}

interface OfAddress extends Tries {
  /** The account of all its wrong tries; null: several accounts. */
  account: string | null;
}

export interface Throttle {
  /** Throws AccessError `tooMany` with the remaining wait. Counts nothing. */
  check(account: string, address: string): void;
  /** Counts a wrong try. */
  wrong(account: string, address: string): void;
  /**
   * Removes the wrong tries of the address, and their number from the account, unless it tried
   * other accounts as well.
   */
  right(account: string, address: string): void;
  /** Number of wrong tries of an address. */
  wrongOf(address: string): number;
}

export function createThrottle({ clock, recordsMax = RECORDS_MAX }: { clock: Clock; recordsMax?: number }): Throttle {
  const accounts = new Map<string, Tries>();
  const addresses = new Map<string, OfAddress>();
  const nameOf = (account: string) => account.slice(0, NAME_MAX);

  const known = <T extends Tries>(tries: Map<string, T>, key: string): T | undefined => {
    const found = tries.get(key);
    if (found && clock.monotonic() - found.lastAt < TRIES_EXPIRE_MS) return found;
    tries.delete(key);
    return undefined;
  };
  const keep = <T extends Tries>(tries: Map<string, T>, key: string, value: T) => {
    // Deleted first: the map stays in the order of the last try.
    tries.delete(key);
    if (tries.size >= recordsMax) tries.delete(leastOf(tries));
    tries.set(key, value);
  };

  return {
    check(account, address) {
      const from = known(addresses, networkOf(address));
      if (!from) return;
      const onAccount = known(accounts, nameOf(account))?.wrong ?? 0;
      const spanMs = Math.max(waitAfter(from.wrong, FREE.address), waitAfter(onAccount, FREE.account));
      const waitMs = from.lastAt + spanMs - clock.monotonic();
      if (waitMs <= 0) return;
      const sentence = `too many logins failed from this address; try again in ${Math.ceil(waitMs / 1_000)} s`;
      throw new AccessError('tooMany', sentence, { retryAfterMs: waitMs });
    },
    wrong(account, address) {
      const name = nameOf(account);
      const network = networkOf(address);
      const lastAt = clock.monotonic();
      const before = known(addresses, network);
      keep(accounts, name, { wrong: (known(accounts, name)?.wrong ?? 0) + 1, lastAt });
      const isOne = before === undefined || before.account === name;
      keep(addresses, network, { wrong: (before?.wrong ?? 0) + 1, lastAt, account: isOne ? name : null });
    },
    right(account, address) {
      const name = nameOf(account);
      const from = known(addresses, networkOf(address));
      // Otherwise the owner of one account could guess passwords of others without limit.
      if (from?.account !== name) return;
      addresses.delete(networkOf(address));
      const tries = known(accounts, name);
      if (tries && tries.wrong > from.wrong) accounts.set(name, { ...tries, wrong: tries.wrong - from.wrong });
      else accounts.delete(name);
    },
    wrongOf: address => known(addresses, networkOf(address))?.wrong ?? 0,
  };
}

const waitAfter = (wrong: number, free: number): number => (wrong < free ? 0 : backoffDelay(WAITS, wrong - free + 1));

/** Invented names have one wrong try each: they replace each other, not the target of a guess. */
function leastOf(tries: ReadonlyMap<string, Tries>): string {
  let least = '';
  let wrong = Number.POSITIVE_INFINITY;
  for (const [key, each] of tries) {
    if (each.wrong >= wrong) continue;
    [least, wrong] = [key, each.wrong];
    if (wrong <= 1) break;
  }
  return least;
}

/** The network of one subscriber: an IPv4 address, or the /64 of an IPv6 address. */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/, '');
  if (!ipaddr.isValid(plain)) return address;
  const parsed = ipaddr.process(plain);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${parsed.toString()}/64`).toString()}/64`;
}
