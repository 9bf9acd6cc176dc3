/**
 * An update in the words of a surface that knows only a part of a thing.
 *
 *   what it answers for the thing now    what came      -> the words that differ -> their terms, laid over the thing
 *
 * What was read and sent back changes nothing, even where the surface tells it badly or would not take it; what a surface has no word for
 * stays, also beside a word that changes.
 */
import { isDeepStrictEqual } from 'node:util';
import { hidden } from './secrets.ts';

type Json = Record<string, unknown>;
const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What some words of a surface mean. Applied, in the order of the table, where one of the words differs. */
export interface Term<Body, Thing> {
  /** `cron`; of an object within the body one of its keys: `props.timeZone`. */
  words: readonly string[];
  means(body: Body, before: Thing): Partial<Thing>;
}

/** The fields of a body by path; those of an object in it one by one. */
function wordsIn(body: Json): Map<string, unknown> {
  const words = new Map<string, unknown>();
  for (const [field, value] of Object.entries(body)) {
    if (isObject(value)) for (const [key, inner] of Object.entries(value)) words.set(`${field}.${key}`, inner);
    else words.set(field, value);
  }
  return words;
}

/**
 * Paths of the words in which `body` differs from what is `told` now, also to who may only read. Absent, null and '' are the `usual` value of a word, which is nothing unless
 * given: a word that is absent is back at its default.
 */
export function changedWords(told: Json, body: Json, usual: Json = {}): Set<string> {
  const [is, wanted] = [wordsIn(told), wordsIn(body)];
  const read = (words: Map<string, unknown>, path: string) => {
    const value = words.get(path);
    return value === undefined || value === null || value === '' ? (usual[path] ?? '') : value;
  };
  const isAsTold = (path: string) => {
    const [now, came] = [read(is, path), read(wanted, path)];
    return isDeepStrictEqual(came, now) || isDeepStrictEqual(came, hidden(path, now));
  };
  return new Set([...is.keys(), ...wanted.keys()].filter(path => !isAsTold(path)));
}

/** The fields of a body that are among `changed`. */
export function onlyChanged(body: Json, changed: ReadonlySet<string>): Json {
  const result: Json = {};
  for (const [field, value] of Object.entries(body)) {
    if (!isObject(value)) {
      if (changed.has(field)) result[field] = value;
      continue;
    }
    const inner = Object.entries(value).filter(([key]) => changed.has(`${field}.${key}`));
    if (inner.length > 0) result[field] = Object.fromEntries(inner);
  }
  return result;
}

/** `before` with what the changed words mean. */
export function laidOver<Body, Thing>(before: Thing, body: Body, terms: readonly Term<Body, Thing>[], changed: ReadonlySet<string>): Thing {
  let thing = before;
  for (const { words, means } of terms) if (words.some(word => changed.has(word))) thing = { ...thing, ...means(body, thing) };
  return thing;
}

/** Every word of a table: what a registration means, laid over the defaults. */
export const allWords = <Body, Thing>(terms: readonly Term<Body, Thing>[]): Set<string> => new Set(terms.flatMap(({ words }) => words));
