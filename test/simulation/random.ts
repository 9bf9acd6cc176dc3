/**
 * Random numbers from a seed. Each part of a simulation has its own sequence, so that leaving one
 * fault out changes as little as possible elsewhere.
 */
import type { Ids } from '../../src/lib/ids.ts';

export interface Random {
  /** 0 <= x < 1. */
  fraction(): number;
  /** Between both, inclusive. */
  whole(from: number, to: number): number;
  /** Between both, not rounded. */
  between(from: number, to: number): number;
  chance(probability: number): boolean;
  pick<T>(list: readonly T[]): T;
  /** The same elements in another order. */
  shuffle<T>(list: readonly T[]): T[];
}

/** FNV-1a, 32 bit. */
export function hashOf(text: string, from = 0x811c9dc5): number {
  let hash = from;
  for (let place = 0; place < text.length; place++) {
    hash ^= text.charCodeAt(place);
    hash = Math.imul(hash, 0x01000193);
  }
  return hash >>> 0;
}

/** A sequence named by a text: the same name gives the same numbers, in every process. */
export function randomOf(name: string): Random {
  // sfc32 by Chris Doty-Humphrey, public domain.
  let [a, b, c, d] = [hashOf(name), hashOf(name, 0x9e3779b9), hashOf(name, 0x85ebca6b), 1];
  const fraction = () => {
    const sum = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let round = 0; round < 12; round++) fraction();
  const whole = (from: number, to: number) => from + Math.floor(fraction() * (to - from + 1));
  return {
    fraction,
    whole,
    between: (from, to) => from + fraction() * (to - from),
    chance: probability => fraction() < probability,
    pick: list => list[whole(0, list.length - 1)] as (typeof list)[number],
    shuffle(list) {
      const mixed = [...list];
      for (let last = mixed.length - 1; last > 0; last--) {
        const other = whole(0, last);
        [mixed[last], mixed[other]] = [mixed[other] as (typeof list)[number], mixed[last] as (typeof list)[number]];
      }
      return mixed;
    },
  };
}

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

/** The port behind which the product draws its random numbers. */
export function idsOf(random: Random): Ids {
  const short = (length: number) => {
    let text = '';
    for (let place = 0; place < length; place++) text += ALPHABET[random.whole(0, 35)];
    return text;
  };
  return {
    short,
    uuid: () => `${short(8)}-0000-4000-8000-${short(12)}`,
    secret: short,
    fraction: random.fraction,
  };
}
