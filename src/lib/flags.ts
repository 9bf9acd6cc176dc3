/**
 * Flags of a command line as tokens of `parseArgs`. Its strict mode stops at the first mistake;
 * here each mistake is a token, so that callers report all of them in their own words.
 */
import { parseArgs } from 'node:util';

export interface FlagSpec {
  /**
   * `true`: a value, behind `=` or as the next word. `false`: none. Words: the next word where it
   * is one of these, else none.
   */
  takes: boolean | readonly string[];
  /** One letter: `-f`. */
  short?: string;
}

export type FlagToken =
  /** `value` is undefined for a flag that stands alone. */
  | { kind: 'flag'; name: string; value: string | undefined }
  | { kind: 'valueMissing'; name: string }
  /** `written` has its dashes; `value` only behind `=`. */
  | { kind: 'unknown'; name: string; written: string; value: string | undefined }
  | { kind: 'word'; text: string };

export interface ParsedFlags {
  /** In their order. */
  tokens: FlagToken[];
  /** Everything behind `--`; undefined without `--`. */
  rest: string[] | undefined;
}

/**
 * `specs`: by name, without dashes. A next word that matches `flagLike` (default: it begins with
 * `--`) is a flag, not a value. The word after an unknown flag is skipped as its value.
 */
export function readFlags(
  args: readonly string[],
  specs: Readonly<Record<string, FlagSpec>>,
  { flagLike = /^--/ }: { flagLike?: RegExp } = {},
): ParsedFlags {
  const options = Object.fromEntries(
    Object.entries(specs).map(([name, { takes, short }]) => [
      name,
      { type: takes === true ? 'string' : 'boolean', ...(short === undefined ? {} : { short }) } as const,
    ]),
  );
  const parsed = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true }).tokens;
  const tokens: FlagToken[] = [];
  for (let at = 0; at < parsed.length; at++) {
    const token = parsed[at];
    if (token === undefined) break;
    if (token.kind === 'option-terminator') return { tokens, rest: args.slice(token.index + 1) };
    if (token.kind === 'positional') {
      tokens.push({ kind: 'word', text: token.value });
      continue;
    }
    const { name, rawName: written, value, inlineValue, index } = token;
    const takes = Object.hasOwn(specs, name) ? specs[name]?.takes : undefined;
    const next = parsed[at + 1];
    const nextWord = value === undefined && next?.kind === 'positional' && next.index === index + 1 ? next.value : undefined;
    if (takes === undefined) {
      tokens.push({ kind: 'unknown', name, written, value });
      if (nextWord !== undefined && written.startsWith('--')) at++;
    } else if (takes === true && value !== undefined && inlineValue === false && flagLike.test(value)) {
      // Not its value but the next flag: reads on from there.
      const { tokens: later, rest } = readFlags(args.slice(index + 1), specs, { flagLike });
      return { tokens: [...tokens, { kind: 'valueMissing', name }, ...later], rest };
    } else if (takes === true && value === undefined) tokens.push({ kind: 'valueMissing', name });
    else if (typeof takes === 'object' && nextWord !== undefined && takes.includes(nextWord)) {
      tokens.push({ kind: 'flag', name, value: nextWord });
      at++;
    } else tokens.push({ kind: 'flag', name, value });
  }
  return { tokens, rest: undefined };
}
