/** Instants of the store as ISO text in responses. */
import { Unreadable } from '../runtime/errors.ts';
import { isInstant } from '../store/readable.ts';

/**
 * Throws Unreadable for a number that is no instant: the stored state is damaged, and only its one
 * resource fails.
 */
export const toIso = <T extends number | null>(at: T): T extends null ? null : string => {
  if (at !== null && !isInstant(at))
    throw new Unreadable('the resource', `cannot be shown: its stored state has the invalid instant ${at}`);
  return (at === null ? null : textOf(at)) as T extends null ? null : string;
};

/** The latest second shown. A page has few of them, and its conversions are 7 % of its cost. */
let latest = { second: Number.NaN, text: '' };

function textOf(at: number): string {
  const second = Math.floor(at / 1_000);
  if (second !== latest.second) latest = { second, text: new Date(second * 1_000).toISOString().slice(0, -'000Z'.length) };
  return `${latest.text}${String(at - second * 1_000).padStart(3, '0')}Z`;
}
