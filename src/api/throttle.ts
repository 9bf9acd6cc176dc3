/**
 * Slows guessing down. An address without a wrong try is never made to wait, whatever others do to the account: nobody can lock the
 * owner out from elsewhere. One with wrong tries waits longer after each, by its own number and by that of the account.
 *
 *   wait of an address = the longer of (its wrong tries, those on the account from everywhere), from its own last wrong try on
 *
 * So each address gets its next try at a known time, and others who try meanwhile do not put it off.
 */
import ipaddr from 'ipaddr.js';
import type { Clock } from '../clock.ts';
import { Problem } from './errors.ts';

/** Wrong tries that cost no wait. */
export const FREE = { account: 5, address: 20 } as const;
/** The first wait; it doubles with each further wrong try up to the last. */
export const WAIT_FIRST_MS = 1_000;
export const WAIT_LAST_MS = 60_000;
/** Wrong tries no longer count after this long without another. */
export const FORGET_MS = 15 * 60_000;
/** Accounts and addresses with wrong tries, of each; beyond, the one with the fewest leaves, of these the oldest. */
export const REMEMBERED_MAX = 10_000;
/** A longer name of an account is told apart by its beginning. */
const NAME_MAX = 100;

interface Tries {
  wrong: number;
  lastAt: number;
}

interface OfAddress extends Tries {
  /** The one account that all of them were about; null: several. */
  account: string | null;
}

export interface Throttle {
  /** Throws Problem `tooMany` with the wait while the address has to wait. Counts nothing. */
  check(account: string, address: string): void;
  /** A try was wrong. */
  wrong(account: string, address: string): void;
  /** A try was right: the address and what it added to the account start afresh, unless it tried other accounts, too. */
  right(account: string, address: string): void;
  /** Wrong tries of an address. */
  wrongOf(address: string): number;
}

export function createThrottle({ clock, rememberedMax = REMEMBERED_MAX }: { clock: Clock; rememberedMax?: number }): Throttle {
  const accounts = new Map<string, Tries>();
  const addresses = new Map<string, OfAddress>();
  const nameOf = (account: string) => account.slice(0, NAME_MAX);

  const known = <T extends Tries>(tries: Map<string, T>, key: string): T | undefined => {
    const found = tries.get(key);
    if (found && clock.monotonic() - found.lastAt < FORGET_MS) return found;
    tries.delete(key);
    return undefined;
  };
  const keep = <T extends Tries>(tries: Map<string, T>, key: string, value: T) => {
    // Taken out first, so that the map stays in order of the last try.
    tries.delete(key);
    if (tries.size >= rememberedMax) tries.delete(leastOf(tries));
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
      throw new Problem('tooMany', sentence, { retryAfterMs: waitMs });
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
      // Otherwise whoever has an account of their own could guess at others for ever.
      if (from?.account !== name) return;
      addresses.delete(networkOf(address));
      const tries = known(accounts, name);
      if (tries && tries.wrong > from.wrong) accounts.set(name, { ...tries, wrong: tries.wrong - from.wrong });
      else accounts.delete(name);
    },
    wrongOf: address => known(addresses, networkOf(address))?.wrong ?? 0,
  };
}

const waitAfter = (wrong: number, free: number): number =>
  wrong < free ? 0 : Math.min(WAIT_LAST_MS, WAIT_FIRST_MS * 2 ** Math.min(wrong - free, 30));

/** Names that somebody makes up are each tried once: they push out each other, and not what is being guessed at. */
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

/** What one party can be expected to hold: an IPv4 address, or the /64 that an IPv6 address lies in. */
export function networkOf(address: string): string {
  const plain = address.replace(/%.*$/, '');
  if (!ipaddr.isValid(plain)) return address;
  const parsed = ipaddr.process(plain);
  if (parsed.kind() === 'ipv4') return parsed.toString();
  return `${ipaddr.fromByteArray([...parsed.toByteArray().slice(0, 8), ...Array<number>(8).fill(0)]).toString()}/64`;
}
