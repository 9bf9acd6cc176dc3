/**
 * The flags of a verb, declared once: name, meaning, and how the value is read. Help and parsing
 * both use the declaration.
 */
import { commaEntries } from '../lib/comma-list.ts';
import { duration as durationText, readDuration } from '../lib/durations.ts';
import { type FlagSpec, type FlagToken, readFlags } from '../lib/flags.ts';
import { nearest } from '../lib/suggest.ts';
import { wrongUsage } from './failure.ts';
import { INSTANTS, type InstantReading, readInstant } from './instants.ts';

export interface Option<T> {
  /** Placeholder of the value in the help; null: a flag without a value. */
  takes: string | null;
  help: string;
  /** One letter: `-f`. */
  short?: string;
  /** It may be repeated. */
  many: boolean;
  /** `--no-name` means false. */
  negatable: boolean;
  /** Possible values, for the completion. */
  values?: readonly string[];
  /** Messages never contain the value: it may hold a secret. */
  isSecret?: true;
  /** Reads the given texts (of a flag: `true` or `false`). Throws WrongValue. */
  read(texts: string[], reading: InstantReading): T;
}
export type Options = Record<string, Option<unknown>>;
export type Values<O extends Options> = { [K in keyof O]: (O[K] extends Option<infer T> ? T : never) | undefined };

/** A value is wrong. The message completes "must be …". */
class WrongValue extends Error {}

const last = (texts: string[]): string => texts.at(-1) ?? '';
const one = <T>(takes: string, help: string, read: (given: string, reading: InstantReading) => T): Option<T> => ({
  takes,
  help,
  many: false,
  negatable: false,
  read: (texts, reading) => read(last(texts), reading),
});

export const textOption = (takes: string, help: string): Option<string> => one(takes, help, given => given);

export const texts = (takes: string, help: string): Option<string[]> => ({
  takes,
  help,
  many: true,
  negatable: false,
  read: given => given,
});

export const flagOption = (help: string, more: { short?: string; negatable?: boolean } = {}): Option<boolean> => ({
  takes: null,
  help,
  many: false,
  negatable: more.negatable ?? false,
  ...(more.short ? { short: more.short } : {}),
  read: given => last(given) === 'true',
});

export const number = (takes: string, help: string): Option<number> =>
  one(takes, help, given => {
    const value = Number(given);
    if (given.trim() === '' || !Number.isFinite(value)) throw new WrongValue('a number');
    return value;
  });

export const wholeOption = (takes: string, help: string, min = 0, max = Number.MAX_SAFE_INTEGER): Option<number> =>
  one(takes, help, given => {
    const value = Number(given);
    if (!/^\d+$/.test(given) || value < min || value > max) {
      throw new WrongValue(max === Number.MAX_SAFE_INTEGER ? `a whole number from ${min}` : `a whole number from ${min} to ${max}`);
    }
    return value;
  });

const DURATION = 'DURATION';
/** A century, the limit of the API; a longer duration is a mistake. */
const LONGEST_MS = 36_525 * 86_400_000;

/** `90s`, `5m`, `1h30m` -> ms. `min` and `max` in ms. */
export const durationOption = (help: string, { min = 0, max = LONGEST_MS }: { min?: number; max?: number } = {}): Option<number> =>
  one(DURATION, help, given => {
    const ms = readDuration(given);
    const bare = /^\d+$/.test(given) ? `; a number needs its unit, ${given}s or ${given}ms` : '';
    if (ms === undefined) throw new WrongValue(`a duration such as 90s, 5m or 1h30m${bare}`);
    if (ms < min || ms > max) throw new WrongValue(`a duration from ${durationText(min)} to ${durationText(max)}`);
    return ms;
  });

/** `yesterday`, `-2h`, `2026-11-22`, `2026-11-22 08:00`, ISO -> an instant for the API. */
export const instantOption = (help: string, { spanIsPast = false } = {}): Option<string> =>
  one('WHEN', help, (given, reading) => {
    // `--since 10m` is ten minutes ago; where the future makes sense, a span needs its sign.
    const at = readInstant(spanIsPast && readDuration(given) !== undefined ? `-${given}` : given, reading);
    if (at === undefined) throw new WrongValue(INSTANTS);
    return at;
  });

export const choiceOption = <const T extends readonly string[]>(values: T, help: string): Option<T[number]> => ({
  ...one(values.join('|'), help, given => {
    if (values.includes(given)) return given;
    const meant = nearest(given, values);
    throw new WrongValue(`one of ${values.join(', ')}${meant ? `; did you mean ${meant}?` : ''}`);
  }),
  values,
});

/** Some of `values`, or words that match `also`, with commas between them. Returned unchanged. */
export const choicesOption = (takes: string, help: string, values: readonly string[], also?: RegExp): Option<string> => ({
  ...one(takes, help, given => {
    const wrong = commaEntries(given).find(word => !values.includes(word) && !also?.test(word));
    if (wrong === undefined) return given;
    const meant = nearest(wrong, values);
    throw new WrongValue(`some of ${values.join(', ')}${meant ? `; did you mean ${meant}?` : ''}`);
  }),
  values,
});

/** `--env A=1 --env B=2` */
export const pairs = (takes: string, help: string): Option<Record<string, string>> => ({
  takes,
  help,
  many: true,
  negatable: false,
  isSecret: true,
  read(given) {
    const cuts = given.map(pair => [pair, pair.indexOf('=')] as const);
    if (cuts.some(([, cut]) => cut < 1)) throw new WrongValue(`${takes}, a name and a value with "=" between them`);
    return Object.fromEntries(cuts.map(([pair, cut]) => [pair.slice(0, cut), pair.slice(cut + 1)]));
  },
});

export interface Parsed<O extends Options> {
  values: Values<O>;
  words: string[];
  /** All arguments after `--`; undefined without `--`. */
  rest: string[] | undefined;
}

export interface Parsing {
  /** Epoch ms. */
  now: number;
  /** Hints for flags that users expect here and that are elsewhere, by name. */
  hints?: Readonly<Record<string, string>> | undefined;
}

/** Throws Failure `usage`. A flag `utc` decides the zone in which instants are read. */
export function parseOptions<O extends Options>(args: string[], options: O, { now, hints = {} }: Parsing): Parsed<O> {
  const specs: Record<string, FlagSpec> = {};
  for (const [name, { takes, short, negatable }] of Object.entries(options)) {
    specs[name] = { takes: takes !== null, ...(short === undefined ? {} : { short }) };
    if (negatable) specs[`no-${name}`] = { takes: false };
  }
  // `--name --json` has no value: the user forgot it. `--name=--json` has the value "--json".
  const { tokens, rest } = readFlags(args, specs, { flagLike: /^-\D/ });
  const given = new Map<string, string[]>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'word') words.push(token.text);
    else {
      const { name, value } = optionOf(token, options, hints);
      given.set(name, [...(given.get(name) ?? []), value]);
    }
  }
  const reading: InstantReading = { now, utc: given.get('utc')?.at(-1) === 'true' };
  const values: Record<string, unknown> = {};
  for (const [name, came] of given) {
    const option = options[name] as Option<unknown>;
    if (came.length > 1 && !option.many && option.takes !== null)
      throw wrongUsage(`--${name} is given ${came.length} times, but may be given once`);
    try {
      values[name] = option.read(came, reading);
    } catch (error) {
      const shown = option.isSecret ? '' : ` is "${last(came)}", but`;
      if (error instanceof WrongValue) throw wrongUsage(`--${name}${shown} must be ${error.message}`);
      throw error;
    }
  }
  return { values: values as Values<O>, words, rest };
}

/** Names that other programs use for these flags. */
const SAME_FLAGS: Readonly<Record<string, string>> = { since: 'from', until: 'to', tz: 'time-zone', zone: 'time-zone' };

function hintFor(name: string, options: Options, hints: Readonly<Record<string, string>>): string {
  if (Object.hasOwn(hints, name)) return hints[name] ?? '';
  const plain = name.replace(/-ms$/, '');
  if (plain !== name && options[plain]?.takes === DURATION) return `durations have a unit: --${plain} 90s`;
  const same = Object.hasOwn(SAME_FLAGS, name) ? SAME_FLAGS[name] : undefined;
  const meant = same !== undefined && Object.hasOwn(options, same) ? same : nearest(name, Object.keys(options));
  return meant ? `did you mean --${meant}?` : '--help lists the flags';
}

function optionOf(
  token: Exclude<FlagToken, { kind: 'word' }>,
  options: Options,
  hints: Readonly<Record<string, string>>,
): { name: string; value: string } {
  const { name } = token;
  const option = Object.hasOwn(options, name) ? options[name] : undefined;
  if (!option) {
    if (token.kind === 'flag' && token.value === undefined) return { name: name.slice('no-'.length), value: 'false' };
    throw wrongUsage(`there is no ${token.kind === 'unknown' ? token.written : `--${name}`} here; ${hintFor(name, options, hints)}`);
  }
  if (token.kind === 'valueMissing') throw wrongUsage(`--${name} needs a value: --${name} ${option.takes}`);
  const { value = 'true' } = token;
  if (option.takes === null && !['true', 'false'].includes(value))
    throw wrongUsage(`--${name} is "${value}", but must be true or false, or nothing`);
  return { name, value };
}
